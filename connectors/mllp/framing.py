"""MLLP framing (HL7 Transport Specification: MLLP, Release 1): bytes in, whole frames out, however they were cut.

Sans-I/O and blind: it never reads what a frame says, it keeps at most one unfinished frame, and the same bytes give
the same frames and faults whatever the network did to them.
"""

from enum import StrEnum

from msgspec import Struct

VT, FS, END = b"\x0b", b"\x1c", b"\x1c\r"
BOM = b"\xef\xbb\xbf"
HEAD_BYTES = 4096
_CR, _FS = 0x0D, 0x1C
_UNKNOWN, _NONE = -2, -1


class Fault(StrEnum):
    """What a sender did wrong to its framing. A kind and no content, so that it can be logged."""

    JUNK = "junk"  # more than `junk_limit` bytes that belong to no frame, in a row
    TRUNCATED = "truncated"  # a new frame, or the end of the stream, before the end block
    EMPTY = "empty"  # a frame of nothing
    OVERSIZE = "oversize"  # more than `max_bytes`; always the last thing a deframer says
    STRAY_FS = "stray_fs"  # strict only: 1C that no 0D follows


class Framing(Struct, frozen=True, kw_only=True):
    """How patient we are with a sender.

    `max_bytes` bounds one frame. `strict` refuses a 1C inside a frame, which is otherwise data as long as `1C 0D`
    closes the frame later. `missing_cr` is the silence in seconds after which a frame that ends in a bare 1C is taken
    as whole; None never does, because the rest of it may still be on its way. Up to `junk_limit` bytes between two
    frames are only counted.
    """

    max_bytes: int = 10 * 1024 * 1024
    strict: bool = False
    missing_cr: float | None = None
    junk_limit: int = 64


def frame(payload: bytes) -> bytes:
    """The payload as one MLLP frame."""
    return VT + payload + END


class Deframer:
    """Cuts one stream into frames. `junk` counts the bytes that belonged to none, CR and LF between frames aside."""

    __slots__ = ("_held", "_muted", "_over", "_run", "_seek", "framing", "head", "junk", "mid_frame")

    def __init__(self, framing: Framing | None = None) -> None:
        self.framing = framing or Framing()
        self.junk = 0
        self.mid_frame = False
        self.head = b""  # how the oversize frame began, for the answer that refuses it
        self._held = bytearray()  # the unfinished frame, without its 0B
        self._seek = 0  # how much of it has been searched
        self._run = 0  # junk in the present gap
        self._muted = False  # what follows a broken frame is its rest, not junk
        self._over = False

    def feed(self, data: bytes) -> list[bytes | Fault]:
        """The frames and faults that these bytes complete, in order."""
        if self._over:
            return []
        source: bytes | bytearray = data
        if self.mid_frame:
            self._held += data
            source = self._held
        found: list[bytes | Fault] = []
        start, seek = self._walk(source, found)
        if not self.mid_frame:
            self._held.clear()
            return found
        if source is data:
            self._held += memoryview(data)[start:]
        else:
            del self._held[:start]
        self._seek = seek - start
        return found

    def lapse(self) -> list[bytes | Fault]:
        """The line has been silent: where `missing_cr` is set, a frame that lacks only its last CR is whole."""
        if self.framing.missing_cr is None or not self.awaiting_cr:
            return []
        self.mid_frame = False
        whole = self._whole(self._held, 0, len(self._held) - 1)
        self._held.clear()
        return [whole]

    def end(self) -> list[bytes | Fault]:
        """The stream is over: what was unfinished is truncated."""
        found = self.lapse()
        if self.mid_frame:
            self.mid_frame = False
            self._held.clear()
            found.append(Fault.TRUNCATED)
        return found

    @property
    def awaiting_cr(self) -> bool:
        """Whether a frame is whole but for the CR after its 1C."""
        return self.mid_frame and self._held[-1:] == FS

    def _walk(self, source: bytes | bytearray, found: list[bytes | Fault]) -> tuple[int, int]:
        """Follow the stream to its last byte; where the unfinished frame starts, and how far it has been searched."""
        strict, tolerant, max_bytes = self.framing.strict, self.framing.missing_cr is not None, self.framing.max_bytes
        size, start, seek = len(source), 0, self._seek if self.mid_frame else 0
        fs = _UNKNOWN  # kept while it lies ahead: searching anew from every 0B would be quadratic
        while not self._over:
            if not self.mid_frame:
                start = seek = self._opening(source, start, found)
                if not start:
                    break
                self.mid_frame = True
            if fs != _NONE and fs < seek:
                fs = source.find(FS, seek)
            vt = source.find(VT, seek, size if fs == _NONE else fs)
            if vt != _NONE:
                bare = tolerant and vt > start and source[vt - 1] == _FS
                found.append(self._whole(source, start, vt - 1) if bare else self._broken(source, start, vt))
                start = seek = vt + 1
            elif fs == _NONE or fs + 1 == size:
                seek = size if fs == _NONE else fs
                if seek - start > max_bytes:
                    found.append(self._oversize(source, start))
                break
            elif source[fs + 1] == _CR:
                found.append(self._whole(source, start, fs))
                self.mid_frame = False
                start = fs + 2
            elif strict and not (tolerant and source[fs + 1] == VT[0]):
                self.mid_frame, self._muted = False, True
                found.append(Fault.STRAY_FS if fs - start <= max_bytes else self._oversize(source, start))
                start = fs + 1
            else:
                seek = fs + 1
        return start, seek

    def _opening(self, source: bytes | bytearray, start: int, found: list[bytes | Fault]) -> int:
        """Where the next frame begins, past its 0B; 0 when these bytes hold none."""
        vt = source.find(VT, start)
        if vt != start:
            self._gap(source[start:] if vt == _NONE else source[start:vt], found)
        if vt != _NONE:
            self._run, self._muted = 0, False
        return vt + 1

    def _gap(self, skipped: bytes | bytearray, found: list[bytes | Fault]) -> None:
        stray = 0 if self._muted else len(skipped.translate(None, b"\r\n"))
        limit = self.framing.junk_limit
        if self._run <= limit < self._run + stray:
            found.append(Fault.JUNK)
        self._run += stray
        self.junk += stray

    def _whole(self, source: bytes | bytearray, start: int, end: int) -> bytes | Fault:
        if end - start > self.framing.max_bytes:
            return self._oversize(source, start)
        return bytes(source[start:end]).removeprefix(BOM) or Fault.EMPTY

    def _broken(self, source: bytes | bytearray, start: int, end: int) -> Fault:
        return self._oversize(source, start) if end - start > self.framing.max_bytes else Fault.TRUNCATED

    def _oversize(self, source: bytes | bytearray, start: int) -> Fault:
        self.head = bytes(source[start : start + HEAD_BYTES])
        self.mid_frame, self._over = False, True
        return Fault.OVERSIZE
