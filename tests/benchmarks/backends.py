"""A store to measure: in SQLite, or in PostgreSQL with a server on this machine, whose processes and log count too.

The server is one of its own, as durable as it comes and with room for what is measured; or the one that the environment
names (tests/servers/postgres.py).
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import asyncpg
from msgspec import Struct

from gateway.store.postgres import PostgresStore
from gateway.store.protocol import Store
from gateway.store.sqlite import SqliteStore
from tests.servers import postgres
from tests.servers.postgres import ADDRESS
from tests.store_contract.conftest import InSchema

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = ("sqlite", "postgres")
ROOM = {"shared_buffers": "1GB", "checkpoint_timeout": "5min"}
EVER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"  # a child that lives as long
SIZES = """
SELECT regexp_replace(c.relname, '_[0-9]{4}_[0-9]{2}', '') AS part, sum(pg_table_size(c.oid))::bigint AS size
FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'i') GROUP BY 1 ORDER BY 2 DESC
"""


class Cost(Struct):
    """Seconds, and bytes."""

    wall: float = 0.0
    ours: float = 0.0  # of CPU, this process
    theirs: float = 0.0  # of CPU, the processes of the server
    log: int = 0  # of the server

    def line(self, count: int) -> str:
        """What one of so many cost."""
        ours, theirs = (f"{spent / count * 1e6:4,.0f} us" for spent in (self.ours, self.theirs))
        server = f" and {theirs} of the server's, {self.log / count / 1000:.1f} kB of its log" if self.log else ""
        return f"{count / self.wall:6,.0f}/s, {ours} of CPU{server} a message"


class Backend:
    """Where stores are opened: the embedded ones, each in its directory."""

    name = "sqlite"

    def store(self, directory: Path, key: bytes | None) -> Store:
        """A store that stands for a directory."""
        return SqliteStore(directory, key)

    async def now(self) -> Cost:
        """What was spent until now."""
        return Cost(perf_counter(), process_time(), self.busy())

    def busy(self) -> float:
        """Seconds of CPU that the server's processes worked."""
        return 0.0

    async def sizes(self, directory: Path) -> list[tuple[str, int]]:
        """The bytes of each part on the disk, the greatest first."""
        return [(path.name, path.stat().st_size) for path in directory.glob("isthmus.db*")]


class OnServer(Backend):
    """Each store in a schema of its own."""

    name = "postgres"

    def __init__(self, address: str) -> None:
        self.address = address
        self.pid = int(_stat(asyncio.run(self._ask(EVER))[0][0])[1])

    def store(self, directory: Path, key: bytes | None) -> PostgresStore:
        """A store that stands for a directory."""
        return InSchema(directory, key)

    async def now(self) -> Cost:
        """What was spent until now."""
        ((log,),) = await self._ask("SELECT pg_current_wal_insert_lsn() - '0/0'")
        return Cost(perf_counter(), process_time(), self.busy(), int(log))

    def busy(self) -> float:
        """Seconds of CPU that the server's processes worked; those of processes that have ended are their parent's."""
        every = [_stat(one.name) for one in Path("/proc").glob("[0-9]*")]
        living = [stat[11:13] for stat in every if stat and int(stat[1]) == self.pid]
        return sum(int(one) for stat in [*living, _stat(self.pid)[11:15]] for one in stat) / TICKS

    async def sizes(self, directory: Path) -> list[tuple[str, int]]:
        """The bytes of each part on the disk, all months of it together, the greatest first."""
        return [(part, size) for part, size in await self._ask(SIZES, f'"{postgres.name_of(directory)}"')]

    async def _ask(self, text: str, *parameters: object) -> Sequence[Any]:
        connection = await asyncpg.connect(f"{self.address}/postgres")
        try:
            found: Sequence[Any] = await connection.fetch(text, *parameters)
            return found
        finally:
            await connection.close()


def worked(pid: int) -> float:
    """Seconds of CPU that a process has worked."""
    return sum(map(int, _stat(pid)[11:13])) / TICKS


def _stat(pid: int | str) -> list[str]:
    """The fields of a process from its state on (proc(5)); none of one that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def less(after: Cost, before: Cost) -> Cost:
    """What was spent between two moments."""
    return Cost(*(getattr(after, name) - getattr(before, name) for name in Cost.__struct_fields__))


def more(one: Cost, other: Cost) -> Cost:
    """What both cost together."""
    return Cost(*(getattr(one, name) + getattr(other, name) for name in Cost.__struct_fields__))


@contextmanager
def server() -> Iterator[str]:
    """The address of a server, which is in the environment too."""
    if address := os.environ.get(ADDRESS):
        yield address
        return
    for one in postgres.started(**ROOM):
        os.environ[ADDRESS] = one.address
        try:
            yield one.address
        finally:
            del os.environ[ADDRESS]


@contextmanager
def backend(name: str) -> Iterator[Backend]:
    """A backend by its name, for as long as it is needed."""
    if name == "sqlite":
        yield Backend()
        return
    with server() as address:
        yield OnServer(address)
