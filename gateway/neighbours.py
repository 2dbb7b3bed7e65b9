"""What other processes on the same store have changed, as far as this one must know: that there are events, what is
held, and which tokens were taken back.

Events are told at once where the store can (PostgreSQL's notifications), the rest is looked up twice a second. Where
processes tell one another as well (over Redis), what the store says comes second: it wakes nobody for events that were
told of already.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from gateway.clock import MICROS
from gateway.pipeline import Pipeline
from gateway.revoking import forget_expired, learn
from gateway.store.protocol import Store
from policies.redact import log
from policies.tokens import Revocations

EVERY = 0.5
ECHO = 0.05  # seconds in which processes have told one another what the store says too


class Neighbours:
    """The look around of one process; where it has the store to itself there is nothing to see."""

    def __init__(self, store: Store, pipeline: Pipeline, revocations: Revocations) -> None:
        self.store = store
        self.pipeline = pipeline
        self.revocations = revocations
        self.seen = 0  # the newest event that somebody here was woken for, as far as it is known
        self.are_told: Callable[[], bool] = lambda: False  # whether others tell of their commits
        self._soon = asyncio.Event()
        self._doubting: asyncio.Task[None] | None = None
        store.hear(self.hear)

    def hear(self) -> None:
        """The store says that another process has committed events."""
        if not self.are_told():
            self._wake()
        elif self._doubting is None:
            self._doubting = asyncio.get_running_loop().create_task(self._doubt())

    def hear_of(self, seq: int) -> None:
        """Another process says which event it has committed last."""
        if seq > self.seen:
            self.seen = seq
            self._wake()

    def look_soon(self) -> None:
        """Another process says that there is something else to look at."""
        self._soon.set()

    def _wake(self) -> None:
        """Whoever waits for events looks again."""
        for hear in self.pipeline.on_events:
            hear(())

    async def _doubt(self) -> None:
        """Wait for what others say, and wake only for events that none has told of."""
        await asyncio.sleep(ECHO)
        self._doubting = None  # what the store says from now on may be of later events
        try:
            self.hear_of(await self.store.head())
        except Exception:  # whoever looks will find out
            self._wake()

    def stop(self) -> None:
        """Doubt no more: the store is about to be closed."""
        if self._doubting:
            self._doubting.cancel()

    async def run(self) -> None:
        """Look around until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._soon.wait()
            self._soon.clear()
            try:
                await self.look()
            except Exception as error:  # what cannot be read now is read the next time
                log("neighbours.unseen", level="warning", error=error)

    async def look(self) -> None:
        """Learn what is held and what was taken back."""
        changes = self.pipeline.changes
        switches = await self.store.switches()
        if changes == self.pipeline.changes:  # else what was read may be older than what we did meanwhile
            self.pipeline.switches = switches
        now = self.pipeline.clock() / MICROS
        learn(self.revocations, switches, now)
        await forget_expired(self.store, self.revocations, now)  # else each look would read more
