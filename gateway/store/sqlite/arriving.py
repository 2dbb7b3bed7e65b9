"""The embedded store as a target: a database is made beside, and takes its place when it is whole.

As long as that stands there, an import has not ended: nobody opens the directory, and another import begins anew.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from gateway.store.keys import Digests
from gateway.store.moving.shape import InUse, Lot, NotEmpty, Row
from gateway.store.sqlite.database import IMPORTING, DirectoryInUse, Unwritable, migrate, own
from gateway.store.sqlite.lot import LOT, in_index, packed, unpacked
from gateway.store.sqlite.messages import listed
from gateway.store.sqlite.named import named
from gateway.store.vault import Vault

SQL = named("arriving.sql")
# Until the end nothing has to survive: what was begun is thrown away.
PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -131072", "temp_store = MEMORY")


class SqliteTarget:
    """A data directory that is filled."""

    def __init__(self, directory: Path, key: bytes | None = None) -> None:
        self.directory = directory
        self.vault = Vault(key)
        self.digests: Digests
        self._beside = directory / IMPORTING
        self._owned = -1
        self._writer: sqlite3.Connection
        self._last = 0
        self._links: dict[tuple[str, int], int] = {}
        self._head = 0
        self._open: dict[int, frozenset[int]] = {}  # the messages of the lot that is not full

    async def open(self, sealed: bytes) -> bytes:
        """Own the directory, see that it is empty and that the key fits, and begin beside it."""
        secret = self.vault.unseal(sealed, "digests")
        self.digests = Digests(secret)
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._owned = own(self.directory)
        except DirectoryInUse:
            raise InUse("a gateway is running on this data") from None
        except OSError as error:
            raise Unwritable(error.strerror) from None
        try:
            self._must_be_empty()
        except BaseException:
            os.close(self._owned)
            raise
        self._beside.unlink(missing_ok=True)
        self._writer = sqlite3.connect(self._beside, isolation_level=None)
        for pragma in PRAGMAS:
            self._writer.execute(f"PRAGMA {pragma}")
        migrate(self._writer)
        self._writer.execute("BEGIN")
        return secret

    def _must_be_empty(self) -> None:
        path = self.directory / "isthmus.db"
        if not path.exists():
            return
        with closing(sqlite3.connect(path, isolation_level=None)) as there:
            migrate(there)
            if there.execute(SQL["is_used"]).fetchone()[0]:
                raise NotEmpty("there is data here already")

    async def put(self, table: str, rows: Lot) -> None:
        """Write rows in the form of this backend."""
        if table == "heads":
            self._head = dict(map(tuple, rows))["events"]
        elif table == "messages":
            self._put_messages(rows)
        elif table == "purged":
            self._writer.executemany(SQL[table], [(n, *row) for n, row in enumerate(rows, self._last + 1)])
            self._last += len(rows)
        else:
            made = {"audit_links": self._link, "audit_rows": self._audit_row}.get(table)
            self._writer.executemany(SQL[table], [made(row) for row in rows] if made else rows)

    def _put_messages(self, rows: Lot) -> None:
        """Messages in their order, and the keys of each lot that is full."""
        made = []
        for row in rows:
            self._last += 1
            if self._last % LOT == 0 and self._open:
                self._writer.executemany(SQL["message_keys"], in_index(self._last // LOT - 1, self._open.items()))
                self._open = {}
            _, tenant, feed, _, state, kind, event = row[:7]
            digests = unpacked(row[10]) | listed(self.digests, tenant, state, feed, event, kind)
            self._open[self._last] = digests
            made.append((self._last, *row[:10], packed(digests), *row[11:]))
        self._writer.executemany(SQL["messages"], made)

    def _link(self, row: Row) -> Row:
        """A link in one count for all chains, which follow one another."""
        chain, number, previous, link = row
        self._links[chain, number] = place = len(self._links) + 1
        return (place, previous, link)

    def _audit_row(self, row: Row) -> Row:
        n, chain, link, _, at, tenant, actor, action, what, digest, sealed_for, body = row
        sealed = self.vault.seal(self.vault.unseal(body, sealed_for), f"audit/{n}")
        return (n, self._links[chain, link], at, tenant, actor, action, what, digest, sealed)

    async def keep(self) -> None:
        """Give the database its place, once it is on the disk."""
        self._writer.execute(SQL["forget_head"])
        self._writer.execute(SQL["head"], (self._head,))
        self._writer.execute("COMMIT")
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.close()
        flush(self._beside)
        for ending in ("", "-wal", "-shm"):
            (self.directory / f"isthmus.db{ending}").unlink(missing_ok=True)
        self._beside.rename(self.directory / "isthmus.db")
        flush(self.directory)
        os.close(self._owned)

    async def undo(self) -> None:
        """Throw away what was begun."""
        with suppress(sqlite3.Error, OSError):
            self._writer.close()
            self._beside.unlink(missing_ok=True)
        with suppress(OSError):
            os.close(self._owned)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
