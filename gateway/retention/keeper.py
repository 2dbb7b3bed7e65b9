"""The keeper: looks every hour what has been kept for long enough, and takes it away. One process does it for all.

It takes little at a time and rests as long as that took, so that others come first. What it had begun when it ended
goes on where it was.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from canonical.events import Event
from gateway.clock import MICROS, Clock
from gateway.parking import raise_task
from gateway.retention.lives import Life, life_of, lives_of, longest, mark_of
from gateway.site.settings import Main
from gateway.store.protocol import Store
from policies.metrics import Metrics
from policies.redact import log

LEASE: Final = "retention"
DAY: Final = 86_400 * MICROS
AT_ONCE: Final = 100  # rows of a batch
DELAY, EVERY = 60.0, 3600.0  # seconds
HELD: Final = 120 * MICROS  # how long the lease outlives its holder
LEAST_REST: Final = 0.005
LOST: Final = "DLV-EXPIRED"
RELEASED: Final = "retention:released"  # the switch that says up to which release what was put aside was looked at


class Another(Exception):
    """Another process has taken over, because we could not renew the lease in time."""


class Keeper:
    """The rounds of one process; of several only the one that has the lease does anything."""

    def __init__(self, store: Store, main: Main, clock: Clock, metrics: Metrics, leaving: asyncio.Event) -> None:
        self.store, self.main, self.clock, self.metrics, self.leaving = store, main, clock, metrics, leaving
        self.on_events: list[Callable[[Sequence[Event]], None]] = []
        self.lives = lives_of(main.retention)
        self.name = secrets.token_hex(8)
        self._now = 0
        self._done: Counter[str] = Counter()

    async def run(self) -> None:
        """Go round until the process leaves."""
        rest = DELAY
        while not await self._leaves_within(rest):
            try:
                await self.go_round()
            except Another:
                pass
            except Exception as error:
                log("retention.failed", level="error", error=error)
            rest = EVERY

    async def go_round(self) -> None:
        """One round, unless it is another's; what it did is one line of the log."""
        self._now, self._done = self.clock(), Counter()
        if not await self.store.lease(LEASE, self.name, self._now + HELD, self._now):
            return
        try:
            for step in (self._messages, self._aside, self._events, self._audit, self._tombstones):
                await self._safely(step)
        finally:
            await self.store.lease(LEASE, self.name, 0, self.clock())
            self._tell()
        self.metrics.retention_round.set(self._now / MICROS)
        if (oldest := await self.store.oldest_message()) is not None:
            self.metrics.oldest_message.set(oldest / MICROS)

    async def _safely(self, step: Callable[[], Awaitable[None]]) -> None:
        """A step that fails costs itself: the next round goes on with it."""
        try:
            await step()
        except Another:
            raise
        except Exception as error:
            log("retention.failed", level="error", error=error)

    def _tell(self) -> None:
        if self._done:
            done: dict[str, Any] = {"seconds": round((self.clock() - self._now) / MICROS, 3), **self._done}
            log("retention.done", **done)

    def _before(self, days: int) -> int:
        return self._now - days * DAY

    # -- messages

    async def _messages(self) -> None:
        """Row by row what goes before its month does, then whole months."""
        last = longest(self.lives)
        await self._forget_marks()
        for tenant in self.main.tenants:
            for life in self.lives:
                if life.days is not None and not (self.store.keeps_months and life.days == last):
                    await self._follow(tenant, life, self._before(life.days))
        if last is not None:
            months = await self.store.drop_messages(self._before(last))
            self._count("messages", 0, months)

    async def _follow(self, tenant: str, life: Life, before: int) -> None:
        """Purge what is at the end of its life, from where the last round came to."""
        mark = mark_of(tenant, life, self.lives)
        received_at, n = map(int, (await self.store.switches()).get(mark, "0 0").split())
        place = received_at, n
        try:
            async for _ in self._steps():
                old = await self.store.old_messages(tenant, place, before, AT_ONCE)
                if mine := [one for one in old if life_of(tenant, one, self.lives) is life]:
                    aside = await self.store.purge_messages(tenant, mine)
                    self._count("messages", len(mine), life=life.number)
                    self._count("aside", aside, life=life.number)
                if not old:
                    break
                place = old[-1].received_at, old[-1].n
        finally:
            if place != (received_at, n):
                await self.store.set_switch(mark, f"{place[0]} {place[1]}")

    async def _forget_marks(self) -> None:
        """Of classes that are no more."""
        known = {mark_of(tenant, life, self.lives) for tenant in self.main.tenants for life in self.lives}
        for name in await self.store.switches():
            if name.startswith("retention:") and name not in {*known, RELEASED}:
                await self.store.set_switch(name, None)

    async def _aside(self) -> None:
        """Take away what was kept for holds alone that have been released since."""
        released = max((one.released_at or 0 for one in await self.store.holds()), default=0)
        if released <= int((await self.store.switches()).get(RELEASED, "0")):
            return
        place: int | None = 0
        async for _ in self._steps():
            if place is None:
                break
            place = await self.store.purge_aside(place, AT_ONCE)
        if place is None:
            await self.store.set_switch(RELEASED, str(released))

    async def _tombstones(self) -> None:
        """What is left of messages goes with the audit that speaks of them."""
        last, audit = longest(self.lives), self.main.retention.audit
        if last is None or audit is None:
            return
        async for _ in self._steps():
            gone = await self.store.forget_messages(self._before(max(last, audit)), AT_ONCE)
            self._count("tombstones", gone)
            if not gone:
                break

    # -- events and audit

    async def _events(self) -> None:
        """Events with their deliveries, after it was said who will not receive them."""
        days = self.main.retention.events
        if days is None:
            return
        await self._deliveries(await self.store.oldest_event())  # what was revived while its event went
        async for _ in self._steps():
            upto = await self.store.purgeable_events(self._before(days), self._now)
            if upto <= await self.store.oldest_event():
                break
            for one in await self.store.losing(upto):
                self._hear(await raise_task(self.store, one, LOST, self.clock()))
            await self._deliveries(upto)
            events, months = await self.store.purge_events(upto)
            self._count("events", events, months)

    async def _deliveries(self, upto: int) -> None:
        for tenant in self.main.tenants:
            async for _ in self._steps():
                gone = await self.store.purge_deliveries(tenant, upto, AT_ONCE)
                self._count("deliveries", gone)
                if not gone:
                    break

    async def _audit(self) -> None:
        """The oldest links, as long as nothing at all is on hold: who saw what is evidence too."""
        days = self.main.retention.audit
        if days is None or any(one.released_at is None for one in await self.store.holds()):
            return
        async for _ in self._steps():
            rows, months = await self.store.purge_audit(self._before(days), self._now)
            self._count("audit", rows, months)
            if not rows and not months:
                break

    # -- step by step

    async def _steps(self) -> AsyncIterator[None]:
        """Steps with a rest after each, as long as it took, until the process leaves."""
        renewed = self.clock()
        while not self.leaving.is_set():
            began = time.monotonic()
            yield
            now = self.clock()
            if now - renewed > HELD // 4:
                if not await self.store.lease(LEASE, self.name, now + HELD, now):
                    raise Another
                renewed = now
            await self._leaves_within(max(LEAST_REST, time.monotonic() - began))

    async def _leaves_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self.leaving.wait()
        except TimeoutError:
            return False

    def _count(self, kind: str, rows: int, months: int = 0, life: int = 0) -> None:
        if rows:
            self.metrics.purged.child(kind, f"class-{life}").inc(rows)
            self._done[kind] += rows
        if months:
            self.metrics.dropped.child(kind).inc(months)
            self._done["months"] += months

    def _hear(self, events: Sequence[Event]) -> None:
        for hear in self.on_events if events else ():
            hear(events)
