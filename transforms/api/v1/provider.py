"""A provider in API v1."""

from typing import Annotated

from canonical.datatypes import Address, Concept, Name, Privilege, Qualification, Role, Telecom
from canonical.meaning import codes, identity, means, partial_date
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class Provider(Resource, frozen=True, kw_only=True, tag="provider", tag_field="resourceType"):
    """A practitioner or an organisation that provides care."""

    id: Annotated[str, identity(OPAQUE, "provider")]
    status: Annotated[str | None, status_of("provider")] = None
    kind: Annotated[str, codes("Whether it is a person.", "person", "organization")]
    names: Annotated[tuple[Name, ...], means("The provider's names.")] = ()
    specialties: Annotated[tuple[Concept, ...], means("Specialties.")] = ()
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach the provider.")] = ()
    addresses: Annotated[tuple[Address, ...], means("Where the provider works.")] = ()
    gender: Annotated[str | None, codes("Administrative gender.", "female", "male", "other", "unknown")] = None
    birth_date: Annotated[str | None, partial_date("Date of birth.")] = None
    languages: Annotated[tuple[Concept, ...], means("Languages that the provider speaks.")] = ()
    qualifications: Annotated[
        tuple[Qualification, ...], means("Degrees, certificates, licences, board certifications.")
    ] = ()
    privileges: Annotated[tuple[Privilege, ...], means("What the provider may do, and where.")] = ()
    roles: Annotated[tuple[Role, ...], means("The provider's places in organisations.")] = ()
    employment_status: Annotated[Concept | None, means("How the provider is employed.")] = None
    cost_center: Annotated[Concept | None, means("The cost centre.")] = None
    deleted_at_source: Annotated[bool | None, means("Whether the source deleted it; it stays readable.")] = None
