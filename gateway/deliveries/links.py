"""Destinations that files declare, as what bytes can be given to: an MLLP link or a URL, one of each for a process.

A link has one message in flight, whatever its subscriptions want: in MLLP only order pairs an acknowledgement with its
message. What the receiver answers decides the outcome (transforms/hl7v2/verdict.py).
"""

import random
import ssl
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from canonical.outcome import Outcome
from connectors.mllp.sender import Link
from connectors.mllp.tls import tls_client
from connectors.webhook.client import ANSWER_CHARACTERS, Answered, Post, WebhookClient
from gateway.addresses import split
from gateway.clock import MICROS
from gateway.deliveries.circuits import Circuits
from gateway.deliveries.outbound import allow_list, client, outbound
from gateway.site.outward import Destination, DestinationSettings
from gateway.store.protocol import Delivery, Subscription
from policies.circuit import CircuitConfig
from policies.redact import log
from policies.retry import Schedule
from policies.tracing import Trace
from transforms.hl7v2.ack import wants
from transforms.hl7v2.header import header
from transforms.hl7v2.verdict import Ack, control_id_of, verdict

AGENT: Final = "Isthmus/1"
UNKNOWN: Final = Outcome(kind="transient", code="not_declared", attempted=False)
TOO_LARGE: Final = Outcome(kind="permanent", code="too_large", attempted=False)

Seconds = Callable[[], float]


class Wire(Protocol):
    """Bytes out, and how it ended."""

    async def send(self, message: bytes, delivery: Delivery, trace: Trace | None) -> Outcome:
        """Send a message once."""

    async def close(self) -> None:
        """Let go of the connection."""


class MllpWire:
    """An MLLP link. The log says once when nobody is there any more, and once when somebody is again."""

    def __init__(self, name: str, settings: DestinationSettings) -> None:
        self._name, self._is_there = name, True
        host, port = split(settings.mllp or "")
        secured = _trust(settings) if settings.is_secured else None
        self._link = Link(host, port, _about, secured, settings.timeout_seconds, settings.server_name)

    async def send(self, message: bytes, delivery: Delivery, trace: Trace | None) -> Outcome:
        """Send it, and wait for its acknowledgement, unless it says itself that none is wanted."""
        outcome = await self._exchanged(message)
        if outcome.attempted != self._is_there:
            self._is_there = outcome.attempted
            log(
                "destination.reached" if self._is_there else "destination.unreachable",
                level="info" if self._is_there else "warning",
                destination=self._name,
            )
        return outcome

    async def _exchanged(self, message: bytes) -> Outcome:
        head = header(message)
        if head is None or not (wants(head, "AA") or wants(head, "CA")):
            return await self._link.tell(message)
        answer = await self._link.send(message, control_id_of(message))
        if isinstance(answer, Outcome):
            return answer
        ack = verdict(answer)
        return acknowledged(ack, answer.decode("latin-1")) if ack else UNKNOWN

    async def close(self) -> None:
        """End the connection."""
        await self._link.close()


class HttpWire:
    """A URL that takes messages as `application/hl7-v2`; an acknowledgement in the answer counts as over MLLP."""

    def __init__(self, settings: DestinationSettings, clock: Seconds, tenant: str) -> None:
        url = settings.http or ""
        allowed = allow_list([urlsplit(url).hostname or ""])  # the operator named it
        trust = _trust(settings)
        self._client: WebhookClient = client(allowed, settings.timeout_seconds, 1, clock, trust)
        self._post = outbound(self._client, Circuits(CircuitConfig(), clock, random.random))
        self._request = partial(Post, url, tenant=tenant)

    async def send(self, message: bytes, delivery: Delivery, trace: Trace | None) -> Outcome:
        """Post it under the id of its delivery, which stays the same."""
        headers = {
            "content-type": "application/hl7-v2; charset=er7",
            "user-agent": AGENT,
            "idempotency-key": delivery.id,
            "accept-encoding": "identity",
        }
        traceparent = trace.traceparent if trace else delivery.traceparent
        if traceparent:
            headers["traceparent"] = traceparent
        outcome = await self._post(self._request(headers=headers, body=message))
        if outcome.kind != "delivered" or not isinstance(outcome, Answered):
            return outcome
        ack = verdict(outcome.answer.encode())
        is_its = ack is not None and ack.control_id == control_id_of(message)
        return acknowledged(ack, outcome.answer, outcome.status) if ack and is_its else outcome

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.close()


class Line(Struct, frozen=True):
    """A destination with what leads there."""

    destination: Destination
    wire: Wire
    schedule: Schedule

    async def send(self, message: bytes, delivery: Delivery, trace: Trace | None) -> Outcome:
        """Send a message, unless it is longer than the receiver takes."""
        if len(message) > self.destination.settings.max_bytes:
            return TOO_LARGE
        return await self.wire.send(message, delivery, trace)


class Links:
    """All destinations of a site, by tenant and name."""

    def __init__(self, destinations: Iterable[Destination], clock: Callable[[], int]) -> None:
        self._clock: Seconds = lambda: clock() / MICROS
        self._lines = {(one.tenant, one.name): _line(one, self._clock) for one in destinations}

    def of(self, subscription: Subscription) -> Line | None:
        """Where a subscription's deliveries go; None where no file of ours declares it."""
        return self._lines.get((subscription.tenant, subscription.destination or ""))

    async def become(self, destinations: Iterable[Destination]) -> None:
        """Go by other files: a link that they say nothing new of stays open, what is under way elsewhere ends there."""
        before, self._lines = self._lines, {}
        for one in destinations:
            key = one.tenant, one.name
            stays = key in before and before[key].destination == one
            self._lines[key] = before.pop(key) if stays else _line(one, self._clock)
        for line in before.values():
            await line.wire.close()

    async def close(self) -> None:
        """Let go of all."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            await line.wire.close()


def _line(one: Destination, clock: Seconds) -> Line:
    settings = one.settings
    wire = MllpWire(one.name, settings) if settings.mllp else HttpWire(settings, clock, one.tenant)
    return Line(one, wire, Schedule(waits=settings.retry_seconds))


def _trust(settings: DestinationSettings) -> ssl.SSLContext:
    return tls_client(settings.ca, settings.certificate, settings.private_key)


def _about(answer: bytes) -> str | None:
    """The control id that an answer is about."""
    ack = verdict(answer)
    return ack.control_id if ack else None


def acknowledged(ack: Ack, answer: str, status: int | None = None) -> Outcome:
    """An acknowledgement as an outcome."""
    code = f"ack_{ack.code.lower()}"
    return Answered(kind=ack.kind, code=code, status=status, answer=answer[:ANSWER_CHARACTERS])
