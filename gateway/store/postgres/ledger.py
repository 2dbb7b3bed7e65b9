"""The chains of the audit, and the site files that messages were mapped with.

Each process has a chain of its own, from its start to its end, so that none waits for another's link; it is named by
the time of its start. Only the numbers by which readers follow the rows are of the whole store.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from gateway.store.postgres.database import Connection, Database, Fault, Row, Witness, told
from gateway.store.postgres.keeping import columns
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import this_month
from gateway.store.protocol import AuditRow, Conflict
from policies.audit import GENESIS, link

SQL = named("ledger.sql")


class Ledger(Database):
    """The store's verbs on audit and sites."""

    def __init__(self, url: str, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(url, key, *retired)
        self._chaining = asyncio.Lock()
        self._begin_chain()

    def _begin_chain(self) -> None:
        self._chain = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(6).hex()}"
        self._links, self._last = 0, GENESIS

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Append rows under one link of this process's chain."""
        async with self._linked(rows) as linked, self._write() as connection:
            await self._keep_audit(connection, rows, linked)

    @asynccontextmanager
    async def _linked(self, rows: Sequence[AuditRow]) -> AsyncIterator[bytes]:
        """The next link over these rows. The chain is held until it is known whether the link was kept; where that
        cannot be known, a new chain begins."""
        if not rows:
            yield b""
            return
        async with self._chaining:
            linked = link(self._last, [one.digest for one in rows])
            try:
                yield linked
            except BaseException as failure:
                if not isinstance(told(failure), Conflict | Fault):
                    self._begin_chain()
                raise
            self._links, self._last = self._links + 1, linked

    async def _keep_audit(self, connection: Connection, rows: Sequence[AuditRow], linked: bytes) -> Witness | None:
        """Write a link and its rows: what tells afterwards whether the transaction was kept. Without rows none does."""
        if not rows:
            return None
        audited = columns([self._audited(place, one) for place, one in enumerate(rows, 1)])
        place = (self._chain, self._links + 1)
        number = await connection.fetchval(SQL["add"], this_month(), *place, self._last, linked, *audited)
        return Witness(number, *place)

    def _audited(self, place: int, one: AuditRow) -> tuple[object, ...]:
        body = self.vault.seal(one.body, f"audit/{self._chain}/{self._links + 1}/{place}")
        return (one.at, one.tenant, one.actor, one.action, one.what, one.digest, body)

    async def audit_rows(self, tenant: str, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """A tenant's rows after a number, in order."""
        return [(row["n"], self._audit_row(row)) for row in await self._all(SQL["rows"], tenant, after, limit)]

    def _audit_row(self, row: Row) -> AuditRow:
        body = self.vault.unseal(row["body"], f"audit/{row['chain']}/{row['link']}/{row['place']}")
        kept = {name: row[name] for name in ("at", "tenant", "actor", "action", "what", "digest")}
        return AuditRow(**kept, body=body)

    async def audit_links(self) -> list[tuple[bytes, bytes, list[bytes]]]:
        """(previous, link, digests) of every chain, one after another; each begins at GENESIS."""
        links = groupby(await self._all(SQL["links"]), key=lambda row: row[:4])
        return [(previous, head, _digests(rows)) for (_, _, previous, head), rows in links]

    # -- site

    async def keep_site(self, digest: str, files: bytes) -> None:
        """Keep the files of a site under their hash."""
        if await self.site(digest) is None:
            await self._do(SQL["keep_site"], digest, self.vault.seal(files, f"site/{digest}"))

    async def site(self, digest: str) -> bytes | None:
        """The files of a site by their hash."""
        row = await self._one(SQL["site"], digest)
        return self.vault.unseal(row[0], f"site/{digest}") if row else None


def _digests(rows: Iterable[Row]) -> list[bytes]:
    """Those of a link's rows; of rows that were dropped there are none."""
    return [row["digest"] for row in rows if row["digest"] is not None]
