"""The shared store as a target: everything in one transaction; a mark before it keeps all others out.

An import that was killed leaves the mark and nothing else: another begins anew.
"""

from array import array
from collections.abc import Sequence
from contextlib import suppress

import asyncpg

from gateway.store.moving.shape import TABLES, InUse, Lot, NotEmpty, Row
from gateway.store.postgres.database import CONNECT_SECONDS, USING, Connection
from gateway.store.postgres.database import SQL as DATABASE
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import SHIFT, Partitions, make, month_of, month_of_id
from gateway.store.unusable import Unusable

SQL = named("arriving.sql")
MESSAGES = ("n", *TABLES["messages"][:8], "body", "raw")
RECOGNISED = ("digest", "hash", "received_at", "message", "n", "tenant", "feed", "type", "event")
LOT = 1024


class PostgresTarget:
    """A database that is filled."""

    def __init__(self, url: str, key: bytes | None = None) -> None:
        self.database = Partitions(url, key)
        self._connection: Connection = None
        self._order = 0
        self._months: set[int] = set()

    async def open(self, sealed: bytes) -> bytes:
        """Make the tables, see that they are empty and that the key fits, mark them, and begin."""
        vault = self.database.vault
        secret = vault.unseal(sealed, "digests")
        try:
            await self.database._judge()
            await self.database._migrate()
            self._connection = await asyncpg.connect(self.database.url, timeout=CONNECT_SECONDS)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as failure:
            raise Unusable(f"the database cannot be used ({type(failure).__name__})") from None
        try:
            await self._begin()
        except BaseException:
            await self._connection.close()
            raise
        return secret

    async def _begin(self) -> None:
        if await self._connection.fetchval(DATABASE["users"], USING):
            raise InUse("a gateway or another import is running on this data")
        await self._connection.execute(DATABASE["use"], USING)
        if await self._connection.fetchval(SQL["is_used"]):
            raise NotEmpty("there is data here already")
        await self._connection.execute(SQL["begin"])
        await self._connection.execute("BEGIN")
        await self._connection.execute(SQL["forget_secret"])

    async def put(self, table: str, rows: Lot) -> None:
        """Write rows in the form of this backend."""
        if table == "heads":
            await self._connection.executemany(SQL["head"], rows)
        elif table == "messages":
            await self._put_messages(rows)
        elif table == "purged":
            await self._put_purged(rows)
        elif table == "aside_messages":
            await self._connection.executemany(SQL[table], rows)
        elif table in ("events", "audit_rows"):
            await self._put_dated(table, rows)
        elif table == "records":
            status = TABLES[table].index("status")
            made = [(*row[:status], row[status] or "", *row[status + 1 :], 1) for row in rows]
            await self._copy(table, made, (*TABLES[table], "revision"))
        elif table == "deliveries":
            head = TABLES[table].index("head")
            waiting = [(*row[:head], bool(row[head]), *row[head + 1 :], 0, 0) for row in rows]
            await self._copy(table, waiting, (*TABLES[table], "lease_until", "fence"))
        else:
            await self._copy(table, rows, TABLES[table])

    async def _put_messages(self, rows: Lot) -> None:
        """Messages in their order within their months, what they are recognised by, and what they are found by."""
        await self._make({month_of_id(row[0]) or 0 for row in rows})
        numbered = self._numbered(rows)
        await self._copy("messages", [(n, *row[:8], *row[11:]) for n, row in numbered], MESSAGES)
        recognised = [(row[8], row[9], row[3], row[0], n, row[1], row[2], row[5], row[6]) for n, row in numbered]
        await self._copy("dedup", recognised, RECOGNISED)
        keys: Lot = [(n // LOT, digest, n) for n, row in numbered for digest in array("q", row[10])]
        await self._copy("message_keys", keys, ("lot", "digest", "message"))

    async def _put_purged(self, rows: Lot) -> None:
        """What messages that are no more are recognised by."""
        made = [(row[6], row[7], row[3], row[0], n, row[1], row[2], row[4], row[5]) for n, row in self._numbered(rows)]
        await self._copy("dedup", made, RECOGNISED)

    def _numbered(self, rows: Lot) -> list[tuple[int, Row]]:
        """Rows of messages with their places: in their order within their months."""
        months = [month_of_id(row[0]) or 0 for row in rows]
        places = [(month << SHIFT) + self._order + at for at, month in enumerate(months, 1)]
        self._order += len(rows)
        return list(zip(places, rows, strict=True))

    async def _put_dated(self, table: str, rows: Lot) -> None:
        """What is kept by months."""
        at = TABLES[table].index("at")
        months = [month_of(row[at]) for row in rows]
        await self._make(set(months))
        columns = TABLES[table]
        made: Lot = [(month, *row) for month, row in zip(months, rows, strict=True)]
        if table == "audit_rows":
            made = [(month, *self._audit_row(row)) for month, row in zip(months, rows, strict=True)]
            columns = tuple(one for one in columns if one != "sealed_for")
        await self._copy(table, made, ("month", *columns))

    def _audit_row(self, row: Row) -> Row:
        n, chain, link, place, *told, sealed_for, body = row
        vault = self.database.vault
        sealed = vault.seal(vault.unseal(body, sealed_for), f"audit/{chain}/{link}/{place}")
        return (n, chain, link, place, *told, sealed)

    async def _make(self, months: set[int]) -> None:
        if missing := sorted(months - self._months):
            await make(self._connection, missing)
            self._months.update(missing)

    async def _copy(self, table: str, rows: Sequence[Row], columns: tuple[str, ...]) -> None:
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)

    async def keep(self) -> None:
        """Commit, without the mark."""
        await self._connection.execute(SQL["message_order"], self._order)
        await self._connection.execute(SQL["record_order"])
        await self._connection.execute(SQL["end"])
        await self._connection.execute("COMMIT")
        await self._connection.close()

    async def undo(self) -> None:
        """Leave no row and no mark."""
        with suppress(Exception):
            await self._connection.execute("ROLLBACK")
            await self._connection.execute(SQL["end"])
            await self._connection.close()
