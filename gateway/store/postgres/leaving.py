"""The shared store as a source: one transaction that sees everything as it was at its first statement."""

from array import array
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from gateway.store.moving.shape import InUse, Lot, Nothing, Row
from gateway.store.postgres.database import CONNECT_SECONDS, USING, Connection
from gateway.store.postgres.database import SQL as DATABASE
from gateway.store.postgres.named import migrations, named
from gateway.store.unusable import Unusable
from gateway.store.vault import Vault

SQL = named("leaving.sql")
ROWS = 500
LOT = 1024


class PostgresSource:
    """A database, read as it is at one moment."""

    def __init__(self, url: str, key: bytes | None = None) -> None:
        self.url = url
        self.vault = Vault(key)
        self._connection: Connection = None
        self._lot = -1
        self._keys: dict[int, list[int]] = {}

    async def open(self, live: bool) -> None:
        """Connect and begin."""
        try:
            self._connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS)
            connection = self._connection
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if not await connection.fetchval(DATABASE["schema"]):
                raise Nothing("there is no data here")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as failure:
            raise Unusable(f"the database cannot be used ({type(failure).__name__})") from None
        if await connection.fetchval(DATABASE["current"]) != migrations()[-1][0]:
            raise Nothing("the data is of another release: `isthmus migrate` brings it to this one")
        is_used = await connection.fetchval(DATABASE["users"], USING)
        if is_used and not live and not await connection.fetchval(SQL["is_held"]):
            raise InUse("a gateway is running on this data")

    async def close(self) -> None:
        """Let go."""
        if self._connection is not None:
            await self._connection.close()

    async def secret(self) -> tuple[bytes, bytes]:
        """The secret of the digests, sealed and open."""
        sealed = await self._connection.fetchval(SQL["digests"])
        return sealed, self.vault.unseal(sealed, "digests")

    async def lots(self, table: str) -> AsyncIterator[Lot]:
        """The rows of a table, some at a time."""
        cursor: Any = await self._connection.cursor(SQL[table])
        while rows := await cursor.fetch(ROWS):
            if table == "messages":
                yield [await self._message(row) for row in rows]
            else:
                yield [tuple(row) for row in rows]

    async def _message(self, row: Row) -> Row:
        """A message with its keys, which are read lot by lot."""
        n = row[10]
        if n // LOT != self._lot:
            self._lot = n // LOT
            keys: defaultdict[int, list[int]] = defaultdict(list)
            for message, digest in await self._connection.fetch(SQL["message_keys"], self._lot):
                keys[message].append(digest)
            self._keys = keys
        return (*row[:10], array("q", self._keys.get(n, [])).tobytes(), *row[11:])
