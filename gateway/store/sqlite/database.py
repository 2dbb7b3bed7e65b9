"""The embedded database: one process owns the directory, one connection writes, another reads beside it.

A write is durable (`synchronous=FULL`, WAL) when `_write` ends without an exception, and leaves no trace when it
raises. Statements run inline on the event loop, where they take microseconds; only the commit, which waits for the
disk, runs in a thread, so that the loop goes on decoding meanwhile.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.store.protocol import Conflict, Unavailable
from gateway.store.sqlite.named import migrations
from gateway.store.vault import Vault

Row = tuple[Any, ...]  # what a SELECT gives: its columns are as the statement names them

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA mmap_size = 1073741824",
    "PRAGMA busy_timeout = 2000",
)


class DirectoryInUse(Exception):
    """Another process owns the data directory."""


class NewerSchema(Exception):
    """The data directory was written by a newer release; this one cannot read it."""


class Database:
    """What all parts of the store share: the connections, the writer's turn, and the vault."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        self.directory = directory
        self.vault = Vault(key, *retired)
        self._turn = asyncio.Lock()
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isthmus-commit")
        self._writer: sqlite3.Connection
        self._reader: sqlite3.Connection
        self._owned = -1

    async def open(self) -> None:
        """Own the directory, bring the schema up to date, connect."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._owned = _own(self.directory)
        try:
            self._writer = self._connect()
            _migrate(self._writer)
            self._reader = self._connect()
            self._reader.execute("PRAGMA query_only = ON")
        except BaseException:
            os.close(self._owned)
            raise

    async def close(self) -> None:
        """Let the last commit finish, then let go."""
        async with self._turn:
            self._committer.shutdown()
            self._reader.close()
            self._writer.close()
            os.close(self._owned)

    def _connect(self) -> sqlite3.Connection:
        path = self.directory / "isthmus.db"
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    def _one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row of a read, inline."""
        row: Row | None = self._reader.execute(sql, parameters).fetchone()
        return row

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Every row of a read, inline: for statements that an index bounds."""
        return self._reader.execute(sql, parameters).fetchall()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[sqlite3.Connection]:
        """The writer inside one transaction, durable at the end; Conflict and Unavailable mean that nothing was kept."""
        async with self._turn:
            with told(self._writer):
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await self._commit()

    async def _commit(self) -> None:
        """Commit in the thread. A cancelled caller waits all the same: the writer may not be used before it ended."""
        done = asyncio.get_running_loop().run_in_executor(self._committer, self._writer.execute, "COMMIT")
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            with suppress(sqlite3.Error):
                await done
            raise


@contextmanager
def told(writer: sqlite3.Connection) -> Iterator[None]:
    """Roll back whatever fails inside, and tell the database's own failures in the words of the seam."""
    try:
        yield
    except BaseException as failure:
        if writer.in_transaction:
            with suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
        if isinstance(failure, sqlite3.IntegrityError):
            raise Conflict("kept by another writer") from None
        if isinstance(failure, sqlite3.Error):
            raise Unavailable(failure.sqlite_errorname) from None
        raise


def _own(directory: Path) -> int:
    """Take the directory's lock, which the operating system lets go of when the process ends, however it ends."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DirectoryInUse(f"another Isthmus owns {directory}") from None
    return handle


def _migrate(writer: sqlite3.Connection) -> None:
    """Run the migrations that this database has not seen, each in a transaction of its own."""
    (current,) = writer.execute("PRAGMA user_version").fetchone()
    known = migrations()
    if current > known[-1][0]:
        raise NewerSchema(f"the data directory is of schema {current}, this release knows {known[-1][0]}")
    for number, script in known:
        if number > current:
            writer.executescript(f"BEGIN IMMEDIATE; {script}\n; PRAGMA user_version = {number}; COMMIT;")
