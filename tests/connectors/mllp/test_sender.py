"""A link as its owner sees it: one acknowledgement for one message, and a class for whatever else happens."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from canonical.outcome import Outcome
from connectors.mllp import sender
from connectors.mllp.sender import Link
from connectors.mllp.tls import tls_client
from tests.connectors.mllp.conftest import Listen, Papers

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def named(answer: bytes) -> str | None:
    """What these answers are about: what stands behind `ack `."""
    kind, _, about = answer.partition(b" ")
    return about.decode() if kind == b"ack" else None


def framed(payload: bytes) -> bytes:
    return b"\x0b" + payload + b"\x1c\r"


class Receiver:
    """Listens, and answers each frame as it is told."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\r")
                await self.answer(frame[1:-2], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


async def usual(message: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(framed(b"ack " + message))


async def test_one_connection_for_many() -> None:
    """Messages go over one connection, each with its own acknowledgement."""
    async with listening(usual) as receiver:
        link = Link("127.0.0.1", receiver.port, named)
        answers = [await link.send(str(n).encode(), str(n)) for n in range(5)]
        await link.close()

    assert [f"ack {n}".encode() for n in range(5)] == answers
    assert 1 == receiver.connections


async def test_the_application_s_answer_comes_late() -> None:
    """What a receiver says once more of the message before is let pass (CA, and later AA, on one connection)."""
    before: list[bytes] = []

    async def twice(message: bytes, writer: asyncio.StreamWriter) -> None:
        late = b"".join(framed(b"ack " + one) for one in before)
        before[:] = [message]
        writer.write(late + framed(b"ack " + message))

    async with listening(twice) as receiver:
        link = Link("127.0.0.1", receiver.port, named)
        answers = [await link.send(str(n).encode(), str(n)) for n in range(3)]
        await link.close()

    assert [b"ack 0", b"ack 1", b"ack 2"] == answers
    assert 1 == receiver.connections


async def test_a_foreign_answer_ends_the_connection() -> None:
    """The ends are out of step: what was sent may have arrived, and the next message gets a connection of its own."""

    async def of_another(message: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(b"ack 99" if message == b"1" else b"ack " + message))

    async with listening(of_another) as receiver:
        link = Link("127.0.0.1", receiver.port, named)
        ends = [await link.send(message, message.decode()) for message in (b"1", b"2")]
        await link.close()

    assert [Outcome(kind="ambiguous", code="ack_foreign"), b"ack 2"] == ends
    assert 2 == receiver.connections


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent and no try used up; the link rests, longer each time, and asks nobody meanwhile."""
    monkeypatch.setattr(sender, "SHORTEST_WAIT", 0.1)
    async with listening(usual) as receiver:
        port = receiver.port
    link = Link("127.0.0.1", port, named)
    first, second = await link.send(b"1", "1"), await link.send(b"1", "1")
    await asyncio.sleep(0.15)
    third = await link.send(b"1", "1")
    await link.close()

    assert isinstance(first, Outcome)
    assert isinstance(second, Outcome)
    assert isinstance(third, Outcome)
    assert ("transient", "connect_failed", False, 0.1) == (
        first.kind,
        first.code,
        first.attempted,
        first.retry_after,
    )
    assert (second.retry_after or 9) <= 0.1
    assert 0.2 == third.retry_after


async def test_a_message_that_wants_no_answer() -> None:
    """It is sent, and nothing is waited for."""
    heard: list[bytes] = []

    async def silent(message: bytes, _: asyncio.StreamWriter) -> None:
        heard.append(message)

    async with listening(silent) as receiver:
        link = Link("127.0.0.1", receiver.port, named)
        outcome = await link.tell(b"1")
        await link.close()

    assert Outcome(kind="delivered", code="sent_without_ack") == outcome


async def test_mutual_tls(listen: Listen, papers: Papers) -> None:
    """Over TLS it is the same; who shows another certificate, or trusts another CA, hears that it is about TLS."""
    listener = await listen(ssl=papers.listening(mutual=True))

    def link(context: ssl.SSLContext) -> Link:
        return Link("127.0.0.1", listener.port, lambda _: "1", context, 5.0)

    links = [link(papers.trusting(papers.client)), link(papers.trusting(papers.stranger)), link(tls_client())]
    ends = [await one.send(b"MSH|1", "1") for one in links]
    for one in links:
        await one.close()

    assert b"ACK MSH|1" == ends[0]
    assert ["tls_failed"] * 2 == [one.code for one in ends[1:] if isinstance(one, Outcome)]
