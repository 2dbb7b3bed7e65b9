"""The feed of events, without a gap and in the order of commits, and the tasks that wait for a person."""

import sqlite3
from collections.abc import Sequence

from msgspec.structs import replace

from canonical.events import Event
from canonical.tasks import QUEUES, Task
from gateway.store.keys import is_meant
from gateway.store.protocol import Conflict, Page
from gateway.store.said import WRITTEN, opened, sealed
from gateway.store.sqlite.database import Database, Row
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.search import EVENT, TASK, event_search, task_search

SQL = named("events.sql")


class Feed(Database):
    """The store's verbs on events and tasks."""

    async def events(self, tenant: str, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
        """The feed after a seq, in order."""
        wanted = None
        if types and "*" not in types:
            known = self._all(SQL["types"], (tenant, tenant))
            wanted = [one for (one,) in known if is_meant(one, types)]
        if wanted == []:
            return []
        return [_event(row) for row in await self._search(*event_search(tenant, after, limit, wanted))]

    async def head(self) -> int:
        """The seq of the newest event."""
        return self._head(self._reader)

    def _head(self, connection: sqlite3.Connection) -> int:
        row = connection.execute(SQL["head"]).fetchone()
        return row[0] if row else 0

    def _keep_events(self, writer: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
        if not events:
            return []
        placed = [replace(one, seq=seq) for seq, one in enumerate(events, self._head(writer) + 1)]
        writer.executemany(SQL["add"], [_event_row(one) for one in placed])
        return placed

    # -- tasks

    async def task(self, tenant: str, identity: str) -> Task | None:
        """A task by its id."""
        row = self._one(f"SELECT {TASK} FROM tasks WHERE id = ? AND tenant = ?", (identity, tenant))  # noqa: S608
        return self._task(row) if row else None

    async def tasks(
        self, tenant: str, status: str | None, queue: str | None, after: tuple[int, str] | None, limit: int
    ) -> Page[Task]:
        """A tenant's tasks, those that wait longest first."""
        rows = await self._search(*task_search(tenant, status, queue, after, limit))
        tasks = [self._task(row) for row in rows[:limit]]
        more = len(rows) > limit
        return Page(items=tasks, next=(tasks[-1].created_at, tasks[-1].id) if more else None)

    async def waiting_tasks(self) -> dict[str, int]:
        """How many tasks are open in each queue."""
        return dict(await self._search(SQL["waiting"]))

    def _tasks_about(self, tenant: str, subject: str) -> list[Task]:
        """The open tasks about a subject, for who has the writer's turn."""
        lots = chunks(QUEUES)
        return [self._task(row) for lot in lots for row in self._at_turn(SQL["about"], (tenant, *lot, subject))]

    def _change_tasks(self, writer: sqlite3.Connection, tasks: Sequence[Task]) -> None:
        for one in tasks:
            what = (one.queue, one.code, one.subject, one.title, one.status, one.priority, one.due_at)
            state = (one.updated_at, one.version, one.owner, *sealed(self.vault, one))
            changed = writer.execute(SQL["change_task"], (*what, *state, one.id, one.tenant, one.version - 1))
            if changed.rowcount != 1:
                raise Conflict("a task is no longer the version that was read")

    def _open_tasks(self, writer: sqlite3.Connection, tasks: Sequence[Task]) -> set[str]:
        """Open tasks; the ids of those that add nothing, because one is open for the same thing."""
        return {one.id for one in tasks if writer.execute(SQL["add_task"], self._task_row(one)).rowcount != 1}

    def _task_row(self, one: Task) -> tuple[object, ...]:
        what = (one.id, one.tenant, one.queue, one.code, one.subject, one.title, one.created_at, one.status)
        return (
            *what,
            one.priority,
            one.due_at,
            one.updated_at,
            one.version,
            one.owner,
            *sealed(self.vault, one),
        )

    def _task(self, row: Row) -> Task:
        task = Task(**dict(zip(TASK.split(", "), row, strict=True)))
        texts = opened(self.vault, task.id, dict(zip(WRITTEN, row[-len(WRITTEN) :], strict=True)))
        return replace(task, **texts) if texts else task


def _event(row: Row) -> Event:
    return Event(**dict(zip(EVENT.split(", "), row, strict=True)))


def _event_row(one: Event) -> tuple[object, ...]:
    head = (one.seq, one.id, one.tenant, one.type, one.subject, one.at, one.patient)
    return (*head, one.version, one.message, one.feed, one.traceparent)
