"""Version 1 of the partner API as a wire format: what a canonical record looks like to a caller.

These types are the contract: the OpenAPI document is made from them, and they change only by addition. Facts, stamps,
clocks and the tenant stay inside. Every list of codes is open: clients must tolerate values that they do not know.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from msgspec import Struct
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
from canonical.problems import Problem
from canonical.records import Appointment as AppointmentRecord
from canonical.records import Encounter as EncounterRecord
from canonical.records import Location as LocationRecord
from canonical.records import Patient as PatientRecord
from canonical.records import Provider as ProviderRecord
from canonical.records import Record
from canonical.status import history
from transforms.api.cloudevent import instant
from transforms.api.masking import is_masking, masked

NOBODY: Mapping[str, str] = {}


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of everything that the API says: camelCase, and what is empty is left out."""


class Transition(Wire, frozen=True):
    """One line of a status history: a status that was another before. `at` is the sender's time, `recordedAt` ours.

    An `anomaly` is a transition that the status machine does not know; it was applied, because the feed is the truth.
    A `late` line came after a newer one. A line that is not `effective` changed nothing (the cancel of an event that
    was not the current one). What only says again what holds makes no line.
    """

    at: str
    recorded_at: str
    to: str
    from_: str | None = None
    event: str | None = None
    message: str | None = None
    anomaly: bool = False
    late: bool = False
    effective: bool = True


class Provenance(Wire, frozen=True):
    """The feed and the message that changed the record last."""

    feed: str | None = None
    message: str | None = None


class Resource(Wire, frozen=True):
    """What every resource has. Instants are RFC 3339 in UTC.

    `versionId` counts the versions from "1"; it is a string, as in FHIR, and the `version` of an event is the same
    number. It is also the ETag, with a suffix where what is shown differs from what was said: a patient who was merged
    since, a visit that was found by its number, a number that is masked. `effectiveAt` is the senders' time of the
    version.
    """

    id: str
    version_id: str
    created_at: str
    updated_at: str
    effective_at: str | None = None
    status: str | None = None
    status_reason: Concept | None = None
    source_status: Concept | None = None
    status_history: tuple[Transition, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    problems: tuple[Problem, ...] = ()
    security_labels: tuple[Concept, ...] = ()
    provenance: Provenance = Provenance()


class Patient(Resource, frozen=True, tag="patient", tag_field="resourceType"):
    """A person in care. A merged patient keeps its own record, and its `replaced-by` link names the survivor."""

    names: tuple[Name, ...] = ()
    gender: str | None = None
    gender_original: Concept | None = None
    birth_date: str | None = None
    birth_time: str | None = None
    deceased: bool | None = None
    deceased_at: str | None = None
    addresses: tuple[Address, ...] = ()
    telecoms: tuple[Telecom, ...] = ()
    languages: tuple[Concept, ...] = ()
    marital_status: Concept | None = None
    religion: Concept | None = None
    races: tuple[Concept, ...] = ()
    ethnicities: tuple[Concept, ...] = ()
    multiple_birth: bool | None = None
    birth_order: int | None = None
    birth_place: str | None = None
    identity_unknown: bool | None = None
    identity_reliability: tuple[Concept, ...] = ()
    protection: bool | None = None
    publicity: Concept | None = None
    accounts: tuple[Identifier, ...] = ()
    contacts: tuple[Contact, ...] = ()
    general_practitioners: tuple[str, ...] = ()
    coverage_members: tuple[Identifier, ...] = ()
    links: tuple[Link, ...] = ()


class Provider(Resource, frozen=True, kw_only=True, tag="provider", tag_field="resourceType"):
    """A practitioner or an organisation that provides care."""

    kind: str
    names: tuple[Name, ...] = ()
    specialties: tuple[Concept, ...] = ()
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


class Location(Resource, frozen=True, tag="location", tag_field="resourceType"):
    """A place: a bed, a room, a ward, a building."""

    name: str | None = None
    physical_type: str | None = None
    facility: str | None = None
    building: str | None = None
    floor: str | None = None
    point_of_care: str | None = None
    room: str | None = None
    bed: str | None = None
    description: str | None = None
    operational_status: str | None = None
    zone: str | None = None


class Appointment(Resource, frozen=True, tag="appointment", tag_field="resourceType"):
    """A booked, offered, kept or missed visit. `start` and `end` are in UTC, `zone` is the place's IANA zone.

    `previousStart` is the last start that was another, by the senders' clocks.
    """

    start: str | None = None
    end: str | None = None
    zone: str | None = None
    minutes_duration: int | None = None
    duration_source: str | None = None
    previous_start: str | None = None
    overbooked: bool | None = None
    occurrence_number: str | None = None
    group: Identifier | None = None
    schedule: Concept | None = None
    event_reason: Concept | None = None
    reasons: tuple[Concept, ...] = ()
    appointment_type: Concept | None = None
    service_category: Concept | None = None
    services: tuple[Service, ...] = ()
    priority: Concept | None = None
    patient: str | None = None
    encounter: str | None = None
    visit: Identifier | None = None
    participants: tuple[Participant, ...] = ()
    based_on: tuple[Identifier, ...] = ()
    parents: tuple[Identifier, ...] = ()
    replaces: str | None = None
    contacts: tuple[Contact, ...] = ()
    notes: tuple[Note, ...] = ()
    supporting_information: tuple[Concept, ...] = ()


class Encounter(Resource, frozen=True, tag="encounter", tag_field="resourceType"):
    """A visit or a stay."""

    class_: Concept | None = None
    types: tuple[Concept, ...] = ()
    service_type: Concept | None = None
    priority: Concept | None = None
    patient: str | None = None
    participants: tuple[Participant, ...] = ()
    start: str | None = None
    end: str | None = None
    zone: str | None = None
    planned_start: str | None = None
    planned_end: str | None = None
    placements: tuple[Placement, ...] = ()
    reasons: tuple[Concept, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    admit_source: Concept | None = None
    readmission: Concept | None = None
    discharge_disposition: Concept | None = None
    discharged_to: Concept | None = None
    diet: Concept | None = None
    special_arrangements: tuple[Concept, ...] = ()
    special_courtesy: Concept | None = None
    vip: Concept | None = None
    arrival_mode: Concept | None = None
    financial_classes: tuple[Concept, ...] = ()
    account: Identifier | None = None
    preadmit_number: Identifier | None = None
    leave_expected_return: str | None = None
    notes: tuple[Note, ...] = ()
    links: tuple[Link, ...] = ()


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


KIND = {record: str(record.__struct_config__.tag) for record in WIRE}
CALLED = {record: {field.name: field.encode_name for field in fields(wire)} for record, wire in WIRE.items()}
_MADE = {
    *("version_id", "created_at", "updated_at", "effective_at"),
    *("status_history", "problems", "provenance", "encounter"),
}


def _copied(record: type[Record]) -> tuple[tuple[str, ...], Callable[[Record], tuple[object, ...]]]:
    """The fields that the wire takes from the record as they stand, and what reads them all at once."""
    names = tuple(field.name for field in fields(WIRE[record]) if field.name not in _MADE)
    return names, attrgetter(*names)


_COPIED = {record: _copied(record) for record in WIRE}
