"""People in care (DOMAIN 1.8)."""

from canonical.datatypes import Address, Concept, Contact, Identifier, Link, Name, Telecom
from canonical.records.envelope import Record


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
