"""/v1/requisitions."""

from typing import Annotated

from canonical.records import Requisition
from gateway.routes.records import (
    AppointmentId,
    DatedOrder,
    From,
    LocationId,
    Number,
    PatientId,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class RequisitionSearch(Search, frozen=True):
    """What requisitions are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("requisition"), status_of("requisition")] = ()
    patient: PatientId | None = None
    location: LocationId | None = None
    appointment: AppointmentId | None = None
    supplier: Number = None
    item: Number = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("requisition", Requisition, RequisitionSearch).routes
