"""/v1/organizations."""

from typing import Annotated

from canonical.records import Organization
from gateway.routes.records import (
    Names,
    Order,
    Resource,
    Search,
    any_status,
    status_of,
)


class OrganizationSearch(Search, frozen=True):
    """What organizations are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("organization"), status_of("organization")] = ()
    name: Names = None
    order: Order = "created"


ROUTES = Resource("organization", Organization, OrganizationSearch).routes
