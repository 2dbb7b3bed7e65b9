"""What a commit writes, in pages by b-tree: `python -m tests.benchmarks.pages [group size] [messages kept before]`."""

import asyncio
import os
import secrets
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from gateway.intake import read
from gateway.pipeline import Pipeline
from gateway.site.settings import FeedSettings, Intake, Peer, feed_of
from gateway.store.protocol import Store
from gateway.store.sqlite import SqliteStore
from policies.metrics import Metrics
from policies.tracing import Tracer
from tests.benchmarks.sample import booking

GROUPS = 20
PATIENTS = 5_000
MICROS = 1_000_000
HEADER, FRAME = 32, 24  # bytes before the log, and before each page in it (sqlite.org/fileformat2.html#walformat)


FEED = feed_of("bench", Peer(zone="America/New_York", feed=FeedSettings()), {})


def pipeline(store: Store) -> Pipeline:
    """The gateway's own way from a frame to the commit."""
    tracer = Tracer(None, 1.0, time.time_ns, secrets.randbits)
    return Pipeline(store, Intake(), lambda: time.time_ns() // 1000, tracer, Metrics())


async def commit(pipe: Pipeline, numbers: range) -> None:
    """One group of bookings."""
    now = pipe.clock()
    await pipe._together([read(FEED, booking(n, PATIENTS), now + n - numbers.start) for n in numbers])


def written(directory: Path) -> list[int]:
    """The numbers of the pages in the log, in the order of writing."""
    log = (directory / "isthmus.db-wal").read_bytes()
    size = int.from_bytes(log[8:12], "big")
    return [int.from_bytes(log[at : at + 4], "big") for at in range(HEADER, len(log), FRAME + size)]


def trees(directory: Path) -> dict[int, str]:
    """The b-tree that each page belongs to."""
    with sqlite3.connect(directory / "isthmus.db") as database:
        return dict(database.execute("SELECT pageno, name FROM dbstat").fetchall())


async def measure(size: int, before: int) -> None:
    """Fill a store, then count what some groups write."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = SqliteStore(directory, os.urandom(32))
        await store.open()
        pipe = pipeline(store)
        for first in range(0, before, 64):
            await commit(pipe, range(first, first + 64))
        store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store._writer.execute("PRAGMA wal_autocheckpoint = 0")
        begin = before + 64
        for first in range(begin, begin + GROUPS * size, size):
            await commit(pipe, range(first, first + size))
        names, pages = trees(directory), written(directory)
        count = Counter(names.get(page, "free") for page in pages)
        await store.close()
    print(f"{len(pages) / GROUPS:.1f} pages for a commit of {size}, with {before} messages kept before")
    for tree, number in count.most_common():
        print(f"{number / GROUPS:8.2f} {tree}")


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    asyncio.run(measure(*given, *(64, 20_000)[len(given) :]))
