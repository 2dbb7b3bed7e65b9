"""How a group's records are written: each once, with its last state, and every version it left behind.

A body is sealed for its record and version, so that of a replaced version moves into history as it is.
"""

import sqlite3
from collections.abc import Sequence

from canonical.apply import survivor_link
from canonical.records import Record
from gateway.store.courses import Course, courses_of
from gateway.store.keys import UNDATED, index_keys, start_of
from gateway.store.protocol import Conflict, Key, Written
from gateway.store.sqlite.records import SQL, Records


class Keeping(Records):
    """The writing side of records."""

    def _keep_records(self, writer: sqlite3.Connection, written: Sequence[Written]) -> list[Course]:
        """Write what a group made of its records; Conflict when one is no longer the version that was loaded."""
        courses = courses_of(written)
        places = self._places([one.after.id for one in courses if one.before is not None])
        for one in courses:
            one.n = places.get(one.after.id, 0)
        new = [one for one in courses if one.before is None]
        renewed = [one for one in courses if one.before is not None and one.fresh]
        self._add(writer, new)
        self._touch(writer, [(one.n, body) for one in courses if (body := one.confirmed or one.touched)])
        self._renew(writer, renewed)
        self._index(writer, [*new, *renewed])
        passed = [(one.n, past.version, self._seal_record(past)) for one in courses for past in one.passed]
        writer.executemany(SQL["add_version"], passed)
        return courses

    def _learn(self, courses: Sequence[Course]) -> None:
        """Remember what was committed."""
        for one in courses:
            self._memory.learn(one.n, one.after)
        self._memory.forget()

    def _add(self, writer: sqlite3.Connection, courses: list[Course]) -> None:
        if not courses:
            return
        (last,) = writer.execute(SQL["last"]).fetchone()
        for n, one in enumerate(courses, last + 1):
            one.n = n
        writer.executemany(SQL["add"], [self._record_row(one) for one in courses])

    def _record_row(self, course: Course) -> tuple[object, ...]:
        one = course.after
        start, updated = start_of(one), one.updated_at
        head = (
            course.n,
            one.id,
            one.tenant,
            course.kind,
            one.status or "",
            start,
            updated,
            one.created_at,
            one.version,
        )
        return (*head, survivor_link(one), self._seal_record(one))

    def _renew(self, writer: sqlite3.Connection, courses: list[Course]) -> None:
        if courses:
            writer.executemany(SQL["archive"], [(one.n,) for one in courses])
            _all_there(writer.executemany(SQL["renew"], [self._renewal(one) for one in courses]), courses)

    def _renewal(self, course: Course) -> tuple[object, ...]:
        one, known = course.after, course.before.version if course.before else 0
        state = (
            one.status or "",
            start_of(one),
            one.updated_at,
            one.version,
            survivor_link(one),
            self._seal_record(one),
        )
        return (*state, course.n, known)

    def _touch(self, writer: sqlite3.Connection, records: list[tuple[int, Record]]) -> None:
        if records:
            rows = [(self._seal_record(one), n, one.version) for n, one in records]
            _all_there(writer.executemany(SQL["touch"], rows), records)

    def _index(self, writer: sqlite3.Connection, courses: list[Course]) -> None:
        """Write the key rows that changed; all of them where a start moved, for it is part of each."""
        lost: list[tuple[int, int, int]] = []
        won: list[tuple[int, int, int]] = []
        for one in courses:
            before, after = one.before and index_keys(one.before), index_keys(one.after)
            was, now = one.before and start_of(one.before), start_of(one.after)
            kept = before & after if before and was == now else set()
            lost += self._key_rows(one, (before or set()) - kept, was or UNDATED)
            won += self._key_rows(one, after - kept, now)
        if lost:
            writer.executemany(SQL["drop_key"], lost)
        writer.executemany(SQL["add_key"], won)

    def _key_rows(self, one: Course, keys: set[Key], start: int) -> list[tuple[int, int, int]]:
        scope = f"record:{one.kind}"
        return [(digest, start, one.n) for digest in self.digests.of(one.after.tenant, scope, keys)]


def _all_there(result: sqlite3.Cursor, wanted: Sequence[object]) -> None:
    if result.rowcount != len(wanted):
        raise Conflict("a record is no longer the version that was loaded")
