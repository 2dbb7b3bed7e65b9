"""/v1/patients."""

from typing import Annotated

from canonical.records import Patient
from gateway.routes.records import BirthDate, Names, Number, Order, Resource, Search, any_status, status_of


class PatientSearch(Search, frozen=True):
    """What patients are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("patient"), status_of("patient")] = ()
    name: Names = None
    birth_date: BirthDate = None
    account: Number = None
    order: Order = "created"


ROUTES = Resource("patient", Patient, PatientSearch).routes
