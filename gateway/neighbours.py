"""What other processes on the same store have changed, as far as this one must know: that there are events, what is
held, and which tokens were taken back.

Events are told at once where the store can (PostgreSQL's notifications); all else is looked up twice a second.
"""

import asyncio

from gateway.clock import MICROS
from gateway.pipeline import Pipeline
from gateway.revoking import forget_expired, learn
from gateway.store.protocol import Store
from policies.redact import log
from policies.tokens import Revocations

EVERY = 0.5


class Neighbours:
    """The look around of one process; where it has the store to itself there is nothing to see."""

    def __init__(self, store: Store, pipeline: Pipeline, revocations: Revocations) -> None:
        self.store = store
        self.pipeline = pipeline
        self.revocations = revocations
        store.hear(self.hear)

    def hear(self) -> None:
        """Another process has committed events: whoever waits for some looks again."""
        for hear in self.pipeline.on_events:
            hear(())

    async def run(self) -> None:
        """Look around until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
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
