"""The account of a soak: what was promised, counted from what the store, the readers and the partner have."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from canonical.events import Event
from gateway.store.postgres import PostgresStore
from gateway.store.protocol import Kept, MessageQuery
from tests.soak.readers import Reader


@dataclass
class Account:
    """What was counted. Whatever is in ZERO must be 0."""

    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    order: int = 0
    gaps: int = 0
    undelivered: int = 0
    unstable: int = 0
    died: int = 0
    faults: int = 0
    kept: int = 0
    events: int = 0
    repeats: int = 0
    refused: int = 0
    unanswered: int = 0
    delivered: int = 0
    redelivered: int = 0
    read: int = 0
    connections: int = 0
    seconds: float = 0.0
    stalls: dict[str, float] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)

    ZERO = ("lost", "twice", "order", "gaps", "undelivered", "unstable", "died", "faults")

    def holds(self) -> bool:
        """Whether every promise was kept."""
        return self.acknowledged > 0 and not any(getattr(self, name) for name in self.ZERO)

    def __str__(self) -> str:
        lines = [
            f"under load for           {self.seconds:,.0f} s, {sum(self.struck.values())} blows",
            f"messages acknowledged    {self.acknowledged:,}",
            f"  lost                   {self.lost}",
            f"  applied twice          {self.twice}",
            f"  sent again             {self.repeats:,} (refused {self.refused:,}, unanswered {self.unanswered:,})",
            f"per-subject order broken {self.order}",
            f"events                   {self.events:,}, read {self.read:,}",
            f"  gaps in the feed       {self.gaps}",
            f"webhooks delivered       {self.delivered:,}",
            f"  not delivered          {self.undelivered}",
            f"  under another id       {self.unstable}",
            f"  repeated               {self.redelivered:,}",
            f"processes that ended     {self.died}, faults in logs {self.faults}",
            f"most connections         {self.connections}",
            f"longest stall            {max(self.stalls.values(), default=0.0):.1f} s",
        ]
        for name, seconds in sorted(self.stalls.items(), key=lambda one: -one[1]):
            lines.append(f"  {name:34} {self.struck[name]:3} times, {seconds:5.1f} s")
        return "\n".join(lines)


async def count_messages(account: Account, store: PostgresStore, acknowledged: dict[str, int]) -> None:
    """Each acknowledged message is there once and was applied, and each made its one version, in its order."""
    kept: dict[str, list[Kept]] = defaultdict(list)
    async for message in _messages(store):
        kept[message.control_id].append(message)
    account.acknowledged, account.kept = len(acknowledged), len(kept)
    account.lost += sum(one not in kept or kept[one][0].state != "applied" for one in acknowledged)
    account.twice += sum(len(same) - 1 for same in kept.values())
    made: dict[int, list[str]] = defaultdict(list)  # the messages of each subject, as the EHR sent them
    for control, subject in acknowledged.items():
        made[subject].append(control)
    for controls in made.values():
        ids = [kept[one][0].id for one in controls if one in kept]
        await _history(account, store, ids, kept[controls[0]][0].records if controls[0] in kept else ())


async def _history(account: Account, store: PostgresStore, messages: list[str], records: Iterable[str]) -> None:
    """Versions of an appointment: one for each message, in the order in which they were sent."""
    (appointment,) = [one for one in records if one.startswith("apt_")] or [""]
    told = [version.message for version in await store.history("main", appointment)] if appointment else []
    account.lost += len(set(messages) - set(told))
    account.twice += len(told) - len(set(told))
    places = {one: place for place, one in enumerate(messages)}
    account.order += _descents([places[one] for one in told if one in places])


async def count_events(account: Account, store: PostgresStore, readers: Sequence[Reader]) -> list[Event]:
    """Numbered without a gap, none for the same change twice, versions rising; and every reader has seen them all."""
    events = [event async for event in _events(store)]
    account.events = len(events)
    account.gaps += _descents_or_jumps([event.seq for event in events])
    told = Counter((event.message, event.subject, event.type) for event in events)
    account.twice += sum(times - 1 for times in told.values())
    versions: dict[str, list[int]] = defaultdict(list)
    for event in events:
        versions[event.subject].append(event.version)
    account.order += sum(_descents(one) for one in versions.values())
    for reader in readers:
        wanted = [(one.seq, one.id) for one in events if one.type.startswith(reader.types.rstrip("*"))]
        account.read += len(reader.seen)
        account.gaps += reader.gone + _differences(wanted, reader.seen)
    return events


def count_webhooks(account: Account, events: Sequence[Event], received: Sequence[dict[str, Any]], again: int) -> None:
    """Each event came, under one id, those of a subject in their order."""
    ids: dict[str, set[str]] = defaultdict(set)
    order: dict[str, list[int]] = defaultdict(list)
    for one in received:
        event = one["event"]
        ids[event["id"]].add(one["id"])
        order[event["subject"]].append(int(event["seq"]))
    account.delivered, account.redelivered = len(ids), again
    account.undelivered += len({event.id for event in events} - ids.keys())
    account.unstable += sum(len(same) - 1 for same in ids.values())
    account.order += sum(_descents(seqs) for seqs in order.values())


def _descents(numbers: Sequence[int]) -> int:
    return sum(after < before for before, after in pairwise(numbers))


def _descents_or_jumps(numbers: Sequence[int]) -> int:
    """Where a count from 1 is not one."""
    return sum(after != before + 1 for before, after in pairwise((0, *numbers)))


def _differences(wanted: Sequence[tuple[int, str]], seen: Sequence[tuple[int, str]]) -> int:
    """How many were not seen, seen without being there, seen twice, or seen in another order."""
    missing, strange = set(wanted) - set(seen), set(seen) - set(wanted)
    numbers = [seq for seq, _ in seen]
    return len(missing) + len(strange) + len(numbers) - len(set(numbers)) + _descents(numbers)


async def _messages(store: PostgresStore) -> AsyncIterator[Kept]:
    after: tuple[int, str] | None = None
    while True:
        page = await store.messages(MessageQuery(tenant="main", after=after, limit=500))
        for one in page.items:
            yield one
        if page.next is None:
            return
        after = page.next


async def _events(store: PostgresStore) -> AsyncIterator[Event]:
    after = 0
    while found := await store.events("main", after, 1000):
        for event in found:
            yield event
        after = found[-1].seq
