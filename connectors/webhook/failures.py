"""The HTTP client's errors as outcomes: what it says decides nothing, how far the request got decides all.

Before a connection stood, nothing was sent: transient. After that nobody knows whether the POST took effect:
ambiguous. httpx-aiohttp calls a dropped connection a ConnectTimeout, so its cause is asked and not its name.
"""

import aiohttp
import httpx

from canonical.outcome import Kind, Outcome
from connectors.webhook.addresses import Refused

NOT_CONNECTED: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "dns_failed"),
    (aiohttp.ClientSSLError, "tls_failed"),
    (aiohttp.ClientConnectorError, "connect_failed"),
    (aiohttp.ConnectionTimeoutError, "connect_timeout"),
)
CONNECTED: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ServerTimeoutError, "read_timeout"),
    (TimeoutError, "read_timeout"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientOSError, "disconnected"),
    (ConnectionError, "disconnected"),
)


def outcome_of(failure: Exception) -> Outcome:
    """The outcome of a request that ended without an answer."""
    cause = failure.__cause__ if isinstance(failure, httpx.HTTPError) else failure
    if isinstance(cause, aiohttp.ClientConnectorDNSError) and isinstance(cause.os_error, Refused):
        return Outcome(kind="permanent", code=cause.os_error.code)
    if isinstance(cause, aiohttp.InvalidURL):
        return Outcome(kind="permanent", code="url_malformed")
    return _first(NOT_CONNECTED, "transient", cause) or _first(CONNECTED, "ambiguous", cause) or _garbled()


def _first(table: tuple[tuple[type[Exception], str], ...], kind: Kind, cause: object) -> Outcome | None:
    return next((Outcome(kind=kind, code=code) for known, code in table if isinstance(cause, known)), None)


def _garbled() -> Outcome:
    """Something answered, and it was no HTTP."""
    return Outcome(kind="ambiguous", code="answer_garbled")
