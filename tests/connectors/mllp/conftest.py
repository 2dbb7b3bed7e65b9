"""An owner and a wire for the listener's tests: real sockets, on asyncio's loop and on uvloop."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
import uvloop

from connectors.mllp.framing import Deframer, Fault
from connectors.mllp.listener import Answer, Listener, Peer
from connectors.mllp.tls import tls, tls_client

PATIENCE = 5.0


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def echo(payload: bytes) -> Answer:
    return Answer(b"ACK " + payload)


class Owner:
    """Keeps what it was given; answers by `answer`, at once or, with `slow`, when a test resolves `open`."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.peers: list[Peer] = []
        self.heads: list[bytes] = []
        self.faults: list[Fault] = []
        self.unsecured: list[tuple[str, str]] = []
        self.open: list[asyncio.Future[Answer]] = []
        self.answer: Callable[[bytes], Answer] = echo
        self.slow = False

    def accept(self, payload: bytes, peer: Peer) -> asyncio.Future[Answer]:
        self.frames.append(payload)
        self.peers.append(peer)
        future = asyncio.get_running_loop().create_future()
        if self.slow:
            self.open.append(future)
        else:
            future.set_result(self.answer(payload))
        return future

    def refuse(self, head: bytes, peer: Peer) -> bytes | None:
        self.heads.append(head)
        return b"REFUSED"

    def observe(self, fault: Fault, peer: Peer) -> None:
        self.faults.append(fault)

    def fail(self, why: str, peer: Peer) -> None:
        self.unsecured.append((peer.address, why))

    def settle(self, *indexes: int) -> None:
        """Answer the open frames of these numbers (of all that came), or all of them."""
        for index in indexes or range(len(self.open)):
            if not self.open[index].done():
                self.open[index].set_result(self.answer(self.frames[index]))


class Wire:
    """A sender's raw end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._transport = cast(asyncio.Transport, writer.transport)
        self._deframer = Deframer()
        self._found: list[bytes | Fault] = []

    async def send(self, *pieces: bytes) -> None:
        """Each piece in a segment of its own, as far as the kernel lets us say so."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def ack(self) -> bytes | Fault:
        async with asyncio.timeout(PATIENCE):
            while not self._found:
                data = await self.reader.read(65536)
                assert data, "closed before an answer"
                self._found += self._deframer.feed(data)
        return self._found.pop(0)

    async def rest(self) -> list[bytes | Fault]:
        """Everything until the listener closes."""
        async with asyncio.timeout(PATIENCE):
            while data := await self.reader.read(65536):
                self._found += self._deframer.feed(data)
        found, self._found = self._found, []
        return found

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def read_on(self) -> None:
        self._transport.resume_reading()

    def reset(self) -> None:
        """Leave at once and without a word, as a crashed sender does."""
        end = self.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


Listen = Callable[..., Awaitable[Listener]]
Dial = Callable[..., Awaitable[Wire]]
Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
async def listen(owner: Owner) -> AsyncIterator[Listen]:
    """Start a listener that belongs to `owner`."""
    started: list[Listener] = []

    async def start(**options: Any) -> Listener:  # Any: whatever Listener takes
        port = options.pop("port", 0)
        listener = Listener(owner.accept, owner.refuse, observe=owner.observe, unsecured=owner.fail, **options)
        started.append(listener)
        await listener.start("127.0.0.1", port)
        return listener

    yield start
    for listener in started:
        await listener.drain(0)


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connect to a listener as a sender would."""
    wires: list[Wire] = []

    async def connect(listener: Listener, **options: Any) -> Wire:  # Any: whatever open_connection takes
        wires.append(Wire(*await asyncio.open_connection("127.0.0.1", listener.port, **options)))
        return wires[-1]

    yield connect
    for wire in wires:
        await wire.close()


@pytest.fixture
def until() -> Until:
    """Wait for something to become true."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event to offer
                await asyncio.sleep(0.005)

    return wait


@dataclass
class Papers:
    """A CA of the test's own, a server's certificate from it, and two clients': one from it and one from a stranger."""

    ca: Path
    server: Path
    client: Path
    stranger: Path

    def listening(self, mutual: bool = False) -> ssl.SSLContext:
        return tls(self.server, self.server, self.ca if mutual else None)

    def trusting(self, cert: Path | None = None) -> ssl.SSLContext:
        return tls_client(self.ca, cert, cert)


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    ours, others = trustme.CA(), trustme.CA()
    made = Papers(*(folder / f"{name}.pem" for name in ("ca", "server", "client", "stranger")))
    ours.cert_pem.write_to_path(str(made.ca))
    for path, authority, name in (
        (made.server, ours, "127.0.0.1"),
        (made.client, ours, "his.east.example"),
        (made.stranger, others, "his.east.example"),
    ):
        issued = authority.issue_cert(name, common_name=name, organization_name="East")
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    return made
