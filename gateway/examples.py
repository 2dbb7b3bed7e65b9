"""What the OpenAPI document shows as examples: one story with people who do not exist, in the types that the API gives.

Mrs Archer has an MRI at the North clinic; it was moved by a day, and one message of that morning could not be used.
They are typed as answers are, so an example cannot have a field that is not there; tests hold them against the schemas.
"""

from http import HTTPStatus
from typing import Any

from msgspec import Struct

from canonical.datatypes import (
    Address,
    Authority,
    Coding,
    Concept,
    Identifier,
    Name,
    Participant,
    Placement,
    Service,
    Telecom,
)
from canonical.events import Event
from canonical.problems import Problem
from gateway import examples_of_requests as requests
from gateway.problems import RETRYABLE, ProblemDetails, Wrong
from gateway.refusals import CODES, STATUSES
from gateway.routes import (
    appointments,
    deliveries,
    encounters,
    events,
    feeds,
    holds,
    jobs,
    lineage,
    locations,
    messages,
    oauth,
    patients,
    providers,
    records,
    subscriptions,
    system,
)
from gateway.routes import tasks as work
from transforms.api import v1
from transforms.api.cloudevent import CloudEvent, cloud_event
from transforms.hl7v2.tree import FieldNode, Part, SegmentNode

PATIENT = "pat_01M88RY5ZG9QZ3EJSA53T7BZ3N"
PROVIDER = "prv_01M88RY5ZGBZVN7KQXPWZZ735G"
LOCATION = "loc_01M88RY5ZGRSR4Z3RNKDXGRHBH"
APPOINTMENT = "apt_01M88RY5ZG6C7KPVG5CFPMQMNS"
ENCOUNTER = "enc_01M88RY5ZQ4NYYPQJRRENKWJXY"
TASK = "tsk_01M88RY605C9ZG1EZGC5XRQQXT"
SUBSCRIPTION = "sub_01M88S0B7Q4V1N6Z0J3T9K8W2M"
DELIVERY = "dlv_01M88S0CNE5W3H8Y1K4V0M9X3P"
EVENT = "evt_01M88RY600M1P4CYXAAF9SWJ6V"
HOLD = "hld_01M88Z4KAG0S8T1B5N7C3D9F2H"
JOB = "job_01M88S3Q1RZ7D2C5B8A1F4E6G9"
ADMITTED, BOOKED, MOVED, UNUSABLE = (
    "msg_01M88RY5ZQBJNMGNAJAVZNXCF6",
    "msg_01M88RY5ZGPQNTXYJ64F0W3XWP",
    "msg_01M88RY600Z4QM39H2P9N24SP7",
    "msg_01M88RY605DY90EEK98QRSZCN0",
)
FIRST, THEN = "2026-11-25T07:15:20.176851Z", "2026-11-25T07:15:20.192242Z"
MICROS = 1795590920192242
TRACE = "9f3c1c497dc127fe5aa262729028806a"
REQUEST = "c7d1204005678d6599e7406f5a86bf05"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the example of the Standard Webhooks specification
NORTH = Authority(namespace_id="NORTH")
CURSOR = "pZQbZFdElx6w_Ftk2SSr0CihJdF1z0mvrBRbhf6B2T"


def _coded(code: str, display: str, system: str | None = "urn:x-main:east:L") -> Concept:
    return Concept(codings=(Coding(code=code, system=system, display=display),), text=display)


def _number(value: str, kind: str) -> Identifier:
    return Identifier(value=value, system="urn:x-main:east:NORTH", type=kind, original=NORTH)


_PROVIDER = Participant(
    kind="provider",
    role=_coded("ATT", "Attending", None),
    actor=PROVIDER,
    display="Iris L Baker",
    start="2027-06-02T14:00:00Z",
    minutes=45,
    group="1",
    key="AIP/1",
)
_BOOKED_AS = v1.Transition(at="2026-11-21T14:30:00Z", recorded_at=FIRST, to="booked", event="S12", message=BOOKED)

_APPOINTMENT = v1.Appointment(
    id=APPOINTMENT,
    version_id="2",
    created_at=FIRST,
    updated_at=THEN,
    effective_at="2026-11-21T14:31:00Z",
    status="booked",
    source_status=_coded("Booked", "Booked", "http://terminology.hl7.org/CodeSystem/v2-0278"),
    status_history=(_BOOKED_AS,),
    identifiers=(_number("F1", "FILL"), _number("P1", "PLAC")),
    provenance=v1.Provenance(feed="east", message=MOVED),
    start="2027-06-02T14:00:00Z",
    end="2027-06-02T14:45:00Z",
    zone="America/New_York",
    minutes_duration=45,
    duration_source="declared",
    previous_start="2027-06-01T14:00:00Z",
    reasons=(_coded("KNEE", "Knee pain"),),
    appointment_type=_coded("MRI", "MRI visit"),
    services=(Service(code=_coded("MRI", "MRI of the knee"), start="2027-06-02T14:00:00Z", minutes=45, key="AIS/1"),),
    patient=PATIENT,
    encounter=ENCOUNTER,
    visit=_number("V1", "VN"),
    participants=(Participant(kind="patient", actor=PATIENT, status="accepted", key=f"PID/{PATIENT}"), _PROVIDER),
)
_ENCOUNTER = v1.Encounter(
    id=ENCOUNTER,
    version_id="1",
    created_at=FIRST,
    updated_at=FIRST,
    effective_at="2026-11-21T13:00:00Z",
    status="in-progress",
    status_history=(
        v1.Transition(at="2026-11-21T13:00:00Z", recorded_at=FIRST, to="in-progress", event="A01", message=ADMITTED),
    ),
    identifiers=(_number("V1", "VN"),),
    provenance=v1.Provenance(feed="east", message=ADMITTED),
    class_=Concept(
        codings=(
            Coding(code="I", system="http://terminology.hl7.org/CodeSystem/v2-0004"),
            Coding(
                code="IMP",
                system="http://terminology.hl7.org/CodeSystem/v3-ActCode",
                display="inpatient encounter",
            ),
        )
    ),
    patient=PATIENT,
    start="2026-11-21T13:00:00Z",
    zone="America/New_York",
    placements=(Placement(kind="assigned", location=LOCATION, display="WEST 12 1", status="active"),),
)
_PATIENT = v1.Patient(
    id=PATIENT,
    version_id="3",
    created_at=FIRST,
    updated_at=THEN,
    effective_at="2026-11-21T15:00:00Z",
    status="active",
    identifiers=(_number("N0001", "MR"),),
    provenance=v1.Provenance(feed="east", message=ADMITTED),
    names=(Name(family="Archer", given=("Lena", "M"), prefix="Mrs", use="official"),),
    gender="female",
    birth_date="1971-03-05",
    addresses=(Address(lines=("77 Canal Street",), city="Albany", state="NY", postal_code="12207", country="USA"),),
    telecoms=(Telecom(system="phone", value="+1 518 555 0143", use="home"),),
)
_EVENT = cloud_event(
    Event(
        id=EVENT,
        type="appointment.rescheduled",
        tenant="main",
        subject=APPOINTMENT,
        at=MICROS,
        seq=4,
        version=2,
        traceparent=f"00-{TRACE}-67c5144683db2b89-00",
    )
)
FULL_EVENT = cloud_event(
    Event(
        id=EVENT,
        type="appointment.rescheduled",
        tenant="main",
        subject=APPOINTMENT,
        at=MICROS,
        seq=4,
        version=2,
    ),
    _APPOINTMENT,
)
_MESSAGE = messages.Message(
    id=UNUSABLE,
    feed="east",
    received_at="2026-11-25T07:15:20.197121Z",
    state="parked",
    protocol="hl7v2",
    type="ADT",
    event="A08",
    version="2.5.1",
    control_id="X1",
    sender="ADT|NORTH",
    ack_code="AE",
    clock="2026-11-21T14:30:00Z",
    problems=(
        Problem(
            code="DQ-REQUIRED-MISSING",
            path="PID-3",
            severity="error",
            detail="the message names no patient: PID-3 holds no number",
        ),
    ),
    trace=TRACE,
)
_SUBSCRIPTION = subscriptions.Subscription(
    id=SUBSCRIPTION,
    version_id="1",
    kind="webhook",
    url="https://partner.example/isthmus",
    types=("appointment.*",),
    feeds=(),
    patients=(),
    full=False,
    state="active",
    client="scheduler",
    destination=None,
    route=None,
    cursor=4,
    created_at="2026-11-25T07:16:30Z",
    updated_at="2026-11-25T07:16:30Z",
    description="Reminders",
    secret=SECRET,
)
_DELIVERY = deliveries.Delivery(
    id=DELIVERY,
    subscription=SUBSCRIPTION,
    event=EVENT,
    type="appointment.rescheduled",
    state="delivered",
    attempts=2,
    created_at="2026-11-25T07:16:31Z",
    updated_at="2026-11-25T07:16:36.52Z",
    outcome="http_204",
    trace=TRACE,
    tries=(
        deliveries.Attempt(number=1, at="2026-11-25T07:16:31Z", took_ms=20.5, outcome="http_503", status=503),
        deliveries.Attempt(number=2, at="2026-11-25T07:16:36.5Z", took_ms=18.25, outcome="http_204", status=204),
    ),
)
_JOB = jobs.Job(id=JOB, kind="replay", state="running", total=120, done=40, failed=0, created_at="2026-11-25T07:18:20Z")
_TREE = SegmentNode(
    "PID",
    "Patient Identification",
    1,
    [
        FieldNode(
            "PID-5",
            "Patient Name",
            "XPN",
            [Part("PID-5", parts=[Part("PID-5.1", "Family Name", "Archer"), Part("PID-5.2", "Given Name", "Lena")])],
        )
    ],
)

# What is given, by type. Pages are made of what they hold.
OF_TYPES: dict[Any, Struct] = {
    v1.Patient: _PATIENT,
    v1.Provider: v1.Provider(
        id=PROVIDER,
        version_id="1",
        created_at=FIRST,
        updated_at=FIRST,
        status="active",
        identifiers=(_number("4411223", "EI"),),
        kind="person",
        names=(Name(family="Baker", given=("Iris", "L"), degree="MD", use="official"),),
    ),
    v1.Location: v1.Location(
        id=LOCATION,
        version_id="1",
        created_at=FIRST,
        updated_at=FIRST,
        status="active",
        identifiers=(Identifier(value="NORTH///IMG/MR2/", system="urn:x-main:location"),),
        name="IMG MR2",
        physical_type="ro",
        facility="NORTH",
        point_of_care="IMG",
        room="MR2",
    ),
    v1.Appointment: _APPOINTMENT,
    v1.Encounter: _ENCOUNTER,
    **requests.OF_TYPES,
    records.Versions: records.Versions(items=[_APPOINTMENT]),
    lineage.Lineage: lineage.Lineage(
        items=[
            lineage.LineageLine(
                field="start",
                message=MOVED,
                path="SCH-11.4",
                mapping="instant",
                exact=True,
                value="2027-06-02T14:00:00Z",
            )
        ],
        unmapped=[lineage.Unmapped(message=MOVED, path="ZPI-2", value="something nobody mapped")],
    ),
    CloudEvent: _EVENT,
    events.Events: events.Events(items=[_EVENT], next="4"),
    messages.Message: _MESSAGE,
    messages.Tree: messages.Tree(items=[_TREE]),
    messages.Count: messages.Count(total=120),
    work.Task: work.Task(
        id=TASK,
        version_id="1",
        queue="integration-errors",
        code="DQ-REQUIRED-MISSING",
        subject=UNUSABLE,
        title="A message could not be applied",
        status="ready",
        priority=5,
        created_at="2026-11-25T07:15:20.197121Z",
        updated_at="2026-11-25T07:15:20.197121Z",
        due_at="2026-11-26T07:15:20.197121Z",
    ),
    subscriptions.Subscription: _SUBSCRIPTION,
    subscriptions.Outcome: subscriptions.Outcome(outcome="http_204", status=204, delivered=True),
    deliveries.Delivery: _DELIVERY,
    jobs.Job: _JOB,
    feeds.FeedState: feeds.FeedState(
        name="east",
        listener="127.0.0.1:2575",
        zone="America/New_York",
        state="open",
        silent=False,
        counts={"applied": 5, "parked": 1},
    ),
    holds.Hold: holds.Hold(
        id=HOLD,
        name="Archer v. North Clinic",
        reason="Letter of 20 November 2026 from counsel",
        created_at="2026-11-25T09:00:00Z",
        created_by="operator",
        record=PATIENT,
    ),
    feeds.Switch: feeds.Switch(name="feed:east", since="2026-11-25T07:20:00Z", by="operator"),
    oauth.Token: oauth.Token(access_token="eyJ0eXAi...", expires_in=300, scope="appointments.read"),  # noqa: S106
    oauth.Introspection: oauth.Introspection(
        active=True,
        scope="appointments.read",
        client_id="scheduler",
        token_type="Bearer",  # noqa: S106 - the name of a scheme
        exp=1795591220,
        iat=1795590920,
        sub="scheduler",
        aud="https://isthmus.example.org",
        iss="https://isthmus.example.org",
        jti="tok_0f8fad5bd9cb469fa16570867728950e",
    ),
    oauth.OAuthError: oauth.OAuthError("invalid_scope", "One of these scopes is not this client's."),
    system.Health: system.Health(status="ready", checks={"store": "ok", "intake": "ok", "audit": "ok"}),
}
# What is sent, by type.
OF_BODIES: dict[type[Struct], dict[str, object]] = {
    appointments.AppointmentSearch: {"patient": PATIENT, "status": ["booked"], "dateFrom": "2027-06-01"},
    encounters.EncounterSearch: {"patient": PATIENT, "updatedSince": "2026-11-25T07:00:00Z"},
    patients.PatientSearch: {"name": "lena archer", "birthDate": "1971-03-05"},
    providers.ProviderSearch: {"identifier": ["urn:x-main:east:NORTH|4411223"]},
    locations.LocationSearch: {"name": "mr2"},
    **requests.OF_BODIES,
    messages.MessageSearch: {"identifier": ["N0001"], "state": "parked", "limit": 20},
    messages.Replay: {"emit": True},
    messages.ReplayAll: {"type": "SIU", "state": "parked", "limit": 100, "dryRun": True},
    holds.NewHold: {
        "name": "Archer v. North Clinic",
        "reason": "Letter of 20 November 2026 from counsel",
        "record": PATIENT,
    },
    work.TaskChange: {"status": "completed", "resolution": "mended at the source"},
    subscriptions.NewSubscription: {
        "url": "https://partner.example/isthmus",
        "types": ["appointment.*"],
        "description": "Reminders",
    },
    subscriptions.SubscriptionChange: {"types": ["appointment.*", "patient.merged"]},
    subscriptions.Rotation: {"overlap": False},
    deliveries.ResendAll: {"subscription": SUBSCRIPTION, "state": "parked", "dryRun": True},
    oauth.TokenForm: {"grant_type": "client_credentials", "scope": "appointments.read events.read"},
    oauth.TokenInForm: {"token": "eyJ0eXAi..."},
}
# Documents of standards, by operation.
OF_OPERATIONS: dict[str, object] = {
    "authorizationServer": {
        "issuer": "https://isthmus.example.org",
        "token_endpoint": "https://isthmus.example.org/oauth/token",
        "grant_types_supported": ["client_credentials"],
    },
    "protectedResource": {
        "resource": "https://isthmus.example.org",
        "authorization_servers": ["https://isthmus.example.org"],
    },
    "readJwks": {
        "keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1", "x": "...", "y": "..."}]
    },
    "openapi": {"openapi": "3.1.0", "info": {"title": "Isthmus", "version": "1"}, "paths": {}},
    "revokeToken": {},
}
# What is not JSON, by media type.
OF_MEDIA = {
    messages.HL7: "MSH|^~\\&|SCHED|NORTH|ISTHMUS|HUB|20261121093000-0500||SIU^S12^SIU_S12|B1|T|2.5.1\r"
    "SCH|P1^SCHED|F1^SCHED\r",
    events.STREAM: events.sse(
        Event(
            id=EVENT,
            type="appointment.rescheduled",
            tenant="main",
            subject=APPOINTMENT,
            at=MICROS,
            seq=4,
            version=2,
        )
    ).decode(),
    system.TEXT: "# HELP isthmus_messages_total Messages by what became of them.\n"
    '# TYPE isthmus_messages_total counter\nisthmus_messages_total{feed="east",type="SIU",outcome="applied"} 5.0\n',
}
# What a path names, by the kind of id.
OF_PATHS = {
    "patient": PATIENT,
    "provider": PROVIDER,
    "location": LOCATION,
    "appointment": APPOINTMENT,
    "encounter": ENCOUNTER,
    **requests.OF_PATHS,
    "message": UNUSABLE,
    "task": TASK,
    "subscription": SUBSCRIPTION,
    "delivery": DELIVERY,
    "job": JOB,
    "hold": HOLD,
    "feed": "east",
}
_WRONG = {
    "has_no_version": Wrong(code="has_no_version", detail="Leave it out.", header="If-Match"),
    "invalid_request": Wrong(
        code="invalid_value", detail="An RFC 3339 instant or a date is needed.", parameter="dateFrom"
    ),
    "invalid_value": Wrong(code="unknown_type", detail="No event has this type.", pointer="/types/0"),
}
_ALLOWED: dict[str, list[str]] = {
    "already_taken": list(work.MOVES["in-progress"]),
    "invalid_transition": list(work.MOVES["completed"]),
}


def of_problem(code: str) -> ProblemDetails:
    """A refusal as a caller sees it."""
    status = STATUSES[code]
    return ProblemDetails(
        type="about:blank",
        status=status,
        title=HTTPStatus(status).phrase,
        detail=CODES[status][code],
        instance=f"urn:request:{REQUEST}",
        code=code,
        request_id=REQUEST,
        retryable=status in RETRYABLE,
        errors=[_WRONG[code]] if code in _WRONG else [],
        allowed=_ALLOWED.get(code, []),
    )
