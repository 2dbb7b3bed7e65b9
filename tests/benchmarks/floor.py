"""The floor: the least a durable MLLP receiver can do. Frames, a map by str.split, one group commit, an answer.

No escapes, no charsets, no problems, no history, no search keys, no encryption, no audit: what Isthmus costs more than
this is what those cost.    python -m tests.benchmarks.floor DATABASE    prints its port
"""

import asyncio
import sqlite3
import sys

import msgspec
import uvloop

SCHEMA = """
CREATE TABLE message (id INTEGER PRIMARY KEY, control TEXT UNIQUE, raw BLOB) STRICT;
CREATE TABLE appointment (filler TEXT PRIMARY KEY, version INT, start TEXT, patient TEXT, body BLOB) STRICT;
CREATE TABLE event (seq INTEGER PRIMARY KEY, filler TEXT, type TEXT, body BLOB) STRICT;
"""
KEEP = "INSERT INTO message (control, raw) VALUES (?, ?) ON CONFLICT DO NOTHING"
UPSERT = (
    "INSERT INTO appointment VALUES (?, 1, ?, ?, ?)"
    " ON CONFLICT (filler) DO UPDATE SET version = version + 1, start = excluded.start, body = excluded.body"
)
TELL = "INSERT INTO event (filler, type, body) VALUES (?, 'booked', ?)"


class Visit(msgspec.Struct):
    """An appointment, barely."""

    filler: str
    placer: str
    status: str
    start: str
    end: str
    patient: str
    name: str
    reason: str
    resources: list[tuple[str, str, str]]
    notes: list[str]


encode = msgspec.json.Encoder().encode


def first(field: str) -> str:
    """The first component."""
    return field.partition("^")[0]


def mapped(raw: bytes) -> tuple[str, Visit]:
    """The control id and the visit of a booking."""
    segments: dict[str, list[list[str]]] = {}
    for line in raw.decode().split("\r"):
        if line:
            fields = line.split("|")
            segments.setdefault(fields[0], []).append(fields)
    sch, pid = segments["SCH"][0], segments["PID"][0]
    times = sch[11].split("^")
    resources = [
        (name, first(fields[3]), fields[4])
        for name in ("AIS", "AIG", "AIL", "AIP")
        for fields in segments.get(name, ())
    ]
    return segments["MSH"][0][9], Visit(
        filler=first(sch[2]),
        placer=first(sch[1]),
        status=first(sch[25]),
        start=times[3],
        end=times[4],
        patient=first(pid[3]),
        name=pid[5],
        reason=sch[7],
        resources=resources,
        notes=[note[3] for note in segments.get("NTE", ())],
    )


class Writer:
    """Commits everything that arrived while the last commit ran."""

    def __init__(self, path: str) -> None:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = FULL")
        self.database.executescript(SCHEMA)
        self.waiting: list[tuple[asyncio.Transport, str, bytes, Visit]] = []
        self.awake = asyncio.Event()

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self.awake.wait()
            self.awake.clear()
            while self.waiting:
                group, self.waiting = self.waiting, []
                await loop.run_in_executor(None, self.commit, group)
                for transport, control, _, _ in group:
                    transport.write(answer(control))

    def commit(self, group: list[tuple[asyncio.Transport, str, bytes, Visit]]) -> None:
        """Three tables, one transaction."""
        run = self.database.executemany
        bodies = [encode(visit) for *_, visit in group]
        self.database.execute("BEGIN IMMEDIATE")
        run(KEEP, [(control, raw) for _, control, raw, _ in group])
        run(UPSERT, [(v.filler, v.start, v.patient, body) for (*_, v), body in zip(group, bodies, strict=True)])
        run(TELL, [(v.filler, body) for (*_, v), body in zip(group, bodies, strict=True)])
        self.database.execute("COMMIT")


def answer(control: str) -> bytes:
    """An accept acknowledgement, framed."""
    head = f"MSH|^~\\&|FLOOR|HUB|RADSCHED|NORTH|20261121093000||ACK|{control}|T|2.5.1"
    return f"\x0b{head}\rMSA|AA|{control}\r\x1c\r".encode()


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\x1c\r")) >= 0:
            raw = bytes(self.buffer[1:end])
            del self.buffer[: end + 2]
            control, visit = mapped(raw)
            self.writer.waiting.append((self.transport, control, raw, visit))  # type: ignore[arg-type] # uvloop's
            self.writer.awake.set()


async def serve(path: str) -> None:
    """Listen on a free port and print it."""
    writer = Writer(path)
    server = await asyncio.get_running_loop().create_server(lambda: Line(writer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await writer.run()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
