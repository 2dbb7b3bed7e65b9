"""One trial: load, kill -9 at random moments, restart, and an account of what was promised.

On PostgreSQL every second kill is one of the database instead: it ends as in a crash and recovers, while the gateway
goes on.
"""

import asyncio
import itertools
import os
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from canonical.events import Event
from gateway.site.folder import load
from gateway.store.choice import store_of
from gateway.store.protocol import MessageQuery, Store
from tests.crash.load import Lane, send
from tests.crash.receiver import Receiver
from tests.isthmus import Isthmus
from tests.servers.postgres import Postgres

SETTLES_WITHIN = 120.0
HASTY = {"webhooks": {"timeout-seconds": 1.0}}  # what a process that died has claimed is free the sooner
OPEN = ("pending", "claimed")


@dataclass
class Account:
    """What a trial counted. All of `missing`, `twice`, `undelivered` and `unstable` must be 0."""

    kills: int
    acknowledged: int = 0
    resent: int = 0
    kept: int = 0
    missing: int = 0
    twice: int = 0
    events: int = 0
    undelivered: int = 0
    repeated: int = 0
    unstable: int = 0

    def holds(self) -> bool:
        """Whether every promise was kept."""
        return not (self.missing or self.twice or self.undelivered or self.unstable) and self.acknowledged > 0

    def __str__(self) -> str:
        return (
            f"killed {self.kills} times; acknowledged {self.acknowledged} (sent again {self.resent}), "
            f"kept {self.kept}, missing {self.missing}, applied twice {self.twice}; events {self.events}, "
            f"not delivered {self.undelivered}, delivered again {self.repeated}, unstable ids {self.unstable}"
        )


async def trial(
    kills: int,
    lanes: int,
    seed: int,
    database: Postgres | None = None,
    pause: tuple[float, float] = (0.3, 2.0),
) -> Account:
    """Kill a loaded gateway `kills` times and count. Its data is in a folder, or in the database."""
    with tempfile.TemporaryDirectory(prefix="isthmus-crash-") as folder:
        isthmus, receiver = await asyncio.to_thread(partial(Isthmus, Path(folder), settings=HASTY)), Receiver()
        port = await receiver.start()
        await asyncio.to_thread(isthmus.start)
        hook: dict[str, object] = {"url": f"http://127.0.0.1:{port}/hook", "types": ["appointment.*"]}
        await asyncio.to_thread(isthmus.get, "/v1/subscriptions", True, hook)
        sent = [Lane(number) for number in range(lanes)]
        victims = [isthmus.crash, *([database.crash] if database else [])]
        await _under_fire(isthmus, sent, victims, kills, random.Random(seed), pause)
        await _delivered(isthmus)
        await asyncio.to_thread(isthmus.stop)
        await receiver.stop()
        return await _account(isthmus, receiver, sent, kills)


async def _under_fire(
    isthmus: Isthmus,
    lanes: list[Lane],
    victims: Sequence[Callable[[], None]],
    kills: int,
    dice: random.Random,
    pause: tuple[float, float],
) -> None:
    stop = asyncio.Event()
    senders = [asyncio.create_task(send(lane, "127.0.0.1", isthmus.mllp, stop)) for lane in lanes]
    for _, crash in zip(range(kills), itertools.cycle(victims), strict=False):
        await asyncio.sleep(dice.uniform(*pause))
        await asyncio.to_thread(crash)
    await asyncio.sleep(pause[0])
    stop.set()
    await asyncio.gather(*senders)


async def _delivered(isthmus: Isthmus) -> None:
    """Wait until nothing is due any more: what a process that died had claimed is claimed anew when its lease ends."""
    deadline = asyncio.get_running_loop().time() + SETTLES_WITHIN
    quiet = 0
    while quiet < 2 and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(1.0)
        waiting = [await asyncio.to_thread(isthmus.get, f"/v1/deliveries?limit=1&state={state}") for state in OPEN]
        quiet = 0 if any(page["items"] for page in waiting) else quiet + 1


async def _account(isthmus: Isthmus, receiver: Receiver, lanes: list[Lane], kills: int) -> Account:
    """Ask the store itself, once nothing runs any more."""
    store = store_of(load(isthmus.folder / "site").main.store, os.environ)
    await store.open()
    try:
        kept = await _control_ids(store)
        events = [event async for event in _events(store)]
    finally:
        await store.close()
    told = Counter((event.message, event.subject, event.type) for event in events)
    booked = {event.id for event in events if event.type.startswith("appointment.")}
    acknowledged = {f"C{lane.number}-{number}" for lane in lanes for number in lane.acknowledged}
    return Account(
        kills=kills,
        acknowledged=len(acknowledged),
        resent=sum(lane.resent for lane in lanes),
        kept=len(kept),
        missing=len(acknowledged - kept.keys()),
        twice=sum(times - 1 for times in kept.values()) + sum(times - 1 for times in told.values()),
        events=len(events),
        undelivered=len(booked - receiver.ids.keys()),
        repeated=sum(times - 1 for times in receiver.times.values()),
        unstable=sum(len(ids) - 1 for ids in receiver.ids.values()),
    )


async def _control_ids(store: Store) -> Counter[str]:
    found: Counter[str] = Counter()
    after: tuple[int, str] | None = None
    while True:
        page = await store.messages(MessageQuery(tenant="main", state="applied", after=after, limit=500))
        found.update(kept.control_id for kept in page.items)
        if page.next is None:
            return found
        after = page.next


async def _events(store: Store) -> AsyncIterator[Event]:
    after = 0
    while found := await store.events("main", after, 1000):
        for event in found:
            yield event
        after = found[-1].seq
