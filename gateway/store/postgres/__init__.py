"""The store of many processes: PostgreSQL, when one machine is not enough."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from canonical.datatypes import Identifier
from canonical.events import Event
from canonical.records import Record
from canonical.settle import Working
from canonical.tasks import Task
from gateway.store.postgres.access import Access
from gateway.store.postgres.database import Connection, Transaction, told
from gateway.store.postgres.keeping import Keeping
from gateway.store.postgres.partitions import month_of_id, this_month
from gateway.store.postgres.records import Claim
from gateway.store.postgres.retention import Retention
from gateway.store.protocol import Batch, Conflict, Seen, Written


class PostgresStore(Keeping, Retention, Access):
    """The whole seam of gateway/store/protocol.py on one shared database."""

    @asynccontextmanager
    async def unit(self) -> AsyncIterator["PostgresUnit"]:
        """A group commit, one at a time in this process. What it loads is locked until it ends."""
        async with self._turn:
            unit = PostgresUnit(self)
            try:
                yield unit
            except BaseException as failure:
                await unit.end(failure)
                raise told(failure) from None
            else:
                await unit.end()
            finally:
                self._forget()


class PostgresUnit:
    """One group commit in the making: a transaction that begins with the first question."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._claims: dict[str, Claim] = {}
        self._transaction: Transaction | None = None
        self._connection: Connection = None
        self._has_loaded = self._is_stale = False

    async def load(
        self,
        tenant: str,
        working: Working,
        lookups: Iterable[tuple[str, Identifier]],
        records: Iterable[str] = (),
    ) -> None:
        """Add to the working set every record found, the patients those belong to, and whoever survived them."""
        connection = await self._begun()
        claim = self._claims.setdefault(tenant, Claim(self._store, tenant))
        await claim.load(connection, working, list(lookups), records)
        self._has_loaded, self._is_stale = True, False

    async def seen(self, tenant: str, sent: Sequence[tuple[str, bytes]], since: int) -> dict[str, list[Seen]]:
        """What is kept under these dedup keys; nobody else keeps anything under one until this ends."""
        connection = await self._begun(self._store._looking(tenant, sent))
        return await self._store._seen(connection, tenant, sent, since)

    async def open_tasks(self, tenant: str, subject: str) -> list[Task]:
        """The open tasks about a subject."""
        return await self._store._tasks_about(await self._begun(), tenant, subject)

    async def commit(self, batch: Batch) -> list[Event]:
        """Keep the batch, durably."""
        if self._is_stale and batch.records:
            raise Conflict("what was loaded may have changed since")
        store = self._store
        try:
            await store._make(_months(batch))
            connection = await self._begun()
            async with store._linked(batch.audit) as linked:
                events, learned = await self._written(connection, batch, linked)
                assert self._transaction
                await self._transaction.commit()
        except BaseException as failure:
            await self.end(failure)
            if isinstance(failure, asyncpg.CheckViolationError):  # a month was dropped that comes again
                store._months.clear()
                raise Conflict("a month has to be made anew") from None
            raise told(failure) from None
        await self.end()
        for revision, record in learned:
            store._learn(revision, record)
        return events

    async def _written(
        self, connection: Connection, batch: Batch, linked: bytes
    ) -> tuple[list[Event], list[tuple[int, Record]]]:
        """Write all of it; what others wait for comes last, the audit before the events."""
        store = self._store
        await self._lock_gained(connection, batch.records)
        await store._keep_messages(connection, batch.messages, batch.records)
        await store._remap(connection, batch.replayed, batch.records)
        await store._repeat(connection, batch.repeats)
        learned = await store._keep_records(connection, batch.records)
        await store._change_tasks(connection, batch.changed_tasks)
        known = await store._open_tasks(connection, batch.tasks)
        assert self._transaction
        self._transaction.witness = await store._keep_audit(connection, batch.audit, linked)
        told = [one for one in batch.events if one.subject not in known]
        return await store._keep_events(connection, told), learned

    async def _lock_gained(self, connection: Connection, written: Sequence[Written]) -> None:
        """Hold the numbers that records gain, which no message need have been looked for by: who looks for one of them
        meanwhile in another process must not miss it."""
        gained: dict[str, set[int]] = {}
        for one in written:
            held = one.before.identifiers if one.before else ()
            if one.after.identifiers is not held:
                claim = self._claims.setdefault(one.after.tenant, Claim(self._store, one.after.tenant))
                new = {claim.number(one.kind, number) for number in one.after.identifiers if number not in held}
                gained.setdefault(one.after.tenant, set()).update(new)
        for tenant, numbers in sorted(gained.items()):
            await self._claims[tenant].lock(connection, numbers)

    async def _begun(self, also: str = "") -> Connection:
        """The connection of this unit's transaction, which begins with the first to ask; `also` is executed first."""
        if self._transaction is None:
            self._transaction = Transaction(self._store)
            self._connection = await self._transaction.begin(also)
        elif also:
            await self._connection.execute(also)
        return self._connection

    async def end(self, failure: BaseException | None = None) -> None:
        """Let go of what is held; what was loaded and not committed may change from now on."""
        transaction, self._transaction = self._transaction, None
        self._is_stale = self._has_loaded
        self._claims.clear()
        if transaction:
            await transaction.undo(failure)
            await transaction.leave()


def _months(batch: Batch) -> set[int]:
    """The months that a batch is kept in."""
    months = {month for one in batch.messages if (month := month_of_id(one.id)) is not None}
    return months | {this_month()}
