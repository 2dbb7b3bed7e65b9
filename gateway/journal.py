"""What the log says of messages and their doors: a line for what is out of the ordinary, and none on the happy path.

Codes, ids and counts only; the message itself is in the API, under audit. A flood is a few lines, the first of the next
minute with how many were left out (`dropped`).
"""

from typing import Final

from connectors.mllp.seam import Peer
from gateway.clock import MICROS, Clock
from gateway.intake import Intent
from gateway.store.protocol import Kept
from policies.flood import Flood
from policies.redact import log

SLOW_SECONDS: Final = 1.0
MINUTE: Final = 60.0
OF_A_FEED, OF_AN_ADDRESS = 100, 1


class Journal:
    """One per process; whoever something happens to tells it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._feeds = Flood(OF_A_FEED, MINUTE)
        self._addresses = Flood(OF_AN_ADDRESS, MINUTE)

    def kept(self, message: Kept) -> None:
        """A message that is kept and was not applied; one outside the model only where its feed refuses such."""
        if message.state == "unmapped" and message.ack_code == "AA":
            return
        wrong = [problem.code for problem in message.problems if problem.severity == "error"]
        self._of_feed(
            f"message.{message.state}",
            message.feed,
            f"{message.type}^{message.event}" if message.event else message.type,
            message=message.id,
            state=message.state,
            problem=wrong[-1] if wrong else None,
        )

    def declined(self, intent: Intent, why: str) -> None:
        """A message that was not kept, and whose sender was told so."""
        kind = intent.header.message_type if intent.header else ""
        self._of_feed("message.declined", intent.feed.name, kind, why=why)

    def turned_away(self, feed: str, kind: str, why: str, peer: Peer) -> None:
        """A message that no feed takes, or that is too long for its feed."""
        self._of_address("message.turned_away", peer, feed=feed, type=kind or None, why=why)

    def fault(self, feed: str, fault: str, peer: Peer, why: str | None = None) -> None:
        """A sender's framing, or its TLS handshake, went wrong."""
        self._of_address("mllp.fault", peer, feed=feed, fault=fault, why=why)

    def slow(self, seconds: float, count: int) -> None:
        """A commit took so long that senders noticed."""
        if seconds >= SLOW_SECONDS:
            log("commit.slow", level="warning", seconds=round(seconds, 3), count=count)

    def _of_feed(self, event: str, feed: str, kind: str, **fields: str | None) -> None:
        unsaid = self._feeds.unsaid((event, feed), self._clock() / MICROS)
        if unsaid is not None:
            log(event, level="warning", feed=feed, type=kind or None, error=None, dropped=unsaid or None, **fields)

    def _of_address(self, event: str, peer: Peer, **fields: str | None) -> None:
        key = (event, peer.address, fields["feed"], fields.get("fault"))
        unsaid = self._addresses.unsaid(key, self._clock() / MICROS)
        if unsaid is not None:
            log(event, level="warning", address=peer.address, error=None, dropped=unsaid or None, **fields)
