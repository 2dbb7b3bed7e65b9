"""Searches as SQL. What a search filters by decides its statement, so these are put together, here and nowhere else.

A statement walks one index in the order of the answer and stops at its limit. Values are parameters; a limit is written
out, because a plan that is made for any limit may prefer to sort.
"""

from collections.abc import Sequence

from msgspec import Struct

from gateway.store.keys import UNDATED, Digests, asked, sought
from gateway.store.protocol import DeliveryQuery, Key, MessageQuery, RecordQuery

DATED = frozenset({"appointment", "encounter"})
SUMMARY = "m.n, m.id, m.duplicates, m.body"
EVENT = "id, type, tenant, subject, at, seq, patient, version, message, feed, traceparent"
TASK = (
    "id, tenant, queue, code, subject, title, created_at, status, priority, due_at, updated_at, version, owner, "
    "resolution, note"
)
DELIVERY = (
    "id, tenant, subscription, seq, event, type, lane, state, attempts, spent, since, due_at, lease_until, created_at, "
    "updated_at, outcome, traceparent"
)
# Which key of a search to begin with: the further to the left, the fewer records are under it.
RARE = ("identifier", "visit", "order", "account", "patient", "birthdate", "name")
FINISHED = "('delivered', 'parked', 'cancelled')"

Statement = tuple[str, list[object]]


class Select(Struct):
    """A statement in the making: its source, its conditions (with `?` for a parameter), and their parameters."""

    source: str
    parameters: list[object] = []
    conditions: list[str] = []

    def where(self, condition: str, *parameters: object) -> None:
        """One more condition that must hold."""
        for one in parameters:
            self.parameters.append(one)
            condition = condition.replace("?", f"${len(self.parameters)}", 1)
        self.conditions.append(condition)

    def columns(self, names: str) -> str:
        """The statement as it stands, for these columns."""
        return f"SELECT {names} FROM {self.source} WHERE {' AND '.join(self.conditions)}"  # noqa: S608 - no values


def record_search(query: RecordQuery, place: int | None, digests: Digests) -> Statement:
    """Rows of (id, version, body, position). `place` is the row number of the record that the last page ended at."""
    scope = f"record:{query.kind}"
    wanted = sorted(asked(query.keys), key=_rarity)
    groups = [sorted(digests.of(query.tenant, scope, sought(group))) for group in wanted]
    return _keyed(query, place, groups) if groups else _listed(query, place)


def _rarity(group: tuple[Key, ...]) -> int:
    return max((RARE.index(kind) if kind in RARE else len(RARE) for kind, _ in group), default=-1)


def _listed(query: RecordQuery, place: int | None) -> Statement:
    position = {"created": "n", "start": "start", "updated": "updated_at"}[query.order]
    rows = Select("records")
    rows.where("tenant = ?", query.tenant)
    rows.where("kind = ?", query.kind)
    _narrow(rows, query, "start")
    _resume(rows, query, position, "n", place)
    text = rows.columns(f"id, version, body, {position} AS position") + _ordered(query, position, "n")
    return text, rows.parameters


def _keyed(query: RecordQuery, place: int | None, groups: list[list[int]]) -> Statement:
    """The ranges of the first group's keys, each as long as a page, and the page out of all; others are look-ups."""
    position = {"created": "k.record", "start": "k.start", "updated": "r.updated_at"}[query.order]
    if query.order == "created" and query.kind not in DATED:
        position = "k.start"  # the same for all of them, so that the index has them in order of creation
    parameters: list[object] = []
    arms = [_arm(query, place, digest, groups[1:], position, parameters) for digest in groups[0] or [0]]
    order = _ordered(query, position, "k.record")
    columns = f"{position} AS position, k.record AS n"
    found = " UNION ".join(f"({arm.columns(columns)}{order})" for arm in arms)
    if len(arms) > 1:
        found += _ordered(query, "position", "n")
    text = (
        f"SELECT r.id, r.version, r.body, f.position FROM ({found}) f "  # noqa: S608 - no values
        f"JOIN records r ON r.n = f.n{_ordered(query, 'f.position', 'f.n', limit=False)}"
    )
    return text, parameters


def _arm(
    query: RecordQuery, place: int | None, digest: int, others: list[list[int]], position: str, parameters: list[object]
) -> Select:
    beside = query.statuses or query.updated_since is not None or query.order == "updated"
    rows = Select("record_keys k JOIN records r ON r.n = k.record" if beside else "record_keys k", parameters)
    rows.where("k.digest = ?", digest)
    _narrow(rows, query, "k.start")
    _resume(rows, query, position, "k.record", place)
    for group in others:
        other = "SELECT 1 FROM record_keys o WHERE o.digest = ANY (?) AND o.start = k.start AND o.record = k.record"
        rows.where(f"EXISTS ({other})", group)
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
    if query.statuses:
        rows.where("status = ANY (?)", list(query.statuses))


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
    return f" ORDER BY {columns}" + f" LIMIT {query.limit + 1:d}" * limit


def message_list(query: MessageQuery, place: int | None) -> Statement:
    """Rows of messages without their bytes, newest first. `place` is the row number that the last page ended at."""
    rows = Select("messages m")
    _filter(rows, query)
    if query.after is not None:
        rows.where("(m.received_at, m.n) < (?, ?)", query.after[0], place)
    return f"{rows.columns(SUMMARY)} ORDER BY m.received_at DESC, m.n DESC LIMIT {query.limit + 1:d}", rows.parameters


def message_search(
    query: MessageQuery, place: int | None, groups: Sequence[Sequence[int]], lots: tuple[int, int]
) -> Statement:
    """Rows as of `message_list`, of those that have a key of each group, in some lots (newest, oldest)."""
    first, *others = groups
    source = "generate_series($1::bigint, $2::bigint, -1) AS l (lot) JOIN message_keys k ON k.lot = l.lot"
    rows = Select(f"{source} JOIN messages m ON m.n = k.message", list(lots))
    rows.where("k.digest = ANY (?)", list(first))
    for group in others:
        other = "SELECT 1 FROM message_keys o WHERE o.lot = k.lot AND o.message = k.message AND o.digest = ANY (?)"
        rows.where(f"EXISTS ({other})", list(group))
    _filter(rows, query)
    if place is not None:
        rows.where("k.message < ?", place)
    text = f"{rows.columns(f'DISTINCT ON (m.n) {SUMMARY}')} ORDER BY m.n DESC LIMIT {query.limit + 1:d}"
    return text, rows.parameters


def _filter(rows: Select, query: MessageQuery) -> None:
    rows.where("m.tenant = ?", query.tenant)
    if query.state is not None and query.state != "applied":
        rows.where("m.state <> 'applied'")
    for column in ("feed", "state", "type", "event"):
        if (value := getattr(query, column)) is not None:
            rows.where(f"m.{column} = ?", value)
    if query.received_from is not None:
        rows.where("m.received_at >= ?", query.received_from)
    if query.received_before is not None:
        rows.where("m.received_at < ?", query.received_before)


def event_search(tenant: str, after: int, limit: int, types: Sequence[str]) -> Statement:
    """Events after a seq. A type pattern is a type, a family (`appointment.*`), or `*`."""
    rows = Select("events")
    rows.where("tenant = ?", tenant)
    rows.where("seq > ?", after)
    if types and "*" not in types:
        families = [one[:-1] for one in types if one.endswith(".*")]
        plain = [one for one in types if not one.endswith(".*")]
        ranges = [end for one in families for end in (one, one[:-1] + "/")]
        either = ["type = ANY (?)", *["(type >= ? AND type < ?)"] * len(families)]
        rows.where(f"({' OR '.join(either)})", plain, *ranges)
    return f"{rows.columns(EVENT)} ORDER BY seq LIMIT {limit:d}", rows.parameters


def task_search(
    tenant: str, status: str | None, queue: str | None, after: tuple[int, str] | None, limit: int
) -> Statement:
    """Tasks, those that wait longest first."""
    rows = Select("tasks")
    rows.where("tenant = ?", tenant)
    for column, value in (("status", status), ("queue", queue)):
        if value is not None:
            rows.where(f"{column} = ?", value)
    if after is not None:
        rows.where("(created_at, id) > (?, ?)", *after)
    return f"{rows.columns(TASK)} ORDER BY created_at, id LIMIT {limit + 1:d}", rows.parameters


def delivery_list(query: DeliveryQuery, limit: int) -> Statement:
    """Deliveries, newest first or oldest first."""
    rows, (further, way) = _deliveries(query), (">", "ASC") if query.oldest_first else ("<", "DESC")
    if query.after is not None:
        rows.where(f"(seq, id) {further} (?, ?)", *query.after)
    return f"{rows.columns(DELIVERY)} ORDER BY seq {way}, id {way} LIMIT {limit:d}", rows.parameters


def delivery_count(query: DeliveryQuery, now: int) -> Statement:
    """How many deliveries a revival would find: finished, and with somebody to receive them."""
    rows = _deliveries(query)
    rows.where(f"state IN {FINISHED}")
    rows.where("updated_at <= ?", now)
    rows.where("EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = deliveries.subscription)")
    return rows.columns("count(*)"), rows.parameters


def _deliveries(query: DeliveryQuery) -> Select:
    rows = Select("deliveries")
    rows.where("tenant = ?", query.tenant)
    if query.state == "parked":
        rows.where("state = 'parked'")  # written out, so that the index of these is seen to do
    elif query.state is not None:
        rows.where("state = ?", query.state)
    for column in ("subscription", "type", "event"):
        if (value := getattr(query, column)) is not None:
            rows.where(f"{column} = ?", value)
    if query.created_from is not None:
        rows.where("created_at >= ?", query.created_from)
    if query.created_before is not None:
        rows.where("created_at < ?", query.created_before)
    if query.upto is not None:
        rows.where("(seq, id) <= (?, ?)", *query.upto)
    return rows
