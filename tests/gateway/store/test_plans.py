"""Every hot statement walks an index: it scans no table, and sorts no more than the page it answers with."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.store.keys import Digests
from gateway.store.protocol import MessageQuery, RecordQuery
from gateway.store.sqlite import SqliteStore, access, feed, ledger, messages, records, retention
from gateway.store.sqlite.search import (
    event_search,
    key_search,
    message_list,
    message_search,
    record_search,
    task_search,
)

DIGESTS = Digests(b"key")
ROOMS = {
    "access": access,
    "feed": feed,
    "ledger": ledger,
    "messages": messages,
    "records": records,
    "retention": retention,
}
# Where the whole is the answer, where the table holds a handful of rows, and where the walk ends with its first row.
WHOLE = {
    ("access", "switches"),
    ("access", "forget_leases"),
    ("feed", "head"),
    ("feed", "waiting"),
    ("ledger", "links"),
    ("retention", "anchors"),
    ("retention", "behind"),
    ("retention", "followed"),
    ("retention", "holds"),
    ("retention", "oldest_audit"),
    ("retention", "oldest_event"),
    ("retention", "oldest_events"),
    ("retention", "oldest_message"),
    ("ledger", "head"),
}
NAMED = [
    (room, name)
    for room, module in ROOMS.items()
    for name, sql in module.SQL.items()
    if not sql.startswith("INSERT INTO") and (room, name) not in WHOLE
]
# Rows that a statement made itself: the page found, a chain of merges, the keys asked for, the lots to look into, the
# statuses or types that there are.
MADE = {
    "SCAN f",
    "SCAN up",
    "SCAN down",
    "SCAN had",
    "SCAN (subquery-3)",
    "SCAN sent",
    "SCAN CONSTANT ROW",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN 32 CONSTANT ROWS",
}


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store."""
    store = SqliteStore(tmp_path)
    await store.open()
    yield store
    await store.close()


def plan(store: SqliteStore, sql: str, parameters: Sequence[object]) -> list[str]:
    """The steps of a statement as SQLite will take them, up to where its page is found."""
    steps = [row[3] for row in store._writer.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    return steps[: steps.index("SCAN f")] if "SCAN f" in steps else steps


def walks(steps: list[str]) -> list[str]:
    """The steps that pass more rows than they need, or sort them."""
    return [step for step in steps if (step.startswith("SCAN") and step not in MADE) or "TEMP B-TREE" in step]


@pytest.mark.parametrize(("room", "name"), NAMED)
async def test_a_named_statement_finds_its_rows_by_index(store: SqliteStore, room: str, name: str) -> None:
    """All reads, updates and deletes of the .sql files; sorted are only a chain of merges, by its few steps,
    and the feeds that were heard in the last seconds."""
    sql = ROOMS[room].SQL[name]
    numbered = [int(one) for one in re.findall(r"\?(\d+)", sql)]
    steps = plan(store, sql, [0] * max(numbered, default=sql.count("?")))

    assert [] == [step for step in walks(steps) if name not in {"aliases", "heard"} or step.startswith("SCAN")]
    assert [step for step in steps if step.startswith("SEARCH")]


async def test_open_tasks_are_counted_among_themselves(store: SqliteStore) -> None:
    """The count walks the index of open tasks, however many were closed."""
    assert "SCAN tasks USING INDEX tasks_open" in plan(store, feed.SQL["waiting"], [])


STATUSES = ("booked", "cancelled", "noshow")
WHO = (("patient", "pat_1"),)
EITHER = (*WHO, ("patient", "pat_2"))
WHERE = (("location", "loc_1"),)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "records_created (tenant=? AND kind=? AND status=?)"),
        ({"descending": True}, "records_created (tenant=? AND kind=? AND status=?)"),
        ({"after": (1, "x")}, "records_created (tenant=? AND kind=? AND status=? AND n>?)"),
        ({"statuses": ("booked",)}, "records_created (tenant=? AND kind=? AND status=?)"),
        ({"order": "start"}, "records_start (tenant=? AND kind=? AND status=?)"),
        (
            {"order": "start", "start_from": 1, "start_before": 2},
            "records_start (tenant=? AND kind=? AND status=? AND start>? AND",
        ),
        (
            {"order": "start", "start_from": 1, "after": (1, "x")},
            "records_start (tenant=? AND kind=? AND status=? AND start>?)",
        ),
        ({"statuses": ("booked", "noshow")}, "MERGE (UNION ALL)"),
        ({"statuses": ("unheard-of",)}, "records_created (tenant=? AND kind=? AND status=?)"),
        ({"order": "start", "statuses": ("booked",)}, "records_start (tenant=? AND kind=? AND status=?)"),
        (
            {"order": "updated", "updated_since": 1},
            "records_updated (tenant=? AND kind=? AND status=? AND updated_at>?)",
        ),
        (
            {"order": "updated", "after": (1, "x")},
            "records_updated (tenant=? AND kind=? AND status=? AND updated_at>?)",
        ),
        ({"order": "start", "keys": (WHO,)}, "k USING PRIMARY KEY (digest=?)"),
        ({"order": "start", "keys": (WHO,), "start_from": 1}, "k USING PRIMARY KEY (digest=? AND start>?)"),
        (
            {"order": "start", "keys": (WHO,), "after": (1, "x")},
            "k USING PRIMARY KEY (digest=? AND (start,record)>(?,?))",
        ),
        ({"order": "start", "keys": (WHO, WHERE)}, "o USING PRIMARY KEY (digest=? AND start=? AND record=?)"),
        ({"order": "start", "keys": (WHO,), "statuses": ("booked",)}, "r USING COVERING INDEX records_now (n=?"),
        ({"order": "start", "keys": (WHO,), "updated_since": 1}, "r USING COVERING INDEX records_now (n=?"),
        ({"order": "start", "keys": (EITHER,)}, "MERGE (UNION)"),
        ({"kind": "patient", "keys": (WHO,)}, "k USING PRIMARY KEY (digest=?)"),
    ],
)
async def test_a_search_of_records_ends_with_its_page(store: SqliteStore, asked: dict[str, Any], index: str) -> None:
    """Each order has its index, alone and under a key."""
    query = RecordQuery(**{"tenant": "main", "kind": "appointment", **asked})
    steps = plan(store, *record_search(query, 1, DIGESTS, STATUSES))

    assert [] == walks(steps)
    assert [step for step in steps if index in step]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "messages_received (tenant=?)"),
        ({"after": (1, "x")}, "messages_received (tenant=? AND received_at<?)"),
        ({"received_from": 1}, "messages_received (tenant=? AND received_at>?)"),
        (
            {"received_from": 1, "received_before": 2},
            "messages_received (tenant=? AND received_at>? AND received_at<?)",
        ),
    ],
)
async def test_a_list_of_messages_ends_with_its_page(store: SqliteStore, asked: dict[str, Any], index: str) -> None:
    """Newest first, of any time."""
    steps = plan(store, *message_list(MessageQuery(tenant="main", **asked), 1))

    assert [] == walks(steps)
    assert [step for step in steps if index in step]


FILTERED = MessageQuery(tenant="main", feed="ehr", state="parked", received_from=1)


async def test_a_search_of_messages_looks_into_each_lot_once(store: SqliteStore) -> None:
    """One look-up of each key a lot."""
    steps = plan(store, *key_search([1, 2, 3], 9, 1))

    assert [] == walks(steps)
    assert "SEARCH k USING PRIMARY KEY (lot=? AND digest=?)" in steps


async def test_messages_that_were_found_are_read_by_their_numbers(store: SqliteStore) -> None:
    """Newest first, whatever else is asked for."""
    steps = plan(store, *message_search(FILTERED, 5, [7, 8]))

    assert [] == walks(steps)
    assert "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)" in steps


async def test_the_feed_walks_on_from_a_seq(store: SqliteStore) -> None:
    """From where the reader is."""
    steps = plan(store, *event_search("main", 1, 10, None))

    assert ["SEARCH events USING INDEX events_tenant (tenant=? AND seq>?)"] == steps


async def test_the_feed_of_some_types_passes_no_others(store: SqliteStore) -> None:
    """One range for each type, merged."""
    steps = plan(store, *event_search("main", 1, 10, ("appointment.booked", "patient.merged")))

    assert [] == walks(steps)
    assert "MERGE (UNION ALL)" in steps
    assert "SEARCH events USING COVERING INDEX events_type (tenant=? AND type=? AND seq>?)" in steps


@pytest.mark.parametrize("after", [None, (1, "tsk_1")])
@pytest.mark.parametrize("queue", [None, "delivery"])
@pytest.mark.parametrize(("status", "index"), [(None, "tasks_created"), ("ready", "tasks_status")])
async def test_a_list_of_tasks_ends_with_its_page(
    store: SqliteStore, status: Any, index: str, queue: Any, after: Any
) -> None:
    """With and without a status, on every page."""
    steps = plan(store, *task_search("main", status, queue, after, 10))

    assert [] == walks(steps)
    assert f"USING INDEX {index}" in steps[0]
