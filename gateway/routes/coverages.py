"""/v1/coverages."""

from typing import Annotated

from canonical.records import Coverage
from gateway.routes.records import (
    DatedOrder,
    From,
    PatientId,
    Payer,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class CoverageSearch(Search, frozen=True):
    """What coverages are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("coverage"), status_of("coverage")] = ()
    patient: PatientId | None = None
    payer: Payer = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("coverage", Coverage, CoverageSearch).routes
