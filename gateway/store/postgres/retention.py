"""What is taken away when its time is over: months whole, single contents a few rows at a time.

Nobody who writes waits for either: a month leaves beside those who write, and rows are locked one by one for as long as
a small transaction takes.
"""

from gateway.store.postgres.database import Connection, Row, count
from gateway.store.postgres.feed import Feed
from gateway.store.postgres.messages import SQL as MESSAGES
from gateway.store.postgres.messages import Messages
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import SQL as PARTITIONS
from gateway.store.postgres.partitions import month_of, name_of
from gateway.store.protocol import Contents, Hold, Kept
from gateway.store.sealing import HOLDS, emptied, is_of, packed_copy, unpacked_copy

SQL = named("retention.sql")


class Retention(Messages, Feed):
    """The store's verbs on what goes and what is kept aside."""

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes, or its copy where it was taken away."""
        found = await super().message(tenant, identity)
        if found is not None and found.purged_at is None:
            return found
        row = await self._one(SQL["aside"], identity, tenant)
        return unpacked_copy(self.vault, identity, row["body"]) if row else found

    async def purge(self, what: Contents, after: int, before: int, now: int, limit: int) -> tuple[int, int]:
        """See the protocol."""
        rows = await self._all(SQL["next"], after, limit)
        old = rows[: next((place for place, row in enumerate(rows) if row["received_at"] >= before), len(rows))]
        purged = 0
        async with self._write() as connection:
            for row in old:
                if is_of(what, row["tenant"], row["feed"], row["type"], row["event"]):
                    purged += await self._empty(connection, row, now)
        return (old[-1]["n"] if old else after), purged

    async def _empty(self, connection: Connection, row: Row, now: int) -> int:
        """Write a message that is empty now; 0 where it was so before."""
        before = self._body(row["id"], row["body"])
        if before.purged_at is not None:
            return 0
        kept, n = emptied(before, now), row["n"]
        await connection.execute(MESSAGES["drop_keys"], n, self._key_digests(before, {}))
        await connection.execute(MESSAGES["add_keys"], n, self._key_digests(kept, {}))
        return await count(connection, SQL["empty"], n, self._seal_body(kept), self.vault.seal(b"", f"{kept.id}/raw"))

    async def drop_messages(self, before: int, limit: int) -> int:
        """See the protocol: the months that ended before then, whole."""
        return await self._drop_months_of_messages(before)

    async def drop_events(self, before: int, limit: int) -> int:
        """See the protocol: the months that ended before then and hold nothing that is needed."""
        needed = (await self._all(SQL["needed"]))[0]["seq"]
        first = name_of("events", month_of(before))
        for name in [row["name"] for row in await self._all(PARTITIONS["known"], "events") if row["name"] < first]:
            newest = (await self._all(SQL["newest_of"].format(name=name)))[0]["seq"]
            if newest is not None and needed is not None and newest >= needed:
                return await self._drop("events", name)
        return await self._drop("events", first)

    async def tail(self) -> int:
        """See the protocol."""
        row = await self._one(SQL["first_event"])
        return row["seq"] - 1 if row else await self.head()

    async def drop_deliveries(self, tenant: str, limit: int) -> int:
        """See the protocol."""
        upto = await self.tail()
        async with self._write() as connection:
            return int(await connection.fetchval(SQL["drop_deliveries"], tenant, upto, limit))

    async def drop_audit(self, before: int, limit: int) -> int:
        """See the protocol: the months that ended before then, whole."""
        return await self._drop("audit_rows", name_of("audit_rows", month_of(before)))

    # -- holds

    async def put_hold(self, hold: Hold) -> None:
        """Keep from now on what it says."""
        await self._do(SQL["put_hold"], hold.id, hold.tenant, self.vault.seal(HOLDS.encode(hold), f"hold/{hold.id}"))

    async def holds(self) -> list[Hold]:
        """All that is to be kept, of all tenants."""
        rows = await self._all(SQL["holds"])
        return [HOLDS.decode(self.vault.unseal(row["body"], f"hold/{row['id']}")) for row in rows]

    async def release(self, tenant: str, identity: str) -> bool:
        """Keep it no longer, and let its copies go."""
        async with self._write() as connection:
            return bool(await connection.fetchval(SQL["release"], identity, tenant))

    async def put_aside(self, hold: str, kept: Kept) -> bool:
        """Copy a whole message; False where that was done before."""
        if await self._one(SQL["is_aside"], kept.id, hold):
            return False
        return await self._do(SQL["put_aside"], kept.id, hold, kept.tenant, packed_copy(self.vault, kept)) == 1
