"""The sender: one message, one acknowledgement, and errors that say whether the message may have been kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from connectors.mllp import client
from connectors.mllp.client import Closed, Declined, MllpError, Sender, TimedOut, Unreachable
from connectors.mllp.framing import frame
from connectors.mllp.listener import Answer, Limits
from tests.connectors.mllp.conftest import Listen, Owner

M1, M2 = b"MSH|^~\\&|1\r", b"MSH|^~\\&|2\r"

Receiver = Callable[[bytes], list[bytes] | None]
Serve = Callable[[Receiver], Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A receiver that answers each read with these bytes, or closes at None."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(answer: Receiver) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            while data := await reader.read(65536):
                pieces = answer(data)
                if pieces is None:
                    break
                for piece in pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
            writer.close()

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        return int(servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
    for writer in writers:
        writer.transport.abort()


async def test_messages_share_one_connection(listen: Listen, owner: Owner) -> None:
    """Messages sent at the same time go one after the other over one connection."""
    listener = await listen()
    sender = Sender("127.0.0.1", listener.port)
    acks = await asyncio.gather(*(sender.send(message) for message in (M1, M2, M1)))
    await sender.close()

    assert [b"ACK " + M1, b"ACK " + M2, b"ACK " + M1] == acks
    assert 1 == listener.counts.connections


async def test_unreachable(listen: Listen) -> None:
    """Where nobody listens nothing was sent: transient."""
    listener = await listen()
    port = listener.port
    await listener.drain(1)

    with pytest.raises(Unreachable) as raised:
        await Sender("127.0.0.1", port).send(M1)
    assert "transient" == raised.value.outcome


async def test_silence_is_ambiguous(serve: Serve) -> None:
    """A receiver that does not answer in time may have kept the message."""
    sender = Sender("127.0.0.1", await serve(lambda data: []), timeout=0.05)

    with pytest.raises(TimedOut) as raised:
        await sender.send(M1)
    assert "ambiguous" == raised.value.outcome


async def test_a_hang_up_is_ambiguous(serve: Serve) -> None:
    """A receiver that closes without an acknowledgement may have kept the message."""
    sender = Sender("127.0.0.1", await serve(lambda data: None))

    with pytest.raises(Closed) as raised:
        await sender.send(M1)
    assert "ambiguous" == raised.value.outcome


async def test_an_oversize_acknowledgement_is_ambiguous(serve: Serve) -> None:
    """An acknowledgement that never ends is a connection that has become unreadable."""
    sender = Sender("127.0.0.1", await serve(lambda data: [b"\x0b" + b"x" * 20_000_000]))

    with pytest.raises(Closed):
        await sender.send(M1)


async def test_only_a_matching_acknowledgement_counts(serve: Serve) -> None:
    """Another message's acknowledgement is let pass, and so are junk and broken frames."""
    port = await serve(lambda data: [frame(b"OTHER"), b"junk\x0bbroken", frame(b"MINE")])
    sender = Sender("127.0.0.1", port)

    assert b"MINE" == await sender.send(M1, lambda ack: ack == b"MINE")
    await sender.close()


async def test_a_wrong_acknowledgement_alone_times_out(serve: Serve) -> None:
    """When nothing that comes is ours the wait ends at the timeout."""
    sender = Sender("127.0.0.1", await serve(lambda data: [frame(b"OTHER")]), timeout=0.05)

    with pytest.raises(TimedOut):
        await sender.send(M1, lambda ack: False)


async def test_a_late_acknowledgement_is_never_the_next_ones(serve: Serve) -> None:
    """After a timeout the connection is given up, and what comes unasked between messages is forgotten."""
    answers = iter([[], [frame(b"FIRST"), frame(b"UNASKED")], [frame(b"SECOND")]])
    sender = Sender("127.0.0.1", await serve(lambda data: next(answers)), timeout=0.05)
    with pytest.raises(TimedOut):
        await sender.send(M1)

    assert b"FIRST" == await sender.send(M1)
    await asyncio.sleep(0.02)
    assert b"SECOND" == await sender.send(M2)
    await sender.close()


async def test_reconnects(listen: Listen, owner: Owner) -> None:
    """A connection that the receiver has closed in the meantime is replaced before the next message."""
    owner.answer = lambda payload: Answer(b"OK", close=True)
    listener = await listen()
    sender = Sender("127.0.0.1", listener.port)
    for _ in range(3):
        assert b"OK" == await sender.send(M1)
        await asyncio.sleep(0.02)
    await sender.close()

    assert 3 == listener.counts.connections


async def test_commit_blocks(serve: Serve) -> None:
    """A commit block is not an acknowledgement; a negative one says that nothing was kept."""
    answers = iter([[frame(b"\x06"), frame(b"AA")], [frame(b"\x15")]])
    sender = Sender("127.0.0.1", await serve(lambda data: next(answers)))

    assert b"AA" == await sender.send(M1)
    with pytest.raises(Declined) as raised:
        await sender.send(M2)
    assert "transient" == raised.value.outcome


@pytest.mark.parametrize("window", [1, 2, 16, 500])
async def test_stream(listen: Listen, owner: Owner, window: int) -> None:
    """A stream's acknowledgements come in order, whatever the window on either side."""
    listener = await listen(limits=Limits(max_in_flight=8))
    sender = Sender("127.0.0.1", listener.port)
    messages = [str(n).encode() for n in range(300)]

    assert [b"ACK " + message for message in messages] == [ack async for ack in sender.stream(messages, window)]
    assert b"ACK " + M1 == await sender.send(M1)
    await sender.close()


async def test_an_abandoned_stream_leaves_no_acknowledgement_behind(listen: Listen) -> None:
    """Whoever stops reading a stream midway gets a fresh connection for the next message."""
    listener = await listen()
    sender = Sender("127.0.0.1", listener.port)
    stream = sender.stream([M1] * 50, window=50)
    await anext(stream)
    await stream.aclose()

    assert b"ACK " + M2 == await sender.send(M2)
    await sender.close()


def test_every_error_knows_its_outcome() -> None:
    """Each error of the tree says whether the message may have been kept."""
    errors = [kind for kind in vars(client).values() if isinstance(kind, type) and issubclass(kind, MllpError)]

    assert {"transient", "ambiguous"} == {kind.outcome for kind in errors if kind is not MllpError}
