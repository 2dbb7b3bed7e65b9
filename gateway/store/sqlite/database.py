"""The embedded database: one process owns the directory, one connection writes, another reads beside it.

A write is durable (`synchronous=FULL`, WAL) when `_write` ends without an exception, and leaves no trace when it
raises. Statements run inline on the event loop, where they take microseconds; only the commit, which waits for the
disk, runs in a thread, so that the loop goes on decoding meanwhile. A search that turns out to walk far is given to a
thread too.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.store.keys import Digests
from gateway.store.moving.shape import Unfinished
from gateway.store.protocol import Conflict, Unavailable
from gateway.store.sqlite.named import migrations
from gateway.store.vault import Vault

Row = tuple[Any, ...]  # what a SELECT gives: its columns are as the statement names them
Parameters = Sequence[object] | Mapping[str, object]

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA wal_autocheckpoint = 8192",  # 32 MiB: a page that many groups change goes to its place once
    "PRAGMA cache_size = -65536",
    "PRAGMA mmap_size = 1073741824",
    "PRAGMA busy_timeout = 100",
)
PATIENCE = 0.002  # seconds that a search may hold the loop
TAKEN = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
BUG = sqlite3.SQLITE_ERROR  # SQL that is wrong: no state of the database, but a fault of ours
BARRED = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
)
IMPORTING = "importing.db"  # stands beside the database while an import is under way, also after one that was killed
STEPS = 2000  # between two looks at the clock


class DirectoryInUse(Exception):
    """Another process owns the data directory."""


class Unwritable(Exception):
    """The data directory cannot be made, locked or written; the text is the system's reason."""


class Late(Unavailable):
    """A read that walked too far inline was broken off; it may be begun again where it holds nobody up."""


class NewerSchema(Exception):
    """The data directory was written by a newer release; this one cannot read it."""


class Database:
    """What all parts of the store share: the connections, the writer's turn, and the vault."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        self.directory = directory
        self.vault = Vault(key, *retired)
        self.digests: Digests
        self._turn = asyncio.Lock()
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isthmus-commit")
        self._searcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isthmus-search")
        self._writer: sqlite3.Connection
        self._reader: sqlite3.Connection
        self._patient: sqlite3.Connection
        self._deadline = inf
        self._owned = -1

    async def open(self) -> None:
        """Own the directory, bring the schema up to date, connect."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._owned = own(self.directory)
        except OSError as error:
            raise Unwritable(error.strerror) from None
        try:
            if (self.directory / IMPORTING).exists():
                raise Unfinished
            self._writer = self._connect()
            migrate(self._writer)
            self._unlock()
            self._reader, self._patient = self._connect(), self._connect()
            for connection in (self._reader, self._patient):
                connection.execute("PRAGMA query_only = ON")
            self._reader.set_progress_handler(self._is_late, STEPS)
        except BaseException as error:
            os.close(self._owned)
            if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in BARRED:
                raise Unwritable(str(error)) from None
            raise

    def _unlock(self) -> None:
        """Make sure of the site key, and bring out the secret of the digests; both are made when the store is new."""
        kept = dict(self._writer.execute("SELECT name, value FROM meta WHERE name = 'digests'").fetchall())
        secret = self.vault.unseal(kept["digests"], "digests") if kept else os.urandom(32)
        if not kept or not self.vault.is_current(kept["digests"]):
            sealed = self.vault.seal(secret, "digests")
            self._writer.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('digests', ?)", (sealed,))
        self.digests = Digests(secret)

    def _is_late(self) -> bool:
        return monotonic() > self._deadline

    async def close(self) -> None:
        """Let the last commit finish, then let go."""
        async with self._turn:
            self._committer.shutdown()
            self._searcher.shutdown()
            for connection in (self._reader, self._patient, self._writer):
                connection.close()
            os.close(self._owned)

    def _connect(self) -> sqlite3.Connection:
        path = self.directory / "isthmus.db"
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
        for pragma in PRAGMAS:
            connection.execute(pragma)
        return connection

    def _one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a read, inline."""
        rows = self._all(sql, parameters)
        return rows[0] if rows else None

    def _all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a read, inline: for statements that an index bounds."""
        return _rows(self._reader, sql, parameters)

    def _at_turn(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a read, for who has the writer's turn: the writer knows the pages that it wrote, while a reader
        forgets all of its own with each commit."""
        return _rows(self._writer, sql, parameters)

    async def _search(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a read that may walk far: inline while it is quick, begun again in a thread when it is not."""
        self._deadline = monotonic() + PATIENCE
        try:
            return self._all(sql, parameters)
        except Late:
            pass
        finally:
            self._deadline = inf
        return await asyncio.get_running_loop().run_in_executor(self._searcher, _rows, self._patient, sql, parameters)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[sqlite3.Connection]:
        """The writer in one transaction, durable at the end; Conflict and Unavailable mean that nothing was kept."""
        async with self._turn, self._transaction() as writer:
            yield writer

    @asynccontextmanager
    async def _transaction(self, kept: Callable[[], None] | None = None) -> AsyncIterator[sqlite3.Connection]:
        """As `_write`, for who has the writer's turn already; `kept` is called once it is durable."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            yield self._writer
            await self._commit(kept)
        except BaseException as failure:
            if self._writer.in_transaction:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            if isinstance(failure, sqlite3.Error):
                raise told(failure) from None
            raise

    async def _commit(self, kept: Callable[[], None] | None) -> None:
        """Commit in the thread. Who is cancelled waits all the same: the writer is not free before the commit ended,
        and what was kept is known before anyone reads again.
        """
        ending = asyncio.get_running_loop().run_in_executor(self._committer, self._writer.execute, "COMMIT")
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.wait([ending])
            except asyncio.CancelledError as error:
                cancelled = error
        ending.result()
        if kept:
            kept()
        if cancelled:
            raise cancelled


def _rows(connection: sqlite3.Connection, sql: str, parameters: Parameters) -> list[Row]:
    try:
        return connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as failure:
        raise told(failure) from None


def told(failure: sqlite3.Error) -> Exception:
    """The database's own failure in the words of the seam; what is a fault of ours stays as it is."""
    if isinstance(failure, sqlite3.IntegrityError):
        return Conflict("kept by another writer") if failure.sqlite_errorcode in TAKEN else failure
    if isinstance(failure, sqlite3.OperationalError) or type(failure) is sqlite3.DatabaseError:
        if failure.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return Late(failure.sqlite_errorname)
        return Unavailable(failure.sqlite_errorname) if failure.sqlite_errorcode != BUG else failure
    return failure


def own(directory: Path) -> int:
    """Take the directory's lock, which the operating system lets go of when the process ends, however it ends."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DirectoryInUse(f"another Isthmus owns {directory}") from None
    return handle


def migrate(writer: sqlite3.Connection) -> None:
    """Run the migrations that this database has not seen, each in a transaction of its own."""
    (current,) = writer.execute("PRAGMA user_version").fetchone()
    known = migrations()
    if current > known[-1][0]:
        raise NewerSchema(f"the data directory is of schema {current}, this release knows {known[-1][0]}")
    for number, script in known:
        if number > current:
            writer.executescript(f"BEGIN IMMEDIATE; {script}\n; PRAGMA user_version = {number}; COMMIT;")
