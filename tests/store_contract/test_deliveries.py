"""Subscriptions, deliveries, attempts and jobs: order by lane, leases, what is kept of a try, and revival."""

import asyncio
import random
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from canonical.events import Event
from canonical.ids import new_id
from gateway.deliveries.fanout import deliveries_of
from gateway.store.protocol import (
    Attempt,
    Batch,
    Delivery,
    DeliveryQuery,
    DeliveryState,
    Job,
    Move,
    Store,
    Subscription,
)
from tests.store_contract.made import T0, event

SUB = new_id("subscription", T0, 1)
LEASE = 1_000_000
ROOMS = {SUB: 100}
EVERYTHING = DeliveryQuery(tenant="main", subscription=SUB)


def subscription(**given: object) -> Subscription:
    """The subscription of these tests: everything of tenant `main`."""
    made = Subscription(
        id=SUB, tenant="main", client="partner", url="https://partner.example/hook", secrets=("whsec_secret",)
    )
    return replace(made, **given)


async def keep(store: Store, *lanes: str) -> list[Event]:
    """Events in the feed, each in the lane that is named."""
    made = [event(number, patient=lane, feed="ehr", version=1) for number, lane in enumerate(lanes, 1)]
    async with store.unit() as unit:
        return await unit.commit(Batch(events=made))


async def derived(store: Store, *lanes: str) -> list[Delivery]:
    """One delivery for each lane that is named, in that order, at T0."""
    await store.put_subscription(subscription(), None)
    events = await keep(store, *lanes)
    deliveries = deliveries_of(subscription(), events, T0)
    await store.derive([Move(subscription=SUB, cursor=0, upto=events[-1].seq, deliveries=deliveries)])
    return deliveries


async def claim(store: Store, now: int = T0, limit: int = 100) -> list[Delivery]:
    return [delivery for delivery, _ in await store.claim(now, LEASE, limit, ROOMS)]


def tried(delivery: Delivery, state: DeliveryState, due_at: int = T0, now: int = T0) -> tuple[Delivery, Attempt]:
    """How a claimed delivery stands after one more try."""
    number = delivery.attempts + 1
    stands = replace(delivery, state=state, attempts=number, due_at=due_at, updated_at=now, outcome=f"was_{state}")
    return stands, Attempt(
        delivery=delivery.id, number=number, at=now, took=9, outcome=f"was_{state}", status=204, answer="thanks"
    )


def ids(deliveries: Iterable[Delivery]) -> list[str]:
    return [delivery.id for delivery in deliveries]


async def test_subscription_is_kept(store: Store) -> None:
    """A subscription comes back as it was put, secrets included, and only to its tenant."""
    await store.put_subscription(subscription(cursor=7), None)

    assert subscription(cursor=7) == await store.subscription("main", SUB)
    assert await store.subscription("other", SUB) is None
    assert [subscription(cursor=7)] == await store.subscriptions()
    assert [] == await store.subscriptions("other")


async def test_subscription_that_files_declare(store: Store) -> None:
    """It belongs to no client, and where it goes comes back as it was put."""
    made = subscription(
        client="", kind="route", destination="lab", route="results", other_feeds=("lab",), lane="receiver", secrets=()
    )
    assert await store.put_subscription(made, None)

    assert [made] == await store.subscriptions("main")
    assert made.is_declared


async def test_subscription_changes_by_version(store: Store) -> None:
    """A change that does not know the newest version is refused, and none moves the cursor."""
    await store.put_subscription(subscription(cursor=7), None)

    assert not await store.put_subscription(subscription(), None)
    assert await store.put_subscription(subscription(version=2, cursor=99, types=("patient.*",)), 1)
    assert not await store.put_subscription(subscription(version=2), 1)
    assert subscription(version=2, cursor=7, types=("patient.*",)) == await store.subscription("main", SUB)


async def test_a_client_has_at_most_so_many(store: Store) -> None:
    """The limit is looked at in the write: of those who come at once no more are kept; others do not count."""
    await store.put_subscription(subscription(id=new_id("subscription", T0, 90), client="other"), None, most=2)
    await store.put_subscription(subscription(id=new_id("subscription", T0, 91), tenant="other"), None, most=2)
    many = [subscription(id=new_id("subscription", T0, 100 + number)) for number in range(6)]

    kept = await asyncio.gather(*(store.put_subscription(one, None, most=2) for one in many))

    assert 2 == sum(kept)
    assert 4 == len(await store.subscriptions())
    assert await store.put_subscription(subscription(id=many[kept.index(True)].id, version=2), 1, most=2)


async def test_derive_moves_once(store: Store) -> None:
    """A cursor moves only from where it stands, and brings its deliveries with it or not at all."""
    deliveries = await derived(store, "a", "b")

    moves = [Move(subscription=SUB, cursor=0, upto=2, deliveries=deliveries)]
    assert [False] == await store.derive(moves)
    assert 2 == (await store.subscriptions())[0].cursor
    assert ids(reversed(deliveries)) == ids((await store.deliveries(EVERYTHING)).items)


async def test_claim_gives_the_event(store: Store) -> None:
    """A claimed delivery comes with its event, leased."""
    (delivery,) = await derived(store, "a")

    ((claimed, found),) = await store.claim(T0 + 5, LEASE, 10, ROOMS)

    assert delivery.id == claimed.id
    assert ("claimed", T0 + 5 + LEASE) == (claimed.state, claimed.lease_until)
    assert claimed == await store.delivery("main", delivery.id)
    assert await store.events("main", 0, 10) == [found]


async def test_only_the_head_of_a_lane_is_claimed(store: Store) -> None:
    """Of each lane the oldest unfinished delivery is claimed, and the next only when that one has ended."""
    a1, b1, a2, a3 = await derived(store, "a", "b", "a", "a")

    first = await claim(store)
    assert [a1.id, b1.id] == ids(first)
    assert [] == await claim(store)

    await store.conclude([tried(first[0], "delivered")])
    second = await claim(store)
    assert [a2.id] == ids(second)

    await store.conclude([tried(second[0], "parked")])
    assert [a3.id] == ids(await claim(store))


async def test_a_retry_blocks_its_own_lane_only(store: Store) -> None:
    """While a delivery waits to be tried again, its lane waits with it and others go on."""
    a1, _, b1 = await derived(store, "a", "a", "b")
    (head, other) = await claim(store)
    await store.conclude([tried(head, "pending", due_at=T0 + 50), tried(other, "delivered")])

    assert b1.id == other.id
    assert [] == await claim(store, T0 + 49)
    assert [a1.id] == ids(await claim(store, T0 + 50))


async def test_rooms_and_limit(store: Store) -> None:
    """No more is claimed than there is room for, of one subscription and in all."""
    await derived(store, *"abcdef")

    assert 2 == len(await store.claim(T0, LEASE, 10, {SUB: 2}))
    assert 3 == len(await store.claim(T0, LEASE, 3, {SUB: 10}))
    assert [] == await store.claim(T0, LEASE, 10, {})


async def test_a_lease_runs_out(store: Store) -> None:
    """What was claimed and not concluded can be claimed again when its lease has run out, with the same id."""
    (delivery,) = await derived(store, "a")
    await claim(store)

    assert [] == await claim(store, T0 + LEASE - 1)
    assert [delivery.id] == ids(await claim(store, T0 + LEASE))


async def test_conclude_is_idempotent(store: Store) -> None:
    """The same conclusion twice leaves one attempt, and a second one does not undo what happened since."""
    a1, a2 = await derived(store, "a", "a")
    (head,) = await claim(store)
    ended = tried(head, "delivered")

    await store.conclude([ended])
    (following,) = await claim(store)
    await store.conclude([ended, ended])

    assert a2.id == following.id
    assert [ended[1]] == await store.attempts("main", a1.id)
    assert "delivered" == (await _found(store, a1)).state
    assert [] == await claim(store)


async def test_only_the_lease_concludes(store: Store) -> None:
    """A worker whose lease ran out keeps its attempt but cannot say how the delivery stands."""
    (delivery,) = await derived(store, "a")
    (late,) = await claim(store)
    (current,) = await claim(store, T0 + LEASE)

    await store.conclude([tried(late, "parked")])
    assert current == await _found(store, delivery)

    await store.conclude([tried(current, "delivered")])
    assert "delivered" == (await _found(store, delivery)).state


async def test_attempts_are_kept(store: Store) -> None:
    """Every try is kept with what the receiver said, and shown to its tenant only."""
    (delivery,) = await derived(store, "a")
    (head,) = await claim(store)
    first = tried(head, "pending")
    await store.conclude([first])
    (head,) = await claim(store)
    second = tried(head, "delivered")
    await store.conclude([second])

    assert [first[1], second[1]] == await store.attempts("main", delivery.id)
    assert [] == await store.attempts("other", delivery.id)


async def test_failing_since(store: Store) -> None:
    """The first failure after the last success is remembered; a success and being made active again clear it."""
    await derived(store, "a", "b")
    one, two = await claim(store)

    async def since() -> int | None:
        return (await store.subscriptions())[0].failing_since

    await store.conclude([tried(one, "pending", now=T0 + 1)])
    (one,) = await claim(store)
    await store.conclude([tried(one, "pending", now=T0 + 2)])
    assert T0 + 1 == await since()
    await store.conclude([tried(two, "delivered", now=T0 + 3)])
    assert await since() is None
    (one,) = await claim(store)
    await store.conclude([tried(one, "pending", now=T0 + 4)])
    await store.put_subscription(subscription(version=2, state="disabled"), 1)
    assert T0 + 4 == await since()
    await store.put_subscription(subscription(version=3), 2)
    assert await since() is None


async def test_deletion_cancels(store: Store) -> None:
    """A deleted subscription receives nothing more, also not what was under way; its history stays."""
    deliveries = await derived(store, "a", "a", "b")
    claimed = await claim(store)

    assert not await store.delete_subscription("other", SUB, None)
    assert not await store.delete_subscription("main", SUB, 7)
    assert await store.subscription("main", SUB)
    assert await store.delete_subscription("main", SUB, 1)
    assert not await store.delete_subscription("main", SUB, None)
    await store.conclude([tried(claimed[0], "pending")])

    page = await store.deliveries(EVERYTHING)
    assert ids(reversed(deliveries)) == ids(page.items)
    assert {"cancelled"} == {one.state for one in page.items}
    assert (0, 0) == (await store.revive(EVERYTHING, T0 + 9), await store.revivable(EVERYTHING, T0 + 9))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [4, 3, 2, 1]),
        ({"subscription": SUB}, [4, 3, 2, 1]),
        ({"tenant": "other"}, []),
        ({"state": "parked"}, [1]),
        ({"state": "pending"}, [4, 3]),
        ({"subscription": SUB, "state": "parked"}, [1]),
        ({"event": event(2).id}, [2]),
        ({"type": "appointment.created"}, [4, 3, 2, 1]),
        ({"type": "patient.merged"}, []),
        ({"created_from": T0 + 1}, []),
        ({"created_from": T0, "created_before": T0 + 1}, [4, 3, 2, 1]),
        ({"after": (3, "")}, [2, 1]),
        ({"limit": 2}, [4, 3]),
        ({"oldest_first": True}, [1, 2, 3, 4]),
        ({"oldest_first": True, "after": (2, "~")}, [3, 4]),
        ({"oldest_first": True, "upto": (3, "~")}, [1, 2, 3]),
        ({"upto": (2, "~"), "state": "parked"}, [1]),
        ({"oldest_first": True, "subscription": SUB, "limit": 2}, [1, 2]),
    ],
)
async def test_lists(store: Store, query: dict[str, object], found: list[int]) -> None:
    """Deliveries are found by each filter, newest first unless the oldest are wanted first."""
    await derived(store, *"abcd")
    one, two, *_ = await store.claim(T0, LEASE, 2, ROOMS)
    await store.conclude([tried(one[0], "parked"), tried(two[0], "delivered")])

    page = await store.deliveries(replace(DeliveryQuery(tenant="main"), **query))

    assert found == [one.seq for one in page.items]


async def test_pages(store: Store) -> None:
    """Pages follow one another without loss or repetition, and the last one says so."""
    deliveries = await derived(store, *"abcde")
    query, seen = replace(EVERYTHING, limit=2), list[str]()
    for _ in range(3):
        page = await store.deliveries(query)
        seen += ids(page.items)
        query = replace(query, after=page.next)

    assert ids(reversed(deliveries)) == seen
    assert page.next is None


async def test_revival(store: Store) -> None:
    """What is finished becomes due again, with a schedule of its own; numbers of tries go on."""
    await derived(store, *"ab")
    one, two = await claim(store)
    await store.conclude([tried(one, "parked"), tried(two, "pending", due_at=T0 + 99)])

    assert 1 == await store.revivable(EVERYTHING, T0 + 5)
    assert 1 == await store.revive(EVERYTHING, T0 + 5)
    (again,) = await claim(store, T0 + 5)
    assert (one.id, 1, 1, T0 + 5) == (again.id, again.attempts, again.spent, again.since)


async def test_a_revival_is_of_its_own_trace(store: Store) -> None:
    """What is sent again is of the trace that is given, or stays of its own; its event stays of its own either way."""
    await store.put_subscription(subscription(), None)
    async with store.unit() as unit:
        events = await unit.commit(Batch(events=[event(1, traceparent="00-1")]))
    deliveries = deliveries_of(subscription(), events, T0)
    await store.derive([Move(subscription=SUB, cursor=0, upto=1, deliveries=deliveries)])
    for now, given, expected in ((T0 + 1, None, "00-1"), (T0 + 2, "00-2", "00-2"), (T0 + 3, None, "00-2")):
        (head,) = await claim(store, now)
        await store.conclude([tried(head, "delivered", now=now)])
        assert 1 == await store.revive(EVERYTHING, now, given)
        ((head, about),) = await store.claim(now, LEASE, 1, ROOMS)
        await store.conclude([tried(head, "pending", due_at=now, now=now)])

        assert (expected, "00-1") == (head.traceparent, about.traceparent)


async def test_a_page_revived_twice(store: Store) -> None:
    """With the start of a job as `now`, a page repeated after a crash revives nothing twice."""
    await derived(store, "a")
    (head,) = await claim(store)
    await store.conclude([tried(head, "delivered", now=T0 + 1)])
    assert 1 == await store.revive(EVERYTHING, T0 + 5)
    (head,) = await claim(store, T0 + 6)
    await store.conclude([tried(head, "delivered", now=T0 + 7)])

    assert 0 == await store.revive(EVERYTHING, T0 + 5)


async def test_revival_keeps_order(store: Store) -> None:
    """What is revived goes before younger ones of its lane that wait, and after one that is under way."""
    a1, a2, a3 = await derived(store, "a", "a", "a")
    (head,) = await claim(store)
    await store.conclude([tried(head, "parked")])
    (head,) = await claim(store)
    await store.revive(EVERYTHING, T0 + 1)
    assert [] == await claim(store, T0 + 1)
    await store.conclude([tried(head, "pending", due_at=T0 + 1, now=T0 + 1)])
    await store.revive(EVERYTHING, T0 + 2)

    order = []
    for now in range(T0 + 2, T0 + 6):
        for one in await claim(store, now):
            order.append(one.id)
            await store.conclude([tried(one, "delivered", now=now)])
    assert sorted([a1.id, a2.id, a3.id]) == sorted(order)
    assert order.index(a1.id) < order.index(a3.id)
    assert order.index(a2.id) < order.index(a3.id)


async def test_backlog(store: Store) -> None:
    """The backlog counts what waits, what is under way and what is parked, and knows the oldest due.

    What is to be tried again later has waited since it was due at first.
    """
    await derived(store, *"aabc")
    one, two, _ = await claim(store)
    await store.conclude([tried(one, "parked"), tried(two, "pending", due_at=T0 + 77)])
    backlog = await store.backlog()

    assert (2, 1, 1, T0, T0, 4) == (
        backlog.pending,
        backlog.claimed,
        backlog.parked,
        backlog.oldest_due_at,
        backlog.oldest_since,
        backlog.head,
    )
    await store.conclude([tried(one, "pending", due_at=T0 + 99) for one in await claim(store)])
    backlog = await store.backlog()
    assert T0 < (backlog.oldest_due_at or 0)
    assert T0 == backlog.oldest_since


async def test_jobs(store: Store) -> None:
    """A job is kept with its progress, and is among the running ones until it ends."""
    job = Job(id="job_1", tenant="main", client="partner", kind="resend", created_at=T0, total=9, body=b"{}")
    await store.put_job(job)
    assert [job] == await store.jobs()

    done = replace(job, done=9, state="completed", body=b"")
    await store.put_job(done)
    assert [] == await store.jobs()
    assert done == await store.job("main", "job_1")
    assert await store.job("other", "job_1") is None


@pytest.mark.parametrize("seed", range(8))
async def test_order_under_any_failures(store: Store, seed: int) -> None:
    """Whatever fails, waits, is parked, is left to its lease or revived: in a lane nothing overtakes an older one."""
    dice = random.Random(seed)
    deliveries = await derived(store, *(dice.choice("abc") for _ in range(40)))
    order, now = {one.id: (one.lane, one.seq) for one in deliveries}, T0
    unfinished = set(order)
    while unfinished:
        now += dice.choice((1, 10, LEASE))
        for delivery in await claim(store, now, limit=dice.randint(1, 5)):
            lane, seq = order[delivery.id]
            assert seq == min(order[one][1] for one in unfinished if order[one][0] == lane)
            fate = dice.choice(("delivered", "pending", "parked", "lost"))
            if fate != "lost":
                state: DeliveryState = fate  # type: ignore[assignment]  # one of the states, as the line above says
                await store.conclude([tried(delivery, state, due_at=now + dice.randint(0, 20), now=now)])
            if fate in ("delivered", "parked"):
                unfinished.discard(delivery.id)
    assert [] == await claim(store, now + 2 * LEASE)


async def _found(store: Store, delivery: Delivery) -> Delivery:
    found = await store.delivery(delivery.tenant, delivery.id)
    assert found is not None
    return found
