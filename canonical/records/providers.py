"""Who provides care, and where: Provider, Organization, Location (DOMAIN 1.5)."""

from canonical.datatypes import Address, Concept, Contact, Name, Privilege, Qualification, Role, Telecom
from canonical.records.envelope import Record


class Provider(Record, frozen=True, tag="provider", tag_field="resourceType"):
    """A practitioner or an organisation that provides care (XCN, STF, PRA, EDU, CER, ORG).

    Status active | suspended | inactive. One that its source deleted is inactive: what it did stays readable.
    """

    kind: str = "person"
    names: tuple[Name, ...] = ()
    gender: str | None = None
    birth_date: str | None = None
    specialties: tuple[Concept, ...] = ()
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    languages: tuple[Concept, ...] = ()
    qualifications: tuple[Qualification, ...] = ()
    privileges: tuple[Privilege, ...] = ()
    roles: tuple[Role, ...] = ()
    employment_status: Concept | None = None
    cost_center: Concept | None = None
    deleted_at_source: bool | None = None


class Organization(Record, frozen=True, tag="organization", tag_field="resourceType"):
    """A facility, department, practice, payer or supplier (ORG, IN1-3, NM1). Status active | inactive."""

    name: str | None = None
    aliases: tuple[str, ...] = ()
    types: tuple[Concept, ...] = ()
    part_of: str | None = None  # an organization
    telecoms: tuple[Telecom, ...] = ()
    addresses: tuple[Address, ...] = ()
    contacts: tuple[Contact, ...] = ()
    deleted_at_source: bool | None = None


class Location(Record, frozen=True, tag="location", tag_field="resourceType"):
    """A place, keyed by its whole tuple: bed 01 exists everywhere (PL, LOC, LCH, LRL, LDP).

    Its identifiers are also those of others' systems: NPI, CLIA, GLN, an ERP's plant, storage location or deliver-to.
    """

    name: str | None = None
    mode: str | None = None  # instance | kind
    types: tuple[Concept, ...] = ()
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
    part_of: str | None = None  # a location
    managing_organization: str | None = None
    telecoms: tuple[Telecom, ...] = ()
    address: Address | None = None
    deleted_at_source: bool | None = None
