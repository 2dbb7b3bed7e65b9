"""What goes in the end goes whole, what is needed stays, and what is on hold is kept aside byte for byte."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from canonical.ids import new_id
from gateway.store.holding import Hold
from gateway.store.protocol import Batch, Delivery, Kept, Move, Old, Store, Subscription, Tombstone
from policies.audit import ChainRow, purged, verify_all
from tests.store_contract import made
from tests.store_contract.conftest import KEY, Open, keep

HOUR = 3_600_000_000
FUTURE = 1 << 60
BEGIN = (0, 0)


async def old(store: Store, before: int = FUTURE, after: tuple[int, int] = BEGIN) -> list[Old]:
    return await store.old_messages("main", after, before, 5000)


async def purge(store: Store, *messages: Kept) -> int:
    """Purge these; how many were put aside."""
    wanted = {one.id for one in messages}
    return await store.purge_messages("main", [one for one in await old(store) if one.id in wanted])


def hold(number: int = 1, /, **given: Any) -> Hold:
    fresh = Hold(
        id=new_id("hold", made.T0 + number * 1000, number),
        tenant="main",
        name="Doe v. Hospital",
        reason="a letter of 3 May",
        by="counsel",
        created_at=made.T0,
    )
    return replace(fresh, **given)


async def released(store: Store, one: Hold) -> None:
    """Release a hold and take away what no other covers."""
    await store.put_hold(replace(one, released_at=made.T0 + 1, released_by="counsel"))
    after: int | None = 0
    while after is not None:
        after = await store.purge_aside(after, 1)


# -- messages


async def test_old_messages_come_in_the_order_of_receipt(store: Store) -> None:
    """Of one tenant, before a moment, after a place: what decides about them and no more."""
    await keep(store, Batch(messages=[made.message(3, feed="lab", type="ORU", event="R01"), made.message(1)]))
    await keep(store, Batch(messages=[made.message(2), made.message(4, tenant="other")]))
    first, second, third = await old(store)

    assert [made.message(n).id for n in (1, 2, 3)] == [first.id, second.id, third.id]
    assert ("lab", "ORU", "R01", made.T0 + 3) == (third.feed, third.type, third.event, third.received_at)
    assert [third] == await old(store, after=(second.received_at, second.n))
    assert [first, second] == await old(store, before=third.received_at)
    assert [first] == await store.old_messages("main", BEGIN, FUTURE, 1)


async def test_a_purged_message_leaves_its_tombstone(store: Store) -> None:
    """Neither its id nor any list nor any key finds it; who brought it when is known still."""
    gone = made.message(1, keys=(("name", "doe"),), records=("pat_1",))
    stays = made.message(2, keys=(("name", "doe"),), records=("pat_1",))
    await keep(store, Batch(messages=[gone, stays]))

    assert 0 == await purge(store, gone)

    assert None is await store.message("main", gone.id)
    assert stays == await store.message("main", stays.id)
    assert [stays.id] == await made.found(store)
    assert [stays.id] == await made.found(store, record="pat_1")
    assert [stays.id] == await made.found(store, keys=(("name", "doe"),), limit=1)
    expected = Tombstone(gone.id, "main", "ehr", gone.received_at, "SIU", "S12", gone.hash)
    assert expected == await store.tombstone("main", gone.id)
    assert None is await store.tombstone("other", gone.id)
    assert None is await store.tombstone("main", stays.id)
    assert stays.received_at == await store.oldest_message()


async def test_a_repeat_of_a_purged_message_is_known(store: Store) -> None:
    """It has no answer any more, and does not become a second message; nor does another under its control id."""
    gone = made.message(1)
    await keep(store, Batch(messages=[gone]))
    await purge(store, gone)
    async with store.unit() as unit:
        seen = await unit.seen("main", [(gone.dedup, gone.hash)], 0)
        other = await unit.seen("main", [(gone.dedup, bytes(32))], 0)
        await unit.commit(Batch(repeats=[gone.id]))

    assert [(gone.id, gone.hash, None)] == [(one.id, one.hash, one.ack) for one in seen[gone.dedup]]
    assert [gone.id] == [one.id for one in other[gone.dedup]]


async def test_many_lots_are_purged(backend: Open, tmp_path: Path) -> None:
    """Parts of lots, whole lots and the newest one; what stays is found, also by who opens the store again."""
    store = backend(tmp_path, KEY)
    await store.open()
    many = [made.message(n, keys=(("name", "even" if n % 2 else "odd"),)) for n in range(1, 3001)]
    await keep(store, Batch(messages=many[:1500]))
    await keep(store, Batch(messages=many[1500:]))
    stay = [one for n, one in enumerate(many) if n > 2900 or n % 100 == 0]
    await purge(store, *(one for one in many if one not in stay))
    newest_first = [one.id for one in reversed(stay)]
    odd = [one.id for one in reversed(stay) if one.keys == (("name", "odd"),)]

    assert newest_first == await made.found(store)
    assert odd == await made.found(store, keys=(("name", "odd"),))
    await store.close()
    again = backend(tmp_path, KEY)
    await again.open()
    try:
        await keep(again, Batch(messages=[made.message(9000)]))
        assert [made.message(9000).id, *newest_first] == await made.found(again)
        assert odd == await made.found(again, keys=(("name", "odd"),))
    finally:
        await again.close()


async def test_the_place_of_a_purged_message_is_never_given_again(store: Store) -> None:
    """After all messages went the next one is found by its own keys alone."""
    many = [made.message(n, keys=(("name", "old"),)) for n in range(1, 1100)]
    await keep(store, Batch(messages=many))
    await purge(store, *many)
    new = made.message(2000, keys=(("name", "new"),))
    await keep(store, Batch(messages=[new]))

    assert [] == await made.found(store, keys=(("name", "old"),))
    assert [new.id] == await made.found(store, keys=(("name", "new"),))
    assert [new.id] == [one.id for one in await old(store)]


async def test_a_tombstone_is_forgotten(store: Store) -> None:
    """Then the same message is a new one; the newest tombstone holds its place."""
    year = 365 * 24 * HOUR
    ages = {n: made.T0 - n * year for n in (5, 4, 1)}
    messages = [made.message(n, id=new_id("message", at, n), received_at=at) for n, at in ages.items()]
    await keep(store, Batch(messages=messages))
    await purge(store, *messages)

    assert 2 == await store.forget_messages(made.T0 - 3 * year, 1000)
    assert 0 == await store.forget_messages(made.T0 - 3 * year, 1000)
    assert [None, None] == [await store.tombstone("main", one.id) for one in messages[:2]]
    assert await store.tombstone("main", messages[2].id)
    await keep(store, Batch(messages=[messages[0]]))
    assert messages[0] == await store.message("main", messages[0].id)


# -- holds


@pytest.mark.parametrize(
    ("covers", "expected"),
    [
        ({"message": made.message(2).id}, [2]),
        ({"feed": "ehr"}, [1, 2]),
        ({"feed": "ehr", "received_from": made.T0 + 2}, [2]),
        ({"feed": "ehr", "received_before": made.T0 + 2}, [1]),
        ({"feed": "lab", "received_from": made.T0 + 3, "received_before": made.T0 + 4}, [3]),
        ({"record": "pat_9"}, [3]),
        ({"record": "pat_9", "tenant": "other"}, []),
    ],
)
async def test_what_is_on_hold_is_put_aside(store: Store, covers: dict[str, Any], expected: list[int]) -> None:
    """Byte for byte, found by its id alone, until the hold is released; then it is gone as the others are."""
    messages = {1: made.message(1), 2: made.message(2), 3: made.message(3, feed="lab", records=("pat_9", "apt_1"))}
    await keep(store, Batch(messages=list(messages.values())))
    one = hold(**covers)
    await store.put_hold(one)

    assert len(expected) == await purge(store, *messages.values())

    assert [messages[n] if n in expected else None for n in messages] == [
        await store.message("main", kept.id) for kept in messages.values()
    ]
    assert [] == await made.found(store)
    assert None is await store.message("other", messages[1].id)
    await released(store, one)
    assert [None] * 3 == [await store.message("main", kept.id) for kept in messages.values()]
    assert all([await store.tombstone("main", kept.id) for kept in messages.values()])


async def test_a_hold_on_a_patient_covers_who_was_merged_with_it(store: Store) -> None:
    """Whichever of them it names."""
    survivor, source = made.patient(1), made.patient(2)
    messages = [made.message(1, records=(survivor.id,)), made.message(2, records=(source.id,)), made.message(3)]
    await keep(store, Batch(records=[made.new(survivor), made.new(source)], messages=messages))
    await keep(store, Batch(records=[made.merged(source, survivor)]))
    await store.put_hold(hold(record=source.id))

    assert 2 == await purge(store, *messages)


async def test_a_message_stays_until_its_last_hold_is_released(store: Store) -> None:
    """Two may cover it, and what was put aside is asked about again."""
    kept, first, second = made.message(1), hold(1, feed="ehr"), hold(2, message=made.message(1).id)
    await keep(store, Batch(messages=[kept]))
    for one in (first, second):
        await store.put_hold(one)
    await purge(store, kept)
    await released(store, first)

    assert kept == await store.message("main", kept.id)
    assert [replace(first, released_at=made.T0 + 1, released_by="counsel"), second] == await store.holds("main")
    await released(store, second)
    assert None is await store.message("main", kept.id)


async def test_holds_are_a_tenants(store: Store) -> None:
    """In the order of their making; one is found among those of every tenant too."""
    mine, theirs = hold(1, feed="ehr"), hold(2, tenant="other", feed="ehr")
    await store.put_hold(theirs)
    await store.put_hold(mine)

    assert [mine] == await store.holds("main")
    assert {mine.id, theirs.id} == {one.id for one in await store.holds()}


# -- events and deliveries


@pytest_asyncio.fixture
async def fed(store: Store) -> AsyncIterator[Store]:
    """A store with six events in its feed, three of them of one patient, all of years ago."""
    lanes = ["pat_1", "pat_1", "pat_2", "pat_1", "pat_3", "pat_4"]
    await keep(store, Batch(events=[made.event(n, patient=lane) for n, lane in enumerate(lanes, 1)]))
    yield store


async def subscribed(store: Store, number: int, upto: int, **given: object) -> Subscription:
    """A subscription that has followed the feed up to a seq: each event so far is a delivery of it."""
    one = Subscription(
        id=new_id("subscription", made.T0 + number * 1000, number),
        tenant="main",
        client="partner",
        url="https://p.test",
    )
    one = replace(one, created_at=made.T0, **given)
    await store.put_subscription(one, None)
    events = await store.events("main", 0, upto) if upto else []
    made_of = [
        Delivery(
            id=new_id("delivery", made.T0, one.id, event.id),
            tenant="main",
            subscription=one.id,
            seq=event.seq,
            event=event.id,
            type=event.type,
            lane=event.lane,
        )
        for event in events
    ]
    await store.derive([Move(subscription=one.id, cursor=0, upto=upto, deliveries=made_of)])
    return one


async def finished(store: Store, one: Subscription, count: int, state: str = "delivered") -> None:
    """Let the next deliveries of a subscription end so."""
    for _ in range(count):
        ((delivery, _),) = await store.claim(made.T0, HOUR, 1, {one.id: 1})
        await store.conclude([(replace(delivery, state=state), None)])


async def left(store: Store, one: Subscription, upto: int) -> list[str]:
    """The ids of the deliveries that a subscription would still be given."""
    found = []
    while claimed := await store.claim(made.T0, HOUR, 10, {one.id: 10}):
        found += [delivery.id for delivery, _ in claimed]
        await store.conclude([(replace(delivery, state="delivered"), None) for delivery, _ in claimed])
    return found


async def test_what_a_subscription_will_not_receive_is_said(fed: Store) -> None:
    """Waiting, parked, or not yet in reach; who has had all it wanted loses nothing."""
    waits = await subscribed(fed, 1, 6)
    parks = await subscribed(fed, 2, 6)
    lags = await subscribed(fed, 3, 1, state="disabled")
    has_all = await subscribed(fed, 4, 6)
    await finished(fed, parks, 1, "parked")
    await finished(fed, parks, 5)
    await finished(fed, has_all, 6)
    await finished(fed, lags, 1)

    assert [waits.id, parks.id, lags.id] == [one.id for one in await fed.losing(4)]
    assert [waits.id, parks.id] == [one.id for one in await fed.losing(2)]
    assert [] == await fed.losing(1)


async def test_deliveries_go_with_their_tries_and_those_behind_go_on(fed: Store) -> None:
    """Some at a time, of one tenant, whatever became of them; the next of the lane becomes its head."""
    one = await subscribed(fed, 1, 6)
    await finished(fed, one, 1, "parked")
    four = (await fed.events("main", 3, 1))[0]

    assert 2 == await fed.purge_deliveries("main", 4, 2)
    assert 1 == await fed.purge_deliveries("main", 4, 2)
    assert 0 == await fed.purge_deliveries("main", 4, 2)
    assert 0 == await fed.purge_deliveries("other", 9, 2)
    found = await left(fed, one, 6)
    assert 3 == len(found)
    assert new_id("delivery", made.T0, one.id, four.id) in found
    assert [] == await fed.attempts("main", found[0])


async def test_the_feed_says_where_it_begins(fed: Store) -> None:
    """Before anything was purged, with the first event; in an empty feed, with the next one."""
    assert 1 == await fed.oldest_event()
    await keep(fed, Batch(events=[made.event(7)]))
    assert 1 == await fed.oldest_event()


# -- audit


def chain(links: Sequence[tuple[bytes, bytes, list[bytes]]]) -> list[ChainRow]:
    return [ChainRow(previous=one, digests=tuple(digests), head=head) for one, head, digests in links]


async def test_an_audit_of_which_nothing_was_purged_has_no_anchor(store: Store) -> None:
    """It is verified from its beginning on."""
    await store.audit([made.audit_row(1)])

    assert [] == await store.audit_anchors()
    assert None is verify_all(chain(await store.audit_links()))
    assert None is purged(await store.audit_anchors())
