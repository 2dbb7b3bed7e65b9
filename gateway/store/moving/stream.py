"""The stream of an export: msgpack frames, each after its length in four bytes, in one zstd stream with a checksum.

A header, then lots of rows as `[table, rows]`, then a trailer. What was cut off has no trailer; what was altered has
another digest, and who does not have the secret cannot make the right one.
"""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import IO, Any

import msgspec
import zstandard

from gateway.store.moving.shape import TABLES, VERSION, Damaged, Header, Lot, Row, Trailer

LEVEL = 1  # sealed bodies do not shrink
FRAME = 1 << 20  # bytes of rows after which a frame is written
LENGTH = 4
END = "end"
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(tuple[str, list[list[Any]]]).decode


class Writer:
    """Writes an export."""

    def __init__(self, file: IO[bytes], header: Header, secret: bytes) -> None:
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._out = compressor.stream_writer(file, closefd=False)
        self._digest = blake2b(key=secret, digest_size=32)
        self.counts: Counter[str] = Counter()
        self._frame(encode(header))

    def put(self, table: str, rows: Lot) -> None:
        """Rows of a table, in frames of a bounded size."""
        for frame in _frames(rows):
            self._frame(encode((table, frame)))
        self.counts[table] += len(rows)

    def end(self) -> None:
        """The trailer."""
        self._frame(encode((END, [[encode(Trailer(counts=dict(self.counts), digest=self._digest.digest()))]])))
        self._out.close()  # type: ignore[no-untyped-call]

    def _frame(self, frame: bytes) -> None:
        self._digest.update(frame)
        self._out.write(len(frame).to_bytes(LENGTH, "big") + frame)


class Reader:
    """Reads an export: the header at once, then lots, and at the end whether it was whole."""

    def __init__(self, file: IO[bytes]) -> None:
        self._in = zstandard.ZstdDecompressor().stream_reader(file, closefd=False)
        self.counts: Counter[str] = Counter()
        self._first = self._next()
        try:
            self.header = msgspec.msgpack.decode(self._first, type=Header)
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise Damaged("this is no export of Isthmus") from None
        if self.header.version != VERSION or self.header.tables != TABLES:
            raise Damaged(f"this export is of version {self.header.version}, this release reads {VERSION}")

    def lots(self, secret: bytes) -> Iterator[tuple[str, Lot]]:
        """Every lot; Damaged where the stream is not what was written, at the latest at its end."""
        digest = blake2b(self._first, key=secret, digest_size=32)
        while True:
            frame = self._next()
            try:
                table, rows = decode(frame)
                if table == END:
                    self._judge(msgspec.msgpack.decode(rows[0][0], type=Trailer), digest.digest())
                    return
            except (msgspec.DecodeError, msgspec.ValidationError, IndexError, TypeError):
                raise Damaged("a part of this export cannot be read") from None
            if table not in TABLES or any(len(row) != len(TABLES[table]) for row in rows):
                raise Damaged("a part of this export is of no table")
            digest.update(frame)
            self.counts[table] += len(rows)
            yield table, list(rows)

    def _judge(self, trailer: Trailer, digest: bytes) -> None:
        if trailer.counts != dict(self.counts) or trailer.digest != digest:
            raise Damaged("this export was altered")
        if self._read(1):
            raise Damaged("something stands after the end of this export")

    def _next(self) -> bytes:
        size = int.from_bytes(self._whole(LENGTH), "big")
        return self._whole(size)

    def _whole(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := self._read(min(size, FRAME))):
            parts.append(part)
            size -= len(part)
        if size:
            raise Damaged("this export is cut off, or none")
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._in.read(size))
        except zstandard.ZstdError:
            raise Damaged("this is no export of Isthmus, or it was altered") from None


def _frames(rows: Lot) -> Iterator[Lot]:
    frame: Lot = []
    size = 0
    for row in rows:
        frame.append(row)
        size += _size(row)
        if size >= FRAME:
            yield frame
            frame, size = [], 0
    if frame:
        yield frame


def _size(row: Row) -> int:
    return sum(len(value) for value in row if isinstance(value, bytes | str))
