"""A place in API v1."""

from typing import Annotated

from canonical.datatypes import Address, Concept, Telecom
from canonical.meaning import codes, identity, means
from transforms.api.v1.resource import OPAQUE, Resource, in_zone, status_of


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
    mode: Annotated[str | None, codes("Whether it is one place or a kind of place.", "instance", "kind")] = None
    types: Annotated[tuple[Concept, ...], means("What is done there.")] = ()
    part_of: Annotated[str | None, identity("The id of the place that it is in.", "location")] = None
    managing_organization: Annotated[
        str | None, identity("The id of the organisation that runs it.", "organization")
    ] = None
    telecoms: Annotated[tuple[Telecom, ...], means("How to reach it.")] = ()
    address: Annotated[Address | None, means("Where it is.")] = None
    deleted_at_source: Annotated[bool | None, means("Whether the source deleted it; it stays readable.")] = None
