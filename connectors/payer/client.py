"""One question to a payer over CAQH CORE REST/MIME in real time, and how it ended (DOMAIN 4.9).

The answer has 60 seconds. What may have arrived is not sent again within 90 seconds of the first time: the outcome asks
for that wait, and the client itself refuses to be faster. Addresses are judged before they are connected to, as for
webhooks; no redirect is followed.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct
from msgspec.structs import replace

from canonical.outcome import Kind, Outcome, of_status, seconds_to_wait
from connectors.payer import multipart
from connectors.payer.core import SUCCESS, Envelope, Version, fields, outcome_of_error
from connectors.webhook.addresses import Judge
from connectors.webhook.failures import NOT_CONNECTED, outcome_of
from connectors.webhook.pool import aim, connect

ANSWER_SECONDS = 60.0
RESEND_SECONDS = 90.0
ANSWER_BYTES = 8_000_000
REMEMBERED = 100_000
NEVER_SENT = frozenset(code for _, code in NOT_CONNECTED) | {"url_malformed"}


class Question(Struct, frozen=True, kw_only=True):
    """What is sent, where. A question that `changes_nothing` (270) may be asked again where its fate is unknown; one
    that does (278) may not. Sent again it keeps its `payload_id`, by which it is known."""

    url: str
    payload_type: str
    payload: bytes
    payload_id: str
    sender: str
    receiver: str
    username: str = ""
    password: str = ""
    token: str = ""
    version: Version = "2.2.0"
    changes_nothing: bool = False

    def __repr__(self) -> str:
        return "Question(...)"


class Reply(Outcome, frozen=True, kw_only=True):
    """The outcome of a question that was answered: the payload, and what CORE wants kept of both envelopes."""

    payload: bytes = b""
    payload_type: str = ""
    payload_id: str = ""
    sent_at: str = ""
    answered_at: str = ""

    def __repr__(self) -> str:
        return f"Reply({self.kind}, {self.code})"


class PayerClient:
    """The call. `refuse_url` and `judge` say why a URL or a host with its addresses must not be reached; `clock` gives
    seconds since the epoch, `ticks` seconds that never go back."""

    def __init__(
        self,
        refuse_url: Callable[[str], str | None],
        judge: Judge,
        clock: Callable[[], float],
        ticks: Callable[[], float],
        *,
        timeout: float = ANSWER_SECONDS,
        connect_timeout: float = 5.0,
        resend_after: float = RESEND_SECONDS,
        connections: int = 32,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._refuse_url, self._judge, self._clock, self._ticks = refuse_url, judge, clock, ticks
        self._timeout, self._resend_after = timeout, resend_after
        self._transport = AiohttpTransport(client=lambda: connect(judge, connections, trust))
        waits = {"connect": connect_timeout, "pool": connect_timeout, "read": timeout, "write": timeout}
        self._extensions = {"timeout": waits}
        self._sent: OrderedDict[str, float] = OrderedDict()  # by payload id: when it first went out

    async def __call__(self, question: Question) -> Outcome:
        """Ask once."""
        if isinstance(refused := aim(question.url, self._refuse_url, self._judge), Outcome):
            return refused
        wait = self._resend_after - (self._ticks() - self._sent.get(question.payload_id, float("-inf")))
        if wait > 0:
            return Outcome(kind="transient", code="resend_too_early", retry_after=wait, attempted=False)
        began = self._remember(question.payload_id)
        found = await self._ask(question)
        if found.code in NEVER_SENT:
            self._sent.pop(question.payload_id, None)
            return found
        if found.kind in ("delivered", "permanent", "gone"):
            return found
        kind: Kind = "transient" if found.kind == "ambiguous" and question.changes_nothing else found.kind
        rest = max(0.0, self._resend_after - (self._ticks() - began))
        return replace(found, kind=kind, retry_after=max(rest, found.retry_after or 0.0))

    async def close(self) -> None:
        await self._transport.aclose()

    def _remember(self, payload_id: str) -> float:
        now = self._ticks()
        self._sent[payload_id] = now
        while self._sent and (len(self._sent) > REMEMBERED or next(iter(self._sent.values())) < now - 600):
            self._sent.popitem(last=False)
        return now

    async def _ask(self, question: Question) -> Outcome:
        sent_at = self._now()
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._transport.handle_async_request(self._request(question, sent_at))
                try:
                    body = await _whole(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as failure:
            return outcome_of(failure)
        if body is None:
            return Outcome(kind="permanent", code="answer_too_long", status=response.status_code)
        return self._judged(response, body, sent_at)

    def _request(self, question: Question, sent_at: str) -> httpx.Request:
        envelope = Envelope(
            payload_type=question.payload_type,
            payload=question.payload,
            payload_id=question.payload_id,
            timestamp=sent_at,
            sender=question.sender,
            receiver=question.receiver,
            username=question.username,
            password=question.password,
            version=question.version,
        )
        given = fields(envelope)
        edge = multipart.boundary(question.payload_id, given)
        body = multipart.build(given, edge, {"Payload": "application/edi-x12"})
        headers = {"content-type": f'multipart/form-data; boundary="{edge}"', "accept-encoding": "identity"}
        if question.token:
            headers["authorization"] = f"Bearer {question.token}"
        return httpx.Request("POST", question.url, headers=headers, content=body, extensions=self._extensions)

    def _judged(self, response: httpx.Response, body: bytes, sent_at: str) -> Outcome:
        """The status says what it can; of a 200 the envelope does."""
        status = response.status_code
        if status != 200:
            wait = seconds_to_wait(response.headers.get("retry-after"), self._clock())
            known = of_status(status, retry_after=wait)
            if known.kind != "delivered":
                return known
            return Outcome(kind="ambiguous", code="no_answer", status=status)  # a batch's 202, or nothing at all
        given = multipart.parse(body, response.headers.get("content-type", ""))
        if given is None:
            return Outcome(kind="ambiguous", code="answer_garbled", status=status)
        error = given.get("ErrorCode", b"").decode("latin-1").strip()
        kind, code = outcome_of_error(error) if error != SUCCESS else ("delivered", "http_200")
        payload = given.get("Payload", b"")
        if kind == "delivered" and not payload.strip():
            kind, code = "ambiguous", "no_answer"
        return Reply(
            kind=kind,
            code=code,
            status=status,
            payload=payload,
            payload_type=given.get("PayloadType", b"").decode("latin-1").strip()[:100],
            payload_id=given.get("PayloadID", b"").decode("latin-1").strip()[:100],
            sent_at=sent_at,
            answered_at=self._now(),
        )

    def _now(self) -> str:
        return f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%dT%H:%M:%SZ}"


async def _whole(response: httpx.Response) -> bytes | None:
    """All of an answer; None where it is longer than an answer can be."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > ANSWER_BYTES:
            return None
    return bytes(body)
