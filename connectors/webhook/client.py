"""One POST to a receiver and how it ended: pooled connections, judged addresses, a deadline over everything.

It never follows a redirect, keeps no cookie, reads no proxy from the environment, and reads no more of an answer
than what is kept of it. httpx's requests and responses go straight through its transport over aiohttp: the
layer between them doubles the cost of a call and does what must not be done here.
"""

import asyncio
import ssl
from collections.abc import Callable
from functools import lru_cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct

from canonical.outcome import Outcome, of_status, seconds_to_wait
from connectors.webhook.addresses import Judge
from connectors.webhook.failures import outcome_of
from connectors.webhook.pool import aim, connect

ANSWER_CHARACTERS = 2048
ANSWER_BYTES = 4 * ANSWER_CHARACTERS


class Post(Struct, frozen=True):
    """What is sent, where, and for whom."""

    url: str
    headers: dict[str, str]
    body: bytes
    tenant: str = ""


class Answered(Outcome, frozen=True, kw_only=True):
    """The outcome of a request that was answered, with the start of the answer."""

    answer: str = ""


class WebhookClient:
    """The outbound call.

    `refuse_url` and `judge` say why a URL or a host with its addresses must not be reached; `clock` gives seconds
    since the epoch, for a Retry-After that is a date.
    """

    def __init__(
        self,
        refuse_url: Callable[[str], str | None],
        judge: Judge,
        clock: Callable[[], float],
        *,
        timeout: float = 20.0,
        connect_timeout: float = 5.0,
        connections: int = 256,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._clock, self._timeout = clock, timeout
        self._transport = AiohttpTransport(client=lambda: connect(judge, connections, trust))
        self._aim = lru_cache(maxsize=4096)(lambda url: aim(url, refuse_url, judge))
        waits = {"connect": connect_timeout, "pool": connect_timeout, "read": timeout, "write": timeout}
        self._extensions = {"timeout": waits}

    async def __call__(self, post: Post) -> Outcome:
        """Send it once."""
        url = self._aim(post.url)
        if isinstance(url, Outcome):
            return url
        request = httpx.Request("POST", url, headers=post.headers, content=post.body, extensions=self._extensions)
        request.headers.encoding = "ascii"  # else httpx tries to decode every header again whenever it looks at one
        try:
            async with asyncio.timeout(self._timeout) as deadline:
                response = await self._transport.handle_async_request(request)
                return await self._answered(response, deadline)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as failure:
            return outcome_of(failure)

    async def close(self) -> None:
        await self._transport.aclose()

    async def _answered(self, response: httpx.Response, deadline: asyncio.Timeout) -> Outcome:
        """The status decides; an answer whose body stalls or breaks was still an answer."""
        try:
            answer = await _start_of(response)
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            answer = ""
        except asyncio.CancelledError:
            if not deadline.expired():
                raise
            answer = ""
        response.headers.encoding = "latin-1"
        wait = seconds_to_wait(response.headers.get("retry-after"), self._clock())
        known = of_status(response.status_code, retry_after=wait)
        return Answered(
            kind=known.kind, code=known.code, status=known.status, retry_after=known.retry_after, answer=answer
        )


async def _start_of(response: httpx.Response) -> str:
    """The first characters of an answer; what is left of a long one goes with its connection."""
    start = b""
    try:
        async for chunk in response.aiter_raw():
            start += chunk
            if len(start) >= ANSWER_BYTES:
                break
    finally:
        await response.aclose()
    return start.decode(errors="replace")[:ANSWER_CHARACTERS]
