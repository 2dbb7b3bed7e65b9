"""Version 1 of the partner API as a wire format: what a canonical record looks like to a caller.

These types are the contract: the OpenAPI document is made from them, and they change only by addition. Facts, stamps,
clocks and the tenant stay inside. Every list of codes is open: clients must tolerate values that they do not know.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import fields, replace

from canonical.datatypes import (
    Address,
    Concept,
    Contact,
    Diagnosis,
    Identifier,
    Link,
    Name,
    Note,
    Participant,
    Placement,
    Service,
    Telecom,
)
from canonical.group import each_once
from canonical.meaning import codes, identity, means, partial_date, roughly, when
from canonical.problems import Problem
from canonical.records import Appointment as AppointmentRecord
from canonical.records import Encounter as EncounterRecord
from canonical.records import Location as LocationRecord
from canonical.records import Patient as PatientRecord
from canonical.records import Provider as ProviderRecord
from canonical.records import Record
from canonical.status import MACHINES, history
from transforms.api.cloudevent import instant
from transforms.api.masking import is_masking, masked

OPAQUE = "Opaque, and good for ever."
NOBODY: Mapping[str, str] = {}


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of everything that the API says: camelCase, and what is empty is left out."""


def in_zone(text: str) -> Meta:
    """An IANA time zone."""
    return means(f"{text} An IANA zone, as `America/New_York`.")


def status_of(kind: str) -> Meta:
    """A status of this kind of record, in FHIR R4's words where it has one."""
    return codes("Where it stands, by all that was said.", *(one for one in MACHINES[kind] if one))


class Transition(Wire, frozen=True):
    """One line of a status history: a status that was another before. `at` is the sender's time, `recordedAt` ours.

    An `anomaly` is a transition that the status machine does not know; it was applied, because the feed is the truth.
    A `late` line came after a newer one. A line that is not `effective` changed nothing (the cancel of an event that
    was not the current one). What only says again what holds makes no line.
    """

    at: Annotated[str, when("The sender's time of what it said.")]
    recorded_at: Annotated[str, when("When we were told.")]
    to: Annotated[str, means("The status that it became.")]
    from_: Annotated[str | None, means("The status that it was; left out at the beginning.")] = None
    event: Annotated[str | None, means("The sender's event, as `S12` or `A01`.")] = None
    message: Annotated[str | None, identity("The message that said so.", "message")] = None
    anomaly: Annotated[
        bool, means("The status machine does not know this transition; it was applied, because the feed is the truth.")
    ] = False
    late: Annotated[bool, means("It was said after something newer.")] = False
    effective: Annotated[bool, means("False where it changed nothing; left out where it did.")] = True


class Provenance(Wire, frozen=True):
    """The feed and the message that changed the record last."""

    feed: Annotated[str | None, means("The feed that the message came by.")] = None
    message: Annotated[str | None, identity("The message.", "message")] = None


class Resource(Wire, frozen=True):
    """What every resource has. Instants are RFC 3339 in UTC.

    `versionId` counts the versions from "1"; it is a string, as in FHIR, and the `version` of an event is the same
    number. It is also the ETag, with a suffix where what is shown differs from what was said: a patient who was merged
    since, a visit that was found by its number, a number that is masked. `effectiveAt` is the senders' time of the
    version.
    """

    id: str
    version_id: Annotated[
        str, means("The number of the version, from `1`; the ETag begins with it.", pattern=r"^[1-9]\d*$")
    ]
    created_at: Annotated[str, when("When we first heard of it.")]
    updated_at: Annotated[str, when("When this version was made.")]
    effective_at: Annotated[str | None, when("The senders' time of this version.")] = None
    status: str | None = None
    status_reason: Annotated[Concept | None, means("Why it is in that status.")] = None
    source_status: Annotated[Concept | None, means("What the sender called the status.")] = None
    status_history: Annotated[
        tuple[Transition, ...], means("Every status that was another before, in the order of the senders' clocks.")
    ] = ()
    identifiers: Annotated[tuple[Identifier, ...], means("The numbers by which others know it.")] = ()
    problems: Annotated[tuple[Problem, ...], means("What came and could not be read or believed.")] = ()
    security_labels: Annotated[tuple[Concept, ...], means("How confidential it is.")] = ()
    provenance: Annotated[Provenance, means("The feed and the message that changed it last.")] = Provenance()


class Patient(Resource, frozen=True, tag="patient", tag_field="resourceType"):
    """A person in care. A merged patient keeps its own record, and its `replaced-by` link names the survivor."""

    id: Annotated[str, identity(OPAQUE, "patient")]
    status: Annotated[str | None, status_of("patient")] = None
    names: Annotated[tuple[Name, ...], means("The patient's names, the official one among them.")] = ()
    gender: Annotated[str | None, codes("Administrative gender.", "female", "male", "other", "unknown")] = None
    gender_original: Annotated[Concept | None, means("What the sender called it.")] = None
    birth_date: Annotated[str | None, partial_date("Date of birth.")] = None
    birth_time: Annotated[str | None, when("Time of birth, where it was said.")] = None
    deceased: Annotated[bool | None, means("Whether the patient has died.")] = None
    deceased_at: Annotated[str | None, when("When the patient died.")] = None
    addresses: Annotated[tuple[Address, ...], means("Where the patient lives or gets mail.")] = ()
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach the patient.")] = ()
    languages: Annotated[tuple[Concept, ...], means("Languages that the patient speaks.")] = ()
    marital_status: Annotated[Concept | None, means("Marital status.")] = None
    religion: Annotated[Concept | None, means("Religion.")] = None
    races: Annotated[tuple[Concept, ...], means("Races.")] = ()
    ethnicities: Annotated[tuple[Concept, ...], means("Ethnicities.")] = ()
    multiple_birth: Annotated[bool | None, means("Whether the patient is a twin or one of more.")] = None
    birth_order: Annotated[int | None, means("The place among them.")] = None
    birth_place: Annotated[str | None, means("Place of birth, in words.")] = None
    identity_unknown: Annotated[bool | None, means("Whether nobody knows who the patient is.")] = None
    identity_reliability: Annotated[
        tuple[Concept, ...], means("How far the identity can be relied upon (HL7 table 0445).")
    ] = ()
    protection: Annotated[bool | None, means("Whether access to the patient's data is to be restricted.")] = None
    publicity: Annotated[Concept | None, means("What may be said of the patient to others (HL7 table 0215).")] = None
    accounts: Annotated[tuple[Identifier, ...], means("Account numbers.")] = ()
    contacts: Annotated[tuple[Contact, ...], means("Next of kin and others.")] = ()
    general_practitioners: Annotated[tuple[str, ...], means("The ids of the patient's own doctors.")] = ()
    coverage_members: Annotated[tuple[Identifier, ...], means("Member numbers of insurers.")] = ()
    links: Annotated[
        tuple[Link, ...], means("Other records of the same person; `replaced-by` names the survivor of a merge.")
    ] = ()


class Provider(Resource, frozen=True, kw_only=True, tag="provider", tag_field="resourceType"):
    """A practitioner or an organisation that provides care."""

    id: Annotated[str, identity(OPAQUE, "provider")]
    status: Annotated[str | None, status_of("provider")] = None
    kind: Annotated[str, codes("Whether it is a person.", "person", "organization")]
    names: Annotated[tuple[Name, ...], means("The provider's names.")] = ()
    specialties: Annotated[tuple[Concept, ...], means("Specialties.")] = ()
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach the provider.")] = ()
    addresses: Annotated[tuple[Address, ...], means("Where the provider works.")] = ()


class Location(Resource, frozen=True, tag="location", tag_field="resourceType"):
    """A place: a bed, a room, a ward, a building."""

    id: Annotated[str, identity(OPAQUE, "location")]
    status: Annotated[str | None, status_of("location")] = None
    name: Annotated[str | None, means("The place in words.")] = None
    physical_type: Annotated[
        str | None,
        codes(
            "What it is (FHIR location-physical-type): site, building, level, ward, room, bed.",
            "si",
            "bu",
            "lvl",
            "wa",
            "ro",
            "bd",
        ),
    ] = None
    facility: Annotated[str | None, means("The facility it is in.")] = None
    building: Annotated[str | None, means("The building.")] = None
    floor: Annotated[str | None, means("The floor.")] = None
    point_of_care: Annotated[str | None, means("The ward or clinic.")] = None
    room: Annotated[str | None, means("The room.")] = None
    bed: Annotated[str | None, means("The bed.")] = None
    description: Annotated[str | None, means("What else is said of it.")] = None
    operational_status: Annotated[str | None, means("Whether it can be used (HL7 table 0116).")] = None
    zone: Annotated[str | None, in_zone("The zone of the place.")] = None


class Appointment(Resource, frozen=True, tag="appointment", tag_field="resourceType"):
    """A booked, offered, kept or missed visit. `start` and `end` are in UTC, `zone` is the place's IANA zone.

    `previousStart` is the last start that was another, by the senders' clocks.
    """

    id: Annotated[str, identity(OPAQUE, "appointment")]
    status: Annotated[str | None, status_of("appointment")] = None
    start: Annotated[str | None, when("When it begins.")] = None
    end: Annotated[str | None, when("When it ends.")] = None
    zone: Annotated[
        str | None, in_zone("The zone of the place: `start` in this zone is the time that the patient was told.")
    ] = None
    minutes_duration: Annotated[int | None, means("How long it takes, in minutes.")] = None
    duration_source: Annotated[
        str | None,
        codes(
            "Whether the sender declared how long it takes, or it was derived from start and end.",
            "declared",
            "derived",
        ),
    ] = None
    previous_start: Annotated[str | None, when("The last start that was another.")] = None
    overbooked: Annotated[bool | None, means("Whether it is booked beside another.")] = None
    occurrence_number: Annotated[str | None, means("Its number in a series.")] = None
    group: Annotated[Identifier | None, means("The number of the series.")] = None
    schedule: Annotated[Concept | None, means("The schedule it is booked in.")] = None
    event_reason: Annotated[Concept | None, means("Why the sender told of it.")] = None
    reasons: Annotated[tuple[Concept, ...], means("Why the patient comes.")] = ()
    appointment_type: Annotated[Concept | None, means("What kind of appointment it is.")] = None
    service_category: Annotated[Concept | None, means("What kind of service it is.")] = None
    services: Annotated[tuple[Service, ...], means("What is done.")] = ()
    priority: Annotated[Concept | None, means("How urgent it is.")] = None
    patient: Annotated[
        str | None,
        identity(
            "The patient's id: that of the survivor of all merges. Of a group, the one who was named first.", "patient"
        ),
    ] = None
    encounter: Annotated[str | None, identity("The visit that it became, where that is known.", "encounter")] = None
    visit: Annotated[Identifier | None, means("The number of that visit, known here or not.")] = None
    participants: Annotated[
        tuple[Participant, ...], means("Who and what takes part: patients, providers, places, devices.")
    ] = ()
    based_on: Annotated[tuple[Identifier, ...], means("The numbers of the orders that it is for.")] = ()
    parents: Annotated[tuple[Identifier, ...], means("The numbers of the appointments that it belongs to.")] = ()
    replaces: Annotated[str | None, identity("The appointment that it stands in for.", "appointment")] = None
    contacts: Annotated[tuple[Contact, ...], means("Who placed it, who fills it and who entered it.")] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    supporting_information: Annotated[tuple[Concept, ...], means("What else is to be known for it.")] = ()


class Encounter(Resource, frozen=True, tag="encounter", tag_field="resourceType"):
    """A visit or a stay."""

    id: Annotated[str, identity(OPAQUE, "encounter")]
    status: Annotated[str | None, status_of("encounter")] = None
    class_: Annotated[
        Concept | None,
        means("Inpatient, ambulatory, emergency: the sender's code and, where there is one, that of v3 ActCode."),
    ] = None
    types: Annotated[tuple[Concept, ...], means("What kind of visit it is.")] = ()
    service_type: Annotated[Concept | None, means("The hospital's service.")] = None
    priority: Annotated[Concept | None, means("How urgent the admission was.")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    participants: Annotated[
        tuple[Participant, ...], means("Who takes part: attending, referring, consulting, admitting.")
    ] = ()
    start: Annotated[str | None, when("When it began.")] = None
    end: Annotated[str | None, when("When it ended.")] = None
    zone: Annotated[str | None, in_zone("The zone of the place.")] = None
    planned_start: Annotated[str | None, roughly("When it is to begin.")] = None
    planned_end: Annotated[str | None, roughly("When it is to end.")] = None
    placements: Annotated[tuple[Placement, ...], means("The places that the patient has, had, or is to have.")] = ()
    reasons: Annotated[tuple[Concept, ...], means("Why the patient came.")] = ()
    diagnoses: Annotated[tuple[Diagnosis, ...], means("What was found.")] = ()
    admit_source: Annotated[Concept | None, means("Where the patient came from.")] = None
    readmission: Annotated[Concept | None, means("Whether it is a readmission.")] = None
    discharge_disposition: Annotated[Concept | None, means("How the patient left.")] = None
    discharged_to: Annotated[Concept | None, means("Where the patient went.")] = None
    diet: Annotated[Concept | None, means("Diet.")] = None
    special_arrangements: Annotated[tuple[Concept, ...], means("Wheelchair, stretcher, interpreter and the like.")] = ()
    special_courtesy: Annotated[Concept | None, means("Courtesies.")] = None
    vip: Annotated[Concept | None, means("Whether and why it is a VIP.")] = None
    arrival_mode: Annotated[Concept | None, means("How the patient arrived.")] = None
    financial_classes: Annotated[tuple[Concept, ...], means("Who is expected to pay.")] = ()
    account: Annotated[Identifier | None, means("The account number.")] = None
    preadmit_number: Annotated[Identifier | None, means("The number under which it was planned.")] = None
    leave_expected_return: Annotated[str | None, when("When the patient is expected back from leave.")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    links: Annotated[tuple[Link, ...], means("Other visits that this one replaced or was replaced by.")] = ()


WIRE: dict[type[Record], type[Resource]] = {
    PatientRecord: Patient,
    ProviderRecord: Provider,
    LocationRecord: Location,
    AppointmentRecord: Appointment,
    EncounterRecord: Encounter,
}


def present(
    record: Record,
    patient: str | None = None,
    encounter: str | None = None,
    survivors: Mapping[str, str] = NOBODY,
    whole: bool = False,
) -> Resource:
    """A record as the API shows it; `patient` is the surviving patient and `encounter` the visit, where known.

    `survivors` are those of other patients who take part. Unless it is shown whole, private numbers are masked.
    """
    names, read = _COPIED[type(record)]
    values: dict[str, Any] = dict(zip(names, read(record), strict=True))
    if "patient" in values:
        if patient and patient != values["patient"]:
            survivors = {**survivors, values["patient"]: patient}
            values["patient"] = patient
        if survivors:
            values["participants"] = tuple([_standing(one, survivors) for one in values["participants"]])
        if getattr(record, "named", None):
            values["participants"] = tuple([known(one) for one in each_once(values["participants"])])
    if not whole and is_masking(record):
        masked(values)
    if encounter:
        values["encounter"] = encounter
    created, updated = record.created_at, record.updated_at
    return WIRE[type(record)](
        version_id=str(record.version),
        created_at=(first := instant(created)),
        updated_at=first if updated == created else instant(updated),
        effective_at=instant(record.effective_at) if record.effective_at else None,
        status_history=transitions(record),
        problems=problems(record) if record.problems else (),
        provenance=Provenance(feed=record.feed, message=record.message),
        **values,
    )


def _standing(one: Participant, survivors: Mapping[str, str]) -> Participant:
    survivor = survivors.get(one.actor or "")
    return replace(one, actor=survivor) if survivor else one


def known(one: Participant) -> Participant:
    """A patient under the id of the record; what it is known by within is made of a number."""
    return replace(one, key=f"PID/{one.actor}") if one.kind == "patient" and one.actor else one


def transitions(record: Record) -> tuple[Transition, ...]:
    """What was said about the status, in the order of the senders' clocks."""
    if not record.facts:
        return ()
    return tuple(
        Transition(
            from_=change.before,
            to=change.after,
            at=instant(change.fact.stamp.at),
            recorded_at=instant(change.fact.recorded_at),
            event=change.fact.event or None,
            message=change.fact.stamp.message,
            anomaly=change.anomaly,
            late=change.late,
            effective=change.effective,
        )
        for change in history(KIND[type(record)], record.facts)
    )


def problems(record: Record) -> tuple[Problem, ...]:
    """What is wrong with the record's sources, with fields called as the API calls them."""
    called = CALLED[type(record)]
    return tuple(replace(one, field=called.get(one.field or "", one.field)) for one in record.problems)


def named(problem: Problem) -> Problem:
    """A problem of a message, with its field called as the API calls it."""
    return replace(problem, field=_ANYWHERE.get(problem.field or "", problem.field))


KIND = {record: str(record.__struct_config__.tag) for record in WIRE}
CALLED = {record: {field.name: field.encode_name for field in fields(wire)} for record, wire in WIRE.items()}
_ANYWHERE = {name: called for names in CALLED.values() for name, called in names.items()}
_MADE = {
    *("version_id", "created_at", "updated_at", "effective_at"),
    *("status_history", "problems", "provenance", "encounter"),
}


def _copied(record: type[Record]) -> tuple[tuple[str, ...], Callable[[Record], tuple[object, ...]]]:
    """The fields that the wire takes from the record as they stand, and what reads them all at once."""
    names = tuple(field.name for field in fields(WIRE[record]) if field.name not in _MADE)
    return names, attrgetter(*names)


_COPIED = {record: _copied(record) for record in WIRE}
