"""How a group's records are written: each once, with its last state, and every version it left behind.

A body is sealed for its record and version, so that of a replaced version moves into history as it is.
"""

from collections.abc import Sequence

from canonical.apply import survivor_link
from canonical.records import Record
from gateway.store.courses import Course, courses_of
from gateway.store.keys import UNDATED, index_keys, start_of
from gateway.store.postgres.database import Connection, Row
from gateway.store.postgres.records import SQL, Records
from gateway.store.protocol import Conflict, Key, Written

KeyRow = tuple[str, int, int]  # record, digest, start


class Keeping(Records):
    """The writing side of records."""

    async def _keep_records(self, connection: Connection, written: Sequence[Written]) -> list[tuple[int, Record]]:
        """Write what a group made of its records; Conflict when one is no longer the version that was loaded.

        What comes back is to be remembered once it is committed: each record with its revision.
        """
        courses = courses_of(written)
        revisions: dict[str, int] = {}
        new = [one for one in courses if one.before is None]
        renewed = [one for one in courses if one.before is not None and one.fresh]
        touched = [(one.after.id, record) for one in courses if (record := one.confirmed or one.touched)]
        for rows in (
            await self._add(connection, new),
            await self._touch(connection, touched),
            await self._renew(connection, renewed),
        ):
            revisions.update((row["id"], row["revision"]) for row in rows)
        await self._index(connection, [*new, *renewed])
        if passed := [(one.after.id, past.version, self._seal_record(past)) for one in courses for past in one.passed]:
            await connection.execute(SQL["add_versions"], *columns(passed))
        return [(revisions[one.after.id], one.after) for one in courses]

    async def _add(self, connection: Connection, courses: list[Course]) -> list[Row]:
        if not courses:
            return []
        rows: list[Row] = await connection.fetch(SQL["add"], *columns([self._record_row(one) for one in courses]))
        return rows

    def _record_row(self, course: Course) -> tuple[object, ...]:
        one = course.after
        head = (one.id, one.tenant, course.kind, one.status or "", start_of(one))
        return (*head, one.updated_at, one.created_at, one.version, survivor_link(one), self._seal_record(one))

    async def _renew(self, connection: Connection, courses: list[Course]) -> list[Row]:
        if not courses:
            return []
        await connection.execute(SQL["archive"], sorted(one.after.id for one in courses))
        rows = await connection.fetch(SQL["renew"], *columns([self._renewal(one) for one in courses]))
        return _all_there(rows, courses)

    def _renewal(self, course: Course) -> tuple[object, ...]:
        one, known = course.after, course.before.version if course.before else 0
        state = (one.status or "", start_of(one), one.updated_at, one.version)
        return (one.id, known, *state, survivor_link(one), self._seal_record(one))

    async def _touch(self, connection: Connection, records: list[tuple[str, Record]]) -> list[Row]:
        if not records:
            return []
        touched = [(identity, one.version, self._seal_record(one)) for identity, one in records]
        return _all_there(await connection.fetch(SQL["touch"], *columns(touched)), records)

    async def _index(self, connection: Connection, courses: list[Course]) -> None:
        """Write the key rows that changed; all of them where a start moved, for it is part of each."""
        lost: list[KeyRow] = []
        won: list[KeyRow] = []
        for one in courses:
            before, after = one.before and index_keys(one.before), index_keys(one.after)
            was, now = one.before and start_of(one.before), start_of(one.after)
            kept = before & after if before and was == now else set()
            lost += self._key_rows(one, (before or set()) - kept, was or UNDATED)
            won += self._key_rows(one, after - kept, now)
        if lost:
            await connection.execute(SQL["drop_keys"], *columns(lost))
        if won:
            await connection.execute(SQL["add_keys"], *columns(won))

    def _key_rows(self, one: Course, keys: set[Key], start: int) -> list[KeyRow]:
        scope = f"record:{one.kind}"
        return [(one.after.id, digest, start) for digest in sorted(self.digests.of(one.after.tenant, scope, keys))]


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows as the arrays that one statement takes them from."""
    return [list(column) for column in zip(*rows, strict=True)]


def _all_there(rows: list[Row], wanted: Sequence[object]) -> list[Row]:
    if len(rows) != len(wanted):
        raise Conflict("a record is no longer the version that was loaded")
    return rows
