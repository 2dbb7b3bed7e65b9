"""/v1/appointments."""

from typing import Annotated

from canonical.records import Appointment
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


class AppointmentSearch(Search, frozen=True):
    """What appointments are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("appointment"), status_of("appointment")] = ()
    patient: PatientId | None = None
    provider: ProviderId | None = None
    location: LocationId | None = None
    visit: Number = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("appointment", Appointment, AppointmentSearch).routes
