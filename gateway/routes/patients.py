"""/v1/patients."""

from canonical.records import Patient
from gateway.routes.records import BirthDate, Names, Number, Order, Resource, Search


class PatientSearch(Search, frozen=True):
    """What patients are searched by."""

    name: Names = None
    birth_date: BirthDate = None
    account: Number = None
    order: Order = "created"


ROUTES = Resource("patient", Patient, PatientSearch).routes
