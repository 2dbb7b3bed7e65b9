"""Keeps an eye on what should be happening: feeds that fall silent, work that waits. Raises each alarm once.

The pace of a feed takes weeks to learn, so it is kept and survives a restart, as does the alarm that is raised.
"""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence

import msgspec

from canonical.tasks import QUEUES
from gateway.clock import MICROS
from gateway.doors import Door
from gateway.pipeline import Pipeline
from gateway.site.settings import Feed
from gateway.store.protocol import Store
from policies.metrics import Metrics
from policies.redact import log
from policies.silence import Memory, Pace, Silence

EVERY = 2.0
KEPT_EVERY = 1800  # rounds
OVERLAP = 10 * MICROS  # what was received before and committed after the last look
TELLING = 60 * MICROS  # how long a process may take to tell what it noticed
TOLD = 7 * 86_400 * MICROS  # how long others know that it was told
SUBSCRIPTION_STATES = ("active", "paused", "disabled")


class Watch:
    """The rounds of a watchman, every two seconds."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        opened: Sequence[Door],
        pipeline: Pipeline,
        store: Store,
        metrics: Metrics,
        shared: bool = False,
    ) -> None:
        self.feeds = {feed.name: feed for feed in feeds}
        self.doors = opened
        self.pipeline = pipeline
        self.store = store
        self.metrics = metrics
        self.chores: list[Callable[[float], Coroutine[None, None, None]]] = []  # what others want done in each round
        self.silences = {feed.name: _silence(feed) for feed in feeds}
        self.shared = shared  # whether other processes hear these feeds too
        self.name = secrets.token_hex(8)
        self._looked_at = pipeline.clock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Remember each feed's pace, and begin the rounds."""
        await self._remember(self.silences)
        self.pipeline.on_message.append(self.heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def become(self, feeds: Sequence[Feed]) -> None:
        """Look after these feeds from now on; one that is new may have been here before."""
        known, self.feeds = self.silences, {feed.name: feed for feed in feeds}
        self.silences = {name: known.get(name) or _silence(feed) for name, feed in self.feeds.items()}
        for name, silence in self.silences.items():
            silence.pace = _silence(self.feeds[name]).pace
        await self._remember([name for name in self.silences if name not in known])

    async def _remember(self, names: Iterable[str]) -> None:
        kept = await self.store.switches()
        for name in names:
            if memory := kept.get(f"pace:{name}"):
                self.silences[name].memory = msgspec.json.decode(memory, type=Memory)
                self.silences[name].resume(self.pipeline.clock() / MICROS)
            self._show(name)

    async def stop(self) -> None:
        """End them, and keep what was learned."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._safely(self._keep(self.silences))

    def heard(self, feed: str, at: int) -> None:
        """A message came in by this feed."""
        if silence := self.silences.get(feed):  # the last message of a feed that the site has no more
            silence.observe(at / MICROS)

    def is_silent(self, feed: str) -> bool:
        """Whether the feed has been quiet for longer than usual."""
        return self.silences[feed].memory.silent

    async def _run(self) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(EVERY)
            await self.go_round()
            if number % KEPT_EVERY == 0:
                await self._safely(self._keep(self.silences))

    async def go_round(self) -> None:
        """Look at every feed, and at everything that waits."""
        now = self.pipeline.clock()
        if self.shared:
            await self._safely(self._hear_others(now))
        for name, silence in self.silences.items():
            await self._safely(self._listen(name, silence, now))
        await self._safely(self._measure(now))
        for chore in self.chores:
            await self._safely(chore(now / MICROS))

    async def _hear_others(self, now: int) -> None:
        """What came in by other processes since the last rounds."""
        for tenant in {feed.tenant for feed in self.feeds.values()}:
            for name, at in (await self.store.heard(tenant, self._looked_at - OVERLAP)).items():
                if name in self.silences and at / MICROS > (self.silences[name].memory.heard or 0):
                    self.heard(name, at)
        self._looked_at = now

    async def _safely(self, work: Coroutine[None, None, None]) -> None:
        """A round that fails costs itself, never the watch."""
        try:
            await work
        except Exception as error:
            log("watch.failed", level="error", error=error)

    async def _keep(self, names: Iterable[str]) -> None:
        for name in names:
            memory = self.silences[name].memory
            if memory.last is not None:
                await self.store.set_switch(f"pace:{name}", msgspec.json.encode(memory).decode())

    async def _listen(self, name: str, silence: Silence, now: int) -> None:
        """One event when a feed falls silent, one when it is back; a held feed's quiet is not its own."""
        if self._is_held(name):
            silence.resume(now / MICROS)
        elif change := silence.check(now / MICROS):
            kind = "feed.silent" if change == "silent" else "feed.resumed"
            try:
                await self._tell(kind, name, now)
            except Exception:
                silence.unsaid(change)
                raise
        self._show(name)

    async def _tell(self, kind: str, name: str, now: int) -> None:
        """Put it into the feed of events, unless another process that noticed it too is doing that or has done it."""
        alarm = f"{kind}:{name}:{self.silences[name].memory.missed}"
        if await self.store.lease(alarm, self.name, now + TELLING, now):
            await self.pipeline.announce([self.pipeline.event(kind, self.feeds[name].tenant, name, name)])
            log(kind, level="warning" if kind == "feed.silent" else "info", feed=name)
            await self.store.lease(alarm, self.name, now + TOLD, now)
            await self._keep([name])

    def _is_held(self, name: str) -> bool:
        return "intake" in self.pipeline.switches or f"feed:{name}" in self.pipeline.switches

    def _show(self, name: str) -> None:
        memory = self.silences[name].memory
        self.metrics.feed_silent.child(name).set(memory.silent)
        self.metrics.feed_held.child(name).set(self._is_held(name))
        if memory.heard is not None:
            self.metrics.feed_heard.child(name).set(memory.heard)

    async def _measure(self, now: int) -> None:
        for door in self.doors:
            self.metrics.mllp_connections.child(door.feeds[0].name).set(door.listener.counts.open)
        self.metrics.queue_depth.child("intake").set(self.pipeline.waiting)
        backlog = await self.store.backlog()
        self.metrics.queue_depth.child("deliveries").set(backlog.pending + backlog.claimed)
        self.metrics.queue_depth.child("parked").set(backlog.parked)
        oldest = backlog.oldest_since
        self.metrics.queue_age.child("deliveries").set(max(0, now - oldest) / MICROS if oldest else 0)
        tasks = await self.store.waiting_tasks()
        for queue in QUEUES:
            self.metrics.tasks_open.child(queue).set(tasks.get(queue, 0))
        states = Counter[str](one.state for one in await self.store.subscriptions())
        for state in SUBSCRIPTION_STATES:
            self.metrics.subscriptions.child(state).set(states[state])


def _silence(feed: Feed) -> Silence:
    return Silence(Pace(ceiling=feed.settings.silent_after_seconds))
