"""/v1/locations."""

from typing import Annotated

from canonical.records import Location
from gateway.routes.records import Names, Order, Resource, Search, any_status, status_of


class LocationSearch(Search, frozen=True):
    """What locations are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("location"), status_of("location")] = ()
    name: Names = None
    order: Order = "created"


ROUTES = Resource("location", Location, LocationSearch).routes
