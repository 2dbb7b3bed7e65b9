"""What goes in the end: messages by their days, events with their deliveries, the oldest audit; and what is on hold.

A month goes whole, and no writer waits for it: it is taken from among the others while they write, then dropped. What
has to go before its month does goes row by row, a bounded number in each transaction. Who makes a hold and who purges
exclude each other, so that from the moment a hold is kept nothing goes that it covers.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from gateway.store.holding import Held, Hold, is_held, records_of
from gateway.store.postgres.database import CONNECT_SECONDS, Connection, Row, count, told
from gateway.store.postgres.deliveries import SQL as DELIVERIES
from gateway.store.postgres.deliveries import Deliveries, promote
from gateway.store.postgres.feed import Feed
from gateway.store.postgres.ledger import Ledger
from gateway.store.postgres.messages import Messages
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import SHIFT, month_of, name_of
from gateway.store.postgres.partitions import SQL as MONTHS
from gateway.store.postgres.records import SQL as RECORDS
from gateway.store.postgres.search import LOT
from gateway.store.protocol import Old, Subscription, Tombstone
from policies.audit import Anchor

SQL = named("retention.sql")
HOLDS = 0x15742  # the lock of who makes holds, shared by who purges
PATIENCE = (
    "SET lock_timeout = '30s'"  # how long a month that leaves waits for who still has it in use, before the next run
)


class Retention(Messages, Feed, Ledger, Deliveries):
    """The store's verbs on what goes, and on what must not."""

    keeps_months = True

    # -- messages

    async def old_messages(self, tenant: str, after: tuple[int, int], before: int, limit: int) -> list[Old]:
        """Messages of before a moment, oldest first."""
        return [Old(**row) for row in await self._all(SQL["old"], tenant, *after, before, limit)]

    async def purge_messages(self, tenant: str, old: Sequence[Old]) -> int:
        """Take these away; what is on hold is put aside. Their tombstones are what dedup knows of them."""
        numbers = [one.n for one in old]
        async with self._write() as connection:
            await connection.execute(SQL["holds_stand"], HOLDS)
            holds, held = await self._open_holds(connection), list[int]()
            if holds:
                held = await self._held_of(connection, holds, await connection.fetch(SQL["going"], numbers))
                await connection.execute(SQL["put_aside"], held)
            await connection.execute(SQL["delete_messages"], numbers)
            await connection.execute(SQL["delete_keys"], sorted({n // LOT for n in numbers}), numbers)
        return len(held)

    async def drop_messages(self, before: int) -> int:
        """Drop the months of messages that ended before an instant; how many."""
        found = await self._ended_months("messages", before)
        for name in found:
            while not await self._drop_messages_of(name):
                pass
        return len(found)

    async def _drop_messages_of(self, name: str) -> bool:
        """Drop a month and its keys; False where a hold was made meanwhile, which may cover something of it."""
        known = await self._put_month_aside(name)
        async with self._months_connection() as connection:
            keys = name.replace("messages", "message_keys")
            tables = [("message_keys", keys), ("messages", name)]
            found = [(table, one) for table, one in tables if await self._leave(connection, table, one)]
            async with connection.transaction():
                await connection.execute(SQL["holds_stand"], HOLDS)
                if {one.id for one in await self._open_holds(connection)} - known:
                    return False
                for _, one in found:
                    await connection.execute(MONTHS["drop"].format(name=one))
        self._months.clear()  # to be made again where something old comes after all
        return True

    async def _put_month_aside(self, name: str) -> set[str]:
        """Put aside what is on hold of a month, which may be one no more; the holds that were heeded."""
        n = 0
        async with self._months_connection() as connection:
            holds = await self._open_holds(connection)
            while holds and (rows := await connection.fetch(SQL["month_going"].format(name=name), n)):
                held = await self._held_of(connection, holds, rows)
                await connection.execute(SQL["put_month_aside"].format(name=name), held)
                n = rows[-1]["n"]
        return {one.id for one in holds}

    async def tombstone(self, tenant: str, identity: str) -> Tombstone | None:
        """What is left of a message that was purged."""
        row = await self._one(SQL["tombstone"], identity, tenant)
        return Tombstone(**row) if row else None

    async def forget_messages(self, before: int, limit: int) -> int:
        """Take tombstones away, of whole months."""
        return await self._do(SQL["forget"], month_of(before) << SHIFT, limit)

    async def oldest_message(self) -> int | None:
        """When the oldest message was received that is kept."""
        row = await self._one(SQL["oldest_message"])
        return row[0] if row else None

    # -- what is on hold

    async def _held_of(self, connection: Connection, holds: Sequence[Hold], rows: Iterable[Row]) -> list[int]:
        """Which of some messages (with their sealed bodies) a hold covers."""
        aliases: dict[str, frozenset[str]] = {}
        for record in records_of(holds):
            tenant = next(one.tenant for one in holds if one.record == record)
            found = await connection.fetch(RECORDS["aliases"], record, tenant)
            aliases[record] = frozenset((record, *(row[0] for row in found)))
        held = []
        for n, identity, tenant, feed, received_at, body in rows:
            records = self._body(identity, body).records if aliases else ()
            message = Held(id=identity, feed=feed, received_at=received_at, records=records)
            if is_held(message, [one for one in holds if one.tenant == tenant], aliases):
                held.append(n)
        return held

    async def purge_aside(self, after: int, limit: int) -> int | None:
        """Take away what was put aside and no hold covers any more."""
        async with self._write() as connection:
            await connection.execute(SQL["holds_stand"], HOLDS)
            rows = await connection.fetch(SQL["aside"], after, limit)
            held = await self._held_of(connection, await self._open_holds(connection), rows)
            await connection.execute(SQL["delete_aside"], [row["n"] for row in rows if row["n"] not in held])
        return rows[-1]["n"] if len(rows) == limit else None

    async def holds(self, tenant: str | None = None) -> list[Hold]:
        """The legal holds of a tenant, or of every one."""
        return [one for row in await self._all(SQL["holds"]) if (one := self._hold(row)).tenant == tenant or not tenant]

    async def put_hold(self, hold: Hold) -> None:
        """Keep a hold, new or released."""
        body = self.vault.seal(msgspec.json.encode(hold), hold.id)
        async with self._write() as connection:
            await connection.execute(SQL["holds_change"], HOLDS)
            await connection.execute(SQL["put_hold"], hold.id, hold.tenant, hold.released_at, body)

    async def _open_holds(self, connection: Connection) -> list[Hold]:
        found = [self._hold(row) for row in await connection.fetch(SQL["holds"])]
        return [one for one in found if one.released_at is None]

    def _hold(self, row: Row) -> Hold:
        return msgspec.json.decode(self.vault.unseal(row["body"], row["id"]), type=Hold)

    # -- events

    async def oldest_event(self) -> int:
        """The seq of the oldest event that is kept."""
        return int((await self._all(SQL["oldest_event"]))[0][0])

    async def purgeable_events(self, before: int, now: int) -> int:
        """The first event after the last month that may go."""
        first = await self.oldest_event()
        followed = (await self._all(SQL["followed"]))[0][0]
        waiting = (await self._all(SQL["awaited"], first))[0][0]
        bound = min(one for one in (await self.head() + 1, waiting, followed and followed + 1) if one is not None)
        lasts = [await self._last_of(name) for name in await self._ended_months("events", before)]
        return max((last + 1 for last in lasts if first <= last < bound), default=first)

    async def _last_of(self, name: str) -> int:
        return int((await self._all(SQL["last_of_month"].format(name=name)))[0][0])

    async def losing(self, upto: int) -> list[Subscription]:
        """The subscriptions that will not receive events below a seq."""
        return [self._subscription(row) for row in await self._all(SQL["behind"], upto)]

    async def purge_deliveries(self, tenant: str, upto: int, limit: int) -> int:
        """Take deliveries of events below a seq away, with their attempts."""
        found = await self._all(SQL["ended"], tenant, upto, limit)
        ids = [row["id"] for row in found]
        async with self._write() as connection:
            await connection.execute(DELIVERIES["hold"], sorted({row["subscription"] for row in found if row["waits"]}))
            await connection.execute(SQL["delete_attempts"], ids)
            rows = await connection.fetch(SQL["delete_deliveries"], ids)
            await promote(connection, {(row["subscription"], row["lane"]) for row in rows if row["head"]})
        return len(found)

    async def purge_events(self, upto: int) -> tuple[int, int]:
        """Drop the months of events below a seq."""
        months = await self._months_of("events")
        found = [name for name in months if 0 < await self._last_of(name) < upto]
        first = await self.oldest_event()
        await self._drop("events", found)
        return await self.oldest_event() - first, len(found)

    # -- audit

    async def purge_audit(self, before: int, now: int) -> tuple[int, int]:
        """Drop the oldest month of the audit that ended before an instant; anchors say what its chains go on from."""
        found = (await self._ended_months("audit_rows", before))[:1]
        for name in found:
            await self._do_slowly(SQL["anchor"].format(name=name))
        await self._drop("audit_rows", found)
        for one in await self.audit_anchors():  # also those that a round which was interrupted has left
            while await self._do(SQL["delete_links"], one.chain, one.links):
                pass
        return 0, len(found)

    async def audit_anchors(self) -> list[Anchor]:
        """Where each chain begins whose first links were purged."""
        return [Anchor(**row) for row in await self._all(SQL["anchors"])]

    # -- months

    async def _ended_months(self, table: str, before: int) -> list[str]:
        """The months of a table that ended before an instant, oldest first."""
        return await self._months_of(table, name_of(table, month_of(before)))

    async def _months_of(self, table: str, before: str = "~") -> list[str]:
        return sorted(row["name"] for row in await self._all(MONTHS["known"], table) if row["name"] < before)

    async def _drop(self, table: str, names: Sequence[str]) -> None:
        for name in names:
            async with self._months_connection() as connection:
                await self._leave(connection, table, name)
                await connection.execute(MONTHS["drop"].format(name=name))
        self._months.clear()

    async def _leave(self, connection: Connection, table: str, name: str) -> bool:
        """Take a month from among the others, or end what was begun; False where there is no such month."""
        rows = [row for row in await connection.fetch(MONTHS["known"], table) if row["name"] == name]
        for _, is_attached, is_leaving in rows:
            if is_attached:
                leave = MONTHS["finalize"] if is_leaving else MONTHS["detach"]
                await connection.execute(leave.format(table=table, name=name))
        return bool(rows)

    async def _do_slowly(self, sql: str) -> int:
        """A statement that takes its time, and holds nobody."""
        async with self._months_connection() as connection:
            return await count(connection, sql)

    @asynccontextmanager
    async def _months_connection(self) -> AsyncIterator[Connection]:
        """A connection of its own: what takes a month away cannot be in a transaction, and may take long."""
        connection = await asyncpg.connect(self.url, timeout=CONNECT_SECONDS)
        try:
            await connection.execute(PATIENCE)
            yield connection
        except asyncpg.PostgresError as failure:
            raise told(failure) from None
        finally:
            await connection.close()
