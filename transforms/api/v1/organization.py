"""An organisation in API v1."""

from typing import Annotated

from canonical.datatypes import Address, Concept, Contact, Telecom
from canonical.meaning import identity, means
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class Organization(Resource, frozen=True, tag="organization", tag_field="resourceType"):
    """A facility, department, practice, payer or supplier."""

    id: Annotated[str, identity(OPAQUE, "organization")]
    status: Annotated[str | None, status_of("organization")] = None
    name: Annotated[str | None, means("Its name.")] = None
    aliases: Annotated[tuple[str, ...], means("Other names of it.")] = ()
    types: Annotated[tuple[Concept, ...], means("What kind of organisation it is.")] = ()
    part_of: Annotated[str | None, identity("The id of the organisation that it belongs to.", "organization")] = None
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach it.")] = ()
    addresses: Annotated[tuple[Address, ...], means("Where it is.")] = ()
    contacts: Annotated[tuple[Contact, ...], means("Whom to speak to.")] = ()
    deleted_at_source: Annotated[bool | None, means("Whether the source deleted it; it stays readable.")] = None
