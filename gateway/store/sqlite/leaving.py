"""The embedded store as a source: one read transaction, so that everything is of one moment."""

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.store.keys import Digests
from gateway.store.moving.shape import InUse, Lot, Nothing, Row
from gateway.store.sqlite.database import DirectoryInUse, Unwritable, own
from gateway.store.sqlite.lot import packed, unpacked
from gateway.store.sqlite.messages import listed
from gateway.store.sqlite.named import migrations, named
from gateway.store.vault import Vault

SQL = named("leaving.sql")
LOT = 1 << 20  # bytes of bodies
ROWS = 1000


class SqliteSource:
    """A data directory, read as it is at one moment."""

    def __init__(self, directory: Path, key: bytes | None = None) -> None:
        self.directory = directory
        self.vault = Vault(key)
        self.digests: Digests
        self._owned = -1
        self._reader: sqlite3.Connection | None = None

    async def open(self, live: bool) -> None:
        """Hold the directory so that nobody begins meanwhile, or read beside the one who has it."""
        path = self.directory / "isthmus.db"
        if not path.exists():
            raise Nothing("there is no data here")
        try:
            self._owned = own(self.directory)
            is_alone = True
        except DirectoryInUse:
            is_alone = False
        except OSError as error:
            raise Unwritable(error.strerror) from None
        self._reader = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._reader.execute("PRAGMA query_only = ON")
        self._reader.execute("BEGIN")
        (schema,) = self._reader.execute("PRAGMA user_version").fetchone()
        if schema != migrations()[-1][0]:
            raise Nothing("the data is of another release: `isthmus migrate` brings it to this one")
        if not (is_alone or live or self._reader.execute(SQL["is_held"]).fetchone()):
            raise InUse("a gateway is running on this data")

    async def close(self) -> None:
        """Let go."""
        if self._reader:
            self._reader.close()
        if self._owned >= 0:
            os.close(self._owned)

    async def secret(self) -> tuple[bytes, bytes]:
        """The secret of the digests, sealed and open."""
        assert self._reader
        (sealed,) = self._reader.execute(SQL["digests"]).fetchone()
        secret = self.vault.unseal(sealed, "digests")
        self.digests = Digests(secret)
        return sealed, secret

    async def lots(self, table: str) -> AsyncIterator[Lot]:
        """The rows of a table, a bounded size of them at a time."""
        assert self._reader
        lot: Lot = []
        size = 0
        for row in self._reader.execute(SQL[table]):
            lot.append(self._message(row) if table == "messages" else row)
            size += len(row[-1]) if isinstance(row[-1], bytes) else 0
            if size >= LOT or len(lot) >= ROWS:
                yield lot
                lot, size = [], 0
        if lot:
            yield lot

    def _message(self, row: Row) -> list[object]:
        """A message without the keys that only lists of this backend are narrowed by."""
        _, tenant, feed, _, state, kind, event = row[:7]
        keys = unpacked(row[10]) - listed(self.digests, tenant, state, feed, event, kind)
        return [*row[:10], packed(sorted(keys)), *row[11:]]
