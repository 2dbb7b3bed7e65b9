"""What a store costs: `python -m tests.benchmarks.store [groups] [group size] [--store NAME]`.

A group is so many SIU messages of 1 kB, each with a new appointment, an event, ten search keys and an audit row,
and with the patient, provider and place that it names loaded and confirmed.
"""

import argparse
import os
import tempfile
from pathlib import Path

import uvloop
from msgspec.structs import replace

from canonical.records import Location, Patient, Provider
from canonical.settle import Working
from gateway.store.protocol import Batch, Store
from tests.benchmarks.backends import NAMES, Backend, backend, less
from tests.store_contract import made

PEOPLE, DOCTORS, ROOMS = 2000, 40, 20


def group(first: int, size: int) -> Batch:
    """A group of messages about people, doctors and rooms that the store knows."""
    batch = Batch()
    for number in range(first, first + size):
        patient, doctor, room = of(number)
        parts = (made.takes_part(doctor, "provider"), made.takes_part(room, "location"))
        booked = made.appointment(1_000_000 + number, patient.id, participants=parts)
        records = (booked.id, patient.id, doctor.id, room.id)
        keys = [("identifier", f"{one.system}|{one.value}") for one in (*patient.identifiers, *booked.identifiers)]
        keys += [("name", "doe"), ("name", "jane"), ("type", f"{number}")]
        kept = made.message(number, records=records, keys=tuple(keys))
        batch.messages.append(replace(kept, raw=kept.raw + os.urandom(430).hex().encode()))
        batch.records.append(made.new(booked))
        batch.records += [made.confirmed(one, number) for one in (patient, doctor, room)]
        batch.events.append(made.event(number, message=kept.id, patient=patient.id))
        batch.audit.append(made.audit_row(number))
    return batch


def of(number: int) -> tuple[Patient, Provider, Location]:
    """Who message `number` is about."""
    return (
        made.patient(number % PEOPLE, "Doe", "Jane"),
        made.provider(number % DOCTORS),
        made.location(number % ROOMS),
    )


async def measure(behind: Backend, groups: int, size: int, key: bytes | None) -> None:
    """Commit groups into a fresh store and print what one message cost."""
    with tempfile.TemporaryDirectory() as directory:
        store = behind.store(Path(directory), key)
        await store.open()
        known = {one.id: made.new(one) for number in range(PEOPLE) for one in of(number)}
        async with store.unit() as unit:
            await unit.commit(Batch(records=list(known.values())))
        batches = [group(number * size, size) for number in range(groups)]
        before = await behind.now()
        for batch in batches:
            await keep(store, batch)
        spent = less(await behind.now(), before)
        await store.close()
        count = groups * size
        kept = sum(size for _, size in await behind.sizes(Path(directory)))
    sealed = "sealed" if key else "plain"
    print(f"{sealed}: {count} messages in groups of {size}: {spent.line(count)}; {kept / count:.0f} bytes a message")


async def keep(store: Store, batch: Batch) -> None:
    """One unit, as the pipeline does it."""
    lookups = {(one.kind, known) for one in batch.records for known in one.after.identifiers}
    async with store.unit() as unit:
        await unit.load("main", Working(), lookups)
        await unit.seen("main", [(one.dedup, one.hash) for one in batch.messages], 0)
        await unit.commit(batch)


def asked() -> argparse.Namespace:
    """How much of what."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store")
    parser.add_argument("groups", type=int, nargs="?", default=100)
    parser.add_argument("size", type=int, nargs="?", default=64)
    parser.add_argument("--store", choices=NAMES, default="sqlite")
    return parser.parse_args()


if __name__ == "__main__":
    given = asked()
    with backend(given.store) as behind:
        for key in (None, os.urandom(32)):
            uvloop.run(measure(behind, given.groups, given.size, key))
