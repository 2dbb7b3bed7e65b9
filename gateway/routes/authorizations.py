"""/v1/authorizations."""

from typing import Annotated

from canonical.records import Authorization
from gateway.routes.records import (
    AppointmentId,
    CoverageId,
    DatedOrder,
    From,
    PatientId,
    Payer,
    ProviderId,
    ReferralId,
    Resource,
    Search,
    To,
    any_status,
    status_of,
)


class AuthorizationSearch(Search, frozen=True):
    """What authorizations are searched by; all that is given must hold."""

    status: Annotated[tuple[str, ...], any_status("authorization"), status_of("authorization")] = ()
    patient: PatientId | None = None
    provider: ProviderId | None = None
    coverage: CoverageId | None = None
    appointment: AppointmentId | None = None
    referral: ReferralId | None = None
    payer: Payer = None
    date_from: From = None
    date_to: To = None
    order: DatedOrder = "created"


ROUTES = Resource("authorization", Authorization, AuthorizationSearch).routes
