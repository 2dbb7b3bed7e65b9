"""How the deliveries of each kind of subscription are shaped and sent: one `Carrier` for a kind, in one table.

Everything else about a delivery (its place in the log, its lane, tries, parking, resending) is the same for all kinds.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from canonical.events import Event
from canonical.outcome import Outcome
from gateway.site.settings import Site
from gateway.store.protocol import Delivery, Subscription, SubscriptionKind
from policies.retry import Schedule
from policies.tracing import Trace


class Carrier(Protocol):
    """What one kind of subscription needs."""

    def room(self, subscription: Subscription) -> int:
        """How many of its deliveries may be under way at once; none where this process does not know the receiver."""

    def schedule(self, subscription: Subscription) -> Schedule:
        """When it is tried again."""

    async def sift(self, subscription: Subscription, events: Sequence[Event]) -> Sequence[Event]:
        """Those of the events that it may want beyond what its filter says."""

    async def carry(
        self, subscription: Subscription, delivery: Delivery, event: Event, now: int, trace: Trace | None
    ) -> Outcome:
        """Make one attempt."""

    async def become(self, site: Site) -> None:
        """Go by other files from now on."""

    async def close(self) -> None:
        """Let go of what is open; nothing is under way any more."""


class Carriers:
    """The table, which the worker asks."""

    def __init__(self, of_kind: Mapping[SubscriptionKind, Carrier]) -> None:
        self._of_kind = of_kind

    def __getitem__(self, subscription: Subscription) -> Carrier:
        return self._of_kind[subscription.kind]

    def room(self, subscription: Subscription) -> int:
        """As the carrier of its kind says; none for a kind that this process does not carry."""
        carrier = self._of_kind.get(subscription.kind)
        return carrier.room(subscription) if carrier else 0

    async def become(self, site: Site) -> None:
        """Have all of them go by other files from now on."""
        for carrier in self._of_kind.values():
            await carrier.become(site)

    async def close(self) -> None:
        """Close all of them."""
        for carrier in self._of_kind.values():
            await carrier.close()
