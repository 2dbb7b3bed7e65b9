"""A persistent link to one receiver: one message in flight, its acknowledgement found by MSA-2, and how it ended.

The connection stays open between messages and is remade when it breaks, later each time while nobody is there. An
acknowledgement that belongs to no message of ours means that the two ends are out of step: the connection is given up,
and what was sent may have arrived. Whether that may be sent again the owner knows; nothing is repeated here.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from canonical.outcome import Outcome
from connectors.mllp.client import NO_TLS, Closed, Declined, MllpError, Sender, TimedOut, Unanswered, Unreachable
from connectors.mllp.framing import Framing

ACK_BYTES: Final = 1_048_576
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between two tries to connect
WORDS: Final[dict[type[MllpError], str]] = {
    Declined: "commit_nak",
    TimedOut: "ack_timeout",
    Closed: "connection_closed",
}

Names = Callable[[bytes], str | None]  # the control id that an answer is about; None where it is no acknowledgement


class Foreign(Unanswered):
    """An answer that is about no message of ours."""


class Link:
    """One destination. `names` reads whom an answer is about; the rest is as in `Sender`."""

    def __init__(
        self,
        host: str,
        port: int,
        names: Names,
        context: ssl.SSLContext | None = None,
        timeout: float = 30.0,
        server_name: str | None = None,
    ) -> None:
        framing = Framing(max_bytes=ACK_BYTES)
        self._sender = Sender(host, port, context, timeout, server_name=server_name, framing=framing)
        self._names = names
        self._before = ""  # the message before, whose application acknowledgement may come after its accept's
        self._refused = 0  # tries to connect that failed in a row
        self._rests_until = 0.0
        self._why = ""

    async def send(self, message: bytes, control_id: str) -> bytes | Outcome:
        """Send a message; its acknowledgement, or how it ended without one."""

        def is_its(answer: bytes) -> bool:
            about = self._names(answer)
            if about == control_id:
                return True
            if about is None or about != self._before:
                raise Foreign("an answer is about no message of ours")
            return False

        if (rest := self._rests()) > 0:
            return self._not_there(rest)
        try:
            answer = await self._sender.send(message, is_its)
        except MllpError as error:
            return self._failed(error)
        self._refused, self._before = 0, control_id
        return answer

    async def tell(self, message: bytes) -> Outcome:
        """Send a message whose sender wanted no answer, so that none will come."""
        if (rest := self._rests()) > 0:
            return self._not_there(rest)
        try:
            await self._sender.tell(message)
        except MllpError as error:
            return self._failed(error)
        self._refused = 0
        return Outcome(kind="delivered", code="sent_without_ack")

    async def close(self) -> None:
        """End the connection once what is in flight has ended."""
        await self._sender.close()

    def _rests(self) -> float:
        """The seconds until a connection may be tried again."""
        return self._rests_until - asyncio.get_running_loop().time()

    def _failed(self, error: MllpError) -> Outcome:
        if isinstance(error, Unreachable):
            rest = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(self._refused, 10))
            self._refused += 1
            self._rests_until = asyncio.get_running_loop().time() + rest
            self._why = "tls_failed" if is_of_tls(error) else "connect_failed"
            return self._not_there(rest)
        self._refused = 0
        return Outcome(kind=error.outcome, code=WORDS.get(type(error), "ack_foreign"))

    def _not_there(self, rest: float) -> Outcome:
        """Nothing left the house, so that no try is used up."""
        return Outcome(kind="transient", code=self._why, retry_after=rest, attempted=False)


def is_of_tls(error: Unreachable) -> bool:
    """Whether somebody was there, and the two could not agree on TLS."""
    return isinstance(error.__cause__, ssl.SSLError) or NO_TLS in str(error)
