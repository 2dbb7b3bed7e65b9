"""How an attempt ended, as a class that decides what follows; it never carries what the other side said."""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from msgspec import Struct

Kind = Literal["delivered", "transient", "ambiguous", "permanent", "gone"]

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 503})
UNDECIDED_STATUSES = frozenset({502, 504})
PERMANENT_SERVER_STATUSES = frozenset({501, 505, 506, 508, 510, 511})
SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The end of one attempt.

    `code` is stable and says why (`http_503`, `connect_timeout`, `ack_ae`); `retry_after` is the seconds the
    other side asked for. `attempted` is False when nothing left the house (a circuit was open, a destination
    was held): such an outcome uses up no try.
    """

    kind: Kind
    code: str
    status: int | None = None
    retry_after: float | None = None
    attempted: bool = True


def of_status(status: int, method: str = "POST", retry_after: float | None = None) -> Outcome:
    """The outcome of an HTTP answer (RFC 9110 section 15); a redirect is never followed, so it is permanent."""
    return Outcome(kind=kind_of_status(status, method), code=f"http_{status}", status=status, retry_after=retry_after)


def kind_of_status(status: int, method: str = "POST") -> Kind:
    """The class of a status: a proxy's 502 or 504 does not say whether a POST took effect."""
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    if status in TRANSIENT_STATUSES:
        return "transient"
    if status in UNDECIDED_STATUSES:
        return "transient" if method in SAFE_TO_REPEAT else "ambiguous"
    if status < 500 or status in PERMANENT_SERVER_STATUSES:
        return "permanent"
    return "transient"


def seconds_to_wait(header: str | None, now: float) -> float | None:
    """A Retry-After value (RFC 9110 section 10.2.3) as seconds from `now`; None where it cannot be read."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None
