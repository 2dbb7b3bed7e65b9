"""The subscriptions at work: how far each has followed the feed of events, and how much more it may be sent now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from canonical.events import Event
from gateway.clients import LACKS, Clients
from gateway.deliveries.carriers import Carriers
from gateway.deliveries.fanout import deliveries_of
from gateway.store.protocol import Move, Store, Subscription

EVENTS_AT_ONCE = 500
CURSOR_LAG = 1000  # a cursor that only passes what its subscription does not want is written this seldom
PATIENCE = 20_000


class Receiver:
    """A subscription at work: its place in the feed, what is under way, and until when it asked to be left alone.

    It is `overtaken` when another process moved its cursor: then it waits for the next look at where that stands.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.position = subscription.cursor
        self.overtaken = False
        self.flying = 0
        self.rests_until = 0
        self.asked_at = 0


class Receivers:
    """All of them. Derivation goes on while one is paused, so that what waits can be seen; a disabled one stays
    where it is in the feed and goes on from there when it is made active.
    """

    def __init__(self, store: Store, carriers: Carriers, clients: Clients | None = None) -> None:
        self._store, self._carriers, self._turn = store, carriers, 0
        self._clients = clients
        self._by_id: dict[str, Receiver] = {}

    def __getitem__(self, subscription: str) -> Receiver:
        return self._by_id[subscription]

    async def refresh(self) -> list[tuple[Subscription, Subscription]]:
        """Read what people decide; what is known of each receiver stays. Each as it is kept, and as it is now."""
        kept = await self._store.subscriptions()
        subscriptions = [await self._as_allowed(one) for one in kept]
        known, self._by_id = self._by_id, {}
        for subscription in subscriptions:
            receiver = known.get(subscription.id) or Receiver(subscription)
            receiver.subscription = subscription
            known_to = subscription.cursor if receiver.overtaken else receiver.position
            receiver.position, receiver.overtaken = max(known_to, subscription.cursor), False
            self._by_id[subscription.id] = receiver
        return list(zip(kept, subscriptions, strict=True))

    async def _as_allowed(self, subscription: Subscription) -> Subscription:
        """Nothing is sent for a client that is gone or may no longer have it, whoever made the subscription active."""
        if subscription.is_declared:
            return subscription
        lack = await self._clients.lack(subscription) if self._clients else None
        if lack and subscription.state == "active":
            return replace(subscription, state="disabled", reason=lack)
        if not lack and subscription.state == "disabled" and subscription.reason in LACKS:
            return replace(subscription, state="active", reason=None)
        return subscription

    # -- from events to deliveries

    async def derive(self, now: int) -> bool:
        """Follow the feed with every subscription; those at the same place share what is read."""
        moves = [
            await self._step(receiver, events, now)
            for (tenant, position), listeners in self._places().items()
            if (events := await self._store.events(tenant, position, EVENTS_AT_ONCE))
            for receiver in listeners
        ]
        kept = [move for move in moves if move.deliveries or move.upto - move.cursor >= CURSOR_LAG]
        if kept:
            self._moved(kept, await self._store.derive(kept))
        for move in moves:
            self._by_id[move.subscription].position = move.upto
        return bool(moves)

    async def note(self) -> None:
        """Keep how far each has come, also where there was nothing for it to receive."""
        behind = [
            Move(subscription=one.subscription.id, cursor=one.subscription.cursor, upto=one.position)
            for one in self._by_id.values()
            if one.position > one.subscription.cursor and not one.overtaken
        ]
        if behind:
            self._moved(behind, await self._store.derive(behind))

    def _places(self) -> dict[tuple[str, int], list[Receiver]]:
        places: defaultdict[tuple[str, int], list[Receiver]] = defaultdict(list)
        for receiver in self._by_id.values():
            is_followed = receiver.subscription.state != "disabled" and self._carriers.room(receiver.subscription)
            if is_followed and not receiver.overtaken:
                places[receiver.subscription.tenant, receiver.position].append(receiver)
        return places

    async def _step(self, receiver: Receiver, events: Sequence[Event], now: int) -> Move:
        subscription = receiver.subscription
        chosen = await self._carriers[subscription].sift(subscription, events)
        return Move(
            subscription=subscription.id,
            cursor=subscription.cursor,
            upto=events[-1].seq,
            deliveries=deliveries_of(subscription, chosen, now),
        )

    def _moved(self, moves: Sequence[Move], done: Iterable[bool]) -> None:
        """Remember where the cursors stand; one that was elsewhere was moved or deleted, which the next look shows."""
        for move, was_moved in zip(moves, done, strict=True):
            receiver = self._by_id[move.subscription]
            receiver.overtaken = not was_moved
            if was_moved:
                receiver.subscription = replace(receiver.subscription, cursor=move.upto)

    # -- from deliveries to receivers

    def rooms(self, now: int) -> dict[str, int]:
        """How many more may go to whom; receivers take turns at being first."""
        self._turn += 1
        receivers = list(self._by_id.values())
        first = self._turn % len(receivers) if receivers else 0
        in_turn = receivers[first:] + receivers[:first]
        return {one.subscription.id: room for one in in_turn if (room := self._room(one, now))}

    def _room(self, receiver: Receiver, now: int) -> int:
        """How many more; a little room waits a moment for more of it, since each claim is a commit."""
        subscription = receiver.subscription
        most = self._carriers.room(subscription)
        free = 0 if subscription.state != "active" or receiver.rests_until > now else most - receiver.flying
        if free * 2 < most and now - receiver.asked_at < PATIENCE:
            return 0
        receiver.asked_at = now
        return free

    def are_at_ease(self, tenant: str) -> bool:
        """Whether every receiver of a tenant has had what was due and could take more."""
        mine = (one for one in self._by_id.values() if one.subscription.tenant == tenant)
        return all(one.flying * 2 <= self._carriers.room(one.subscription) for one in mine)


async def caught_up(store: Store, subscription: Subscription, now: int) -> Subscription:
    """A subscription that has followed the feed as it is now to its end: how it is changed for what comes after."""
    while events := await store.events(subscription.tenant, subscription.cursor, EVENTS_AT_ONCE):
        upto, made = events[-1].seq, deliveries_of(subscription, events, now)
        move = Move(subscription=subscription.id, cursor=subscription.cursor, upto=upto, deliveries=made)
        if all(await store.derive([move])):
            subscription = replace(subscription, cursor=upto)
            continue
        there = await store.subscription(subscription.tenant, subscription.id)  # the worker went on with it
        if there is None or there.version != subscription.version:
            break
        subscription = there
    return subscription
