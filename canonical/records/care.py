"""Visits: the Appointment that is planned and the Encounter that takes place (DOMAIN 1.2, 1.6)."""

from msgspec import Struct

from canonical.datatypes import (
    Concept,
    Contact,
    Diagnosis,
    Identifier,
    Link,
    Note,
    Participant,
    Placement,
    Service,
)
from canonical.problems import Problem
from canonical.records.envelope import Record, Stamp


class Start(Struct, frozen=True, array_like=True, gc=False):
    """When an appointment begins, as one message said it (canonical/starts.py).

    `wrong` is the problem that it is if this was another time than before: the message meant to move nothing (S14).
    """

    at: str | None
    stamp: Stamp
    wrong: Problem | None = None


class Mention(Struct, frozen=True, array_like=True, order=True, gc=False):
    """Where a patient was named: the rank and clock of the message, and the place among all whom it named."""

    rank: int
    at: int
    place: int


class Appointment(Record, frozen=True, tag="appointment", tag_field="resourceType"):
    """A booked, offered, kept or missed visit (SIU; DOMAIN 1.2). Status: FHIR R4 appointmentstatus."""

    start: str | None = None
    end: str | None = None
    zone: str | None = None
    minutes_duration: int | None = None
    duration_source: str | None = None  # declared | derived
    previous_start: str | None = None
    starts: tuple[Start, ...] = ()
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
    patient: str | None = None  # of a group the one who was named first
    participants: tuple[Participant, ...] = ()
    named: dict[str, Mention] = {}  # the first mention of each patient, by the key among the participants
    based_on: tuple[Identifier, ...] = ()
    parents: tuple[Identifier, ...] = ()
    replaces: str | None = None
    visit: Identifier | None = None  # PV1-19: the encounter it belongs to, known or not yet
    contacts: tuple[Contact, ...] = ()
    notes: tuple[Note, ...] = ()
    supporting_information: tuple[Concept, ...] = ()


class Encounter(Record, frozen=True, tag="encounter", tag_field="resourceType"):
    """A visit or stay (PV1, PV2, DG1; DOMAIN 1.6). Status: FHIR R4 encounter-status."""

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
