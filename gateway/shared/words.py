"""What processes tell one another over Redis: that there are events, and that something was revoked.

Each is a word that may be lost: events are looked up every second, the rest twice. None says what happened, since
everybody reads that from the store. Commits that follow one another closely are one word.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from canonical.events import Event
from gateway.neighbours import Neighbours
from gateway.shared.link import Link

EVENTS: Final = "events"
SWITCHES: Final = "switches"
COMPANY: Final = 0.005  # seconds between two words of one process about events


class Words:
    """What one process says, and what becomes of what it hears."""

    def __init__(self, link: Link, neighbours: Neighbours) -> None:
        self._link, self._neighbours = link, neighbours
        self._newest = self._told = 0
        self._is_telling = False
        link.hear(EVENTS, self._events)
        link.hear(SWITCHES, lambda word: neighbours.look_soon())
        neighbours.pipeline.on_events.append(self.committed)
        neighbours.revocations.on_revoked.append(self.revoked)
        neighbours.are_told = lambda: link.is_up

    def committed(self, events: Sequence[Event]) -> None:
        """This process has committed events; none is what it has heard from others."""
        if not events:
            return
        self._newest = max(self._newest, *(event.seq or 0 for event in events))
        self._neighbours.seen = max(self._neighbours.seen, self._newest)
        if self._link.is_up and not self._is_telling:
            self._is_telling = True
            self._link.beside(self._tell())

    def revoked(self) -> None:
        """This process took a token back."""
        if self._link.is_up:
            self._link.beside(self._link.tell(SWITCHES, "look"))

    async def _tell(self) -> None:
        try:
            while self._newest > self._told:
                self._told = self._newest
                await self._link.tell(EVENTS, str(self._told))
                await asyncio.sleep(COMPANY)
        finally:
            self._is_telling = False

    def _events(self, word: str) -> None:
        self._neighbours.hear_of(int(word))
