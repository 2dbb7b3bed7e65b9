"""/v1/encounters."""

from typing import Annotated

from canonical.records import Encounter
from gateway.routes.records import (
    DatedOrder,
    From,
    LocationId,
    Number,
    PatientId,
    ProviderId,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class EncounterSearch(Search, frozen=True):
    """What encounters are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("encounter"), status_of("encounter")] = ()
    patient: PatientId | None = None
    provider: ProviderId | None = None
    location: LocationId | None = None
    account: Number = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("encounter", Encounter, EncounterSearch).routes
