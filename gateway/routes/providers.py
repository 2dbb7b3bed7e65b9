"""/v1/providers."""

from canonical.records import Provider
from gateway.routes.records import Names, Order, Resource, Search


class ProviderSearch(Search, frozen=True):
    """What providers are searched by."""

    name: Names = None
    order: Order = "created"


ROUTES = Resource("provider", Provider, ProviderSearch).routes
