"""The embedded store: SQLite in one directory, everything that a site on one machine needs."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from canonical.datatypes import Identifier
from canonical.events import Event
from canonical.settle import Working
from canonical.tasks import Task
from gateway.store.courses import Course
from gateway.store.protocol import Batch, Seen
from gateway.store.sqlite.access import Access
from gateway.store.sqlite.keeping import Keeping
from gateway.store.sqlite.retention import Retention


class SqliteStore(Keeping, Retention, Access):
    """The whole seam of gateway/store/protocol.py on one embedded database."""

    @asynccontextmanager
    async def unit(self) -> AsyncIterator["SqliteUnit"]:
        """A group commit. Who holds it is the only writer, so what it loads is still true when it commits."""
        async with self._turn:
            yield SqliteUnit(self)

    def hear(self, woken: Callable[[], None]) -> None:
        """Nothing to do: one process owns the database, and hears itself."""

    async def _keep(self, batch: Batch) -> list[Event]:
        courses: list[Course] = []
        keys: dict[int, frozenset[int]] = {}

        def learn() -> None:
            self._newest.learn(keys)
            self._learn(courses)

        async with self._transaction(learn) as writer:
            keys |= self._remap(writer, batch.replayed, batch.records)
            keys |= self._keep_messages(writer, batch.messages, batch.records)
            self._index_keys(writer, keys)
            self._repeat(writer, batch.repeats)
            courses += self._keep_records(writer, batch.records)
            self._change_tasks(writer, batch.changed_tasks)
            known = self._open_tasks(writer, batch.tasks)
            self._keep_audit(writer, batch.audit)
            told = [one for one in batch.events if one.subject not in known] if known else batch.events
            return self._keep_events(writer, told)


class SqliteUnit:
    """One group commit in the making."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def load(
        self,
        tenant: str,
        working: Working,
        lookups: Iterable[tuple[str, Identifier]],
        records: Iterable[str] = (),
    ) -> None:
        """Add to the working set every record found, the patients those belong to, and whoever survived them."""
        self._store._load(tenant, working, lookups, records)

    async def seen(self, tenant: str, sent: Sequence[tuple[str, bytes]], since: int) -> dict[str, list[Seen]]:
        """What is kept under these dedup keys."""
        return self._store._seen(tenant, sent, since)

    async def open_tasks(self, tenant: str, subject: str) -> list[Task]:
        """The open tasks about a subject."""
        return self._store._tasks_about(tenant, subject)

    async def commit(self, batch: Batch) -> list[Event]:
        """Keep the batch, durably."""
        return await self._store._keep(batch)
