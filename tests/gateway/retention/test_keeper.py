"""The keeper takes away what was kept for long enough, and nobody who commits meanwhile notices."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from canonical.ids import new_id
from gateway.retention.keeper import LEASE, Keeper
from gateway.site.settings import MessageClass
from gateway.store.holding import Hold
from gateway.store.protocol import Batch, Delivery, DeliveryQuery, Kept, Move, Store, Subscription
from tests.gateway.retention.conftest import Keeping
from tests.store_contract import made
from tests.store_contract.conftest import keep

DAY = 86_400_000_000
ORU = MessageClass(type="ORU", days=30)


def aged(number: int, days: int, **given: Any) -> Kept:
    """A message that was received so many days before T0."""
    at = made.T0 - days * DAY + number
    return made.message(number, id=new_id("message", at, "aged", number), received_at=at, **given)


async def which(store: Store, messages: list[Kept]) -> list[Kept]:
    """Those of the messages that are kept."""
    return [one for one in messages if await store.message(one.tenant, one.id)]


async def purged(keeper: Keeper, kind: str) -> float:
    """How many rows of a kind the metrics say were taken away."""
    lines = keeper.metrics.render().decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith(f'isthmus_purged_total{{kind="{kind}"')
    )


async def test_nothing_goes_unless_a_site_says_so(store: Store, keeping: Keeping) -> None:
    """However old it is."""
    messages = [aged(1, 5000), aged(2, 1)]
    await keep(store, Batch(messages=messages, events=[made.event(1)]))
    await keeping(0).go_round()

    assert messages == await which(store, messages)
    assert 1 == await store.oldest_event()


async def test_each_class_has_its_days(store: Store, keeping: Keeping) -> None:
    """Of every tenant; what no class speaks of goes last, and a second round finds nothing to do."""
    lab = {"type": "ORU", "event": "R01"}
    messages = [aged(6, 400, **lab), aged(5, 400), aged(4, 89), aged(3, 31), aged(2, 31, **lab), aged(1, 29, **lab)]
    theirs = aged(7, 31, tenant="other", **lab)
    await keep(store, Batch(messages=[*messages, theirs]))
    keeper = keeping(0, messages=90, classes=(ORU,))
    await keeper.go_round()

    assert [messages[2], messages[3], messages[5]] == await which(store, messages)
    assert [] == await which(store, [theirs])
    assert messages[2].received_at / 1e6 == keeper.metrics.oldest_message._value.get()
    again = keeping(0, messages=90, classes=(ORU,))
    await again.go_round()
    assert 0 == await purged(again, "messages")


async def test_a_class_may_outlive_all_others(store: Store, keeping: Keeping) -> None:
    """Then no month goes whole that holds some of it."""
    long = MessageClass(feed="lab", days=500)
    messages = [aged(1, 400, feed="lab"), aged(2, 400), aged(3, 600, feed="lab"), aged(4, 600)]
    await keep(store, Batch(messages=messages))
    await keeping(0, messages=90, classes=(long,)).go_round()

    assert messages[:1] == await which(store, messages)


async def test_other_classes_are_followed_from_the_beginning(store: Store, keeping: Keeping) -> None:
    """What stayed under the rules of before goes by those of today; marks of before are forgotten."""
    messages = [aged(1, 40), aged(2, 40, type="ORU")]
    await keep(store, Batch(messages=messages))
    await keeping(0, messages=90, classes=(ORU,)).go_round()
    assert messages[:1] == await which(store, messages)
    await keeping(0, messages=90, classes=(MessageClass(type="SIU", days=30),)).go_round()

    assert [] == await which(store, messages)
    assert 1 == len([name for name in await store.switches() if name.startswith("retention:main:1")])


async def test_one_of_several_processes_does_it(store: Store, keeping: Keeping) -> None:
    """The others leave it alone as long as that one is at it."""
    message = aged(1, 400)
    await keep(store, Batch(messages=[message]))
    await store.lease(LEASE, "another", made.T0 + DAY, made.T0)
    await keeping(0, messages=90).go_round()
    assert [message] == await which(store, [message])
    await store.lease(LEASE, "another", 0, made.T0)
    await keeping(0, messages=90).go_round()

    assert [] == await which(store, [message])


async def test_commits_go_on_all_the_while(store: Store, keeping: Keeping) -> None:
    """Not one of them fails, and many come between: row by row, and while whole months go."""
    lab = {"type": "ORU"}
    for at in range(0, 3000, 500):
        await keep(store, Batch(messages=[aged(at + n, 40 + at // 100, **lab) for n in range(500)]))
    await keep(store, Batch(messages=[aged(4000 + n, 300 + 31 * n) for n in range(6)]))
    committed: list[Kept] = []

    done = asyncio.Event()

    async def commit() -> None:
        while not done.is_set():
            fresh = made.message(10_000 + len(committed), type="ORU")
            event = made.event(len(committed))
            await keep(store, Batch(messages=[fresh], events=[event], audit=[made.audit_row(1)]))
            committed.append(fresh)

    committing = asyncio.create_task(commit())
    keeper = keeping(0, messages=90, classes=(ORU,))
    await keeper.go_round()
    done.set()
    await committing

    assert len(committed) > 30  # one a batch at the least
    assert {one.id for one in committed} == set(await made.found(store, limit=500))
    assert len(committed) == len(await store.events("main", 0, 10_000)) == await store.head()


# -- legal hold


@pytest.mark.parametrize("days", [40, 400])
async def test_what_is_on_hold_is_there_byte_for_byte(store: Store, keeping: Keeping, days: int) -> None:
    """Whether it would have gone row by row or with its month; when the hold is released the next round takes it."""
    person = made.patient(1)
    of_person = aged(1, days, type="ORU", records=(person.id,), raw=bytes(range(256)), duplicates=3)
    other = aged(2, days, type="ORU")
    await keep(store, Batch(messages=[of_person, other], records=[made.new(person)]))
    hold = Hold(id="hld_1", tenant="main", name="n", reason="r", by="b", created_at=1, record=person.id)
    await store.put_hold(hold)
    keeper = keeping(0, messages=90, classes=(ORU,))
    await keeper.go_round()
    assert [of_person, None] == [await store.message("main", one.id) for one in (of_person, other)]
    await keeper.go_round()
    assert of_person == await store.message("main", of_person.id)
    await store.put_hold(replace(hold, released_at=made.T0, released_by="b"))
    await keeper.go_round()

    assert None is await store.message("main", of_person.id)
    assert await store.tombstone("main", of_person.id)


# -- events


async def follows(store: Store, number: int, state: Any = "active", ends: str | None = None) -> Subscription:
    """A subscription with a delivery of each of the first two events: both wait, or both ended so."""
    identity = new_id("subscription", made.T0 + number * 1000, number)
    one = Subscription(id=identity, tenant="main", client="c", url="https://p.test", created_at=made.T0 + number)
    await store.put_subscription(one, None)
    deliveries = [
        Delivery(
            id=new_id("delivery", made.T0, identity, event.id),
            tenant="main",
            subscription=identity,
            seq=event.seq,
            event=event.id,
            type=event.type,
            lane=event.lane,
        )
        for event in await store.events("main", 0, 2)
    ]
    await store.derive([Move(subscription=identity, cursor=0, upto=2, deliveries=deliveries)])
    if ends:
        claimed = await store.claim(made.T0, DAY, 9, {identity: 9})
        await store.conclude([(replace(delivery, state=ends), None) for delivery, _ in claimed])
    if state != "active":
        await store.put_subscription(replace(one, state=state, version=2), 1)
    return one


async def lost(store: Store) -> list[str]:
    """The subscriptions of which a task says that they have lost something."""
    return [
        one.subject for one in (await store.tasks("main", "ready", None, None, 50)).items if one.code == "DLV-EXPIRED"
    ]


async def test_an_event_stays_while_somebody_waits_for_it(store: Store, keeping: Keeping) -> None:
    """Once it has arrived it goes, with its delivery; the feed says where it begins now."""
    events = await keep(store, Batch(events=[made.event(1), made.event(2)]))
    one = await follows(store, 1)
    keeper = keeping(400, events=30)
    await keeper.go_round()
    assert events == await store.events("main", 0, 9)
    claimed = await store.claim(made.T0, DAY, 9, {one.id: 9})
    await store.conclude([(replace(delivery, state="delivered"), None) for delivery, _ in claimed])
    await keeper.go_round()

    assert [] == await store.events("main", 0, 9)
    assert 3 == await store.oldest_event()
    assert [] == (await store.deliveries(DeliveryQuery(tenant="main"))).items
    assert (2, 2) == (await purged(keeper, "events"), await purged(keeper, "deliveries"))
    assert [] == await lost(store)


async def test_nobody_who_rests_holds_events_for_ever(store: Store, keeping: Keeping) -> None:
    """What is paused, disabled or parked loses what it waited for, and a person hears of it."""
    await keep(store, Batch(events=[made.event(1), made.event(2)]))
    paused, disabled = await follows(store, 1, "paused"), await follows(store, 2, "disabled")
    parked, well = await follows(store, 3, ends="parked"), await follows(store, 4, ends="delivered")
    await keeping(400, events=30).go_round()

    assert [paused.id, disabled.id, parked.id] == sorted(await lost(store))
    assert well.id not in await lost(store)
    assert [] == (await store.deliveries(DeliveryQuery(tenant="main"))).items
    assert 0 == (await store.backlog()).pending


async def test_the_keeper_ends_with_its_process(
    store: Store, keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the middle of a round, and another goes on where it was."""
    messages = [aged(n, 40, type="ORU") for n in range(350)]
    await keep(store, Batch(messages=messages))
    keeper = keeping(0, classes=(ORU,))
    purge, rounds = store.purge_messages, []

    async def purge_and_leave(*given: Any) -> int:
        rounds.append(given)
        keeper.leaving.set()
        return await purge(*given)

    monkeypatch.setattr(store, "purge_messages", purge_and_leave)
    await keeper.go_round()
    await asyncio.wait_for(keeper.run(), 10)
    monkeypatch.undo()
    left = len(await which(store, messages))
    assert (1, 250) == (len(rounds), left)
    await keeping(0, classes=(ORU,)).go_round()

    assert [] == await which(store, messages)
