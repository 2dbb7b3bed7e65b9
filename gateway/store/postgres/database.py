"""The shared database: any number of processes, each with a pool of connections, failures in the words of the seam.

A write is durable when `_write` ends without an exception, and leaves no trace when it raises; where a connection
breaks in the middle of a commit, a new one asks how it ended. Sessions are set so that plans follow indexes whatever
the statistics say (a table that was empty when a plan was made may hold millions when it is used), that nobody who
hangs holds others for long, and that what was committed is on the disk. A link that hangs is cut (wakes.py).
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from weakref import WeakSet

import asyncpg

from gateway.store.keys import Digests
from gateway.store.moving.shape import Unfinished
from gateway.store.postgres.named import migrations, named
from gateway.store.protocol import Conflict, Unavailable
from gateway.store.unusable import Unusable
from gateway.store.vault import Vault
from policies.redact import log

Connection = Any  # asyncpg has no types
Row = Any  # a row: its columns by name and by place

SQL = named("database.sql")
OLDEST = 140_000  # PostgreSQL 14: partitions that leave without holding writers
IMPORTING = "importing"  # of `meta`: an import is under way, or was killed
USING = 0x15742  # the lock, with the schema, of every process that works on a store
SCHEMA = 0x15741  # the lock of who changes the schema
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
MOST_CONNECTIONS = 10  # of a process that does everything, beside the one that listens
NOT_FOR_READING = 3  # these are for units and for what people change, however many read
SESSION = {
    "application_name": "isthmus",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

CONTESTED = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
BROKEN = (
    OSError,
    ssl.SSLError,
    asyncpg.PostgresConnectionError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # the server spoke out of turn, as it does when it goes, and the driver lost track
)
BARRED = (
    TimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
TEXT = (asyncpg.DataError, asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


class Fault(Exception):
    """A fault of ours that the database refused: the class of its error, never its text, which quotes rows."""


class Database:
    """What all parts of the store share: the pool, the transaction, and the vault."""

    def __init__(self, url: str, key: bytes | None = None, *retired: bytes) -> None:
        self.url = url
        self.vault = Vault(key, *retired)
        self.digests: Digests
        self.locks = 0  # how many advisory locks all processes may hold together
        self._turn = asyncio.Lock()
        self.most = MOST_CONNECTIONS
        self._readers: asyncio.Semaphore
        self._pool: Any = None
        self._connections: WeakSet[Connection] = WeakSet()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def most_locks(self) -> int:
        """How many things a unit holds one by one; of more it takes all there are, or the server had no room."""
        return max(64, self.locks // 8)

    async def open(self) -> None:
        """Connect, judge the server, bring the schema up to date, make sure of the site key."""
        self._readers = asyncio.Semaphore(self.most - NOT_FOR_READING)
        try:
            settings = await self._judge()
            await self._migrate()
            self._pool = await asyncpg.create_pool(
                self.url,
                min_size=1,
                max_size=self.most,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=500,
                max_cached_statement_lifetime=0,
                server_settings=SESSION | settings,
                init=self._connected,
                reset=_nothing,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as failure:
            raise Unusable(f"the database cannot be used ({_class(failure)})") from None
        try:
            await self._unlock()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let what is being written finish, then let go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._pool is not None:
            async with self._turn:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._pool.close(), 10)
                self._pool.terminate()

    async def _judge(self) -> dict[str, str]:
        """Refuse a server that cannot keep what is promised; settings that it needs to keep it."""
        connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
        try:
            server = await connection.fetchrow(SQL["server"])
        finally:
            await connection.close()
        if server["version"] < OLDEST:
            raise Unusable("the database is older than PostgreSQL 14")
        if server["encoding"] != "UTF8":
            raise Unusable("the database is not encoded in UTF8")
        if server["standby"]:
            raise Unusable("the database is a standby, which cannot be written")
        if "off" in (server["fsync"], server["full_pages"]):
            raise Unusable("the database runs without fsync or full_page_writes, and could lose what was acknowledged")
        self.locks = server["locks"]
        return {"synchronous_commit": "on"} if server["durable"] == "off" else {}

    async def _migrate(self) -> None:
        """Run the migrations that this database has not seen, in one transaction, one process at a time."""
        connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS)
        try:
            async with connection.transaction():
                await connection.execute(SQL["alone"], SCHEMA)
                if not await connection.fetchval(SQL["schema"]):
                    await connection.execute(SQL["begin_schema"])
                current = await connection.fetchval(SQL["current"])
                known = migrations()
                if current > known[-1][0]:
                    raise Unusable(f"the database is of schema {current}, this release knows {known[-1][0]}")
                for number, script in known:
                    if number > current:
                        await connection.execute(script)
                        await connection.execute(SQL["migrated"], number)
        finally:
            await connection.close()

    async def _unlock(self) -> None:
        """Make sure of the site key, and bring out the secret of the digests; the first process makes it."""
        if await self._all(SQL["meta"], IMPORTING):
            raise Unfinished
        await self._do(SQL["add_meta"], "digests", self.vault.seal(os.urandom(32), "digests"))
        kept = (await self._all(SQL["meta"], "digests"))[0][0]
        secret = self.vault.unseal(kept, "digests")
        if not self.vault.is_current(kept):
            await self._do(SQL["put_meta"], "digests", self.vault.seal(secret, "digests"), kept)
        self.digests = Digests(secret)

    async def _connected(self, connection: Connection) -> None:
        self._connections.add(connection)

    def _cut(self) -> None:
        """Drop every connection: whoever waits for an answer on one hears at once that there will be none."""
        for connection in list(self._connections):
            connection.terminate()

    def _keep_doing(self, work: Callable[[], Awaitable[None]], rest: float, failed: str) -> None:
        """Do something beside all else, until the store is closed."""
        self._tasks.append(asyncio.create_task(_for_ever(work, rest, failed)))

    # -- reads

    async def _all(self, sql: str, *parameters: object) -> list[Row]:
        """Every row of a read; one whose connection breaks is repeated on another."""
        try:
            return await self._reading(sql, parameters)
        except Unavailable as failure:
            if not is_broken(failure):
                raise
        return await self._reading(sql, parameters)

    async def _reading(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        try:
            async with self._readers, self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                try:
                    rows: list[Row] = await connection.fetch(sql, *parameters)
                except BROKEN:
                    connection.terminate()  # else the next who takes it is told the same
                    raise
                return rows
        except TEXT as failure:
            if _has_strange_text(parameters):
                return []  # what cannot be kept is found nowhere
            raise told(failure) from None
        except Exception as failure:
            raise told(failure) from None

    async def _one(self, sql: str, *parameters: object) -> Row | None:
        """The first row of a read."""
        rows = await self._all(sql, *parameters)
        return rows[0] if rows else None

    # -- writes

    async def _do(self, sql: str, *parameters: object) -> int:
        """One statement as a transaction of its own; how many rows it touched."""
        async with self._write() as connection:
            return await count(connection, sql, *parameters)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Connection]:
        """A connection in one transaction, durable at the end; Conflict and Unavailable mean that nothing was kept."""
        transaction = Transaction(self)
        try:
            yield await transaction.begin()
            await transaction.commit()
        except BaseException as failure:
            await transaction.undo(failure)
            raise told(failure) from None
        finally:
            await transaction.leave()

    async def _was_kept(self, witness: "Witness") -> bool:
        """Whether a transaction was kept whose connection broke while it committed; no, where nobody can tell."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                while True:
                    with suppress(Unavailable):
                        found = await self._one(SQL["outcome"], *witness)
                        if found and (found["is_kept"] or not found["is_under_way"]):
                            return bool(found["is_kept"])
                    await asyncio.sleep(0.1)
        return False


class Witness(NamedTuple):
    """A link of the audit that a transaction wrote and nobody else could: where it is, the transaction was kept."""

    transaction: str  # the xid, as text
    chain: str
    link: int


class Transaction:
    """One transaction on a connection of the pool, from `begin` to `leave`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.witness: Witness | None = None  # what tells how it ended, once it is written
        self._connection: Connection = None

    async def begin(self, also: str = "") -> Connection:
        """Take a connection and begin; a connection that turns out to be broken is replaced once."""
        for _ in range(2):
            try:
                if self._connection is None:
                    self._connection = await self.database._pool.acquire(timeout=CONNECT_SECONDS)
                await self._connection.execute(f"BEGIN; {also}")
                return self._connection
            except Exception as failure:
                broken = told(failure)
            await self.undo(broken)
            await self.leave()
            if not is_broken(broken):
                break
        raise broken from None

    async def commit(self) -> None:
        """Commit. Who is cancelled waits all the same: the connection is not free before the commit has ended."""
        ending = asyncio.ensure_future(self._connection.execute("COMMIT"))
        cancelled: asyncio.CancelledError | None = None
        while not ending.done():
            try:
                await asyncio.wait([ending])
            except asyncio.CancelledError as error:
                cancelled = error
        try:
            await self._committed(ending)
        finally:
            if cancelled:
                raise cancelled

    async def _committed(self, ending: asyncio.Future[str]) -> None:
        """Nothing where a commit that has ended was one, as far as can be found out."""
        try:
            if ending.result() != "COMMIT":
                raise Conflict("a statement had failed")
        except (*BROKEN, *BARRED, asyncpg.InterfaceError) as failure:
            if self.witness is None or not await self.database._was_kept(self.witness):
                raise told(failure) from None

    async def undo(self, failure: BaseException | None = None) -> None:
        """Roll back, or drop the connection where that cannot be said: then the server does.

        Who is cancelled may have been so in the middle of a statement, even of the one that begins.
        """
        connection = self._connection
        if connection is None:
            return
        with suppress(Exception):  # a connection that is lost has no state to be asked about
            if failure is None or (isinstance(failure, Exception) and not is_broken(told(failure))):
                if connection.is_in_transaction():
                    await connection.execute("ROLLBACK", timeout=CONNECT_SECONDS)
                return
        with suppress(Exception):
            connection.terminate()

    async def leave(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                await self.database._pool.release(connection, timeout=CONNECT_SECONDS)


async def _nothing(connection: Connection) -> None:
    """Between two users of a connection nothing needs to be put back: no session setting is ever changed."""


async def count(connection: Connection, sql: str, *parameters: object) -> int:
    """Execute, and how many rows were touched."""
    return int((await connection.execute(sql, *parameters)).rpartition(" ")[2])


def told(failure: BaseException) -> BaseException:
    """The database's own failure in the words of the seam; what is a fault of ours names its class only."""
    if isinstance(failure, CONTESTED):
        return Conflict("kept by another writer")
    if isinstance(failure, TEXT):
        return Fault(_class(failure))
    if isinstance(failure, BARRED):
        return Unavailable(_class(failure))
    if isinstance(failure, BROKEN) or _is_closed(failure):
        return Unavailable(_class(failure), "broken")
    if isinstance(failure, asyncpg.PostgresError | asyncpg.InterfaceError):
        return Fault(_class(failure))
    return failure


def _is_closed(failure: BaseException) -> bool:
    """Whether the driver says that a connection is no more; it has one class for that and for every misuse of it."""
    return isinstance(failure, asyncpg.InterfaceError) and any(word in str(failure) for word in ("clos", "released"))


def is_broken(failure: BaseException) -> bool:
    """Whether it was the connection that failed, so that another one may do."""
    return isinstance(failure, Unavailable) and failure.args[1:] == ("broken",)


def _class(failure: BaseException) -> str:
    return type(failure).__name__


def _has_strange_text(parameters: tuple[object, ...]) -> bool:
    """Whether a text has what PostgreSQL cannot keep: a NUL, or half of a surrogate pair."""
    texts: list[str] = []
    for one in parameters:
        texts += [text for text in (one if isinstance(one, list | tuple) else (one,)) if isinstance(text, str)]
    return any("\0" in text or text != text.encode(errors="ignore").decode() for text in texts)


async def _for_ever(work: Callable[[], Awaitable[None]], rest: float, failed: str) -> None:
    """Do something again and again; a failure is logged once, until it succeeds again."""
    failing = False
    while True:
        try:
            await work()
            failing = False
        except Exception as error:
            if not failing:
                log(failed, level="warning", error=told(error))
            failing = True
        await asyncio.sleep(rest)
