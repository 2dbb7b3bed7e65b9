"""A patient in API v1."""

from typing import Annotated

from canonical.datatypes import Address, Concept, Contact, Identifier, Link, Name, Telecom
from canonical.meaning import codes, identity, means, partial_date, when
from transforms.api.v1.resource import OPAQUE, Resource, status_of


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
