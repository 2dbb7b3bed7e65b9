"""Connections that go only where they may: the URL is judged before a request is made, the address before it connects.

No redirect is followed by a transport over this pool, no cookie kept, no proxy read from the environment.
"""

import ssl
from collections.abc import Callable

import aiohttp
import httpx
from yarl import URL

from canonical.outcome import Outcome
from connectors.webhook.addresses import Judge, JudgedResolver

IDLE_SECONDS = 4.0  # common servers close an idle connection after 5: a POST into a closing one is ambiguous


def aim(url: str, refuse_url: Callable[[str], str | None], judge: Judge) -> httpx.URL | Outcome:
    """The URL as it will be sent, or why it is not; a host that is an address passes no resolver: it is judged here."""
    code = refuse_url(url)
    if code is not None:
        return Outcome(kind="permanent", code=code)
    try:
        parsed = httpx.URL(url)
        host = URL(str(parsed)).host or ""
    except (httpx.InvalidURL, ValueError):
        return Outcome(kind="permanent", code="url_malformed")
    is_address = ":" in host or host.replace(".", "").isdigit()
    code = judge(host, [host]) if is_address else None
    return parsed if code is None else Outcome(kind="permanent", code=code)


def connect(judge: Judge, connections: int, trust: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """The pool; to be made on the event loop that it is used on."""
    connector = aiohttp.TCPConnector(
        resolver=JudgedResolver(judge),
        use_dns_cache=False,
        limit=connections,
        keepalive_timeout=IDLE_SECONDS,
        ssl=trust or ssl.create_default_context(),
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
