"""From the feed of events to the deliveries of a subscription: pure, so the same events always give the same ids."""

from collections.abc import Iterable
from functools import lru_cache

from canonical.events import Event
from canonical.ids import new_id
from gateway.store.protocol import Delivery, Subscription

ALL = "*"
RECEIVED = "message.received"


def deliveries_of(subscription: Subscription, events: Iterable[Event], now: int) -> list[Delivery]:
    """What a subscription is to receive of these events."""
    return [delivery_of(subscription, event, now) for event in events if wants(subscription, event)]


def wants(subscription: Subscription, event: Event) -> bool:
    """Whether an event passes a subscription's filter."""
    return (
        event.tenant == subscription.tenant
        and speaks_of(subscription.types, event.type)
        and (not subscription.feeds or event.feed in subscription.feeds)
        and event.feed not in subscription.other_feeds
        and (not subscription.patients or not {event.patient, event.subject}.isdisjoint(subscription.patients))
    )


@lru_cache(maxsize=4096)
def speaks_of(patterns: tuple[str, ...], kind: str) -> bool:
    """Whether a type is among the patterns: `*`, `appointment.*` or a type in full.

    `*` is all that is told about records, tasks and feeds. That a message came is heard by who names it: there may be
    many times as many.
    """
    return any(
        pattern == kind
        or (pattern == "*" and not kind.startswith("message."))
        or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))
        for pattern in patterns
    )


def lane_of(subscription: Subscription, event: Event) -> str:
    """What order is kept for: all that goes to the receiver, or a patient; a message about none is of its feed."""
    if subscription.lane == "receiver":
        return ALL
    return f"feed:{event.feed}" if event.type == RECEIVED and not event.patient else event.lane


def delivery_of(subscription: Subscription, event: Event, now: int) -> Delivery:
    """An event on its way to a subscription."""
    return Delivery(
        id=new_id("delivery", event.at, event.id, subscription.id),
        tenant=event.tenant,
        subscription=subscription.id,
        seq=event.seq,
        event=event.id,
        type=event.type,
        lane=lane_of(subscription, event),
        since=now,
        due_at=now,
        created_at=now,
        updated_at=now,
        traceparent=event.traceparent,
    )
