"""/v1/providers."""

from typing import Annotated

from canonical.records import Provider
from gateway.routes.records import Names, Order, Resource, Search, any_status, status_of


class ProviderSearch(Search, frozen=True):
    """What providers are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("provider"), status_of("provider")] = ()
    name: Names = None
    order: Order = "created"


ROUTES = Resource("provider", Provider, ProviderSearch).routes
