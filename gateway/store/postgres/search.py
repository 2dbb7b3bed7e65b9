"""Searches as SQL. What a search filters by decides its statement, so these are put together, here and nowhere else.

A statement walks one index in the order of the answer and stops at its limit. Values are parameters; a limit is written
out, because a plan that is made for any limit may prefer to sort.
"""

from collections.abc import Sequence

from msgspec import Struct

from gateway.store.keys import UNDATED, Digests, asked, sought
from gateway.store.postgres.partitions import SHIFT, bounds
from gateway.store.protocol import DeliveryQuery, Key, MessageQuery, RecordQuery

LOT = 1024  # messages whose keys stand together
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
RARE = ("control_id", "record", "identifier", "visit", "order", "account", "patient", "birthdate", "name")
NONE = ("-",)  # a status that no record has
LEADING = ("event", "state", "subscription", "type")
ABOVE_ALL = (1 << 63) - 1
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


def record_search(query: RecordQuery, place: int | None, digests: Digests, statuses: Sequence[str] = ()) -> Statement:
    """Rows of (id, version, body, position). `place` is the row number of the record that the last page ended at,
    `statuses` are those that records of the kind have."""
    scope = f"record:{query.kind}"
    wanted = sorted(asked(query.keys), key=rarity)
    groups = [sorted(digests.of(query.tenant, scope, sought(group))) for group in wanted]
    return _keyed(query, place, groups) if groups else _listed(query, place, statuses)


def rarity(group: Sequence[Key]) -> int:
    """Where a search begins: the least first."""
    return max((RARE.index(kind) if kind in RARE else len(RARE) for kind, _ in group), default=-1)


def _listed(query: RecordQuery, place: int | None, statuses: Sequence[str]) -> Statement:
    """The list of each status that is wanted, merged: so one that few records have is not looked for among all."""
    position = {"created": "k.n", "start": "k.start", "updated": "k.updated_at"}[query.order]
    wanted = [one for one in statuses if one in query.statuses] if query.statuses else statuses
    parameters: list[object] = []
    arms = []
    for status in wanted or NONE:
        rows = Select("records k", parameters)
        rows.where("k.tenant = ?", query.tenant)
        rows.where("k.kind = ?", query.kind)
        rows.where("k.status = ?", status)
        _narrow(rows, query, "k.start")
        _resume(rows, query, position, "k.n", place)
        arms.append(rows)
    return _merged(query, arms, position, "k.n", "UNION ALL"), parameters


def _keyed(query: RecordQuery, place: int | None, groups: list[list[int]]) -> Statement:
    """The ranges of the first group's keys, each as long as a page, and the page out of all; others are look-ups."""
    position = {"created": "k.record", "start": "k.start", "updated": "r.updated_at"}[query.order]
    if query.order == "created" and query.kind not in DATED:
        position = "k.start"  # the same for all of them, so that the index has them in order of creation
    parameters: list[object] = []
    arms = [_arm(query, place, digest, groups[1:], position, parameters) for digest in groups[0] or [0]]
    return _merged(query, arms, position, "k.record", "UNION"), parameters


def _merged(query: RecordQuery, arms: Sequence[Select], position: str, row: str, merge: str) -> str:
    """The records of several ranges, each as long as a page and in the order of the answer, and the page out of all."""
    order, columns = _ordered(query, position, row), f"{position} AS position, {row} AS n"
    found = f" {merge} ".join(f"({arm.columns(columns)}{order})" for arm in arms)
    if len(arms) > 1:
        found += _ordered(query, "position", "n")
    return (
        f"SELECT r.id, r.version, r.body, f.position FROM ({found}) f "  # noqa: S608 - no values
        "CROSS JOIN LATERAL (SELECT id, version, body FROM records WHERE n = f.n OFFSET 0) r"
        f"{_ordered(query, 'f.position', 'f.n', limit=False)}"
    )


def _arm(
    query: RecordQuery, place: int | None, digest: int, others: list[list[int]], position: str, parameters: list[object]
) -> Select:
    beside = query.statuses or query.updated_since is not None or query.order == "updated"
    now = "record_keys k CROSS JOIN LATERAL (SELECT status, updated_at FROM records WHERE n = k.record OFFSET 0) r"
    rows = Select(now if beside else "record_keys k", parameters)
    rows.where("k.digest = ?", digest)
    _narrow(rows, query, "k.start")
    if query.statuses:
        rows.where("status = ANY (?)", list(query.statuses))
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
    """Rows as of `message_list`, of those that have a key of each group, in some lots (newest, oldest) of one month.

    A lot in which one of the keys is missing is passed by. The month stands in the text, so that a plan knows its
    partitions and no look-up has to choose one.
    """
    month = lots[0] * LOT >> SHIFT
    low, high = bounds("message_keys", month)
    parameters: list[object] = list(lots)
    held = Select("generate_series($1::bigint, $2::bigint, -1) AS s (lot)", parameters)
    for group in groups:
        one = f"SELECT 1 FROM message_keys o WHERE o.lot = s.lot AND o.lot >= {low} AND o.lot < {high}"  # noqa: S608
        held.where(f"EXISTS ({one} AND o.digest = ANY (?) OFFSET 0)", list(group))
    first, *others = groups
    source = f"({held.columns('s.lot')} OFFSET 0) AS l JOIN message_keys k ON k.lot = l.lot"
    rows = Select(f"{source} JOIN messages m ON m.n = k.message", parameters)
    rows.where(f"k.lot >= {low} AND k.lot < {high} AND m.n >= {low * LOT} AND m.n < {high * LOT}")
    rows.where("k.digest = ANY (?)", list(first))
    for group in others:
        other = f"SELECT 1 FROM message_keys o WHERE o.lot = k.lot AND o.lot >= {low} AND o.lot < {high}"  # noqa: S608
        rows.where(f"EXISTS ({other} AND o.message = k.message AND o.digest = ANY (?))", list(group))
    _filter(rows, query)
    if place is not None:
        rows.where("k.message < ?", place)
    text = f"{rows.columns(f'DISTINCT ON (m.n) {SUMMARY}')} ORDER BY m.n DESC LIMIT {query.limit + 1:d}"
    return text, parameters


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


def event_search(tenant: str, after: int, limit: int, types: Sequence[str] | None) -> Statement:
    """Events after a seq, of some types or of all; those of each type are a range, and these are merged."""
    parameters: list[object] = []
    arms = []
    for one in (None,) if types is None else types:
        rows = Select("events", parameters)
        rows.where("tenant = ?", tenant)
        if one is None:
            rows.where("seq > ?", after)
        else:  # said so that no other index has this order: few may be of the type, and many of the tenant
            rows.where("(type, seq) > (?, ?)", one, after)
            rows.where("type <= ?", one)
        order = "seq" if one is None else "type, seq"
        arms.append(f"({rows.columns(EVENT)} ORDER BY {order} LIMIT {limit:d})")
    merged = f" ORDER BY seq LIMIT {limit:d}" if len(arms) > 1 else ""
    return " UNION ALL ".join(arms) + merged, parameters


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
    """Deliveries, newest first or oldest first, along the index of what is rarest of that which is asked for.

    The order begins with that column, and a page with a place in it: so no other index has this order.
    """
    further, way, end = (">", "ASC", "<=") if query.oldest_first else ("<", "DESC", ">=")
    rows = _deliveries(query)
    lead = next((one for one in LEADING if _leads(query, one)), None)
    order = ("seq",) if lead == "subscription" else ("seq", "id")  # an event goes to a subscription once
    begin = query.after or ((-1, "") if query.oldest_first else (ABOVE_ALL, ""))
    if lead:
        value, order = getattr(query, lead), (lead, *order)
        bound = (value, *begin)[: len(order)]
        rows.where(f"({', '.join(order)}) {further} ({', '.join('?' * len(order))})", *bound)
        rows.where(f"{lead} {end} ?", value)
    elif query.after is not None:
        rows.where(f"(seq, id) {further} (?, ?)", *begin)
    ordered = ", ".join(f"{one} {way}" for one in order)
    return f"{rows.columns(DELIVERY)} ORDER BY {ordered} LIMIT {limit:d}", rows.parameters


def _leads(query: DeliveryQuery, column: str) -> bool:
    value = getattr(query, column)
    return value is not None and not (column == "state" and value in ("delivered", "parked"))


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
        if query.state != "delivered":
            rows.where("state IN ('pending', 'claimed', 'cancelled')")  # and of these
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
