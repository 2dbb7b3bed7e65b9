"""/v1/appointments."""

from canonical.records import Appointment
from gateway.routes.records import DatedOrder, From, Number, Ref, Resource, Search, To


class AppointmentSearch(Search, frozen=True):
    """What appointments are searched by."""

    patient: Ref = None
    provider: Ref = None
    location: Ref = None
    visit: Number = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("appointment", Appointment, AppointmentSearch).routes
