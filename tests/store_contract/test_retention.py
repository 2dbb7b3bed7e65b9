"""What goes when its time is over: no sooner, no more than that, and nothing that is held or still to be got."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from canonical.ids import new_id
from gateway.retention import Keeper
from gateway.site.settings import RetentionClass, RetentionSettings
from gateway.store.protocol import Batch, Contents, Delivery, Hold, Kept, MessageQuery, Move, Store, Subscription
from policies.audit import GENESIS, ChainRow, verify
from policies.metrics import Metrics
from tests.store_contract import made
from tests.store_contract.conftest import keep

DAY = 86_400_000_000
NOW = made.T0 + 1000 * DAY
KEYS = (("identifier", "urn:x|123"), ("name", "doe"))


def message(number: int, days_ago: float, **given: Any) -> Kept:
    """A message that came so long ago."""
    at = NOW - int(days_ago * DAY)
    return made.message(number, received_at=at, id=new_id("message", at, number), keys=KEYS, **given)


def keeper(store: Store, *classes: RetentionClass, **days: int) -> Keeper:
    """Who keeps to these settings."""
    settings = RetentionSettings(classes=classes, **days)
    return Keeper(store, settings, ("main",), lambda: NOW, Metrics())


async def listed(store: Store) -> list[str]:
    """The control ids of all messages, the oldest first."""
    found = await store.messages(MessageQuery(tenant="main", limit=5000))
    return [one.control_id for one in reversed(found.items)]


async def test_contents_of_a_class_go_and_the_message_stays(store: Store) -> None:
    """Of what is older than its class allows no byte and no key is left; that it came, and its answer, are."""
    old, young = message(1, 40, type="ORU", event="R01"), message(2, 20, type="ORU", event="R01")
    other = message(3, 40)
    await keep(store, Batch(messages=[old, other, young]))
    done = await keeper(store, RetentionClass(days=30, type="ORU")).go_round()

    assert 1 == done["contents"]
    gone = await store.message("main", old.id)
    assert gone is not None
    assert (b"", (), NOW, old.ack) == (gone.raw, gone.keys, gone.purged_at, old.ack)
    assert young == await store.message("main", young.id)
    assert other == await store.message("main", other.id)
    found = await store.messages(MessageQuery(tenant="main", keys=(("name", "doe"),)))
    assert {"M2", "M3"} == {one.control_id for one in found.items}
    async with store.unit() as unit:
        seen = await unit.seen("main", [(old.dedup, old.hash)], 0)
    assert [old.ack] == [one.ack for one in seen[old.dedup]]


async def test_what_was_emptied_is_not_looked_at_again(store: Store) -> None:
    """The next round goes on where the last one ended, and finds what has become old since."""
    await keep(store, Batch(messages=[message(1, 40), message(2, 29.5), message(3, 10)]))
    rule = RetentionClass(days=30)
    assert 1 == (await keeper(store, rule).go_round())["contents"]
    assert 0 == (await keeper(store, rule).go_round())["contents"]
    later = Keeper(store, RetentionSettings(classes=(rule,)), ("main",), lambda: NOW + DAY, Metrics())

    assert 1 == (await later.go_round())["contents"]


async def test_messages_go_whole(store: Store) -> None:
    """All that is known of an old message goes: it is listed no more, and new if it comes again."""
    many = [message(number, 700 - number / 100) for number in range(1500)]
    young = [message(number, 5) for number in range(1500, 1500 + 1100)]
    await keep(store, Batch(messages=many))
    await keep(store, Batch(messages=young))
    await keeper(store, messages_days=100).go_round()

    left = await listed(store)
    assert [one.control_id for one in young] == left[-len(young) :]
    assert "M0" not in left
    async with store.unit() as unit:
        assert {} == await unit.seen("main", [(many[0].dedup, many[0].hash)], 0)
    await keep(store, Batch(messages=[many[0]]))
    found = await store.messages(MessageQuery(tenant="main", keys=(("control_id", "M1600"),)))
    assert ["M1600"] == [one.control_id for one in found.items]


@pytest.mark.parametrize("what", ["record", "message", "feed"])
async def test_what_is_held_is_copied_aside_and_goes_with_its_hold(store: Store, what: str) -> None:
    """Emptied and dropped, it is read byte by byte as before; released, it is gone."""
    held = message(1, 40, records=("pat_1",), feed="lab")
    free = message(2, 40, records=("pat_2",))
    await keep(store, Batch(messages=[held, free, *(message(number, 1) for number in range(3, 1100))]))
    about: dict[str, Any] = {what: {"record": "pat_1", "message": held.id, "feed": "lab"}[what]}
    await store.put_hold(Hold(id="hld_1", tenant="main", reason="a court", by="admin", created_at=NOW, **about))
    await keeper(store, RetentionClass(days=30)).go_round()

    assert held == await store.message("main", held.id)
    assert None is await store.message("other", held.id)
    assert b"" == getattr(await store.message("main", free.id), "raw", None)
    await keeper(store, messages_days=31).go_round()
    assert held == await store.message("main", held.id)
    assert ["hld_1"] == [one.id for one in await store.holds()]
    assert not await store.release("other", "hld_1")
    assert await store.release("main", "hld_1")
    left = await store.message("main", held.id)
    assert left is None or left.purged_at is not None
    assert [] == await store.holds()


async def test_the_audit_goes_and_its_chain_holds(store: Store) -> None:
    """Links whose rows are gone have no digests, and the others are verified as before."""
    await store.audit([replace(made.audit_row(1), at=NOW - 3000 * DAY)])
    await store.audit([replace(made.audit_row(2), at=NOW - DAY), replace(made.audit_row(3), at=NOW)])
    await keeper(store, audit_days=2190).go_round()

    rows = await store.audit_rows("main", 0, 10)
    links = await store.audit_links()
    assert 2 == len(links)
    whole: Sequence[ChainRow] = [
        ChainRow(previous=previous, head=head, digests=tuple(found)) for previous, head, found in links if found
    ]
    assert verify(whole, whole[0].previous) is None
    assert links[0][0] == GENESIS
    assert [2, 3] == [number for number, _ in rows][-2:]


async def test_one_process_does_it(store: Store) -> None:
    """Who does not hold the lease does nothing."""
    await keep(store, Batch(messages=[message(1, 40)]))
    await store.lease("retention", "another", NOW + DAY, NOW)

    assert {} == await keeper(store, RetentionClass(days=30)).go_round()


async def test_a_place_in_the_middle_is_gone_on_from(store: Store) -> None:
    """However few are taken at a time, all are taken once."""
    await keep(store, Batch(messages=[message(number, 50 - number / 10) for number in range(1, 8)]))
    reached, emptied = 0, []
    while True:
        upto, count = await store.purge(Contents(), reached, NOW - 45 * DAY, NOW, 3)
        if upto == reached:
            break
        reached = upto
        emptied.append(count)
    assert 7 == sum(emptied)


async def test_events_wait_for_who_is_still_to_get_them(store: Store) -> None:
    """An old event stays while a subscription has not come so far, or a delivery of it is not over."""
    await keep(store, Batch(events=[made.event(number) for number in range(1, 6)]))
    subscription = Subscription(id="sub_1", tenant="main", client="desk", url="https://x.example/hook", cursor=3)
    assert await store.put_subscription(subscription, None)
    while await store.drop_events(NOW * 2, 2):
        pass
    first = await store.tail()

    assert first <= 3
    assert [4, 5] == [one.seq for one in await store.events("main", max(first, 3), 10)]
    open_one = Delivery(
        id="dlv_1", tenant="main", subscription="sub_1", seq=4, event="evt_4", type="appointment.created", lane="pat_1"
    )
    await store.derive([Move(subscription="sub_1", cursor=3, upto=5, deliveries=[open_one])])
    while await store.drop_events(NOW * 2, 2):
        pass
    assert 4 in [one.seq for one in await store.events("main", 3, 10)]
