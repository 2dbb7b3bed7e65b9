"""Searches as SQL. What a search filters by decides its statement, so these are put together, here and nowhere else.

A statement walks one index in the order of the answer and stops at its limit. Values are always parameters.
"""

import json
from collections.abc import Sequence

from msgspec import Struct

from gateway.store.keys import UNDATED, Digests, asked, sought
from gateway.store.protocol import Key, MessageQuery, RecordQuery

DATED = frozenset({"appointment", "encounter"})
SUMMARY = "m.n, m.id, m.received_at, m.duplicates, m.body"
EVENT = "id, type, tenant, subject, at, seq, patient, version, message, feed, traceparent"
TASK = (
    "id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner, "
    "resolution, note"
)
DOWN = "WITH RECURSIVE down (lot) AS (VALUES (?) UNION ALL SELECT lot - 1 FROM down WHERE lot > ?) SELECT lot FROM down"
NONE = ("-",)  # a status that no record has
LISTED = ("state", "feed", "event", "type")  # what lists of messages are narrowed by
# Which key of a search to begin with: the further to the left, the fewer records are under it.
RARE = ("identifier", "visit", "order", "account", "patient", "birthdate", "name")


class Select(Struct):
    """A statement in the making: its source, its conditions, and their parameters in the order of both."""

    source: str
    conditions: list[str] = []
    parameters: list[object] = []

    def where(self, condition: str, *parameters: object) -> None:
        """One more condition that must hold."""
        self.conditions.append(condition)
        self.parameters += parameters

    def among(self, column: str, values: Sequence[object]) -> None:
        """The column must have one of the values."""
        self.where(f"{column} IN ({', '.join('?' * len(values))})", *values)

    def columns(self, names: str) -> str:
        """The statement as it stands, for these columns."""
        return f"SELECT {names} FROM {self.source} WHERE {' AND '.join(self.conditions)}"  # noqa: S608 - no values


def record_search(
    query: RecordQuery, place: int | None, digests: Digests, statuses: Sequence[str]
) -> tuple[str, list[object]]:
    """Rows of (id, version, body, position). `place` is the row number of the record that the last page ended at,
    `statuses` are those that records of the kind have."""
    scope = f"record:{query.kind}"
    wanted = sorted(asked(query.keys), key=_rarity)
    groups = [sorted(digests.of(query.tenant, scope, sought(group))) for group in wanted]
    return _keyed(query, place, groups) if groups else _listed(query, place, statuses)


def _rarity(group: tuple[Key, ...]) -> int:
    return max((RARE.index(kind) if kind in RARE else len(RARE) for kind, _ in group), default=-1)


def _listed(query: RecordQuery, place: int | None, statuses: Sequence[str]) -> tuple[str, list[object]]:
    """The list of each status that is wanted, merged: so one that few records have is not looked for among all."""
    position = {"created": "k.n", "start": "k.start", "updated": "k.updated_at"}[query.order]
    wanted = [one for one in statuses if one in query.statuses] if query.statuses else statuses
    arms = []
    for status in wanted or NONE:
        rows = Select("records k")
        rows.where("k.tenant = ? AND k.kind = ? AND k.status = ?", query.tenant, query.kind, status)
        _narrow(rows, query, "k.start")
        _resume(rows, query, position, "k.n", place)
        arms.append(rows)
    return _merged(query, arms, f"{position} AS position, k.n AS n", "UNION ALL")


def _keyed(query: RecordQuery, place: int | None, groups: list[list[int]]) -> tuple[str, list[object]]:
    """The ranges of the first group's keys, merged; other groups are point look-ups."""
    position = {"created": "k.record", "start": "k.start", "updated": "r.updated_at"}[query.order]
    if query.order == "created" and query.kind not in DATED:
        position = "k.start"  # the same for all of them, so that the index has them in order of creation
    arms = [_arm(query, place, digest, groups[1:], position) for digest in groups[0] or [0]]
    return _merged(query, arms, f"{position} AS position, k.record AS n", "UNION")


def _merged(query: RecordQuery, arms: Sequence[Select], columns: str, merge: str) -> tuple[str, list[object]]:
    """The records of several ranges, each in the order of the answer, and as many as were asked for."""
    found = f" {merge} ".join(arm.columns(columns) for arm in arms) + _ordered(query, "position", "n")
    text = (
        f"SELECT r.id, r.version, r.body, f.position FROM ({found}) f CROSS JOIN records r ON r.n = f.n"  # noqa: S608
        f"{_ordered(query, 'f.position', 'f.n', limit=False)}"
    )
    return text, [*(one for arm in arms for one in arm.parameters), query.limit + 1]


def _arm(query: RecordQuery, place: int | None, digest: int, others: list[list[int]], position: str) -> Select:
    beside = query.statuses or query.updated_since is not None or query.order == "updated"
    now = "record_keys k CROSS JOIN records r INDEXED BY records_now ON r.n = k.record"
    rows = Select(now if beside else "record_keys k")
    rows.where("k.digest = ?", digest)
    _narrow(rows, query, "k.start")
    if query.statuses:
        rows.among("status", query.statuses)
    _resume(rows, query, position, "k.record", place)
    for group in others:
        other = Select("record_keys o")
        other.among("o.digest", group)
        other.where("o.start = k.start AND o.record = k.record")
        rows.where(f"EXISTS ({other.columns('1')})", *other.parameters)
    return rows


def _narrow(rows: Select, query: RecordQuery, start: str) -> None:
    if query.start_from is not None:
        rows.where(f"{start} >= ?", query.start_from)
    elif query.start_before is not None:
        rows.where(f"{start} > ?", UNDATED)
    if query.start_before is not None:
        rows.where(f"{start} < ?", query.start_before)
    if query.updated_since is not None:
        rows.where("updated_at >= ?", query.updated_since)


def _resume(rows: Select, query: RecordQuery, position: str, row: str, place: int | None) -> None:
    """Go on after the position where the last page ended; the row number decides between equals."""
    if query.after is None:
        return
    beyond = "<" if query.descending else ">"
    if query.order == "created":
        rows.where(f"{row} {beyond} ?", place)
    else:
        rows.where(f"({position}, {row}) {beyond} (?, ?)", query.after[0], place)


def _ordered(query: RecordQuery, position: str, row: str, limit: bool = True) -> str:
    way = " DESC" if query.descending else ""
    columns = ", ".join(f"{column}{way}" for column in dict.fromkeys((position, row)))
    return f" ORDER BY {columns}" + " LIMIT ?" * limit


def message_list(query: MessageQuery, place: int | None) -> tuple[str, list[object]]:
    """Rows of messages without their bytes, newest first. `place` is the row number that the last page ended at."""
    rows = Select("messages m")
    rows.where("m.tenant = ?", query.tenant)
    _received(rows, query)
    if query.after is not None:
        rows.where("(m.received_at, m.n) < (?, ?)", query.after[0], place)
    text = f"{rows.columns(SUMMARY)} ORDER BY m.received_at DESC, m.n DESC LIMIT ?"
    return text, [*rows.parameters, query.limit + 1]


def message_search(query: MessageQuery, place: int | None, found: Sequence[int]) -> tuple[str, list[object]]:
    """Rows as of `message_list`, of those among some row numbers."""
    rows = Select("messages m NOT INDEXED")  # but by their numbers, the greatest first
    rows.where("m.n IN (SELECT value FROM json_each(?))", json.dumps(found))
    rows.where("m.tenant = ?", query.tenant)
    for column in LISTED:
        if (value := getattr(query, column)) is not None:
            rows.where(f"m.{column} = ?", value)
    _received(rows, query)
    if place is not None:
        rows.where("m.n < ?", place)
    return f"{rows.columns(SUMMARY)} ORDER BY m.n DESC LIMIT ?", [*rows.parameters, query.limit + 1]


def key_search(digests: Sequence[int], newest: int, oldest: int) -> tuple[str, list[object]]:
    """The rows of the index under some keys, of some lots."""
    rows = Select(f"({DOWN}) l CROSS JOIN message_keys k ON k.lot = l.lot")
    rows.parameters += (newest, oldest)
    rows.among("k.digest", digests)
    return rows.columns("k.lot, k.digest, k.messages"), rows.parameters


def _received(rows: Select, query: MessageQuery) -> None:
    if query.received_from is not None:
        rows.where("m.received_at >= ?", query.received_from)
    if query.received_before is not None:
        rows.where("m.received_at < ?", query.received_before)


def event_search(tenant: str, after: int, limit: int, types: Sequence[str] | None) -> tuple[str, list[object]]:
    """Events after a seq, of some types or of all; those of each type are a range, and these are merged."""
    if types is None:
        rows = Select("events")
        rows.where("tenant = ? AND seq > ?", tenant, after)
        return rows.columns(EVENT) + " ORDER BY seq LIMIT ?", [*rows.parameters, limit]
    arms = []
    for one in types:
        rows = Select("events")
        rows.where("tenant = ? AND type = ? AND seq > ?", tenant, one, after)
        arms.append(rows)
    found = " UNION ALL ".join(arm.columns("seq") for arm in arms) + " ORDER BY seq LIMIT ?"
    text = f"SELECT {EVENT} FROM ({found}) f CROSS JOIN events USING (seq) ORDER BY seq"  # noqa: S608
    return text, [*(one for arm in arms for one in arm.parameters), limit]


def task_search(
    tenant: str, status: str | None, queue: str | None, after: tuple[int, str] | None, limit: int
) -> tuple[str, list[object]]:
    """Tasks, those that wait longest first."""
    rows = Select("tasks")
    rows.where("tenant = ?", tenant)
    for column, value in (("status", status), ("queue", queue)):
        if value is not None:
            rows.where(f"{column} = ?", value)
    if after is not None:
        rows.where("(created_at, id) > (?, ?)", *after)
    return rows.columns(TASK) + " ORDER BY created_at, id LIMIT ?", [*rows.parameters, limit + 1]
