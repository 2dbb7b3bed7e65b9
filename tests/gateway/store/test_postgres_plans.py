"""Every hot query of the shared store has its plan asserted: no table is read through, no page sorts more than it has.

Plans are made for any parameters, as those are that a prepared statement keeps, on tables that are empty and on tables
that hold little and whose statistics say so: such a plan is kept while they grow. What holds here does not hang on
statistics, for the store's sessions and its statements leave the planner no other way.
"""

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

from gateway.store.keys import Digests
from gateway.store.postgres import (
    PostgresStore,
    access,
    deliveries,
    feed,
    ledger,
    messages,
    partitions,
    records,
    retention,
)
from gateway.store.postgres.partitions import bounds, name_of, this_month
from gateway.store.postgres.search import (
    delivery_count,
    delivery_list,
    event_search,
    message_list,
    message_search,
    record_search,
    task_search,
)
from gateway.store.protocol import DeliveryQuery, MessageQuery, RecordQuery
from tests.benchmarks.store import group
from tests.gateway.store.conftest import Opened
from tests.store_contract import made

DIGESTS = Digests(bytes(32))
ROOMS: dict[str, ModuleType] = {
    one.__name__.rpartition(".")[2]: one
    for one in (access, deliveries, feed, ledger, messages, partitions, records, retention)
}
WHOLE = {
    "switches",
    "subscriptions",
    "links",
    "known",
    "awaited",
    "behind",
    "followed",
    "holds",
    "anchors",
}  # these are to read all there is
READS = re.compile(r"\b(FROM|UPDATE) (?!unnest)[a-z]")
NAMED = [
    (room, name)
    for room, module in ROOMS.items()
    for name, text in module.SQL.items()
    if name not in WHOLE and "{name}" not in text and READS.search(text)
]
SMALL = {"hold", "links", "aliases", "survivor", "take", "take_now", "history", "find", "seen", "claim", "add"}
ALL_OF_AN_INDEX = {"backlog", "running_jobs", "waiting"}  # an index of those alone
TABLES = "SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
SMALL |= {"heard", "waiting"}  # the messages of some seconds, the tasks that are open: grouped by a few names


async def plan(store: PostgresStore, text: str) -> list[str]:
    """The steps of a statement for any parameters."""
    count = max(map(int, re.findall(r"\$(\d+)", text)), default=0)
    given = f"({', '.join(['NULL'] * count)})" if count else ""
    async with store._pool.acquire() as connection:
        await connection.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE asked AS {text}")
        steps = await connection.fetch(f"EXPLAIN (COSTS OFF) EXECUTE asked{given}")
        await connection.execute("DEALLOCATE asked")
    return [row[0].strip() for row in steps]


def walks(steps: Sequence[str]) -> list[str]:
    """The steps that read a table from end to end; a partition's plan is as its neighbour's."""
    return [step for step in steps if "Seq Scan" in step]


def sorts(steps: Sequence[str]) -> list[str]:
    """The steps that sort all they get."""
    return [step for step in steps if step.removeprefix("->").strip() == "Sort"]


def bare(steps: Sequence[str]) -> list[str]:
    """Reads of an index without a place to begin: they pass all of it."""
    scans = [n for n, step in enumerate(steps) if re.search(r"Index (Only )?Scan", step)]
    return [steps[n] for n in scans if not any("Index Cond" in step for step in steps[n + 1 : n + 3])]


def first_limit(steps: Sequence[str]) -> int:
    """Where the page begins that is sorted last, when it is no longer than a page."""
    return next(n for n, step in enumerate(steps) if "Limit" in step)


@pytest.mark.parametrize(("room", "name"), NAMED)
async def test_a_named_statement_finds_its_rows_by_index(another: Opened, room: str, name: str) -> None:
    """All reads, updates and deletes of the .sql files; what is sorted is what was asked for."""
    store = await another()
    steps = await plan(store, ROOMS[room].SQL[name])

    assert [] == walks(steps)
    assert [] == bare(steps) or name in ALL_OF_AN_INDEX
    assert [] == sorts(steps) or name in SMALL


@pytest.mark.parametrize("messages", [1, 3, 30, 300])
async def test_plans_made_while_there_was_little_are_as_good(another: Opened, messages: int) -> None:
    """What the planner knows of a small table does not let it read all of it, for it will grow."""
    store = await another()
    batch = group(0, messages)
    known = {one.after.id: made.new(one.after) for one in batch.records}
    batch.records = list(known.values())
    async with store.unit() as unit:
        await unit.commit(batch)
    async with store._pool.acquire() as connection:
        for table in await connection.fetch(TABLES):
            await connection.execute(f"VACUUM ANALYZE {table['name']}")
    asked = [(room, name) for room, name in NAMED if name not in ALL_OF_AN_INDEX]
    plans = {(room, name): await plan(store, ROOMS[room].SQL[name]) for room, name in asked}

    found = {name: [*walks(steps), *bare(steps)] for name, steps in plans.items()}
    assert [] == [(name, one) for name, bad in found.items() for one in bad]
    for name in ("insert", "promote"):
        assert [step for step in plans["deliveries", name] if "deliveries_head " in step]
    assert [step for step in plans["deliveries", "claim"] if "deliveries_due " in step]


@pytest.mark.parametrize("name", ["awaited", "behind"])
async def test_what_subscriptions_lose_is_found_by_index(another: Opened, name: str) -> None:
    """All subscriptions are looked at, and of each the deliveries that decide."""
    store = await another()
    steps = await plan(store, retention.SQL[name])
    found = [n for n, step in enumerate(steps) if "Scan" in step and "deliveries" in step]

    assert found
    assert all("Index Cond" in steps[n + 1] for n in found)


WHO = (("patient", "pat_1"),)
EITHER = (*WHO, ("patient", "pat_2"))
WHERE = (("location", "loc_1"),)


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "records_created"),
        ({"descending": True}, "records_created"),
        ({"after": (1, "x")}, "records_created"),
        ({"statuses": ("booked",)}, "records_created"),
        ({"order": "start"}, "records_start"),
        ({"order": "start", "start_from": 1, "start_before": 2}, "records_start"),
        ({"order": "start", "start_from": 1, "after": (1, "x")}, "records_start"),
        ({"order": "start", "statuses": ("booked",)}, "records_start"),
        ({"order": "updated", "updated_since": 1}, "records_updated"),
        ({"order": "updated", "after": (1, "x"), "descending": True}, "records_updated"),
    ],
)
async def test_a_list_of_records_ends_with_its_page(another: Opened, asked: dict[str, Any], index: str) -> None:
    """Each order has its index, in both directions, from wherever a page begins."""
    store = await another()
    query = RecordQuery(**{"tenant": "main", "kind": "appointment", **asked})
    steps = await plan(store, record_search(query, 1, DIGESTS, ["booked"])[0])

    assert [] == [*walks(steps), *bare(steps)]
    assert [] == sorts(steps[first_limit(steps) :])
    assert [step for step in steps if index in step]


async def test_a_list_of_records_is_merged_from_those_of_each_status(another: Opened) -> None:
    """One range a status, each no longer than the page."""
    store = await another()
    query = RecordQuery(tenant="main", kind="appointment", order="updated", statuses=("booked", "noshow", "odd"))
    steps = await plan(store, record_search(query, 1, DIGESTS, ["booked", "cancelled", "noshow"])[0])

    assert [] == [*walks(steps), *bare(steps)]
    assert ["->  Limit"] * 2 == [step for step in steps if step == "->  Limit"][-2:]
    assert 2 == len([step for step in steps if "records_updated" in step])


@pytest.mark.parametrize(
    "asked",
    [
        {"order": "start", "keys": (WHO,)},
        {"order": "start", "keys": (WHO,), "start_from": 1},
        {"order": "start", "keys": (WHO,), "after": (1, "x")},
        {"order": "start", "keys": (WHO, WHERE)},
        {"order": "start", "keys": (WHO,), "statuses": ("booked",)},
        {"order": "start", "keys": (EITHER,)},
        {"kind": "patient", "keys": (WHO,)},
    ],
)
async def test_a_search_of_records_ends_with_its_page(another: Opened, asked: dict[str, Any]) -> None:
    """Under each key the index has the order of the answer; sorted is only a page, and what several keys gave."""
    store = await another()
    query = RecordQuery(**{"tenant": "main", "kind": "appointment", **asked})
    steps = await plan(store, record_search(query, 1, DIGESTS)[0])

    assert [] == [*walks(steps), *bare(steps)]
    several = "Unique" in " ".join(steps) or "HashAggregate" in " ".join(steps)
    assert [] == sorts(steps[first_limit(steps) :]) or several
    assert [step for step in steps if "record_keys_pkey" in step]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "tenant_received_at"),
        ({"after": (1, "x")}, "tenant_received_at"),
        ({"feed": "ehr"}, "tenant_feed_received_at"),
        ({"feed": "ehr", "event": "S12", "type": "SIU", "after": (1, "x")}, "_received_at_n"),
        ({"event": "S12"}, "tenant_event_received_at"),
        ({"type": "SIU", "received_before": 1}, "tenant_type_received_at"),
        ({"state": "applied", "received_from": 1}, "tenant_received_at"),
        ({"state": "parked"}, "tenant_state_received_at"),
        ({"state": "refused", "received_before": 1}, "tenant_state_received_at"),
    ],
)
async def test_a_list_of_messages_ends_with_its_page(another: Opened, asked: dict[str, Any], index: str) -> None:
    """Newest first, each month in its order, and what needs a look without passing what does not."""
    store = await another()
    steps = await plan(store, message_list(MessageQuery(tenant="main", **asked), 1)[0])

    assert [] == [*walks(steps), *bare(steps)]
    assert [] == sorts(steps)
    assert [step for step in steps if index in step]


async def test_a_search_of_messages_looks_into_each_lot_once(another: Opened) -> None:
    """One look-up of each key a lot, then of those messages that have the first one; of one month alone."""
    store = await another()
    month = this_month()
    lot = bounds("message_keys", month)[0]
    steps = await plan(store, message_search(MessageQuery(tenant="main"), None, [[1, 2], [3]], (lot + 9, lot))[0])

    assert [] == [*walks(steps), *bare(steps)]
    assert 3 == len([step for step in steps if "(lot = s.lot)" in step])
    assert {f"Scan using {name_of('message_keys', month)}_pkey"} == set(
        re.findall(r"Scan using message_keys\w+", "\n".join(steps))
    )


@pytest.mark.parametrize(
    ("types", "index"), [(None, "tenant_seq"), (("a",), "tenant_type_seq"), (("a", "b"), "tenant_type_seq")]
)
async def test_the_feed_walks_on_from_a_seq(another: Opened, types: tuple[str, ...] | None, index: str) -> None:
    """From where the reader is, each type in a range of its own, each month in its order."""
    store = await another()
    steps = await plan(store, event_search("main", 1, 10, types)[0])

    assert [] == [*walks(steps), *bare(steps)]
    assert [] == sorts(steps) or (len(types or ()) > 1 and [] == sorts(steps[first_limit(steps[1:]) + 1 :]))
    assert [step for step in steps if index in step]


@pytest.mark.parametrize("after", [None, (1, "tsk_1")])
@pytest.mark.parametrize("queue", [None, "delivery"])
@pytest.mark.parametrize(("status", "index"), [(None, "tasks_created"), ("ready", "tasks_status")])
async def test_a_list_of_tasks_ends_with_its_page(
    another: Opened, status: Any, index: str, queue: Any, after: Any
) -> None:
    """With and without a status, on every page."""
    store = await another()
    steps = await plan(store, task_search("main", status, queue, after, 10)[0])

    assert [] == [*walks(steps), *sorts(steps), *bare(steps)]
    assert [step for step in steps if index in step]


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"subscription": "sub_1"}, "deliveries_once"),
        ({"subscription": "sub_1", "after": (1, "x"), "oldest_first": True}, "deliveries_once"),
        ({"subscription": "sub_1", "type": "a.b"}, "deliveries_once"),
        ({"event": "evt_1"}, "deliveries_event"),
        ({"type": "a.b"}, "deliveries_type"),
        ({"type": "a.b", "after": (1, "x")}, "deliveries_type"),
        ({"state": "cancelled"}, "deliveries_state"),
        ({"state": "pending", "type": "a.b", "oldest_first": True}, "deliveries_state"),
    ],
)
async def test_a_list_of_deliveries_begins_with_what_is_rare(
    another: Opened, asked: dict[str, Any], index: str
) -> None:
    """Along the index of that, so that nothing else is passed."""
    store = await another()
    steps = await plan(store, delivery_list(DeliveryQuery(tenant="main", **asked), 51)[0])

    assert [] == [*walks(steps), *sorts(steps), *bare(steps)]
    assert [step for step in steps if f"{index} " in step]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"subscription": "sub_1"},
        {"event": "evt_1"},
        {"state": "parked"},
        {"after": (1, "x")},
        {"state": "pending"},
        {"oldest_first": True},
        {"oldest_first": True, "after": (1, "x"), "upto": (9, "x")},
        {"oldest_first": True, "state": "parked", "upto": (9, "x")},
        {"oldest_first": True, "subscription": "sub_1", "after": (1, "x")},
    ],
)
async def test_a_list_of_deliveries_ends_with_its_page(another: Opened, asked: dict[str, Any]) -> None:
    """In either order along an index; and a count of what can be revived reads no more than its index."""
    store = await another()
    query = DeliveryQuery(**{"tenant": "main", **asked})
    steps = await plan(store, delivery_list(query, 51)[0])
    counting = await plan(store, delivery_count(query, 1)[0])

    assert [] == [*walks(steps), *sorts(steps), *bare(steps), *walks(counting), *bare(counting)]
