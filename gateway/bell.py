"""Wakes whoever waits for events: long polls and event streams. It says that there is something, never what."""

import asyncio
from collections.abc import Sequence

from canonical.events import Event


class Bell:
    """One per process: the pipeline rings it after a commit, and it rings for good when the gateway leaves."""

    def __init__(self, leaving: asyncio.Event) -> None:
        self.leaving = leaving
        self._next: asyncio.Future[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    def ring(self, events: Sequence[Event] = ()) -> None:
        """Wake all who wait now."""
        waiting, self._next = self._next, None
        if waiting and not waiting.done():
            waiting.set_result(None)

    def listen(self) -> asyncio.Future[None]:
        """What is done at the next ring. Listen first and look then, or the ring between the two is missed."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._until_leaving())
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    async def _until_leaving(self) -> None:
        await self.leaving.wait()
        self.ring()
