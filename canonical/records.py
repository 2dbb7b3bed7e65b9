"""The records of the canonical model: Patient, Provider, Location, Appointment, Encounter (DOMAIN 1).

A record is the state that all messages heard so far add up to. Beside its fields it carries what makes that sum
independent of their order: the facts its status is folded from and a clock for every field.
"""

from msgspec import Struct

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
    Value,
)
from canonical.problems import Problem


class Stamp(Struct, frozen=True, array_like=True, order=True, gc=False):
    """When a field was spoken about, by whom: feed rank, the sender's clock in microseconds, the message.

    Ordered by rank, then clock; the message only names (two messages with one clock: the later received wins).
    """

    rank: int
    at: int
    message: str

    def yields_to(self, other: "Stamp") -> bool:
        """Whether a value with this stamp gives way to one with the other."""
        return (self.rank, self.at) <= (other.rank, other.at)


class Fact(Struct, frozen=True, array_like=True, gc=False):
    """One thing a sender said about a status: the status is the fold of all facts by clock (canonical/status.py).

    A `weak` fact counts only while nothing stronger was said before it (an A08 about an unknown encounter).
    `cancels` names the events it can undo; it has no effect when the state came from another (A11 after A03).
    An `implied` one is what the event usually stands for: it does not bring back what was entered in error.
    """

    status: str
    stamp: Stamp
    feed: str
    event: str
    recorded_at: int
    weak: bool = False
    cancels: tuple[str, ...] = ()
    reason: Concept | None = None
    source: Concept | None = None
    late: bool = False  # received when a newer one was known
    implied: bool = False


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


class Record(Value, frozen=True):
    """The envelope of every record (DOMAIN 1.0). Instants are RFC 3339 in UTC; `*_at` integers are microseconds.

    `effective_at` is the senders' time of the last version. `newest` is the newest clock heard, by which a message is
    late or not: it moves with every message, and is shown to nobody.
    """

    id: str
    tenant: str
    version: int = 0
    status: str | None = None
    status_reason: Concept | None = None
    source_status: Concept | None = None
    identifiers: tuple[Identifier, ...] = ()
    created_at: int = 0
    updated_at: int = 0
    effective_at: int = 0
    newest: int = 0
    message: str | None = None  # the last message that changed it
    feed: str | None = None
    problems: tuple[Problem, ...] = ()
    security_labels: tuple[Concept, ...] = ()
    facts: tuple[Fact, ...] = ()
    stamps: tuple[Stamp, ...] = ()
    clocks: dict[str, int] = {}  # field (or field/key) -> index into stamps


class Patient(Record, frozen=True, tag="patient", tag_field="resourceType"):
    """A person in care (PID, PD1, NK1, MRG). Status active | inactive | merged."""

    names: tuple[Name, ...] = ()
    gender: str | None = None
    gender_original: Concept | None = None
    birth_date: str | None = None  # as precise as it was said: 1985, 1985-06, 1985-06-12
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
    coverage_members: tuple[Identifier, ...] = ()  # PID-3 type MB: feeds coverage lookup, never patient matching
    links: tuple[Link, ...] = ()


class Provider(Record, frozen=True, tag="provider", tag_field="resourceType"):
    """A practitioner or an organisation that provides care (XCN, STF/PRA). Status active | inactive."""

    kind: str = "person"
    names: tuple[Name, ...] = ()
    specialties: tuple[Concept, ...] = ()
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()


class Location(Record, frozen=True, tag="location", tag_field="resourceType"):
    """A place, keyed by its whole tuple: bed 01 exists everywhere (PL; DOMAIN 1.5)."""

    name: str | None = None
    physical_type: str | None = None  # si | bu | lvl | wa | ro | bd
    facility: str | None = None
    building: str | None = None
    floor: str | None = None
    point_of_care: str | None = None
    room: str | None = None
    bed: str | None = None
    description: str | None = None
    operational_status: str | None = None  # table 0116
    zone: str | None = None


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


AnyRecord = Patient | Provider | Location | Appointment | Encounter
RECORDS: dict[str, type[Record]] = {
    "patient": Patient,
    "provider": Provider,
    "location": Location,
    "appointment": Appointment,
    "encounter": Encounter,
}
