"""The listener: order, back-pressure, limits, pausing, draining, and owners that fail."""

import asyncio
import socket

import pytest

from connectors.mllp.framing import frame
from connectors.mllp.listener import Answer, Limits, Listener
from tests.connectors.mllp.conftest import PATIENCE, Dial, Listen, Owner, Papers, Until, Wire, echo

M = [f"MSH|^~\\&|{n}\r".encode() for n in range(500)]


def acked(*payloads: bytes) -> list[bytes]:
    return [b"ACK " + payload for payload in payloads]


# --- answers ---


async def test_answers_keep_the_order_of_frames(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """An answer that is ready early waits for those before it."""
    owner.slow = True
    listener = await listen()
    wire = await dial(listener)
    await wire.send(b"".join(frame(payload) for payload in M[:4]))
    await until(lambda: len(owner.frames) == 4)
    owner.settle(3, 1, 2)
    await asyncio.sleep(0.02)
    assert 0 == listener.counts.acks
    owner.settle(0)

    assert acked(*M[:4]) == [await wire.ack() for _ in range(4)]


async def test_silence_is_an_answer(listen: Listen, dial: Dial, owner: Owner) -> None:
    """A frame whose sender wants no acknowledgement gets none, and the next one gets its own."""
    owner.answer = lambda payload: Answer(None) if payload == M[0] else echo(payload)
    wire = await dial(await listen())
    await wire.send(frame(M[0]) + frame(M[1]))

    assert acked(M[1]) == [await wire.ack()]


async def test_an_answer_can_be_the_last(listen: Listen, dial: Dial, owner: Owner) -> None:
    """After an answer that closes nothing more is written, and what else was in flight counts as unread."""
    owner.answer = lambda payload: Answer(b"BYE", close=payload == M[1])
    listener = await listen()
    wire = await dial(listener)
    await wire.send(b"".join(frame(payload) for payload in M[:4]))

    assert [b"BYE", b"BYE"] == await wire.rest()
    await wire.close()
    assert M[:4] == owner.frames
    assert (2, 2) == (listener.counts.acks, listener.counts.unread)


async def test_no_answer_and_close(listen: Listen, dial: Dial, owner: Owner) -> None:
    """A feed may prefer silence and a closed connection to a negative answer."""
    owner.answer = lambda payload: Answer(None, close=True)
    wire = await dial(await listen(commit_blocks=True))
    await wire.send(frame(M[0]))

    assert [] == await wire.rest()


async def test_commit_blocks(listen: Listen, dial: Dial, owner: Owner) -> None:
    """MLLP Release 2: a commit block goes before each answer, says whether the frame was kept, and is not a frame."""
    owner.answer = lambda payload: Answer(b"R", committed=payload == M[0])
    wire = await dial(await listen(commit_blocks=True))
    await wire.send(frame(M[0]) + frame(b"\x06") + frame(M[1]) + frame(b"\x15"))

    assert [b"\x06", b"R", b"\x15", b"R"] == [await wire.ack() for _ in range(4)]
    assert M[:2] == owner.frames


@pytest.mark.parametrize("failure", [ValueError("DOE^JANE"), asyncio.CancelledError()], ids=["error", "cancelled"])
async def test_a_failed_future_closes(
    listen: Listen, dial: Dial, owner: Owner, until: Until, caplog: pytest.LogCaptureFixture, failure: BaseException
) -> None:
    """An owner that fails is an answer that never comes: the connection closes, and what it said is in no log."""
    owner.slow = True
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M[0]) + frame(M[1]))
    await until(lambda: len(owner.open) == 2)
    owner.settle(0)
    if isinstance(failure, Exception):
        owner.open[1].set_exception(failure)
    else:
        owner.open[1].cancel()

    assert acked(M[0]) == await wire.rest()
    await wire.close()
    await until(lambda: listener.counts.closed["failed"] == 1)
    assert type(failure).__name__ in caplog.text
    assert "DOE" not in caplog.text


async def test_an_owner_that_raises_closes(listen: Listen, dial: Dial, owner: Owner) -> None:
    """An owner that raises instead of returning a future is treated like one that fails."""

    def answer(payload: bytes) -> Answer:
        raise RuntimeError

    owner.answer = answer
    wire = await dial(await listen())
    await wire.send(frame(M[0]))

    assert [] == await wire.rest()


async def test_a_half_closed_sender_gets_its_answers(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """A sender may close its writing half and wait; all of its frames are answered before we close ours."""
    owner.slow = True
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M[0]) + frame(M[1]) + b"\x0bcut sho")
    wire.writer.write_eof()
    await until(lambda: listener.counts.faults.total() == 1)
    owner.settle()

    assert acked(M[0], M[1]) == await wire.rest()
    assert {"truncated": 1} == listener.counts.faults


# --- back-pressure ---


async def test_a_slow_owner_stops_the_reading(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """Beyond `max_in_flight` nothing more is read: the rest waits in the sender, and arrives in order later."""
    owner.slow = True
    listener = await listen(limits=Limits(max_in_flight=4))
    wire = await dial(listener)
    big = [payload + b"x" * 50_000 for payload in M]
    sending = asyncio.create_task(wire.send(*map(frame, big)))
    await until(lambda: len(owner.frames) == 4)
    await asyncio.sleep(0.05)

    assert 4 == len(owner.frames)
    assert not sending.done()
    assert listener.counts.bytes < 1_000_000

    owner.slow = False
    owner.settle()
    owner.answer = lambda payload: echo(payload[:20])
    assert acked(*big[:4]) == [await wire.ack() for _ in range(4)]
    assert acked(*(payload[:20] for payload in big[4:])) == [await wire.ack() for _ in big[4:]]
    await sending


async def test_many_frames_in_one_read_stay_within_the_limit(listen: Listen, dial: Dial, owner: Owner) -> None:
    """However many frames one read brings, the owner has no more than `max_in_flight` open at a time."""
    owner.slow = True
    wire = await dial(await listen(limits=Limits(max_in_flight=3)))
    await wire.send(b"".join(map(frame, M[:10])))
    most = 0
    async with asyncio.timeout(PATIENCE):
        while len(owner.frames) < 10:
            most = max(most, sum(not future.done() for future in owner.open))
            owner.settle()
            await asyncio.sleep(0)
    owner.settle()

    assert 3 == most
    assert acked(*M[:10]) == [await wire.ack() for _ in range(10)]


async def test_a_peer_that_does_not_read_stops_the_reading(
    listen: Listen, dial: Dial, owner: Owner, until: Until
) -> None:
    """Answers nobody reads are not piled up: no more is taken until the peer reads, and nothing is lost then."""
    owner.answer = lambda payload: Answer(payload + b"x" * 500_000)
    listener = await listen()
    wire = await dial(listener)
    wire.stop_reading()
    await wire.send(b"".join(map(frame, M[:200])))
    await until(lambda: owner.frames)
    await asyncio.sleep(0.05)
    assert len(owner.frames) < 100
    wire.read_on()

    assert M[:200] == [ack[:-500_000] for ack in [await wire.ack() for _ in range(200)] if isinstance(ack, bytes)]


async def test_a_peer_that_never_reads_is_cut(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """A peer that leaves its answers unread for the idle time is cut."""
    owner.answer = lambda payload: Answer(b"x" * 1_000_000)
    listener = await listen(limits=Limits(idle_timeout=0.06))
    wire = await dial(listener)
    wire.stop_reading()
    await wire.send(b"".join(map(frame, M[:64])))

    await until(lambda: listener.counts.closed["stalled"] == 1)


# --- limits ---


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(max_connections=2), "limit"), (Limits(max_connections_per_address=2), "limit_address")],
)
async def test_connection_limits(listen: Listen, dial: Dial, until: Until, limits: Limits, reason: str) -> None:
    """A connection over the limit is closed unread; a place that becomes free can be taken."""
    listener = await listen(limits=limits)
    first, second = await dial(listener), await dial(listener)
    await until(lambda: listener.counts.open == 2)
    third = await dial(listener)
    assert [] == await third.rest()
    assert 1 == listener.counts.closed[reason]
    await first.close()
    await until(lambda: listener.counts.open == 1)
    fourth = await dial(listener)

    for wire in (second, fourth):
        await wire.send(frame(M[0]))
        assert acked(M[0]) == [await wire.ack()]


async def test_a_waiting_peer_is_not_idle(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """A sender that waits for a slow answer, whatever the time, is not let go."""
    owner.slow = True
    listener = await listen(limits=Limits(idle_timeout=0.04, frame_deadline=0.04))
    wire = await dial(listener)
    await wire.send(frame(M[0]))
    await asyncio.sleep(0.12)
    owner.settle()

    assert acked(M[0]) == [await wire.ack()]


async def test_every_connection_has_a_number(listen: Listen, dial: Dial, owner: Owner) -> None:
    """Connections made in the same moment are told apart, and each knows its peer's port."""
    listener = await listen()
    wires = await asyncio.gather(*(dial(listener) for _ in range(20)))
    for wire in wires:
        await wire.send(frame(M[0]))
        await wire.ack()

    assert set(range(1, 21)) == {peer.connection for peer in owner.peers}
    ports = [wire.writer.get_extra_info("sockname")[1] for wire in wires]
    assert [("127.0.0.1", port) for port in ports] == [(peer.address, peer.port) for peer in owner.peers]


# --- draining ---


@pytest.mark.parametrize("secured", [False, True], ids=["tcp", "tls"])
async def test_drain_under_load(
    listen: Listen, dial: Dial, owner: Owner, until: Until, papers: Papers, secured: bool
) -> None:
    """Every frame that was taken when the drain began is answered, and every answer reaches its busy sender."""
    owner.slow = True
    context = papers.listening() if secured else None
    listener = await listen(ssl=context, limits=Limits(max_in_flight=8))
    wires = [await dial(listener, ssl=papers.trusting() if secured else None) for _ in range(4)]
    sending = [asyncio.create_task(flood(wire, number)) for number, wire in enumerate(wires)]
    await until(lambda: len(owner.frames) == 32)
    draining = asyncio.create_task(listener.drain(5))
    await asyncio.sleep(0.01)
    owner.settle()
    answered = []
    for wire in wires:
        answered.append(await wire.rest())
        wire.writer.transport.abort()

    assert await draining
    for number, acks in enumerate(answered):
        assert acked(*(f"{number}/{n}".encode() for n in range(8))) == acks
    assert {"drained": 4} == listener.counts.closed
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


async def flood(wire: Wire, number: int) -> None:
    for n in range(1_000_000):
        await wire.send(frame(f"{number}/{n}".encode()))


async def test_drain_gives_up_in_time(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """What is not answered at the timeout is cut, and the drain says so."""
    owner.slow = True
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M[0]))
    await until(lambda: owner.frames)

    assert not await listener.drain(0.02)
    assert [] == await wire.rest()
    assert 1 == listener.counts.closed["cut"]


async def test_drain_closes_the_port(listen: Listen, dial: Dial) -> None:
    """After a drain nobody can connect, and a second drain has nothing to do."""
    listener = await listen()
    port = listener.port

    assert await listener.drain(1)
    assert await listener.drain(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_drain_while_connections_arrive(listen: Listen, dial: Dial) -> None:
    """A drain that meets connections between the kernel and their first frame leaves none of them behind."""
    listener = await listen()
    arriving = [asyncio.ensure_future(dial(listener)) for _ in range(30)]
    await asyncio.sleep(0)
    assert await listener.drain(2)
    await asyncio.gather(*arriving, return_exceptions=True)

    assert 0 == listener.counts.open
    assert listener.counts.connections == listener.counts.closed.total()


# --- ports ---


async def test_listeners_share_a_port(listen: Listen, dial: Dial) -> None:
    """With `reuse_port` a second listener may have the same port; without it, not."""
    first = await listen(reuse_port=True)
    second = await listen(reuse_port=True, port=first.port)

    assert (first.address, first.port) == (second.address, second.port)
    with pytest.raises(OSError, match="in use"):
        await listen(port=first.port)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
async def test_ipv6(owner: Owner) -> None:
    """`::` takes IPv6 and IPv4 alike."""
    listener = Listener(owner.accept)
    try:
        await listener.start("::")
    except OSError:
        pytest.skip("no IPv6 address here")
    for host in ("::1", "127.0.0.1"):
        wire = Wire(*await asyncio.open_connection(host, listener.port))
        await wire.send(frame(M[0]))
        assert acked(M[0]) == [await wire.ack()]
        await wire.close()
    await listener.drain(1)

    assert {1, 2} == {peer.connection for peer in owner.peers}


async def test_counts(listen: Listen, dial: Dial, until: Until) -> None:
    """What happened can be read off the counts."""
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M[0]) + frame(M[1]) + frame(b""))
    await wire.ack()
    await wire.ack()
    await wire.close()
    await until(lambda: listener.counts.open == 0)
    counts = listener.counts

    assert (1, 0, 2, 2) == (counts.connections, counts.open, counts.frames, counts.acks)
    assert len(frame(M[0]) + frame(M[1]) + frame(b"")) == counts.bytes
    assert ({"empty": 1}, {"peer": 1}) == (counts.faults, counts.closed)
