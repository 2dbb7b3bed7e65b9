"""A store to measure: in SQLite, or in PostgreSQL with a server of its own, whose processes and log are counted too."""

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
from tests.servers.postgres import Postgres
from tests.store_contract.conftest import InSchema

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = ("sqlite", "postgres")


class Cost(Struct):
    """Seconds, and bytes of the server's log."""

    wall: float = 0.0
    ours: float = 0.0  # of CPU, this process
    theirs: float = 0.0  # of CPU, the processes of the server
    log: int = 0

    def line(self, count: int) -> str:
        """What one of so many cost."""
        ours, theirs = (f"{spent / count * 1e6:,.0f} us" for spent in (self.ours, self.theirs))
        behind = f" and {theirs} of the server, {self.log / count / 1000:.1f} kB of its log" if self.theirs else ""
        return f"{count / self.wall:,.0f}/s; each {ours} of CPU{behind}"


class Backend:
    """Where stores are opened."""

    name = "sqlite"

    def store(self, directory: Path, key: bytes | None) -> Store:
        """A store that stands for a directory."""
        return SqliteStore(directory, key)

    def settings(self, directory: Path) -> dict[str, object]:
        """What a site says of it."""
        return {"path": str(directory)}

    async def now(self) -> Cost:
        """What was spent until now."""
        return Cost(perf_counter(), process_time(), self.cpu())

    def cpu(self) -> float:
        """Seconds that the server's processes worked."""
        return 0.0

    async def size(self, directory: Path) -> list[tuple[str, int]]:
        """The bytes of each part on the disk, the greatest first."""
        return [("the database", (directory / "isthmus.db").stat().st_size)]


class OnServer(Backend):
    """Each store in a schema of its own."""

    name = "postgres"

    def __init__(self, server: Postgres) -> None:
        self.server = server

    def store(self, directory: Path, key: bytes | None) -> PostgresStore:
        """A store that stands for a directory."""
        return InSchema(directory, key)

    def settings(self, directory: Path) -> dict[str, object]:
        """What a site says of it."""
        return {"database": postgres.url_of(directory)}

    async def now(self) -> Cost:
        """What was spent until now."""
        log = await self._ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return Cost(perf_counter(), process_time(), self.cpu(), int(log[0][0]))

    def cpu(self) -> float:
        """Seconds that the server's processes worked; those of processes that have ended are their parent's."""
        stats = [_stat(path) for path in Path("/proc").glob("[0-9]*/stat")]
        own = [stat[11:13] for stat in stats if stat and int(stat[1]) == self.server.pid]
        ended = [_stat(Path(f"/proc/{self.server.pid}/stat"))[11:15]]
        return sum(int(one) for stat in own + ended for one in stat) / TICKS

    async def size(self, directory: Path) -> list[tuple[str, int]]:
        """The bytes of each part on the disk, months together, the greatest first."""
        text = (
            "SELECT regexp_replace(c.relname, '_\\d{4}_\\d\\d', '') AS part, sum(pg_table_size(c.oid))::bigint AS size "
            "FROM pg_class c WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'i') "
            "GROUP BY 1 ORDER BY 2 DESC"
        )
        return [(row["part"], row["size"]) for row in await self._ask(text, f'"{postgres.name_of(directory)}"')]

    async def _ask(self, text: str, *parameters: object) -> Sequence[Any]:
        connection = await asyncpg.connect(f"{self.server.address}/postgres")
        try:
            found: Sequence[Any] = await connection.fetch(text, *parameters)
            return found
        finally:
            await connection.close()


def _stat(path: Path) -> list[str]:
    """The fields of a process from its state on (proc(5)); none of one that has ended."""
    try:
        return path.read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def less(after: Cost, before: Cost) -> Cost:
    """What was spent between two moments."""
    return Cost(*(getattr(after, name) - getattr(before, name) for name in Cost.__struct_fields__))


@contextmanager
def backend(name: str) -> Iterator[Backend]:
    """A backend by its name, for as long as it is needed."""
    if name == "sqlite":
        yield Backend()
        return
    for server in postgres.started():
        os.environ[postgres.ADDRESS] = server.address
        yield OnServer(server)
        del os.environ[postgres.ADDRESS]
