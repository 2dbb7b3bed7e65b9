"""/v1/referrals."""

from typing import Annotated

from canonical.records import Referral
from gateway.routes.records import (
    AppointmentId,
    CoverageId,
    DatedOrder,
    From,
    PatientId,
    ProviderId,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class ReferralSearch(Search, frozen=True):
    """What referrals are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("referral"), status_of("referral")] = ()
    patient: PatientId | None = None
    provider: ProviderId | None = None
    appointment: AppointmentId | None = None
    coverage: CoverageId | None = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("referral", Referral, ReferralSearch).routes
