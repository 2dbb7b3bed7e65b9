"""Framing: whatever the network does to a stream, the same frames and faults come out."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mllp.framing import HEAD_BYTES, Deframer, Fault, Framing, frame

M1, M2 = b"MSH|^~\\&|1\rPID|1\r", b"MSH|^~\\&|2\rPID|2\r"
VECTORS = {
    "one frame": ("0B 4D 53 48 0D 1C 0D", [b"MSH\r"]),
    "leading CR and LF": ("0A 0D 0B 4D 1C 0D", [b"M"]),
    "truncated by the next": ("0B 4D 31 0B 4D 32 1C 0D", [Fault.TRUNCATED, b"M2"]),
    "lone 1C is data": ("0B 4D 1C 41 4D 1C 0D", [b"M\x1cAM"]),
    "1C before the end block": ("0B 4D 1C 1C 0D", [b"M\x1c"]),
    "empty": ("0B 1C 0D", [Fault.EMPTY]),
    "empty but for a BOM": ("0B EF BB BF 1C 0D", [Fault.EMPTY]),
    "BOM": ("0B EF BB BF 4D 53 48 1C 0D", [b"MSH"]),
    "no frame": ("4D 53 48 1C 0D", []),
    "unfinished": ("0B 4D 53 48 1C", []),
}
STRICT = {
    "lone 1C": ("0B 4D 1C 41 4D 1C 0D", [Fault.STRAY_FS]),
    "and what follows is its rest, then the next frame": ("0B 4D 1C 41 4D 1C 0D 0B 4D 1C 0D", [Fault.STRAY_FS, b"M"]),
    "good": ("0B 4D 53 48 0D 1C 0D", [b"MSH\r"]),
}
OPTIONS = [
    Framing(junk_limit=3),
    Framing(junk_limit=0, strict=True),
    Framing(missing_cr=1.0, max_bytes=4),
    Framing(missing_cr=1.0, strict=True, max_bytes=6),
    Framing(max_bytes=3),
]


def feed(pieces: list[bytes], framing: Framing | None = None, end: bool = False) -> list[bytes | Fault]:
    deframer = Deframer(framing)
    found = [item for piece in pieces for item in deframer.feed(piece)]
    return found + (deframer.end() if end else [])


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[a:b] for a, b in pairwise(marks)]


def payloads() -> st.SearchStrategy[bytes]:
    """Any payload that MLLP can carry: 1C is fine inside, an end block is not."""
    plain = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\x0b", b"."))
    return plain.filter(lambda data: (data + b"\x1c\r").index(b"\x1c\r") == len(data) and data[:1] != b"\xef")


@pytest.mark.parametrize(("stream", "expected"), VECTORS.values(), ids=VECTORS)
def test_vectors(stream: str, expected: list[bytes | Fault]) -> None:
    """DOMAIN Annex A6, and its near relations."""
    assert expected == feed([bytes.fromhex(stream)])


@pytest.mark.parametrize(("stream", "expected"), STRICT.values(), ids=STRICT)
def test_strict_vectors(stream: str, expected: list[bytes | Fault]) -> None:
    """Strict framing drops a frame with a 1C inside, and only that frame."""
    assert expected == feed([bytes.fromhex(stream)], Framing(strict=True))


@given(
    st.lists(st.tuples(st.sampled_from([b"", b"\r", b"\r\n", b"stray", b"\x1c\r"]), payloads()), max_size=8),
    st.lists(st.integers(0, 500), max_size=12),
)
def test_every_frame_arrives(stream: list[tuple[bytes, bytes]], places: list[int]) -> None:
    """Frames with anything between them, cut anywhere, arrive byte for byte and in order."""
    sent = b"".join(gap + frame(payload) for gap, payload in stream)

    assert [payload for _, payload in stream] == feed(cut(sent, places))


@pytest.mark.parametrize("framing", OPTIONS, ids=str)
@given(
    st.lists(st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"M", b"\xef\xbb\xbf", b"\x1c\r"]), max_size=40),
    st.lists(st.integers(0, 100), max_size=12),
)
def test_cutting_changes_nothing(framing: Framing, tokens: list[bytes], places: list[int]) -> None:
    """Any stream, however broken, gives the same frames and faults in whichever pieces it comes."""
    stream = b"".join(tokens)
    whole = feed([stream], framing, end=True)

    assert whole == feed(cut(stream, places), framing, end=True)
    assert whole == feed([bytes([byte]) for byte in stream], framing, end=True)


@pytest.mark.parametrize("size", [9, 10, 11, 12, 13, 5000])
@pytest.mark.parametrize("step", [1, 7, 10000])
def test_the_size_limit_is_exact(size: int, step: int) -> None:
    """A payload of `max_bytes` passes, one more byte does not, and the deframer says nothing after that."""
    stream = frame(b"x" * size) + frame(b"next")
    found = feed([stream[i : i + step] for i in range(0, len(stream), step)], Framing(max_bytes=11))

    assert ([b"x" * size, b"next"] if size <= 11 else [Fault.OVERSIZE]) == found


def test_an_endless_frame_is_not_kept() -> None:
    """What is held of a frame never passes the limit by more than the last piece, and its head is bounded."""
    deframer = Deframer(Framing(max_bytes=10_000))
    found = [item for _ in range(100) for item in deframer.feed(b"\x0b" if _ == 0 else b"y" * 1000)]

    assert [Fault.OVERSIZE] == found
    assert b"y" * HEAD_BYTES == deframer.head
    assert not deframer.mid_frame


def test_junk_is_counted_and_is_a_fault_once() -> None:
    """Junk up to the limit is counted; the byte past it is one fault for the whole run, and a new gap counts anew."""
    deframer = Deframer(Framing(junk_limit=5))

    assert [] == deframer.feed(b"12345\r\n")
    assert [Fault.JUNK] == deframer.feed(b"6")
    assert [] == deframer.feed(b"GET / HTTP/1.1\r\n")
    assert [M1] == deframer.feed(frame(M1) + b"12345")
    assert [Fault.JUNK] == deframer.feed(b"6")
    assert 6 + 12 + 2 + 6 == deframer.junk


def test_nothing_but_a_grace_ends_a_bare_frame() -> None:
    """A frame that lacks its CR ends by silence only where that is allowed, and never in the middle of its data."""
    patient, tolerant = Deframer(), Deframer(Framing(missing_cr=0.1))
    for deframer in (patient, tolerant):
        deframer.feed(b"\x0b" + M1)
        assert [] == deframer.lapse()
        deframer.feed(b"\x1c")

    assert [] == patient.lapse()
    assert [M1] == tolerant.lapse()
    assert [M2] == tolerant.feed(b"\r" + frame(M2))


def test_a_tolerant_deframer_takes_the_next_frame_for_the_missing_cr() -> None:
    """`1C 0B` is an end and a beginning for a sender known to leave out the CR; else the first frame was cut short."""
    stream = b"\x0b" + M1 + b"\x1c" + frame(M2)

    assert [M1, M2] == feed([stream], Framing(missing_cr=0.1))
    assert [Fault.TRUNCATED, M2] == feed([stream])


@pytest.mark.parametrize("stream", [b"\x0b" * 300_000, b"\x0b" + b"\x1c" * 300_000, b"\x0b\x1c" * 150_000])
def test_hostile_streams_are_linear(stream: bytes) -> None:
    """Streams made of nothing but marks are walked once: in one piece they would take minutes otherwise."""
    assert {Fault.TRUNCATED} >= set(feed([stream]))


def test_a_fault_has_no_room_for_content() -> None:
    """A fault is a name out of a closed list."""
    assert {"junk", "truncated", "empty", "oversize", "stray_fs"} == {str(fault) for fault in Fault}
