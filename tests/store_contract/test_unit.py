"""A unit: whole or not at all, durable, each message once, each event in its place."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from canonical.settle import Working
from gateway.store.protocol import Answered, Batch, Conflict, Kept, Seen, Store
from tests.store_contract import made
from tests.store_contract.conftest import KEY, Open, keep


async def test_everything_of_a_batch_is_there(store: Store) -> None:
    """What a unit committed can be read when `commit` has returned."""
    kept, person, task = made.message(1), made.patient(1), made.task(1)
    batch = Batch(messages=[kept], records=[made.new(person)], events=[made.event(1)], tasks=[task])
    events = await keep(store, batch)

    assert kept == await store.message("main", kept.id)
    assert person == await store.record("main", person.id)
    assert task == await store.task("main", task.id)
    assert events == await store.events("main", 0, 10)


async def test_everything_is_there_after_opening_again(backend: Open, tmp_path: Path) -> None:
    """What was committed outlives the process that committed it."""
    first = backend(tmp_path, KEY)
    await first.open()
    await keep(first, Batch(messages=[made.message(1)], events=[made.event(1)]))
    await first.close()
    second = backend(tmp_path, KEY)
    await second.open()

    assert made.message(1) == await second.message("main", made.message(1).id)
    assert 1 == await second.head()
    await second.close()


async def test_a_unit_that_fails_commits_nothing(store: Store) -> None:
    """One message that was kept before takes the whole batch back, whatever else is in it."""
    booked = made.appointment(1)
    await keep(store, Batch(messages=[made.message(1)], records=[made.new(booked)]))
    again = replace(made.message(1), id=made.message(2).id)
    batch = Batch(
        messages=[made.message(3), again],
        records=[made.new(made.patient(1)), made.changed(booked, status="cancelled")],
        events=[made.event(1)],
        tasks=[made.task(1)],
        audit=[made.audit_row(1)],
    )
    with pytest.raises(Conflict):
        await keep(store, batch)

    assert None is await store.message("main", made.message(3).id)
    assert None is await store.record("main", made.patient(1).id)
    assert booked == await store.record("main", booked.id)
    assert None is await store.task("main", made.task(1).id)
    assert 0 == await store.head()
    assert [] == await store.audit_links()


async def test_a_unit_can_go_on_after_a_failure(store: Store) -> None:
    """After Conflict the same unit commits what is in order."""
    await keep(store, Batch(messages=[made.message(1)]))
    async with store.unit() as unit:
        with pytest.raises(Conflict):
            await unit.commit(Batch(messages=[made.message(1)]))
        await unit.commit(Batch(messages=[made.message(2)]))

    assert made.message(2) == await store.message("main", made.message(2).id)


async def test_a_version_that_is_not_the_loaded_one_is_a_conflict(store: Store) -> None:
    """A record is renewed or confirmed only from the version that is kept."""
    booked = made.appointment(1)
    await keep(store, Batch(records=[made.new(booked)]))
    await keep(store, Batch(records=[made.changed(booked, status="cancelled")]))

    with pytest.raises(Conflict):
        await keep(store, Batch(records=[made.changed(booked, status="noshow")]))
    with pytest.raises(Conflict):
        await keep(store, Batch(records=[made.confirmed(booked, 1)]))


async def test_seen_tells_repeats_from_reuse(store: Store) -> None:
    """The same message is known however old it is; another with its control id only since the moment asked for."""
    old, recent = made.message(1), replace(made.message(5), dedup=made.message(1).dedup)
    await keep(store, Batch(messages=[old, recent]))
    sent = [(old.dedup, old.hash), ("ehr|never", b"x" * 32)]
    async with store.unit() as unit:
        both = await unit.seen("main", sent, recent.received_at)
        one = await unit.seen("main", sent, recent.received_at + 1)
        none = await unit.seen("other", sent, 0)

    def seen(kept: Kept) -> Seen:
        return Seen(id=kept.id, hash=kept.hash, received_at=kept.received_at, ack=kept.ack)

    assert {old.dedup: [seen(old), seen(recent)]} == both
    assert {old.dedup: [seen(old)]} == one
    assert {} == none


async def test_seen_of_many(store: Store) -> None:
    """A group of any size is asked about at once."""
    messages = [made.message(number) for number in range(100)]
    await keep(store, Batch(messages=messages))
    async with store.unit() as unit:
        seen = await unit.seen("main", [(one.dedup, one.hash) for one in messages], 0)

    assert {one.dedup: one.id for one in messages} == {dedup: one.id for dedup, (one,) in seen.items()}


async def test_repeats_are_counted(store: Store) -> None:
    """A message that was sent again is the same message, sent once more."""
    await keep(store, Batch(messages=[made.message(1)]))
    await keep(store, Batch(repeats=[made.message(1).id, made.message(1).id]))
    kept = await store.message("main", made.message(1).id)

    assert 2 == (kept and kept.duplicates)


async def test_a_replay_replaces_what_became_of_a_message(store: Store) -> None:
    """State, problems, records, keys and answer are the new ones; the bytes stay, and a repeat hears that answer."""
    kept = made.message(1, state="parked", keys=(("identifier", "old"),))
    await keep(store, Batch(messages=[kept, made.message(2)]))
    again = replace(kept, state="applied", records=("pat_1",), keys=(("identifier", "new"),))
    again = replace(again, ack=b"taken", ack_code="AA", answers=(Answered(until=5, code="AE", ack=kept.ack),))
    await keep(store, Batch(replayed=[again]))
    async with store.unit() as unit:
        seen = await unit.seen("main", [(kept.dedup, kept.hash)], 0)

    assert again == await store.message("main", kept.id)
    assert [b"taken"] == [one.ack for one in seen[kept.dedup]]
    assert [] == await made.found(store, keys=(("identifier", "old"),))
    assert [kept.id] == await made.found(store, keys=(("identifier", "new"),))
    assert [kept.id] == await made.found(store, record="pat_1")
    assert [] == await made.found(store, state="parked")


async def test_load_finds_by_identifier(store: Store) -> None:
    """Every record of the kind under an identifier comes, the oldest first, no other kind's and no other tenant's."""
    person, booked = made.patient(1), made.appointment(1)
    same = replace(made.patient(2), identifiers=person.identifiers)
    elsewhere = made.patient(1, tenant="other")
    await keep(store, Batch(records=[made.new(one) for one in (person, booked, same, elsewhere, made.patient(3))]))
    working = await loaded(store, ("patient", "P1", made.MRN), ("patient", "A1", made.FILLER))

    assert {person.id: person, same.id: same} == working.records
    assert [person.id, same.id] == working.index["patient", made.MRN, "P1"]


async def test_load_brings_whoever_survived(store: Store) -> None:
    """A patient that was merged, and merged again, comes with the one that now stands for it."""
    first, second, third = made.patient(1), made.patient(2), made.patient(3)
    await keep(store, Batch(records=[made.new(one) for one in (first, second, third)]))
    await keep(store, Batch(records=[made.merged(first, second), made.merged(second, third)]))
    working = await loaded(store, ("patient", "P1", made.MRN))

    assert {first.id, second.id, third.id} == set(working.records)


async def test_load_brings_the_patient_of_an_appointment(store: Store) -> None:
    """A cancel without a PID still knows whose appointment it was."""
    gone, stays = made.patient(1), made.patient(2)
    booked = made.appointment(1, gone.id)
    await keep(store, Batch(records=[made.new(one) for one in (gone, stays, booked)]))
    await keep(store, Batch(records=[made.merged(gone, stays)]))
    working = await loaded(store, ("appointment", "A1", made.FILLER))

    assert {booked.id, gone.id, stays.id} == set(working.records)


async def test_load_finds_who_came_to_a_number_later(store: Store) -> None:
    """What was asked for before is found as it now is: a new record, one that was given the number, none that lost."""
    first, second, third = made.patient(1), made.patient(2), made.patient(3)
    number = ("patient", "P1", made.MRN)
    assert {} == (await loaded(store, number)).records
    await keep(store, Batch(records=[made.new(first), made.new(second)]))
    assert {first.id} == set((await loaded(store, number)).records)
    given = made.changed(second, identifiers=(*second.identifiers, made.identifier("P1")))
    await keep(store, Batch(records=[given, made.new(third)]))

    assert {first.id: first, second.id: given.after} == (await loaded(store, number)).records
    assert [first.id, second.id] == (await loaded(store, number)).index["patient", made.MRN, "P1"]


async def test_what_was_not_committed_is_not_remembered(store: Store) -> None:
    """A batch that fails leaves neither its records nor their numbers behind."""
    first, second = made.patient(1), made.patient(2)
    number = ("patient", "P1", made.MRN)
    await keep(store, Batch(records=[made.new(second)]))
    stale = made.changed(replace(second, version=7), identifiers=(made.identifier("P1"),))
    assert {} == (await loaded(store, number)).records
    with pytest.raises(Conflict):
        await keep(store, Batch(records=[made.new(first), stale]))

    assert {} == (await loaded(store, number)).records
    assert None is await store.record("main", first.id)
    assert second == await store.record("main", second.id)


async def test_load_of_many(store: Store) -> None:
    """A group may speak of any number of records."""
    people = [made.patient(number) for number in range(150)]
    await keep(store, Batch(records=[made.new(one) for one in people]))
    working = await loaded(store, *(("patient", f"P{number}", made.MRN) for number in range(200)))

    assert {one.id for one in people} == set(working.records)


async def loaded(store: Store, *wanted: tuple[str, str, str]) -> Working:
    """The working set that a unit loads for these (kind, value, system)."""
    working = Working()
    async with store.unit() as unit:
        await unit.load("main", working, [(kind, made.identifier(value, system)) for kind, value, system in wanted])
    return working


async def test_a_commit_that_is_cancelled_is_whole_and_known(store: Store) -> None:
    """Whoever is cancelled while it commits has kept all of it or nothing, and the next unit works on what was kept."""
    async with store.unit() as unit:
        await unit.load("main", Working(), [("patient", made.identifier("P1"))])  # nobody has it, which is remembered
        committing = asyncio.ensure_future(unit.commit(Batch(records=[made.new(made.patient(1, "Doe"))])))
        await asyncio.sleep(0)
        committing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await committing
    working = Working()
    async with store.unit() as unit:
        await unit.load("main", working, [("patient", made.identifier("P1"))])

    kept = await store.record("main", made.patient(1).id)
    assert kept in (None, made.patient(1, "Doe"))
    assert ([kept] if kept else []) == list(working.records.values())
