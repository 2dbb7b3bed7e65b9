"""Routes: which messages are sent on as they came, and where to (DESIGN 2).

A message that some route wants leaves one event, `message.received`, in the log, in the order in which its feed sent
it; each route's subscriptions follow that as they follow every event. Where no route wants it, it costs nothing.
"""

from collections.abc import Sequence

from canonical.events import Event
from canonical.ids import new_id
from gateway.deliveries.fanout import RECEIVED
from gateway.site.outward import Route
from gateway.store.keys import asked, message_keys
from gateway.store.protocol import Kept, Key


def wanted(route: Route, kept: Kept) -> bool:
    """Whether a message passes a route's filter: kept, mapped or not; never what was refused."""
    only = route.settings
    return (
        kept.tenant == route.tenant
        and kept.state != "refused"
        and (not only.feeds or kept.feed in only.feeds)
        and (not only.types or kept.type in only.types or f"{kept.type}^{kept.event}" in only.types)
        and (not only.senders or kept.sender in only.senders)
        and (not only.keys or has_keys(kept, only.keys))
    )


def has_keys(kept: Kept, keys: dict[str, tuple[str, ...]]) -> bool:
    """Whether a message can be found by one of the values of each kind."""
    there = message_keys(kept)
    return all(any(_has(there, (kind, value)) for value in values) for kind, values in keys.items())


def _has(there: set[Key], key: Key) -> bool:
    """Of a name all words must be there."""
    return all(not there.isdisjoint(group) for group in asked([(key,)]))


def received(routes: Sequence[Route], messages: Sequence[Kept], events: Sequence[Event]) -> list[Event]:
    """An event for each of these messages that some route wants; `events` are what they changed, and of whom."""
    patients = {one.message: one.patient for one in events if one.patient}
    return [
        _event(kept, patients.get(kept.id) or _patient(kept))
        for kept in messages
        if any(wanted(route, kept) for route in routes)
    ]


def _event(kept: Kept, patient: str | None) -> Event:
    return Event(
        id=new_id("event", kept.received_at, kept.id, RECEIVED),
        type=RECEIVED,
        tenant=kept.tenant,
        subject=kept.id,
        at=kept.received_at,
        patient=patient,
        message=kept.id,
        feed=kept.feed,
        traceparent=kept.traceparent,
    )


def _patient(kept: Kept) -> str | None:
    """The patient of a message that changed nothing."""
    return next((one for one in kept.records if one.startswith("pat_")), None)
