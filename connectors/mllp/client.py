"""The MLLP sender: one message out, its acknowledgement back, over a connection that is remade when it breaks.

Every failure says whether the receiver may have kept the message; nothing is ever sent twice from here, because only
the owner knows whether that is safe.

    MllpError
    ├── Unreachable   transient: no connection, or no TLS over it; nothing was sent
    ├── Declined      transient: the receiver said with a commit block that it kept nothing (MLLP Release 2)
    └── Unanswered    ambiguous: sent, and then
        ├── TimedOut      no acknowledgement in time
        └── Closed        the connection ended, or became unreadable
"""

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from itertools import islice
from typing import ClassVar, Literal, cast

from connectors.mllp.connection import COMMIT_ACK, COMMIT_NAK
from connectors.mllp.framing import Deframer, Fault, Framing, frame

SHUTDOWN_TIMEOUT = 1.0
TICKET_TIMEOUT, TICKET_LOOK = 1.0, 0.005
NO_TLS = "the TLS handshake failed: the receiver closed the connection, and may ask for another certificate or for one"

Matches = Callable[[bytes], bool]


class MllpError(Exception):
    """An exchange that did not end in an acknowledgement. Its text names the endpoint and never the message."""

    outcome: ClassVar[Literal["transient", "ambiguous"]]


class Unreachable(MllpError):
    outcome = "transient"


class Declined(MllpError):
    outcome = "transient"


class Unanswered(MllpError):
    outcome = "ambiguous"


class TimedOut(Unanswered):
    pass


class Closed(Unanswered):
    pass


class _Line(asyncio.Protocol):
    """One connection: what is written goes out, whole frames come in, and one reader waits for them."""

    def __init__(self, framing: Framing) -> None:
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self.closed = False
        self.frames: deque[bytes] = deque()
        self._deframer = Deframer(framing)
        self._transport: asyncio.Transport
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not derive from asyncio's
        if line := transport.get_extra_info("socket"):  # a receiver that vanished is noticed on a line that rests
            line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        found = self._deframer.feed(data)
        self.frames.extend(item for item in found if not isinstance(item, Fault))
        if Fault.OVERSIZE in found:
            self.abort()
        self._wake()

    def eof_received(self) -> None:
        self.closed = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self._wake()
        self._lost.set_result(None)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def abort(self) -> None:
        self.closed = True
        self._transport.abort()

    async def close(self) -> None:
        self.closed = True
        self._transport.close()
        await self._lost

    async def is_secured(self) -> bool:
        """Whether the receiver has ended the TLS handshake too.

        In TLS 1.3 our end comes first, and the receiver may still refuse our certificate, which its session ticket
        rules out. One that sends no ticket gets its message after a moment.
        """
        until = self._loop.time() + TICKET_TIMEOUT
        secured = self._transport.get_extra_info("ssl_object")
        while not self.closed and secured.version() == "TLSv1.3" and self._loop.time() < until:
            if secured.session and secured.session.has_ticket:
                break
            await asyncio.wait({self._lost}, timeout=TICKET_LOOK)
        return not self.closed

    async def next(self) -> bytes | None:
        """The next frame, or None when the connection has ended and has no more."""
        while not self.frames and not self.closed:
            self._waiter = self._loop.create_future()
            await self._waiter
        return self.frames.popleft() if self.frames else None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)


class Sender:
    """One outbound link, one message in flight at a time: in MLLP only order pairs an acknowledgement with its message.

    `timeout` bounds the connection and the wait for an acknowledgement, each. `server_name` is the name that the
    receiver's certificate must carry where it is not `host`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        ssl: ssl.SSLContext | None = None,
        timeout: float = 30.0,
        *,
        server_name: str | None = None,
        framing: Framing | None = None,
    ) -> None:
        self._host, self._port, self._ssl, self._server_name = host, port, ssl, server_name
        self._timeout = timeout
        self._place = f"{host}:{port}"
        self._framing = framing or Framing()
        self._turn = asyncio.Lock()
        self._line: _Line | None = None

    async def send(self, message: bytes, matches: Matches = lambda ack: True) -> bytes:
        """Send one message and return its acknowledgement: the first that `matches`; others are let pass.

        After an error the connection is given up, so that a late acknowledgement can never be taken for the next one.
        """
        async with self._turn:
            line = await self._connected()
            answered = False
            try:
                line.write(frame(message))
                ack = await self._acknowledgement(line, matches)
                answered = True
            finally:
                if not answered:
                    line.abort()
            return ack

    async def tell(self, message: bytes) -> None:
        """Send one message that wants no acknowledgement, and end the connection: whatever comes is lost."""
        async with self._turn:
            line = await self._connected()
            try:
                async with asyncio.timeout(self._timeout):
                    line.write(frame(message))
                    await line.close()
            except TimeoutError:
                raise TimedOut(f"{self._place}: not read in {self._timeout:g} s") from None
            finally:
                line.abort()

    async def stream(self, messages: Iterable[bytes], window: int) -> AsyncGenerator[bytes, None]:
        """Yield the acknowledgements in order, with up to `window` messages in flight: for peers that pipeline."""
        async with self._turn:
            line, source, flying = await self._connected(), iter(messages), 0
            try:
                while True:
                    if flying <= window // 2 and (batch := list(islice(source, window - flying))):
                        line.write(b"".join(map(frame, batch)))
                        flying += len(batch)
                    if not flying:
                        break
                    yield await self._acknowledgement(line, lambda ack: True)
                    flying -= 1
            finally:
                if flying:
                    line.abort()

    async def close(self) -> None:
        async with self._turn:
            if self._line:
                await self._line.close()
                self._line = None

    async def _connected(self) -> _Line:
        """The open connection, or a new one. What arrived unasked in between is forgotten."""
        if self._line is None or self._line.closed:
            self._line = await self._connect()
        self._line.frames.clear()
        return self._line

    async def _connect(self) -> _Line:
        loop = asyncio.get_running_loop()
        name = (self._server_name or self._host) if self._ssl else None
        try:
            async with asyncio.timeout(self._timeout):
                _, line = await loop.create_connection(
                    lambda: _Line(self._framing),
                    self._host,
                    self._port,
                    ssl=self._ssl,
                    server_hostname=name,
                    ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if self._ssl else None,
                )
                if self._ssl and not await line.is_secured():
                    raise Unreachable(f"{self._place}: {NO_TLS}")
        except OSError as error:
            closed = self._ssl and isinstance(error, ConnectionResetError)
            raise Unreachable(f"{self._place}: {NO_TLS if closed else _reason(error)}") from error
        return line

    async def _acknowledgement(self, line: _Line, matches: Matches) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    ack = await line.next()
                    if ack is None:
                        raise Closed(f"{self._place}: closed before the acknowledgement")
                    if ack == COMMIT_NAK:
                        raise Declined(f"{self._place}: not kept by the receiver")
                    if ack != COMMIT_ACK and matches(ack):
                        return ack
        except TimeoutError:
            raise TimedOut(f"{self._place}: no acknowledgement in {self._timeout:g} s") from None


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words."""
    if isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror or type(error).__name__
    return os.strerror(error.errno) if error.errno else "no connection in time"
