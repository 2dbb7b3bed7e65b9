"""Made-up messages, records and events: each call gives what a test names and something plausible for the rest."""

from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from canonical.datatypes import Coding, Concept, Identifier, Link, Name, Participant
from canonical.events import Event
from canonical.ids import new_id
from canonical.records import Appointment, Fact, Location, Patient, Provider, Record, Stamp
from canonical.tasks import Task
from gateway.store.protocol import AuditRow, Kept, MessageQuery, RecordQuery, Store, Written
from policies.audit import digest

T0 = 1_800_000_000_000_000  # 2027-01-15T08:00:00Z
MRN, FILLER = "urn:oid:1.2.3.4", "urn:oid:1.2.3.5"


def identifier(value: str, system: str = MRN, kind: str = "MR") -> Identifier:
    """An identifier of the test hospital."""
    return Identifier(value=value, system=system, type=kind)


def message(number: int, tenant: str = "main", **given: Any) -> Kept:
    """Message `number`: its control id is M<number>."""
    raw = f"MSH|^~\\&|EHR|HOSP|ISTHMUS|HOSP|20270115||SIU^S12|M{number}|P|2.5.1\rSCH|{number}\r".encode()
    kept = Kept(
        id=new_id("message", T0 + number, tenant, number),
        tenant=tenant,
        feed="ehr",
        received_at=T0 + number,
        state="applied",
        raw=raw,
        hash=sha256(raw).digest(),
        dedup=f"ehr|EHR|HOSP|M{number}",
        type="SIU",
        event="S12",
        version="2.5.1",
        control_id=f"M{number}",
        sender="EHR|HOSP",
        ack=f"MSH|^~\\&|ISTHMUS\rMSA|AA|M{number}\r".encode(),
        ack_code="AA",
        clock=T0 + number,
    )
    return replace(kept, **given)


def patient(number: int, *names: str, tenant: str = "main", **given: Any) -> Patient:
    """Patient `number`, known by the MRN P<number>."""
    made = Patient(
        id=new_id("patient", T0 + number, tenant, number),
        tenant=tenant,
        version=1,
        status="active",
        identifiers=(identifier(f"P{number}"),),
        created_at=T0 + number,
        updated_at=T0 + number,
        names=(Name(family=names[0], given=names[1:]),) if names else (),
        birth_date="1985-06-12",
    )
    return replace(made, **given)


def appointment(number: int, of: str | None = None, tenant: str = "main", **given: Any) -> Appointment:
    """Appointment `number`, on day `number` of 2027, as a feed would have it."""
    stamp = Stamp(0, T0 + number, new_id("message", T0 + number, tenant, number))
    fields = ("start", "end", "zone", "identifiers", "appointment_type", "reasons", "patient", "participants")
    made = Appointment(
        id=new_id("appointment", T0 + number, tenant, number),
        tenant=tenant,
        version=1,
        status="booked",
        identifiers=(identifier(f"A{number}", FILLER, "FILL"),),
        created_at=T0 + number,
        updated_at=T0 + number,
        message=stamp.message,
        feed="ehr",
        facts=(Fact(status="booked", stamp=stamp, feed="ehr", event="S12", recorded_at=T0 + number),),
        stamps=(stamp,),
        clocks=dict.fromkeys(fields, 0),
        start=f"2027-{1 + number // 28 % 12:02}-{1 + number % 28:02}T13:00:00Z",
        zone="America/Chicago",
        appointment_type=Concept(codings=(Coding(code="ROUTINE", display="Routine visit"),)),
        patient=of,
    )
    return replace(made, **given)


def provider(number: int, tenant: str = "main") -> Provider:
    """Provider `number`, known by an NPI."""
    npi = Identifier(value=f"{1_000_000_000 + number}", system="http://hl7.org/fhir/sid/us-npi", type="NPI")
    return Provider(
        id=new_id("provider", T0 + number, tenant, number),
        tenant=tenant,
        version=1,
        status="active",
        identifiers=(npi,),
        created_at=T0 + number,
        updated_at=T0 + number,
        names=(Name(family=f"Doctor{number}", given=("Ada",)),),
    )


def location(number: int, tenant: str = "main") -> Location:
    """Location `number`."""
    return Location(
        id=new_id("location", T0 + number, tenant, number),
        tenant=tenant,
        version=1,
        status="active",
        identifiers=(identifier(f"CLINIC^ROOM{number}", "urn:oid:1.2.3.6", "PL"),),
        created_at=T0 + number,
        updated_at=T0 + number,
        name=f"Room {number}",
    )


def takes_part(record: Record, kind: str) -> Participant:
    """The record as a participant."""
    return Participant(kind=kind, actor=record.id, identifiers=record.identifiers, key=f"AIP/{record.id[-1]}")


def new(record: Record) -> Written:
    """A record that is kept for the first time."""
    return Written(kind=type(record).__name__.lower(), before=None, after=record, fresh=True)


def changed(before: Record, **fields: Any) -> Written:
    """The next version of a record."""
    later = {"version": before.version + 1, "updated_at": before.updated_at + 1_000_000}
    after = replace(before, **{**later, **fields})
    return Written(kind=type(before).__name__.lower(), before=before, after=after, fresh=True)


def confirmed(before: Record, clock: int) -> Written:
    """The same version of a record with newer clocks."""
    after = replace(before, effective_at=clock)
    return Written(kind=type(before).__name__.lower(), before=before, after=after, fresh=False)


def merged(source: Patient, survivor: Patient) -> Written:
    """The source, replaced by the survivor."""
    return changed(source, status="merged", links=(Link(type="replaced-by", other=survivor.id),))


def event(number: int, kind: str = "appointment.created", tenant: str = "main", **given: Any) -> Event:
    """An event; its seq is the store's to give."""
    subject = new_id("appointment", T0 + number, tenant, number)
    made = Event(
        id=new_id("event", T0 + number, tenant, number), type=kind, tenant=tenant, subject=subject, at=T0 + number
    )
    return replace(made, **given)


def task(number: int, tenant: str = "main", **given: Any) -> Task:
    """A task about message `number`."""
    made = Task(
        id=new_id("task", T0 + number, tenant, number),
        tenant=tenant,
        queue="integration-errors",
        code="INT-MAP",
        subject=new_id("message", T0 + number, tenant, number),
        title="A message could not be applied",
        created_at=T0 + number,
        updated_at=T0 + number,
    )
    return replace(made, **given)


def audit_row(number: int, tenant: str = "main") -> AuditRow:
    """An audit row with the digest of its body."""
    body = f'{{"actor":"client","number":{number}}}'.encode()
    return AuditRow(
        at=T0 + number, tenant=tenant, actor="client", action="R", what="/v1/x", body=body, digest=digest(body)
    )


async def found(store: Store, tenant: str = "main", **query: Any) -> list[str]:
    """The ids of the messages that a search finds, page by page."""
    ids: list[str] = []
    after = None
    while True:
        page = await store.messages(MessageQuery(tenant=tenant, after=after, **query))
        ids += [one.id for one in page.items]
        if (after := page.next) is None:
            return ids


async def records(store: Store, kind: str, tenant: str = "main", **query: Any) -> list[str]:
    """The ids of the records that a search finds, page by page."""
    ids: list[str] = []
    after = None
    while True:
        page = await store.records(RecordQuery(tenant=tenant, kind=kind, after=after, **query))
        ids += [one.id for one in page.items]
        if (after := page.next) is None:
            return ids
