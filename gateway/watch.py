"""Keeps an eye on what should be happening: feeds that fall silent, work that waits. Raises each alarm once."""

import asyncio
from collections.abc import Sequence

from gateway.clock import MICROS
from gateway.doors import Door
from gateway.pipeline import Pipeline
from gateway.settings import Feed
from gateway.store.protocol import Store
from policies.metrics import Metrics
from policies.silence import Pace, Silence

EVERY = 2.0


class Watch:
    """The rounds of a watchman, every two seconds."""

    def __init__(
        self, feeds: Sequence[Feed], opened: Sequence[Door], pipeline: Pipeline, store: Store, metrics: Metrics
    ) -> None:
        self.feeds = {feed.name: feed for feed in feeds}
        self.doors = opened
        self.pipeline = pipeline
        self.store = store
        self.metrics = metrics
        self.silences = {feed.name: Silence(Pace(ceiling=feed.settings.silent_after_seconds)) for feed in feeds}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the rounds."""
        self.pipeline.on_message.append(self.heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End them."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def heard(self, feed: str, at: int) -> None:
        """A message came in by this feed."""
        self.silences[feed].observe(at / MICROS)

    def is_silent(self, feed: str) -> bool:
        """Whether the feed has been quiet for longer than usual."""
        return self.silences[feed].memory.silent

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            now = self.pipeline.clock()
            await self._listen(now)
            await self._measure(now)

    async def _listen(self, now: int) -> None:
        """One event when a feed falls silent, one when it is back; a held feed's quiet is not its own."""
        for name, silence in self.silences.items():
            if "intake" in self.pipeline.switches or f"feed:{name}" in self.pipeline.switches:
                silence.resume(now / MICROS)
                continue
            change = silence.check(now / MICROS)
            if change is None:
                continue
            self.metrics.feed_silent.child(name).set(1 if change == "silent" else 0)
            kind = "feed.silent" if change == "silent" else "feed.resumed"
            await self.pipeline.announce([self.pipeline.event(kind, self.feeds[name].tenant, name, name)])

    async def _measure(self, now: int) -> None:
        backlog = await self.store.backlog()
        self.metrics.queue_depth.child("intake").set(self.pipeline.waiting)
        self.metrics.queue_depth.child("deliveries").set(backlog.pending + backlog.claimed)
        self.metrics.queue_depth.child("parked").set(backlog.parked)
        oldest = backlog.oldest_due_at
        self.metrics.queue_age.child("deliveries").set(max(0, now - oldest) / MICROS if oldest else 0)
        for door in self.doors:
            self.metrics.mllp_connections.child(door.feeds[0].name).set(door.listener.counts.open)
