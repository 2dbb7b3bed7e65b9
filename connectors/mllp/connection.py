"""One MLLP connection as a listener sees it: frames go to the owner in order, answers come back in that same order.

Nothing waits on anything here. Each frame becomes a future that the owner resolves; when too many are open, or the
peer does not read its answers, reading stops and TCP tells the sender to wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from msgspec import Struct

from connectors.mllp.framing import Deframer, Fault, Framing, frame
from connectors.mllp.seam import Accept, Answer, Counts, Limits, Observe, Peer, Refuse
from connectors.mllp.tls import certificate

COMMIT_ACK, COMMIT_NAK = b"\x06", b"\x15"
LINGER = 1.0


class Rules(Struct, frozen=True):
    """What every connection of a listener shares."""

    accept: Accept
    refuse: Refuse
    observe: Observe
    framing: Framing
    limits: Limits
    commit_blocks: bool
    counts: Counts
    joined: Callable[["Connection"], None]
    left: Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """Reads frames, offers them, writes the answers. Ends in three steps: stop taking, answer what is open, let go."""

    def __init__(self, rules: Rules, number: int, address: str, port: int) -> None:
        self.peer = Peer(number, address, port)
        self.made = False
        self._rules = rules
        self._counts = rules.counts
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._deframer = Deframer(rules.framing)
        self._found: deque[bytes | Fault] = deque()  # read, and not offered yet
        self._flight: deque[asyncio.Future[Answer]] = deque()  # offered, and not answered yet
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._choked = 0.0  # since when the peer has not read its answers
        self._ending = ""  # why nothing more is taken
        self._gone = False  # nothing more is written
        self._eof = False
        self._offered = 0
        self._seen = 0  # `_offered` at the last sweep that found it changed
        self._quiet_since = self._frame_since = self._loop.time()

    # --- the transport calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from asyncio's
        self.made = True
        if secured := transport.get_extra_info("ssl_object"):
            proven = certificate(secured.getpeercert(binary_form=True))
            self.peer = Peer(self.peer.connection, self.peer.address, self.peer.port, proven)
        self._rules.joined(self)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._counts.bytes += len(data)
        self._disarm()
        junk = self._deframer.junk
        if found := self._deframer.feed(data):
            self._found.extend(found)
            self._turn()
        self._counts.junk += self._deframer.junk - junk
        grace = self._rules.framing.missing_cr
        if grace is not None and self._deframer.awaiting_cr:
            self._timer = self._loop.call_later(grace, self._lapse)

    def eof_received(self) -> bool:
        """A sender may close its half and still wait for its answers; TLS has no halves."""
        self._eof = True
        self._disarm()
        if not self._ending:
            self._found.extend(self._deframer.end())
            self._turn()
            self.stop("peer")
        self._gone = self._gone or not self._transport.can_write_eof()
        return not self._gone

    def pause_writing(self) -> None:
        self._choked = self._loop.time()
        self._steer()

    def resume_writing(self) -> None:
        self._choked = 0.0
        self._turn()

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = True
        self._found.clear()
        self._disarm()
        self._ending = self._ending or ("reset" if error else "peer")
        self._counts.closed[self._ending] += 1
        self._rules.left(self)

    # --- the listener calls ---

    def stop(self, reason: str) -> None:
        """Take nothing more, answer what is open, then let go."""
        self._ending = self._ending or reason
        self._turn()

    def drain(self) -> None:
        """Stop, and leave what was read but not offered to come again on another connection."""
        self._found.clear()
        self.stop("drained")

    @property
    def unanswered(self) -> bool:
        return bool(self._flight)

    def cut(self, reason: str) -> None:
        """Leave at once. A connection that has had its last answer keeps the reason it ended for."""
        if not self._gone:
            self._ending = reason
        self._gone = True
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Look for a peer that stopped sending, never finishes, or does not read: no clock runs per message."""
        limits = self._rules.limits
        if self._choked and now - self._choked >= limits.idle_timeout:
            self.cut("stalled")
        if self._ending:
            return
        moved = self._offered != self._seen
        self._seen = self._offered
        if moved or self._flight or not self._reading:
            self._quiet_since = now
        if moved or not self._reading or not self._deframer.mid_frame:
            self._frame_since = now
        if now - self._frame_since >= limits.frame_deadline:
            self.stop("missing_cr" if self._deframer.awaiting_cr else "deadline")
        elif now - self._quiet_since >= limits.idle_timeout:
            self.stop("idle")

    # --- frames in ---

    def _turn(self) -> None:
        """Offer what has been read, as far as there is room, and answer what is ready, until neither can go on."""
        found, flight, room = self._found, self._flight, self._rules.limits.max_in_flight
        while True:
            while found and len(flight) < room and not (self._choked or self._gone):
                self._take(found.popleft())
            if not flight or not flight[0].done():
                break
            self._flush()
        if self._ending and not (self._gone or flight or found):
            self._let_go()
        self._steer()

    def _take(self, item: bytes | Fault) -> None:
        if isinstance(item, Fault):
            self._fault(item)
        elif not (self._rules.commit_blocks and item in (COMMIT_ACK, COMMIT_NAK)):
            self._accept(item)

    def _accept(self, payload: bytes) -> None:
        self._offered += 1
        self._counts.frames += 1
        try:
            future = self._rules.accept(payload, self.peer)
        except Exception as error:
            future = self._loop.create_future()
            future.set_exception(error)
        self._flight.append(future)
        if not future.done():
            future.add_done_callback(self._settled)

    def _fault(self, fault: Fault) -> None:
        self._counts.faults[fault] += 1
        self._rules.observe(fault, self.peer)
        if fault is Fault.OVERSIZE:
            self._ending = self._ending or "oversize"
            refusal = self._loop.create_future()
            refusal.set_result(Answer(self._rules.refuse(self._deframer.head, self.peer), True, committed=False))
            self._flight.append(refusal)

    def _lapse(self) -> None:
        self._found.extend(self._deframer.lapse())
        self._turn()

    def _disarm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _steer(self) -> None:
        """Read or do not. Reading resumes when half of the room is free, not at the first answer."""
        if self._gone or self._eof:
            return
        room = self._rules.limits.max_in_flight
        full = len(self._flight) > (room - 1 if self._reading else room // 2)
        reading = not (full or self._found or self._choked or self._ending)
        if reading != self._reading:
            self._reading = reading
            (self._transport.resume_reading if reading else self._transport.pause_reading)()

    # --- answers out ---

    def _settled(self, _: asyncio.Future[Answer]) -> None:
        if self._flight and self._flight[0].done():
            self._turn()

    def _flush(self) -> None:
        """Write every answer whose turn has come, in one write."""
        flight, blocks, last = self._flight, list[bytes](), False
        while flight and flight[0].done() and not last:
            answer = self._result(flight.popleft())
            if self._gone:
                self._counts.unread += answer.payload is not None
                continue
            last = answer.close
            if self._rules.commit_blocks and not (answer.payload is None and last):
                blocks.append(frame(COMMIT_ACK if answer.committed else COMMIT_NAK))
            if answer.payload is not None:
                blocks.append(frame(answer.payload))
                self._counts.acks += 1
        if blocks:
            self._transport.write(b"".join(blocks))
        if last:
            self._ending = self._ending or "answer"
            self._let_go()

    def _result(self, future: asyncio.Future[Answer]) -> Answer:
        """What the owner answered. Where it failed the sender hears nothing; the report names no content."""
        try:
            return future.result()
        except (Exception, asyncio.CancelledError) as error:
            self._ending = self._ending or "failed"
            self._loop.call_exception_handler({"message": f"an MLLP frame was not answered: {type(error).__name__}"})
            return Answer(None, close=True)

    def _let_go(self) -> None:
        """Say goodbye and read on for a moment: closing over unread bytes would reset, and destroy the last answers."""
        self._gone = True
        self._found.clear()
        if self._eof or self._transport.is_closing():
            self._transport.close()
            return
        if not self._reading:
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._disarm()
        self._timer = self._loop.call_later(LINGER, self._hang_up)

    def _hang_up(self) -> None:
        """A peer that still has not read its last answers will not."""
        unread = self._transport.get_write_buffer_size()
        (self._transport.abort if unread else self._transport.close)()
