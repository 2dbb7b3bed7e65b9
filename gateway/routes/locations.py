"""/v1/locations."""

from canonical.records import Location
from gateway.routes.records import Names, Order, Resource, Search


class LocationSearch(Search, frozen=True):
    """What locations are searched by."""

    name: Names = None
    order: Order = "created"


ROUTES = Resource("location", Location, LocationSearch).routes
