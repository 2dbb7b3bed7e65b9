"""Webhooks: an event as a CloudEvent in JSON, signed with every active secret, and posted (Standard Webhooks)."""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from canonical.events import Event
from canonical.outcome import Outcome
from canonical.records import Record
from connectors.webhook.client import Post
from gateway.clock import MICROS
from gateway.deliveries.circuits import Send
from gateway.site.settings import Site, Webhooks
from gateway.store.protocol import Delivery, Store, Subscription
from policies import signing
from policies.retry import Schedule
from policies.tracing import Trace
from transforms.api.cloudevent import cloud_event, encode

Present = Callable[[Record, str | None], object]

AGENT = "Isthmus-Webhook/1"
OVERLAP = 24 * 3600 * MICROS


class WebhookCarrier:
    """`present` gives a record (and its surviving patient) the form of an API version, for full events."""

    def __init__(
        self,
        store: Store,
        post: Send,
        settings: Webhooks,
        present: Present | None = None,
        end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._store, self._post, self._present, self._end = store, post, present, end
        self._room, self._schedule = settings.per_subscription, Schedule(waits=settings.retry_seconds)

    def room(self, _: Subscription) -> int:
        """As the settings say."""
        return self._room

    def schedule(self, _: Subscription) -> Schedule:
        """As the settings say."""
        return self._schedule

    async def sift(self, _: Subscription, events: Sequence[Event]) -> Sequence[Event]:
        """All of them: the filter says everything."""
        return events

    async def carry(
        self, subscription: Subscription, delivery: Delivery, event: Event, now: int, trace: Trace | None
    ) -> Outcome:
        """Shape, sign and post."""
        body = encode(cloud_event(event, await self._data(subscription, event)))
        return await self._post(signed(subscription, delivery, body, now, trace))

    async def become(self, _: Site) -> None:
        """Nothing of them stands in a peer's file."""

    async def close(self) -> None:
        """Let go of the connections."""
        if self._end:
            await self._end()

    async def _data(self, subscription: Subscription, event: Event) -> object:
        """The subject as it was at the event, where the subscription asks for more than to be told."""
        if not subscription.full or self._present is None:
            return None
        found = await self._store.version(event.tenant, event.subject, event.version)
        return None if found is None else self._present(found, event.patient)


def signed(subscription: Subscription, delivery: Delivery, body: bytes, now: int, trace: Trace | None) -> Post:
    """The request of one attempt, signed with every active secret (Standard Webhooks)."""
    headers = {"content-type": "application/json", "user-agent": AGENT, "accept-encoding": "identity"}
    traceparent = trace.traceparent if trace else delivery.traceparent
    if traceparent:
        headers["traceparent"] = traceparent
    return Post(
        subscription.url,
        headers | signing.sign(signers(active_secrets(subscription, now)), delivery.id, now // MICROS, body),
        body,
        subscription.tenant,
    )


def active_secrets(subscription: Subscription, now: int) -> tuple[str, ...]:
    """The newest secret, and for a day after it was made the one before."""
    is_rotating = now < subscription.rotated_at + OVERLAP
    return subscription.secrets if is_rotating else subscription.secrets[:1]


@lru_cache(maxsize=4096)
def signers(secrets: tuple[str, ...]) -> tuple[signing.Signer, ...]:
    """The signers of a subscription's secrets, newest first."""
    return tuple(signing.signer(secret) for secret in secrets)
