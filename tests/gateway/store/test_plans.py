"""Every hot statement walks an index: it scans no table, and sorts no more than the page it answers with."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.store.keys import Digests
from gateway.store.protocol import MessageQuery, RecordQuery
from gateway.store.sqlite import SqliteStore, access, feed, ledger, messages, records
from gateway.store.sqlite.search import event_search, message_list, message_search, record_search, task_search

DIGESTS = Digests(b"key")
ROOMS = {"access": access, "feed": feed, "ledger": ledger, "messages": messages, "records": records}
# Where the whole is the answer, where the table holds a handful of rows, and where the walk ends with its first row.
WHOLE = {
    ("access", "switches"),
    ("access", "forget_leases"),
    ("feed", "head"),
    ("feed", "waiting"),
    ("ledger", "links"),
    ("ledger", "head"),
}
NAMED = [
    (room, name)
    for room, module in ROOMS.items()
    for name, sql in module.SQL.items()
    if not sql.startswith("INSERT INTO") and (room, name) not in WHOLE
]
# Rows that a statement made itself: the page found, a chain of merges, the keys asked for, the lots to look into.
MADE = {
    "SCAN f",
    "SCAN up",
    "SCAN down",
    "SCAN (subquery-3)",
    "SCAN sent",
    "SCAN CONSTANT ROW",
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
    steps = plan(store, sql, [0] * sql.count("?"))

    assert [] == [step for step in walks(steps) if name not in {"aliases", "heard"} or step.startswith("SCAN")]
    assert [step for step in steps if step.startswith("SEARCH")]


async def test_open_tasks_are_counted_among_themselves(store: SqliteStore) -> None:
    """The count walks the index of open tasks, however many were closed."""
    assert "SCAN tasks USING INDEX tasks_open" in plan(store, feed.SQL["waiting"], [])


WHO = (("patient", "pat_1"),)
EITHER = (*WHO, ("patient", "pat_2"))
WHERE = (("location", "loc_1"),)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "records_created (tenant=? AND kind=?)"),
        ({"descending": True}, "records_created (tenant=? AND kind=?)"),
        ({"after": (1, "x")}, "records_created (tenant=? AND kind=? AND n>?)"),
        ({"statuses": ("booked",)}, "records_created (tenant=? AND kind=?)"),
        ({"order": "start"}, "records_start (tenant=? AND kind=?)"),
        ({"order": "start", "start_from": 1, "start_before": 2}, "records_start (tenant=? AND kind=? AND start>? AND"),
        ({"order": "start", "start_from": 1, "after": (1, "x")}, "records_start (tenant=? AND kind=? AND start>?)"),
        ({"order": "start", "statuses": ("booked",)}, "records_start (tenant=? AND kind=?)"),
        ({"order": "updated", "updated_since": 1}, "records_updated (tenant=? AND kind=? AND updated_at>?)"),
        ({"order": "updated", "after": (1, "x")}, "records_updated (tenant=? AND kind=? AND updated_at>?)"),
        ({"order": "start", "keys": (WHO,)}, "k USING PRIMARY KEY (digest=?)"),
        ({"order": "start", "keys": (WHO,), "start_from": 1}, "k USING PRIMARY KEY (digest=? AND start>?)"),
        (
            {"order": "start", "keys": (WHO,), "after": (1, "x")},
            "k USING PRIMARY KEY (digest=? AND (start,record)>(?,?))",
        ),
        ({"order": "start", "keys": (WHO, WHERE)}, "o USING PRIMARY KEY (digest=? AND start=? AND record=?)"),
        ({"order": "start", "keys": (WHO,), "statuses": ("booked",)}, "r USING INTEGER PRIMARY KEY (rowid=?)"),
        ({"order": "start", "keys": (EITHER,)}, "MERGE (UNION)"),
        ({"kind": "patient", "keys": (WHO,)}, "k USING PRIMARY KEY (digest=?)"),
    ],
)
async def test_a_search_of_records_ends_with_its_page(store: SqliteStore, asked: dict[str, Any], index: str) -> None:
    """Each order has its index, alone and under a key."""
    query = RecordQuery(**{"tenant": "main", "kind": "appointment", **asked})
    steps = plan(store, *record_search(query, 1, DIGESTS))

    assert [] == walks(steps)
    assert [step for step in steps if index in step]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "messages_received (tenant=?)"),
        ({"after": (1, "x")}, "messages_received (tenant=? AND received_at<?)"),
        ({"feed": "ehr", "type": "SIU"}, "messages_received (tenant=?)"),
        ({"state": "applied", "received_from": 1}, "messages_received (tenant=? AND received_at>?)"),
        ({"state": "parked"}, "messages_state (tenant=? AND state=?)"),
        ({"state": "refused", "received_before": 1}, "messages_state (tenant=? AND state=? AND received_at<?)"),
    ],
)
async def test_a_list_of_messages_ends_with_its_page(store: SqliteStore, asked: dict[str, Any], index: str) -> None:
    """Newest first, and what needs a look without passing what does not."""
    steps = plan(store, *message_list(MessageQuery(tenant="main", **asked), 1))

    assert [] == walks(steps)
    assert [step for step in steps if index in step]


async def test_a_search_of_messages_looks_into_each_lot_once(store: SqliteStore) -> None:
    """One look-up of each of the first keys a lot, one of each other key a message."""
    steps = plan(store, *message_search(MessageQuery(tenant="main"), None, [[1, 2], [3]], (9, 1)))

    assert [] == [step for step in walks(steps) if step.startswith("SCAN")]
    assert "SEARCH k USING PRIMARY KEY (lot=? AND digest=?)" in steps
    assert "SEARCH o USING PRIMARY KEY (lot=? AND digest=? AND message=?)" in steps


@pytest.mark.parametrize("types", [(), ("appointment.*", "patient.merged")])
async def test_the_feed_walks_on_from_a_seq(store: SqliteStore, types: tuple[str, ...]) -> None:
    """From where the reader is, whatever it filters by."""
    steps = plan(store, *event_search("main", 1, 10, types))

    assert ["SEARCH events USING INDEX events_tenant (tenant=? AND seq>?)"] == steps


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
