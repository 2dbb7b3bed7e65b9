"""The feed of events, without a gap and in the order of commits, and the tasks that wait for a person."""

from collections.abc import Sequence

from msgspec.structs import replace

from canonical.events import Event
from canonical.tasks import QUEUES, Task
from gateway.store.keys import is_meant
from gateway.store.postgres.database import SQL as DATABASE
from gateway.store.postgres.database import Connection, Row, count
from gateway.store.postgres.keeping import columns
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import this_month
from gateway.store.postgres.search import event_search, task_search
from gateway.store.postgres.wakes import Wakes
from gateway.store.protocol import Conflict, Page
from gateway.store.said import WRITTEN, opened, sealed

SQL = named("events.sql")


class Feed(Wakes):
    """The store's verbs on events and tasks."""

    async def events(self, tenant: str, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
        """The feed after a seq, in order."""
        wanted = None
        if types and "*" not in types:
            known = [row["type"] for row in await self._all(SQL["types"], tenant)]
            wanted = [one for one in known if is_meant(one, types)]
        if wanted == []:
            return []
        text, parameters = event_search(tenant, after, limit, wanted)
        return [Event(**dict(row)) for row in await self._all(text, *parameters)]

    async def head(self) -> int:
        """The seq of the newest event."""
        return int((await self._all(DATABASE["head"], "events"))[0][0])

    async def _keep_events(self, connection: Connection, events: Sequence[Event]) -> list[Event]:
        if not events:
            return []
        rows = columns([_event_row(one) for one in events])
        first = (await connection.fetchrow(SQL["add"], this_month(), *rows, self.process))["first"]
        return [replace(one, seq=seq) for seq, one in enumerate(events, first)]

    # -- tasks

    async def task(self, tenant: str, identity: str) -> Task | None:
        """A task by its id."""
        row = await self._one(SQL["task"], identity, tenant)
        return self._task(row) if row else None

    async def tasks(
        self, tenant: str, status: str | None, queue: str | None, after: tuple[int, str] | None, limit: int
    ) -> Page[Task]:
        """A tenant's tasks, those that wait longest first."""
        text, parameters = task_search(tenant, status, queue, after, limit)
        rows = await self._all(text, *parameters)
        tasks = [self._task(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(items=tasks, next=(tasks[-1].created_at, tasks[-1].id) if more else None)

    async def waiting_tasks(self) -> dict[str, int]:
        """How many tasks are open in each queue."""
        return {row["queue"]: row["waiting"] for row in await self._all(SQL["waiting"])}

    async def _tasks_about(self, connection: Connection, tenant: str, subject: str) -> list[Task]:
        """The open tasks about a subject, for a unit."""
        return [self._task(row) for row in await connection.fetch(SQL["about"], tenant, sorted(QUEUES), subject)]

    async def _change_tasks(self, connection: Connection, tasks: Sequence[Task]) -> None:
        for one in sorted(tasks, key=lambda one: one.id):
            what = (one.queue, one.code, one.subject, one.title, one.status, one.priority, one.due_at)
            state = (one.updated_at, one.version, one.owner, *sealed(self.vault, one))
            if await count(connection, SQL["change_task"], *what, *state, one.id, one.tenant, one.version - 1) != 1:
                raise Conflict("a task is no longer the version that was read")

    async def _open_tasks(self, connection: Connection, tasks: Sequence[Task]) -> set[str]:
        """Open tasks, in an order that is the same for every process; the ids of those that add nothing, because one is
        open for the same thing."""
        known: set[str] = set()
        for one in sorted(tasks, key=lambda one: (one.tenant, one.queue, one.subject, one.code, one.id)):
            if await count(connection, SQL["add_task"], *self._task_row(one)) == 1:
                continue
            if await count(connection, SQL["reopen_task"], one.id, one.updated_at, one.due_at) != 1:
                known.add(one.id)
        return known

    def _task_row(self, one: Task) -> tuple[object, ...]:
        what = (one.id, one.tenant, one.queue, one.code, one.subject, one.title, one.created_at, one.status)
        state = (one.priority, one.due_at, one.updated_at, one.version, one.owner)
        return (*what, *state, *sealed(self.vault, one))

    def _task(self, row: Row) -> Task:
        texts = opened(self.vault, row["id"], {name: row[name] for name in WRITTEN})
        return Task(**{**row, **texts})


def _event_row(one: Event) -> tuple[object, ...]:
    head = (one.id, one.tenant, one.type, one.subject, one.at, one.patient)
    return (*head, one.version, one.message, one.feed, one.traceparent)
