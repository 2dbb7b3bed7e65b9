"""Two stores on one database, as two processes have them: nobody works from what is no longer so, and all end."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace

from canonical.settle import Working
from gateway.deliveries.fanout import deliveries_of
from gateway.store.postgres import PostgresStore, wakes
from gateway.store.protocol import Attempt, Batch, Conflict, Delivery, Move, RecordQuery, Subscription, Unit
from policies.audit import GENESIS, ChainRow, verify
from tests.gateway.store.conftest import Opened
from tests.servers.postgres import Postgres
from tests.store_contract import made
from tests.store_contract.conftest import KEY, InSchema, keep

MRN = ("patient", "P1", made.MRN)
LEASE = 1_000_000
SUB = Subscription(id="sub_1", tenant="main", client="partner", url="https://partner.example/hook")
MOMENT = 0.3  # seconds in which what waits has not gone on
SOON = 8.0  # seconds in which what need not wait is done on any machine; who waits for a lock does so for longer


async def load(unit: Unit, *wanted: tuple[str, str, str], tenant: str = "main") -> Working:
    """The working set that a unit loads for these (kind, value, system)."""
    working = Working()
    await unit.load(tenant, working, [(kind, made.identifier(value, system)) for kind, value, system in wanted])
    return working


async def loaded(store: PostgresStore, *wanted: tuple[str, str, str]) -> Working:
    """The same, of a unit of its own."""
    async with store.unit() as unit:
        return await load(unit, *wanted)


async def waits(task: asyncio.Task[Working]) -> bool:
    """Whether it has not ended after a moment."""
    done, _ = await asyncio.wait({task}, timeout=MOMENT)
    return not done


async def test_what_is_remembered_is_what_is_kept(another: Opened) -> None:
    """What another process changes is seen at once, by every verb, whether it made a version or only moved clocks."""
    one, other = await another(), await another()
    person = made.patient(1, "Doe")
    await keep(one, Batch(records=[made.new(person)]))
    assert {person.id: person} == (await loaded(one, MRN)).records
    assert {person.id: person} == (await loaded(other, MRN)).records
    confirmed = made.confirmed(person, 9)
    await keep(other, Batch(records=[confirmed]))
    assert {person.id: confirmed.after} == (await loaded(one, MRN)).records
    renamed = made.changed(confirmed.after, gender="female")
    await keep(one, Batch(records=[renamed]))

    assert {person.id: renamed.after} == (await loaded(other, MRN)).records
    assert renamed.after == await other.record("main", person.id)
    assert [renamed.after] == (await other.records(RecordQuery(tenant="main", kind="patient"))).items


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_number_is_worked_on_by_one(another: Opened, is_known: bool) -> None:
    """Who looks for a number that another unit looks for waits, and then finds what that unit made of it."""
    one, other = await another(), await another()
    person = made.patient(1, "Doe")
    if is_known:
        await keep(one, Batch(records=[made.new(person)]))
    async with one.unit() as unit:
        await load(unit, MRN)
        second = asyncio.create_task(loaded(other, MRN))
        assert await waits(second)
        written = made.changed(person, gender="female") if is_known else made.new(person)
        await unit.commit(Batch(records=[written]))

    assert {person.id: written.after} == (await second).records


async def test_a_control_id_is_looked_for_by_one(another: Opened) -> None:
    """Who looks for a control id that another unit looks for waits, and then finds what that unit kept under it."""
    one, other = await another(), await another()
    kept = made.message(1)

    async def seen() -> list[str]:
        async with other.unit() as unit:
            return [known.id for known in (await unit.seen("main", [(kept.dedup, b"else")], 0))[kept.dedup]]

    async with one.unit() as unit:
        assert {} == await unit.seen("main", [(kept.dedup, kept.hash)], 0)
        second = asyncio.create_task(seen())
        assert not (await asyncio.wait({second}, timeout=MOMENT))[0]
        await unit.commit(Batch(messages=[kept]))

    assert [kept.id] == await second


async def test_others_do_not_wait(another: Opened) -> None:
    """Units of different patients go on side by side, and a unit that ends without a commit holds nothing."""
    one, other = await another(), await another()
    async with one.unit() as unit:
        await load(unit, MRN)
        await asyncio.wait_for(loaded(other, ("patient", "P2", made.MRN)), SOON)
    await asyncio.wait_for(loaded(other, MRN), SOON)


async def test_one_record_by_two_numbers(another: Opened) -> None:
    """Two units that look for one patient by different numbers do not overwrite each other."""
    one, other = await another(), await another()
    person = made.patient(1, identifiers=(made.identifier("P1"), made.identifier("P2")))
    await keep(one, Batch(records=[made.new(person)]))
    async with one.unit() as unit:
        await load(unit, MRN)
        second = asyncio.create_task(loaded(other, ("patient", "P2", made.MRN)))
        assert await waits(second)
        confirmed = made.confirmed(person, 9)
        await unit.commit(Batch(records=[confirmed]))

    assert {person.id: confirmed.after} == (await second).records


async def test_a_number_that_is_gained_is_locked(another: Opened) -> None:
    """A record gets a number that its message was not looked up by: who looks for that number is not overtaken."""
    one, other = await another(), await another()
    person = made.patient(1, identifiers=(made.identifier("P1"), made.identifier("P2")))
    async with one.unit() as unit, other.unit() as second:
        await load(unit, MRN)
        assert {} == (await load(second, ("patient", "P2", made.MRN))).records
        commit = asyncio.create_task(unit.commit(Batch(records=[made.new(person)])))
        await asyncio.wait({commit}, timeout=MOMENT)
        assert not commit.done()
        await second.commit(Batch(records=[made.new(made.patient(2))]))
        await commit


async def test_whoever_comes_to_light_late(another: Opened) -> None:
    """An appointment leads to its patient while another unit has that patient and waits for the appointment: one is
    let go, takes both in their order, and all end without a conflict."""
    stores = [await another() for _ in range(3)]
    person = made.patient(1)
    numbers = (made.identifier("A1", made.FILLER), made.identifier("O1", made.FILLER))
    booked = made.appointment(1, person.id, identifiers=numbers)
    await keep(stores[0], Batch(records=[made.new(person), made.new(booked)]))

    async def change(store: PostgresStore, *wanted: tuple[str, str, str]) -> None:
        for _ in range(60):
            async with store.unit() as unit:
                working = await load(unit, *wanted)
                assert person.id in working.records
                await unit.commit(Batch(records=[made.changed(record) for record in working.records.values()]))

    by_placer, by_filler = ("appointment", "O1", made.FILLER), ("appointment", "A1", made.FILLER)
    changes = (change(stores[0], MRN, by_placer), change(stores[1], by_filler), change(stores[2], by_filler))
    await asyncio.wait_for(asyncio.gather(*changes), 20)

    assert 181 == (await stores[0].history("main", person.id))[-1].version
    assert 181 == (await stores[0].history("main", booked.id))[-1].version


async def test_a_unit_of_very_many_numbers(another: Opened) -> None:
    """One that would lock more than the server has room for works alone in its tenant, with the same effect."""
    one, other = await another(), await another()
    numbers = [("patient", f"P{number}", made.MRN) for number in range(one.locks // 8 + 1)]
    async with one.unit() as unit:
        await load(unit, *numbers)
        second = asyncio.create_task(loaded(other, MRN))
        assert await waits(second)
        await unit.commit(Batch(records=[made.new(made.patient(1))]))

    assert {made.patient(1).id} == set((await second).records)


async def test_tenants_in_their_order(another: Opened) -> None:
    """Units over several tenants wait for each other in one order, and all end."""
    stores = [await another(), await another()]
    person, elsewhere = made.patient(1), made.patient(1, tenant="other")
    await keep(stores[0], Batch(records=[made.new(person), made.new(elsewhere)]))

    async def change(store: PostgresStore) -> None:
        for _ in range(20):
            async with store.unit() as unit:
                records = [*(await load(unit, MRN)).records.values()]
                records += (await load(unit, MRN, tenant="other")).records.values()
                await unit.commit(Batch(records=list(map(made.changed, records))))

    await asyncio.wait_for(asyncio.gather(*map(change, stores)), 10)
    assert 41 == (await stores[0].history("main", person.id))[-1].version
    assert 41 == (await stores[0].history("other", elsewhere.id))[-1].version


async def test_what_was_loaded_is_stale_after_a_failure(another: Opened) -> None:
    """A unit that lost its locks writes no record before it has loaded again."""
    one = await another()
    await keep(one, Batch(messages=[made.message(1)]))
    async with one.unit() as unit:
        await load(unit, MRN)
        with pytest.raises(Conflict):
            await unit.commit(Batch(messages=[made.message(1)]))
        with pytest.raises(Conflict):
            await unit.commit(Batch(records=[made.new(made.patient(1))]))
        await load(unit, MRN)
        await unit.commit(Batch(records=[made.new(made.patient(1))]))

    assert made.patient(1) == await one.record("main", made.patient(1).id)


async def test_one_message_in_two_processes(another: Opened) -> None:
    """Of two that keep the same message at once one succeeds."""
    stores = [await another(), await another()]
    for number in range(10):
        batches = [
            Batch(messages=[made.message(one) for one in order])
            for order in ((number, 99 - number), (99 - number, number))
        ]
        ends = await asyncio.gather(
            *(keep(store, batch) for store, batch in zip(stores, batches, strict=True)), return_exceptions=True
        )
        assert 1 == sum(isinstance(end, Conflict) for end in ends)
        assert 1 == ends.count([])


async def test_a_task_raised_in_two_processes(another: Opened) -> None:
    """One is open, and neither process fails."""
    stores = [await another(), await another()]
    same = made.task(1)
    for number in range(10):
        tasks = [replace(made.task(number * 10 + n), subject=f"{same.subject}/{number}/{n % 2}") for n in range(4)]
        await asyncio.gather(keep(stores[0], Batch(tasks=tasks)), keep(stores[1], Batch(tasks=tasks[::-1])))

    assert 20 == len((await stores[0].tasks("main", "ready", None, None, 100)).items)


async def test_the_feed_of_many_processes_has_no_gap(another: Opened) -> None:
    """Whoever reads while several commit sees every seq up to the last it sees; some of their units fail."""
    stores = [await another() for _ in range(3)]
    reader = await another()
    await keep(reader, Batch(messages=[made.message(0)]))
    seen: list[int] = []
    heads: list[int] = []

    async def write(store: PostgresStore, first: int) -> None:
        for number in range(first, first + 20):
            spoiled = [made.message(0)] if number % 5 == 4 else []
            try:
                await keep(
                    store, Batch(messages=spoiled, events=[made.event(number * 10), made.event(number * 10 + 1)])
                )
            except Conflict:
                assert spoiled

    async def read() -> None:
        while len(seen) < 96:
            heads.append(await reader.head())
            seen.extend(one.seq for one in await reader.events("main", seen[-1] if seen else 0, 7))
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(read(), *(write(store, n * 100) for n, store in enumerate(stores))), 20)

    assert list(range(1, 97)) == seen
    assert sorted(heads) == heads


async def test_a_nonce_is_used_once_by_all(another: Opened) -> None:
    """Whichever process is asked."""
    stores = [await another(), await another()]
    tries = await asyncio.gather(*(stores[n % 2].once("jti", 100, 50) for n in range(20)))

    assert 1 == sum(tries)


async def test_all_have_one_secret(another: Opened) -> None:
    """The first one that was offered, also when many offer at once."""
    stores = [await another(), await another()]

    assert 1 == len(set(await asyncio.gather(*(stores[n % 2].secret("tokens", bytes([n])) for n in range(10)))))


async def test_each_process_has_its_chain(another: Opened) -> None:
    """Links of two processes do not follow on each other; the numbers of their rows do, without a gap."""
    stores = [await another(), await another()]
    rows = [made.audit_row(number) for number in range(40)]
    await asyncio.gather(*(stores[n % 2].audit([row]) for n, row in enumerate(rows)))
    links = await stores[0].audit_links()
    starts = [n for n, (previous, _, _) in enumerate(links) if previous == GENESIS]
    chain = [ChainRow(previous=previous, digests=tuple(digests), head=head) for previous, head, digests in links]

    assert [0, 20] == starts
    assert None is verify(chain[:20])
    assert None is verify(chain[20:])
    assert list(range(1, 41)) == [number for number, _ in await stores[1].audit_rows("main", 0, 100)]
    assert sorted(one.digest for one in rows) == sorted(digest for one in chain for digest in one.digests)


async def test_a_failure_ends_no_chain(another: Opened) -> None:
    """A unit that was not kept leaves no link, and the next link follows on the last that was."""
    one = await another()
    for number in range(3):
        await keep(one, Batch(messages=[made.message(number)], audit=[made.audit_row(number)]))
        with pytest.raises(Conflict):
            await keep(one, Batch(messages=[made.message(number)], audit=[made.audit_row(9)]))
    links = await one.audit_links()

    assert 3 == len(links)
    assert None is verify([ChainRow(previous=first, digests=tuple(two), head=head) for first, head, two in links])


async def test_no_more_connections_than_it_may_have(postgres_server: Postgres, tmp_path: Path) -> None:
    """However much is asked at once; one more listens."""
    watching = await asyncpg.connect(f"{postgres_server.address}/postgres")
    others = [row["pid"] for row in await watching.fetch("SELECT pid FROM pg_stat_activity")]
    store = InSchema(tmp_path, KEY)
    store.most = 5
    await store.open()
    reads = [store._all("SELECT pg_sleep(0.05)") for _ in range(30)]
    writes = [store.set_switch(f"held{number}", "x") for number in range(30)]
    asked = asyncio.gather(*reads, *writes)
    counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isthmus' AND pid <> ALL ($1)"
    most = 0
    while not asked.done():
        most = max(most, await watching.fetchval(counted, others))
        await asyncio.sleep(0.01)
    await watching.close()
    await asked
    await store.close()

    assert 3 <= most <= 6


async def test_readers_leave_room_for_writers(another: Opened) -> None:
    """However many read at length, a unit has a connection at once."""
    one = await another()
    reading = [asyncio.create_task(one._all("SELECT pg_sleep(20)")) for _ in range(30)]
    await asyncio.sleep(MOMENT)
    await asyncio.wait_for(keep(one, Batch(messages=[made.message(1)])), SOON)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)


async def test_others_are_told(another: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit with events wakes who listens in other processes, long before they would look."""
    monkeypatch.setattr(wakes, "LOOK_SECONDS", 60.0)
    one, other = await another(), await another()
    told = asyncio.Event()
    one.hear(told.set)
    await asyncio.sleep(MOMENT)
    await keep(other, Batch(events=[made.event(1)]))

    await asyncio.wait_for(told.wait(), SOON)


async def test_who_is_not_told_looks(another: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wake-up that is lost costs a second."""
    one, other = await another(), await another()
    told = asyncio.Event()
    monkeypatch.setattr(one, "process", other.process)  # it takes the other's words for its own
    one.hear(told.set)
    await asyncio.sleep(MOMENT)
    await keep(other, Batch(events=[made.event(1)]))

    await asyncio.wait_for(told.wait(), SOON)


# -- deliveries


async def derived(store: PostgresStore, *lanes: str) -> list[Delivery]:
    """One delivery for each lane that is named, in that order."""
    await store.put_subscription(SUB, None)
    numbers = range(await store.head() + 1, 1000)
    events = await keep(
        store, Batch(events=[made.event(n, patient=lane, version=1) for n, lane in zip(numbers, lanes, strict=False)])
    )
    deliveries = deliveries_of(SUB, events, made.T0)
    cursor = (await store.subscriptions())[0].cursor
    assert [True] == await store.derive(
        [Move(subscription=SUB.id, cursor=cursor, upto=events[-1].seq, deliveries=deliveries)]
    )
    return deliveries


def delivered(one: Delivery) -> tuple[Delivery, Attempt]:
    """How a claimed delivery stands after a try that succeeded."""
    return replace(one, state="delivered", attempts=one.attempts + 1), Attempt(
        delivery=one.id, number=one.attempts + 1, at=made.T0, took=1, outcome="ok"
    )


async def test_a_delivery_is_claimed_by_one(another: Opened) -> None:
    """What one process claims the others pass over, without waiting."""
    stores = [await another() for _ in range(3)]
    deliveries = await derived(stores[0], *(f"lane{n}" for n in range(60)))
    claims = await asyncio.gather(*(store.claim(made.T0, LEASE, 25, {SUB.id: 25}) for store in stores * 2))
    ids = [delivery.id for claim in claims for delivery, _ in claim]

    assert len(ids) == len(set(ids))
    rest = await stores[0].claim(made.T0, LEASE, 100, {SUB.id: 100})
    assert {one.id for one in deliveries} == {*ids, *(delivery.id for delivery, _ in rest)}


async def test_a_lease_tells_one_claim_from_another(another: Opened) -> None:
    """Also where a clock stands still or goes back: who claimed before cannot conclude what was claimed since."""
    one, other = await another(), await another()
    await derived(one, "a")
    ((first, _),) = await one.claim(made.T0, LEASE, 1, {SUB.id: 1})
    await one.conclude([(replace(first, state="pending", attempts=1), None)])
    ((second, _),) = await other.claim(made.T0, LEASE, 1, {SUB.id: 1})
    await one.conclude([delivered(first)])

    assert second.lease_until > first.lease_until
    assert second == await one.delivery("main", first.id)


async def test_a_start_takes_no_lease_away(another: Opened) -> None:
    """A process that comes takes back nothing that another one works on."""
    one = await another()
    await derived(one, "a")
    ((claimed, _),) = await one.claim(made.T0, LEASE, 1, {SUB.id: 1})
    other = await another()

    assert [] == await other.claim(made.T0, LEASE, 1, {SUB.id: 1})
    assert claimed == await other.delivery("main", claimed.id)


async def test_lanes_never_stand_still(another: Opened) -> None:
    """However derivations, claims and conclusions of several processes meet, each lane is worked off in order."""
    stores = [await another() for _ in range(3)]
    done: list[tuple[str, int]] = []
    total = 120
    await stores[0].put_subscription(SUB, None)

    async def derive() -> None:
        for n in range(0, total, 4):
            await derived(stores[0], *(f"lane{(n + i) % 3}" for i in range(4)))

    async def work(store: PostgresStore) -> None:
        while len(done) < total:
            claimed = [one for one, _ in await store.claim(made.T0, LEASE, 3, {SUB.id: 3})]
            await store.conclude([delivered(one) for one in claimed])
            done.extend((one.lane, one.seq) for one in claimed)

    await asyncio.wait_for(asyncio.gather(derive(), *map(work, stores)), 30)

    for lane in ("lane0", "lane1", "lane2"):
        order = [seq for name, seq in done if name == lane]
        assert sorted(set(order)) == order
    assert total == len(done)
