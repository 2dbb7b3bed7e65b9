"""/v1/eligibility-checks."""

from typing import Annotated

from canonical.records import EligibilityCheck
from gateway.routes.records import (
    AppointmentId,
    CoverageId,
    DatedOrder,
    From,
    PatientId,
    Payer,
    ProviderId,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class EligibilityCheckSearch(Search, frozen=True):
    """What eligibility checks are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("eligibility"), status_of("eligibility")] = ()
    patient: PatientId | None = None
    provider: ProviderId | None = None
    coverage: CoverageId | None = None
    appointment: AppointmentId | None = None
    payer: Payer = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("eligibility", EligibilityCheck, EligibilityCheckSearch).routes
