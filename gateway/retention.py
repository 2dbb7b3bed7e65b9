"""Keeps to how long the site says that things are kept: one process for all, every hour, a little at a time.

What is under a hold is copied aside before it goes. Messages of a class are emptied when their days are over, and go
whole with all others later; an event goes when nobody is still to get it.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b

from msgspec.structs import replace

from gateway.clock import MICROS, Clock
from gateway.site.settings import RetentionClass, RetentionSettings
from gateway.store.protocol import Contents, Hold, MessageQuery, Store
from policies.metrics import Metrics
from policies.redact import log

DAY = 86_400 * MICROS
FIRST_SECONDS = 60.0
EVERY_SECONDS = 3600.0
LEASE = 600 * MICROS
BATCH = 200
BREATH_SECONDS = 0.02  # between two batches: others have the store for most of the time
PAGE = 200


class Keeper:
    """Takes away what is over. `tenants` are those of the site."""

    def __init__(
        self, store: Store, settings: RetentionSettings, tenants: tuple[str, ...], clock: Clock, metrics: Metrics
    ) -> None:
        self.store, self.settings, self.tenants, self.clock = store, settings, tenants, clock
        self.name = secrets.token_hex(8)
        self._counts = metrics.retired
        self._renewed = 0

    @property
    def has_work(self) -> bool:
        """Whether the site says that anything ever goes."""
        said = self.settings
        return bool(said.messages_days or said.events_days or said.audit_days or said.classes)

    async def run(self) -> None:
        """Look every hour, until cancelled."""
        wait = FIRST_SECONDS
        while True:
            await asyncio.sleep(wait)
            wait = EVERY_SECONDS
            try:
                await self.go_round()
            except Exception as error:  # what could not be done now is done in an hour
                log("retention.failed", level="warning", error=error)

    async def go_round(self) -> dict[str, int]:
        """Take away all that is over, unless another process does; how much of what."""
        if not await self._is_ours():
            return {}
        done = {"contents": 0, "messages": 0, "events": 0, "deliveries": 0, "audit": 0}
        for one in sorted(self.settings.classes, key=lambda one: one.days):
            done["contents"] += await self._empty(one)
        if before := self._before(self.settings.messages_days):
            await self._put_aside(before)
            done["messages"] = await self._until_none(lambda: self.store.drop_messages(before, BATCH))
        if past := self._before(self.settings.events_days):
            done["events"] = await self._until_none(lambda: self.store.drop_events(past, BATCH))
            for tenant in self.tenants:
                done["deliveries"] += await self._until_none(partial(self.store.drop_deliveries, tenant, BATCH))
        if old := self._before(self.settings.audit_days):
            done["audit"] = await self._until_none(lambda: self.store.drop_audit(old, BATCH))
        for kind, count in done.items():
            self._counts.child(kind).inc(count)
        await self._let_go()
        log("retention.done", count=sum(done.values()))
        return done

    async def _let_go(self) -> None:
        now = self.clock()
        self._renewed = 0
        await self.store.lease("retention", self.name, now - 1, now)

    def _before(self, days: int | None) -> int | None:
        return self.clock() - days * DAY if days else None

    async def _until_none(self, work: Callable[[], Awaitable[int]]) -> int:
        """Batch after batch, as long as there is something and it is ours to do."""
        done = 0
        while await self._is_ours() and (count := await work()):
            done += count
            await asyncio.sleep(BREATH_SECONDS)
        return done

    async def _is_ours(self) -> bool:
        now = self.clock()
        if now - self._renewed < LEASE // 3:
            return True
        if not await self.store.lease("retention", self.name, now + LEASE, now):
            return False
        self._renewed = now
        return True

    # -- contents of a class

    async def _empty(self, one: RetentionClass) -> int:
        """Empty the messages of a class, from where the last time ended."""
        what = Contents(tenant=one.tenant, feed=one.feed, type=one.type, event=one.event)
        before = self.clock() - one.days * DAY
        await self._put_aside(before, what)
        place = f"retention:{blake2b(repr(what).encode(), digest_size=8).hexdigest()}"
        reached = int((await self.store.switches()).get(place, "0"))
        emptied = 0
        while await self._is_ours():
            upto, count = await self.store.purge(what, reached, before, self.clock(), BATCH)
            emptied += count
            if upto == reached:
                return emptied
            reached = upto
            await self.store.set_switch(place, str(reached))
            await asyncio.sleep(BREATH_SECONDS)
        return emptied

    # -- holds

    async def _put_aside(self, before: int, what: Contents | None = None) -> None:
        """Copy what is under a hold and would go now."""
        for hold in await self.store.holds():
            if hold.message:
                await self._copy(hold, hold.message)
            else:
                await self._copy_all(hold, before, what or Contents())

    async def _copy_all(self, hold: Hold, before: int, what: Contents) -> None:
        if what.tenant not in (None, hold.tenant) or (hold.feed and what.feed not in (None, hold.feed)):
            return
        upto = min(before, hold.received_before or before)
        asked = MessageQuery(
            tenant=hold.tenant,
            feed=hold.feed or what.feed,
            type=what.type,
            event=what.event,
            received_from=hold.received_from,
            received_before=upto,
            limit=PAGE,
        )
        for record in await self._records(hold):
            query = replace(asked, record=record)
            while True:
                page = await self.store.messages(query)
                for kept in page.items:
                    if kept.purged_at is None:
                        await self._copy(hold, kept.id)
                if page.next is None:
                    break
                query = replace(query, after=page.next)

    async def _records(self, hold: Hold) -> list[str | None]:
        """The record that a hold is about, with all that were merged into it."""
        if hold.record is None:
            return [None]
        survivor = await self.store.survivor(hold.tenant, hold.record)
        return [*dict.fromkeys([hold.record, *await self.store.aliases(hold.tenant, survivor)])]

    async def _copy(self, hold: Hold, identity: str) -> None:
        kept = await self.store.message(hold.tenant, identity)
        if kept is not None and kept.purged_at is None:
            await self.store.put_aside(hold.id, kept)
