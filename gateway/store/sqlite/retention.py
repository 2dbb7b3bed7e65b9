"""What is taken away when its time is over: a few rows in each transaction, so that no commit waits long behind one.

The space is used again by what comes; the file gets no smaller.
"""

import sqlite3

from gateway.store.protocol import Contents, Hold, Kept
from gateway.store.sealing import HOLDS, emptied, is_of, packed_copy, unpacked_copy
from gateway.store.sqlite.feed import Feed
from gateway.store.sqlite.lot import LOT, packed, unpacked
from gateway.store.sqlite.messages import Messages
from gateway.store.sqlite.named import named

SQL = named("retention.sql")


class Retention(Messages, Feed):
    """The store's verbs on what goes and what is kept aside."""

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes, or its copy where it was taken away."""
        found = await super().message(tenant, identity)
        if found is not None and found.purged_at is None:
            return found
        row = self._one(SQL["aside"], (identity, tenant))
        return unpacked_copy(self.vault, identity, row[0]) if row else found

    async def purge(self, what: Contents, after: int, before: int, now: int, limit: int) -> tuple[int, int]:
        """See the protocol."""
        rows = [row for row in self._all(SQL["next"], (after, limit))]
        old = rows[: next((place for place, row in enumerate(rows) if row[4] >= before), len(rows))]
        chosen = [row for row in old if is_of(what, row[2], row[3], row[5], row[6])]
        keys: dict[int, frozenset[int]] = {}
        async with self._turn, self._transaction(lambda: self._newest.learn(keys)) as writer:
            for row in chosen:
                kept = self._body(row[1], row[7])
                if kept.purged_at is None:
                    keys[row[0]] = self._empty(writer, row[0], emptied(kept, now), unpacked(row[8]))
        return (old[-1][0] if old else after), len(keys)

    def _empty(self, writer: sqlite3.Connection, n: int, kept: Kept, before: frozenset[int]) -> frozenset[int]:
        """Write a message that is empty now; what it is still found by."""
        now = self._key_digests(kept, {})
        raw = self.vault.seal(b"", f"{kept.id}/raw")
        if n // LOT < self._newest.number:
            self._reindex(writer, n, before, now)
        writer.execute(SQL["empty"], (self._seal_body(kept), raw, packed(now), n))
        return now

    async def drop_messages(self, before: int, limit: int) -> int:
        """See the protocol. A lot goes when all of it is old; the newest one stays, since row numbers go on from it."""
        oldest = self._one(SQL["oldest"])
        lot = oldest[0] // LOT if oldest else self._newest.number
        if lot >= self._newest.number:
            return 0
        span = (lot * LOT, (lot + 1) * LOT)
        last = self._one(SQL["lot_end"], span)
        if last is None or last[0] >= before:
            return 0
        async with self._write() as writer:
            dropped = writer.execute(SQL["drop_messages"], (*span, limit)).rowcount
            if dropped < limit:
                writer.execute(SQL["drop_keys"], (lot,))
        return dropped

    async def drop_events(self, before: int, limit: int) -> int:
        """See the protocol."""
        async with self._write() as writer:
            (needed,) = writer.execute(SQL["needed"]).fetchone()
            below = self._head(writer) + 1 if needed is None else needed
            return writer.execute(SQL["drop_events"], (below, limit, before)).rowcount

    async def tail(self) -> int:
        """See the protocol."""
        first = self._one(SQL["first_event"])
        return first[0] - 1 if first else await self.head()

    async def drop_deliveries(self, tenant: str, limit: int) -> int:
        """See the protocol."""
        upto = await self.tail()
        async with self._write() as writer:
            ended = writer.execute(SQL["ended"], (tenant, upto, limit)).fetchall()
            writer.executemany(SQL["drop_attempts"], ended)
            writer.executemany(SQL["drop_delivery"], ended)
        return len(ended)

    async def drop_audit(self, before: int, limit: int) -> int:
        """See the protocol."""
        async with self._write() as writer:
            return writer.execute(SQL["drop_audit"], (limit, before)).rowcount

    # -- holds

    async def put_hold(self, hold: Hold) -> None:
        """Keep from now on what it says."""
        async with self._write() as writer:
            body = self.vault.seal(HOLDS.encode(hold), f"hold/{hold.id}")
            writer.execute(SQL["put_hold"], (hold.id, hold.tenant, body))

    async def holds(self) -> list[Hold]:
        """All that is to be kept, of all tenants."""
        rows = self._all(SQL["holds"])
        return [HOLDS.decode(self.vault.unseal(body, f"hold/{identity}")) for identity, body in rows]

    async def release(self, tenant: str, identity: str) -> bool:
        """Keep it no longer, and let its copies go."""
        async with self._write() as writer:
            released = writer.execute(SQL["release"], (identity, tenant)).rowcount == 1
            if released:
                writer.execute(SQL["let_go"], (identity,))
            return released

    async def put_aside(self, hold: str, kept: Kept) -> bool:
        """Copy a whole message; False where that was done before."""
        if self._one(SQL["is_aside"], (kept.id, hold)):
            return False
        async with self._write() as writer:
            body = packed_copy(self.vault, kept)
            writer.execute(SQL["put_aside"], (kept.id, hold, kept.tenant, body))
        return True
