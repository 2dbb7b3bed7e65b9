"""The audit chain, and the site files that messages were mapped with."""

import sqlite3
from collections.abc import Sequence
from itertools import groupby

from gateway.store.protocol import AuditRow
from gateway.store.sqlite.database import Database, Row
from gateway.store.sqlite.named import named
from policies.audit import GENESIS, link

SQL = named("ledger.sql")


class Ledger(Database):
    """The store's verbs on audit and sites."""

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Append rows under one link of the chain."""
        async with self._write() as writer:
            self._keep_audit(writer, rows)

    async def audit_rows(self, tenant: str, after: int, limit: int) -> list[tuple[int, AuditRow]]:
        """A tenant's rows after a number, in order."""
        return [(row[0], self._audit_row(row)) for row in await self._search(SQL["rows"], (tenant, after, limit))]

    async def audit_links(self) -> list[tuple[bytes, bytes, list[bytes]]]:
        """(previous, link, digests) of the whole chain, for verification."""
        links = groupby(await self._search(SQL["links"]), key=lambda row: row[:3])
        return [(previous, head, [row[3] for row in rows if row[3] is not None]) for (_, previous, head), rows in links]

    def _keep_audit(self, writer: sqlite3.Connection, rows: Sequence[AuditRow]) -> None:
        if not rows:
            return
        number, previous = writer.execute(SQL["head"]).fetchone() or (0, GENESIS)
        writer.execute(SQL["add_link"], (number + 1, previous, link(previous, [one.digest for one in rows])))
        (last,) = writer.execute(SQL["last"]).fetchone()
        writer.executemany(SQL["add_row"], [self._audited(n, number + 1, one) for n, one in enumerate(rows, last + 1)])

    def _audited(self, n: int, number: int, one: AuditRow) -> tuple[object, ...]:
        body = self.vault.seal(one.body, f"audit/{n}")
        return (n, number, one.at, one.tenant, one.actor, one.action, one.what, one.digest, body)

    def _audit_row(self, row: Row) -> AuditRow:
        n, at, tenant, actor, action, what, digest, sealed = row
        body = self.vault.unseal(sealed, f"audit/{n}")
        return AuditRow(at=at, tenant=tenant, actor=actor, action=action, what=what, body=body, digest=digest)

    # -- site

    async def keep_site(self, digest: str, files: bytes) -> None:
        """Keep the files of a site under their hash."""
        if await self.site(digest) is None:
            async with self._write() as writer:
                writer.execute(SQL["keep_site"], (digest, self.vault.seal(files, f"site/{digest}")))

    async def site(self, digest: str) -> bytes | None:
        """The files of a site by their hash."""
        row = self._one(SQL["site"], (digest,))
        return self.vault.unseal(row[0], f"site/{digest}") if row else None
