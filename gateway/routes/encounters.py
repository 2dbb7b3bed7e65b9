"""/v1/encounters."""

from canonical.records import Encounter
from gateway.routes.records import DatedOrder, From, Number, Ref, Resource, Search, To


class EncounterSearch(Search, frozen=True):
    """What encounters are searched by."""

    patient: Ref = None
    provider: Ref = None
    location: Ref = None
    account: Number = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("encounter", Encounter, EncounterSearch).routes
