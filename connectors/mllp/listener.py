"""The MLLP listener: accepts connections within limits, over TCP or TLS, and gives every frame to its owner.

It promises the order of answers and back-pressure; that a frame is kept is the promise of whoever resolves its future.
It never reads a message and logs nothing: `Counts`, `observe` and `unsecured` say what happened.
"""

import asyncio
import socket
import ssl
from collections import Counter
from functools import partial

from msgspec.structs import replace

from connectors.mllp.connection import LINGER, Connection, Rules
from connectors.mllp.framing import Framing
from connectors.mllp.seam import Accept, Answer, Counts, Limits, Observe, Peer, Refuse, Unsecured
from connectors.mllp.tls import Certificate, failure, tls

__all__ = [
    "Accept",
    "Answer",
    "Certificate",
    "Counts",
    "Limits",
    "Listener",
    "Observe",
    "Peer",
    "Refuse",
    "Unsecured",
    "tls",
]

BACKLOG = 512
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
NO_DESCRIPTORS_PAUSE = 0.1
ACCEPTS_PER_WAKE = 64
SWEEP = 5.0


class Listener:
    """One listening port.

    `accept` is called for each frame, in order of arrival, and must be cheap: it returns a future of the answer.
    `refuse` is given the first bytes of an oversize frame and returns the last answer of that connection.
    `unsecured` is told of a TLS handshake that failed, and why: a word of OpenSSL's or ours, and no content.
    """

    def __init__(
        self,
        accept: Accept,
        refuse: Refuse = lambda head, peer: None,
        *,
        observe: Observe = lambda fault, peer: None,
        unsecured: Unsecured = lambda why, peer: None,
        framing: Framing | None = None,
        limits: Limits | None = None,
        ssl: ssl.SSLContext | None = None,
        commit_blocks: bool = False,
        reuse_port: bool = False,
    ) -> None:
        self.counts = Counts()
        self._ssl = ssl
        self._unsecured = unsecured
        self._reuse_port = reuse_port
        self._rules = Rules(
            accept=accept,
            refuse=refuse,
            observe=observe,
            framing=framing or Framing(),
            limits=limits or Limits(),
            commit_blocks=commit_blocks,
            counts=self.counts,
            joined=self._joined,
            left=self._left,
        )
        self._socket: socket.socket | None = None
        self._connections: set[Connection] = set()
        self._addresses: Counter[str] = Counter()
        self._greetings: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def port(self) -> int:
        return self._name()[1]

    @property
    def address(self) -> str:
        return self._name()[0]

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen at one address; `::` takes IPv4 and IPv6 alike. Port 0 takes a free one."""
        self._loop = asyncio.get_running_loop()
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        self._socket = socket.create_server(
            (str(address[0]), port),
            family=family,
            backlog=BACKLOG,
            reuse_port=self._reuse_port,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
        self._socket.setblocking(False)
        self._open_door()
        self._sweep()

    def change(self, framing: Framing, limits: Limits, ssl: ssl.SSLContext | None, commit_blocks: bool) -> None:
        """Go by these with connections to come; those that are open stay as they were agreed."""
        self._ssl = ssl
        self._rules = replace(self._rules, framing=framing, limits=limits, commit_blocks=commit_blocks)

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - a drain is over when this returns, either way
        """Close the port, answer what is in flight, let everyone go. False when the timeout left frames unanswered."""
        self._draining = True
        if self._sweeping:
            self._sweeping.cancel()
        self._shut_door()
        if self._socket:
            self._socket.close()
            self._socket = None
        for greeting in self._greetings:
            greeting.cancel()
        await asyncio.gather(*self._greetings, return_exceptions=True)
        for connection in list(self._connections):
            connection.drain()
        try:
            await asyncio.wait_for(self._empty.wait(), timeout)
        except TimeoutError:
            answered = not any(connection.unanswered for connection in self._connections)
            for connection in list(self._connections):
                connection.cut("cut")
            await self._empty.wait()
            return answered
        return True

    def _name(self) -> tuple[str, int]:
        if not self._socket:
            raise RuntimeError("the listener has not been started")
        address: tuple[str, int] = self._socket.getsockname()
        return address

    def _open_door(self) -> None:
        if self._socket and not self._draining:
            self._loop.add_reader(self._socket, self._accept, self._socket)

    def _shut_door(self) -> None:
        """Whoever knocks now waits in the kernel's queue."""
        if self._socket:
            self._loop.remove_reader(self._socket)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_WAKE):
            try:
                sock, address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # out of descriptors, most likely
                self._shut_door()
                self._loop.call_later(NO_DESCRIPTORS_PAUSE, self._open_door)
                return
            self._receive(sock, address[0], address[1])

    def _receive(self, sock: socket.socket, address: str, port: int) -> None:
        if refused := self._refused(address):
            self.counts.closed[refused] += 1
            sock.close()
            return
        sock.setblocking(False)
        self.counts.connections += 1
        self.counts.open += 1
        self._addresses[address] += 1
        connection = Connection(self._rules, self.counts.connections, address, port)
        greeting = self._loop.create_task(self._greet(sock, connection))
        self._greetings.add(greeting)
        greeting.add_done_callback(partial(self._greeted, sock, connection))

    def _refused(self, address: str) -> str:
        if self.counts.open >= self._rules.limits.max_connections:
            return "limit"
        return "limit_address" if self._addresses[address] >= self._rules.limits.max_connections_per_address else ""

    async def _greet(self, sock: socket.socket, connection: Connection) -> None:
        """Make a connection of a socket, through the TLS handshake if there is one."""
        _keep_alive(sock)
        secured = self._ssl is not None
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=self._ssl,
                ssl_handshake_timeout=self._rules.limits.handshake_timeout if secured else None,
                ssl_shutdown_timeout=LINGER if secured else None,
            )
        except OSError as error:
            self.counts.closed["handshake"] += 1
            if secured:
                self._unsecured(failure(error), connection.peer)

    def _greeted(self, sock: socket.socket, connection: Connection, greeting: asyncio.Task[None]) -> None:
        """Free the place of a connection that never was: a drain may cancel a greeting before its first step."""
        self._greetings.discard(greeting)
        if not connection.made:
            self.counts.closed["drained"] += greeting.cancelled()
            self._leave(connection.peer.address)
            sock.close()

    def _leave(self, address: str) -> None:
        self.counts.open -= 1
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def _joined(self, connection: Connection) -> None:
        self._connections.add(connection)
        self._empty.clear()

    def _left(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._leave(connection.peer.address)
        if not self._connections:
            self._empty.set()

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._connections):
            connection.sweep(now)
        shortest = min(self._rules.limits.frame_deadline, self._rules.limits.idle_timeout)
        self._sweeping = self._loop.call_later(min(shortest / 4, SWEEP), self._sweep)


def _keep_alive(sock: socket.socket) -> None:
    """Let the kernel find half-open peers; the options' names differ between systems."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
