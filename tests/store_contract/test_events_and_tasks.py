"""The feed of events has no gap, and a task is open once for one thing."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from canonical.tasks import task_event
from gateway.store.protocol import Batch, Conflict, Store
from tests.store_contract import made
from tests.store_contract.conftest import keep

SEVERAL = [
    made.event(1),
    made.event(2, "appointment.cancelled"),
    made.event(3, "patient.merged"),
    made.event(4, "feed.silent"),
]


async def test_events_come_back_with_their_seq(store: Store) -> None:
    """Seq grows by one in the order of the batch, and the feed shows what commit gave."""
    first = await keep(store, Batch(events=SEVERAL[:2]))
    second = await keep(store, Batch(events=SEVERAL[2:]))

    assert [1, 2, 3, 4] == [one.seq for one in (*first, *second)]
    assert SEVERAL == [replace(one, seq=0) for one in (*first, *second)]
    assert [*first, *second] == await store.events("main", 0, 10)
    assert 4 == await store.head()


async def test_a_failed_unit_leaves_no_gap(store: Store) -> None:
    """The seq that a failed unit would have used is the next one's."""
    await keep(store, Batch(messages=[made.message(1)], events=[made.event(1)]))
    with pytest.raises(Exception, match="kept"):
        await keep(store, Batch(messages=[made.message(1)], events=[made.event(2)]))
    await keep(store, Batch(events=[made.event(3)]))

    assert [1, 2] == [one.seq for one in await store.events("main", 0, 10)]


async def test_the_feed_never_shows_a_gap(store: Store) -> None:
    """Whoever reads while others commit sees every seq up to the last it sees."""
    seen: list[int] = []

    async def write(first: int) -> None:
        for number in range(first, first + 10):
            await keep(store, Batch(events=[made.event(number * 10), made.event(number * 10 + 1)]))

    async def read() -> None:
        while len(seen) < 80:
            seen.extend(one.seq for one in await store.events("main", seen[-1] if seen else 0, 7))
            await asyncio.sleep(0)

    await asyncio.gather(read(), *(write(first) for first in (0, 100, 200, 300)))

    assert list(range(1, 81)) == seen


async def test_a_feed_belongs_to_its_tenant(store: Store) -> None:
    """A tenant sees its own events only; their seq is of the whole store."""
    await keep(store, Batch(events=[made.event(1), made.event(2, tenant="other"), made.event(3)]))

    assert [1, 3] == [one.seq for one in await store.events("main", 0, 10)]
    assert [2] == [one.seq for one in await store.events("other", 0, 10)]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((), [1, 2, 3, 4]),
        (("*",), [1, 2, 3, 4]),
        (("appointment.*",), [1, 2]),
        (("appointment.cancelled",), [2]),
        (("patient.*", "feed.silent"), [3, 4]),
        (("patient.*", "appointment.*"), [1, 2, 3]),
        (("appointment",), []),
        (("app*",), []),
        (("nothing.*",), []),
    ],
)
async def test_types_narrow_the_feed(store: Store, types: tuple[str, ...], expected: list[int]) -> None:
    """A pattern is a type, a family, or everything."""
    await keep(store, Batch(events=SEVERAL))

    assert expected == [one.seq for one in await store.events("main", 0, 10, types)]
    assert expected[1:2] == [one.seq for one in await store.events("main", (expected or [9])[0], 1, types)]


async def test_a_task_is_open_once(store: Store) -> None:
    """Raising what is open already adds nothing; another tenant's, queue's or code's is another task."""
    first, again = made.task(1), replace(made.task(2), subject=made.task(1).subject)
    others = [replace(again, id=f"tsk_{n}", **other) for n, other in enumerate(OTHERS)]
    await keep(store, Batch(tasks=[first]))
    await keep(store, Batch(tasks=[again, *others]))
    page = await store.tasks("main", None, None, None, 10)

    assert {first.id, *(one.id for one in others if one.tenant == "main")} == {one.id for one in page.items}


OTHERS: list[dict[str, Any]] = [{"tenant": "other"}, {"queue": "delivery"}, {"code": "PAT-MULTI"}, {"subject": "msg_x"}]


async def test_a_closed_task_that_is_raised_again_is_open_again(store: Store) -> None:
    """What was closed and is raised anew is the same task, without its owner; while it is open no other adds to it."""
    done = replace(made.task(1), status="completed", version=2, owner="ann", resolution="fixed")
    other = replace(made.task(2), subject=made.task(1).subject)
    await keep(store, Batch(tasks=[made.task(1)]))
    await keep(store, Batch(changed_tasks=[done]))
    await keep(store, Batch(tasks=[made.task(1)]))
    await keep(store, Batch(tasks=[other]))

    assert replace(made.task(1), version=3) == await store.task("main", done.id)
    assert None is await store.task("main", other.id)


async def test_a_task_is_changed_by_who_saw_its_last_version(store: Store) -> None:
    """Of two people with the same version in hand one succeeds."""
    await keep(store, Batch(tasks=[made.task(1)]))
    ann = replace(made.task(1), status="in-progress", version=2, owner="ann", note="called the ward", updated_at=9)
    bob = replace(made.task(1), status="cancelled", version=2, owner="bob")

    await keep(store, Batch(changed_tasks=[ann]))
    for late in (bob, replace(ann, version=3, tenant="other")):
        with pytest.raises(Conflict):
            await keep(store, Batch(changed_tasks=[late], events=[made.event(1)]))

    assert ann == await store.task("main", ann.id)
    assert None is await store.task("other", ann.id)
    assert [] == await store.events("main", 0, 10), "nothing of the batch is kept"


async def test_the_opening_of_a_task_is_told_once(store: Store) -> None:
    """An event about a task that was open already is left out; what else the batch tells is kept."""
    first, again = made.task(1), replace(made.task(2), subject=made.task(1).subject)
    opening = [task_event(one, "created", 1) for one in (first, again)]
    await keep(store, Batch(tasks=[first], events=opening[:1]))
    told = await keep(store, Batch(tasks=[again, made.task(3)], events=[made.event(1), opening[1]]))
    repeated = await keep(store, Batch(tasks=[first], events=opening[:1]))

    assert ([made.event(1).id], []) == ([one.id for one in told], repeated)
    assert [1, 2] == [one.seq for one in await store.events("main", 0, 10)]


async def test_the_open_tasks_about_something(store: Store) -> None:
    """All that nobody closed, of this tenant and subject, whatever their queue and code."""
    first = made.task(1)
    others = [replace(first, id=f"tsk_{n}", **other) for n, other in enumerate(OTHERS)]
    await keep(store, Batch(tasks=[first, made.task(2), *others]))
    await keep(store, Batch(changed_tasks=[replace(first, status="completed", version=2)]))
    async with store.unit() as unit:
        found = await unit.open_tasks("main", first.subject)

    same = [one for one in others if (one.tenant, one.subject) == ("main", first.subject)]
    assert {one.id for one in same} == {one.id for one in found}


async def test_tasks_are_listed_by_how_long_they_wait(store: Store) -> None:
    """Oldest first, page by page, by status and queue."""
    tasks = [replace(made.task(n), queue=("delivery", "registration")[n % 2], created_at=n // 3) for n in range(20)]
    await keep(store, Batch(tasks=tasks))
    await keep(store, Batch(changed_tasks=[replace(tasks[0], status="completed", version=2)]))
    expected = sorted(tasks, key=lambda one: (one.created_at, one.id))
    open_deliveries = [one.id for one in expected if one.queue == "delivery" and one.id != tasks[0].id]

    assert [one.id for one in expected] == await listed(store, None, None)
    assert open_deliveries == await listed(store, "ready", "delivery")
    assert [tasks[0].id] == await listed(store, "completed", None)


async def listed(store: Store, status: str | None, queue: str | None) -> list[str]:
    """All tasks, three at a time."""
    ids: list[str] = []
    after = None
    while True:
        page = await store.tasks("main", status, queue, after, 3)
        ids += [one.id for one in page.items]
        if (after := page.next) is None:
            return ids


async def test_open_tasks_are_counted_by_queue(store: Store) -> None:
    """Those that wait or are being worked on, of every tenant; a queue without any is not there."""
    tasks = [made.task(1), made.task(2, "other"), made.task(3, queue="delivery"), made.task(4)]
    await keep(store, Batch(tasks=tasks))
    left = ((tasks[0], "in-progress"), (tasks[2], "completed"), (tasks[3], "cancelled"))
    await keep(store, Batch(changed_tasks=[replace(task, status=status, version=2) for task, status in left]))

    assert {tasks[0].queue: 2} == await store.waiting_tasks()
