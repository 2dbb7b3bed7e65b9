"""What processes tell one another over Redis: that there are events, that a token was taken back, that a peer is down.

Each is a word that may be lost: events are looked up, revocations are kept in the store, and who is not told that a
peer is down finds out.
"""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Any

from canonical.events import Event
from gateway.clock import MICROS
from gateway.deliveries.outbound import Circuits
from gateway.neighbours import Neighbours
from gateway.pipeline import Pipeline
from gateway.shared.link import Link
from policies.tokens import Revocations

EVENTS, TOKENS, CIRCUITS = "events", "tokens", "circuits"


class Words:
    """What one process says and hears. Its own words come back to it and are passed over."""

    def __init__(
        self,
        link: Link,
        pipeline: Pipeline,
        neighbours: Neighbours,
        revocations: Revocations,
        circuits: Circuits | None,
    ) -> None:
        self._link = link
        self._pipeline = pipeline
        self._neighbours = neighbours
        self._revocations = revocations
        self._circuits = circuits
        self._name = os.urandom(8).hex()
        self._heard = 0  # the newest event of another process that was told of
        self._telling: set[asyncio.Task[None]] = set()
        link.hear(EVENTS, self._events)
        link.hear(TOKENS, self._token)
        link.hear(CIRCUITS, self._circuit)
        pipeline.on_events.append(self.committed)
        revocations.on_revoked.append(self.revoked)
        if circuits:
            circuits.on_opened.append(self.opened)

    def committed(self, events: Sequence[Event]) -> None:
        """This process has committed events; none is what it has heard from others."""
        if events:
            self._say(EVENTS, str(max(event.seq or 0 for event in events)))

    def revoked(self, token: str, until: float) -> None:
        """This process took a token back."""
        self._say(TOKENS, f"{token} {until}")

    def opened(self, destination: str, seconds: float) -> None:
        """A circuit of this process opened."""
        self._say(CIRCUITS, f"{destination} {seconds}")

    def _say(self, channel: str, word: str) -> None:
        if self._link.is_up:
            self._start(self._link.tell(channel, f"{self._name} {word}"))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _events(self, word: str) -> None:
        name, _, seq = word.partition(" ")
        if name != self._name and seq.isdecimal() and int(seq) > self._heard:
            self._heard = int(seq)
            self._neighbours.hear()

    def _token(self, word: str) -> None:
        name, token, until = (*word.split(" "), "", "")[:3]
        if name != self._name and float(until or 0) > self._pipeline.clock() / MICROS:
            self._revocations.hear_of(token, float(until))

    def _circuit(self, word: str) -> None:
        name, destination, seconds = (*word.split(" "), "", "")[:3]
        if self._circuits and name != self._name and seconds:
            self._circuits.hear_of(destination, float(seconds))
