"""The numbered edge cases of MLLP reception (DOMAIN 2.9), each over a real socket."""

import asyncio
import sys
from pathlib import Path

import pytest

from connectors.mllp.framing import Deframer, Fault, Framing, frame
from connectors.mllp.listener import Answer, Limits, tls
from tests.connectors.mllp.conftest import Dial, Listen, Owner, Papers, Until

M1, M2, M3 = b"MSH|^~\\&|1\rPID|1\r", b"MSH|^~\\&|2\rPID|2\r", b"MSH|^~\\&|3\r"
PROC_TCP = Path("/proc/net/tcp")


def acked(*payloads: bytes) -> list[bytes]:
    return [b"ACK " + payload for payload in payloads]


async def test_01_split_at_every_byte_boundary(listen: Listen, dial: Dial, owner: Owner) -> None:
    """A frame cut in two at any place, between 1C and 0D too and with the next frame attached, arrives whole."""
    stream = frame(M1) + frame(M2)
    for place in range(1, len(stream)):
        deframer = Deframer()
        assert [M1, M2] == deframer.feed(stream[:place]) + deframer.feed(stream[place:])

    wire = await dial(await listen())
    end_of_first = len(frame(M1)) - 1
    await wire.send(*(bytes([byte]) for byte in stream), stream[:end_of_first], stream[end_of_first:])

    assert acked(M1, M2, M1, M2) == [await wire.ack() for _ in range(4)]
    assert [M1, M2, M1, M2] == owner.frames


async def test_02_several_frames_in_one_read(listen: Listen, dial: Dial) -> None:
    """Frames that arrive together are answered one by one, in order."""
    wire = await dial(await listen())
    await wire.send(frame(M1) + frame(M2) + frame(M3))

    assert acked(M1, M2, M3) == [await wire.ack() for _ in range(3)]


async def test_03_junk_before_a_frame(listen: Listen, dial: Dial, owner: Owner) -> None:
    """Junk is discarded and counted, is a fault when there is much of it, and costs no frame and no connection."""
    listener = await listen(framing=Framing(junk_limit=10))
    wire = await dial(listener)
    await wire.send(b"noise" + frame(M1) + b"GET / HTTP/1.1" + frame(M2))

    assert acked(M1, M2) == [await wire.ack(), await wire.ack()]
    assert [Fault.JUNK] == owner.faults
    assert 5 + 14 == listener.counts.junk
    assert 1 == listener.counts.faults[Fault.JUNK]


async def test_04_stray_cr_and_lf_between_frames(listen: Listen, dial: Dial, owner: Owner) -> None:
    """CR and LF between frames are nothing at all."""
    listener = await listen(framing=Framing(junk_limit=0))
    wire = await dial(listener)
    await wire.send(b"\n\r" + frame(M1) + b"\r\n\r\n" + frame(M2))

    assert acked(M1, M2) == [await wire.ack(), await wire.ack()]
    assert ([], 0) == (owner.faults, listener.counts.junk)


@pytest.mark.parametrize(("strict", "expected"), [(False, [b"A\x1cB", M1]), (True, [M1])])
async def test_05_lone_1c_inside_a_frame(
    listen: Listen, dial: Dial, owner: Owner, until: Until, strict: bool, expected: list[bytes]
) -> None:
    """A 1C that no 0D follows is data, or under strict framing a fault that costs its own frame only."""
    wire = await dial(await listen(framing=Framing(strict=strict)))
    await wire.send(frame(b"A\x1cB"), frame(M1))
    await until(lambda: M1 in owner.frames)

    assert expected == owner.frames
    assert ([Fault.STRAY_FS] if strict else []) == owner.faults


async def test_06_new_start_before_the_end_block(listen: Listen, dial: Dial, owner: Owner) -> None:
    """The frame that was cut short gets no acknowledgement and counts as a fault; the one after it is fine."""
    listener = await listen()
    wire = await dial(listener)
    await wire.send(b"\x0b" + M1 + frame(M2))

    assert acked(M2) == [await wire.ack()]
    assert [M2] == owner.frames
    assert 1 == listener.counts.faults[Fault.TRUNCATED]


async def test_07_missing_cr_then_silence(listen: Listen, dial: Dial, owner: Owner) -> None:
    """After the grace a frame without its last CR is taken, and the CR that comes after all is ignored."""
    wire = await dial(await listen(framing=Framing(missing_cr=0.03)))
    await wire.send(b"\x0b" + M1 + b"\x1c")
    assert acked(M1) == [await wire.ack()]
    await wire.send(b"\r" + frame(M2))

    assert acked(M2) == [await wire.ack()]
    assert [] == owner.faults


async def test_07_missing_cr_without_the_flag(listen: Listen, dial: Dial, owner: Owner) -> None:
    """Without the flag such a frame waits for its deadline, and the reason given names the missing CR."""
    listener = await listen(limits=Limits(frame_deadline=0.06))
    wire = await dial(listener)
    await wire.send(b"\x0b" + M1 + b"\x1c")

    assert [] == await wire.rest()
    await wire.close()
    await listener.drain(1)
    assert ([], 1) == (owner.frames, listener.counts.closed["missing_cr"])


async def test_08_half_open_sockets(listen: Listen, dial: Dial, until: Until) -> None:
    """A peer that says nothing for too long is let go."""
    listener = await listen(limits=Limits(idle_timeout=0.06))
    wire = await dial(listener)
    await wire.send(frame(M1))
    assert acked(M1) == [await wire.ack()]

    assert [] == await wire.rest()
    await wire.close()
    await until(lambda: listener.counts.closed["idle"] == 1)
    assert 0 == listener.counts.open


@pytest.mark.skipif(not PROC_TCP.exists(), reason="needs /proc/net/tcp to see the kernel's timers")
async def test_08_keepalive_is_on(listen: Listen, dial: Dial) -> None:
    """The kernel probes a silent connection: its keepalive timer runs on our side of it."""
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M1))
    await wire.ack()
    rows = [line.split() for line in PROC_TCP.read_text().splitlines()[1:]]
    timers = [row[5][:2] for row in rows if row[1].endswith(f":{listener.port:04X}") and row[3] == "01"]

    assert ["02"] == timers


async def test_09_peer_leaves_without_its_ack(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """A frame whose sender has left is still the owner's; its answer is dropped, counted, and hurts nobody."""
    owner.slow = True
    listener = await listen()
    wire = await dial(listener)
    await wire.send(frame(M1) + frame(M2))
    await until(lambda: len(owner.frames) == 2)
    wire.reset()
    await until(lambda: listener.counts.open == 0)
    owner.settle()
    await until(lambda: listener.counts.unread == 2)

    assert [M1, M2] == owner.frames
    assert (0, 1) == (listener.counts.acks, listener.counts.closed["reset"])


async def test_10_oversize(listen: Listen, dial: Dial, owner: Owner) -> None:
    """Too large a frame is refused from what its head says, after the answers before it, and the connection ends."""
    listener = await listen(framing=Framing(max_bytes=50_000))
    wire = await dial(listener)
    await wire.send(frame(M1) + b"\x0b" + M2)
    sending = asyncio.create_task(wire.send(*[b"x" * 50_000] * 40, b"\x1c\r", frame(M3)))

    assert [*acked(M1), b"REFUSED"] == await wire.rest()
    await asyncio.wait([sending])
    sending.exception()
    assert M2 == owner.heads[0][: len(M2)]
    assert len(owner.heads[0]) <= 4096
    assert ([M1], [Fault.OVERSIZE]) == (owner.frames, owner.faults)


async def test_10_the_largest_frame_passes(listen: Listen, dial: Dial, owner: Owner) -> None:
    """A frame of the default limit, 10 MiB, arrives."""
    wire = await dial(await listen())
    payload = b"x" * (10 * 1024 * 1024)
    owner.answer = lambda _: Answer(b"OK")
    await wire.send(frame(payload))

    assert b"OK" == await wire.ack()
    assert [payload] == owner.frames


async def test_11_slowloris(listen: Listen, dial: Dial, owner: Owner, until: Until) -> None:
    """A frame that trickles in is cut at its deadline, counted from its first byte and not from its last."""
    listener = await listen(limits=Limits(frame_deadline=0.08))
    wire = await dial(listener)

    async def trickle() -> None:
        while True:
            await wire.send(b"\x0b", b"M")
            await asyncio.sleep(0.01)

    trickling = asyncio.create_task(trickle())
    assert [] == await wire.rest()
    trickling.cancel()
    await wire.close()
    await until(lambda: listener.counts.closed["deadline"] == 1)
    assert [] == owner.frames


@pytest.mark.parametrize("payload", [b"MSH|1\rPID|1", b"MSH|1\nPID|1\n", b"MSH|1\r\nPID|1\r\n", b"MSH|1\r\r"])
async def test_12_segment_separators(listen: Listen, dial: Dial, owner: Owner, payload: bytes) -> None:
    """Framing does not touch segment separators, whichever they are: the parser decides."""
    wire = await dial(await listen())
    await wire.send(frame(payload))
    await wire.ack()

    assert [payload] == owner.frames


async def test_13_bom(listen: Listen, dial: Dial, owner: Owner) -> None:
    """A UTF-8 byte order mark before MSH is not part of the message."""
    wire = await dial(await listen())
    await wire.send(frame(b"\xef\xbb\xbf" + M1))

    assert acked(M1) == [await wire.ack()]
    assert [M1] == owner.frames


async def test_14_mutual_tls(listen: Listen, dial: Dial, owner: Owner, papers: Papers) -> None:
    """Over mutual TLS the owner sees whose certificate it was."""
    listener = await listen(ssl=tls(papers.server, papers.server, papers.ca))
    wire = await dial(listener, ssl=papers.trusting(papers.client))
    await wire.send(frame(M1))

    assert acked(M1) == [await wire.ack()]
    assert owner.peers[0].certificate is not None
    assert "CN=his.east.example" in owner.peers[0].certificate.subject
    assert ("DNS:his.east.example",) == owner.peers[0].certificate.names
    assert 64 == len(owner.peers[0].certificate.sha256)


async def test_15_two_headers_in_one_frame(listen: Listen, dial: Dial, owner: Owner) -> None:
    """Two messages in one frame are one frame: it goes to the owner untouched, who refuses it."""
    wire = await dial(await listen())
    await wire.send(frame(M1 + M2))

    assert acked(M1 + M2) == [await wire.ack()]
    assert [M1 + M2] == owner.frames


def test_all_are_here() -> None:
    """Each of the fifteen has a test of its number."""
    tested = {int(name[5:7]) for name in vars(sys.modules[__name__]) if name[5:7].isdigit()}

    assert set(range(1, 16)) == tested
