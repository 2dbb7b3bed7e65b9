"""What the embedded store costs: `python -m tests.benchmarks.store [groups] [group size]`.

A group is so many SIU messages of 1 kB, each with a new appointment, an event, ten search keys and an audit row,
and with the patient, provider and place that it names loaded and confirmed.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from msgspec.structs import replace

from canonical.records import Location, Patient, Provider
from canonical.settle import Working
from gateway.store.protocol import Batch
from gateway.store.sqlite import SqliteStore
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


async def measure(groups: int, size: int, key: bytes | None) -> None:
    """Commit groups into a fresh store and print what one message cost."""
    with tempfile.TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory), key)
        await store.open()
        known = {one.id: made.new(one) for number in range(PEOPLE) for one in of(number)}
        async with store.unit() as unit:
            await unit.commit(Batch(records=list(known.values())))
        spent = [0.0, 0.0, 0.0]
        for number in range(groups):
            batch = group(number * size, size)
            lookups = {(one.kind, known) for one in batch.records for known in one.after.identifiers}
            sent = [(one.dedup, one.hash) for one in batch.messages]
            began = [perf_counter(), process_time()]
            async with store.unit() as unit:
                await unit.load("main", Working(), lookups)
                await unit.seen("main", sent, 0)
                loaded = process_time()
                await unit.commit(batch)
            ended = [perf_counter(), process_time()]
            spent[0] += ended[0] - began[0]
            spent[1] += loaded - began[1]
            spent[2] += ended[1] - loaded
        await store.close()
        bytes_kept = sum(path.stat().st_size for path in Path(directory).iterdir())
        count = groups * size
        wall, load, commit = (f"{one / count * 1e6:.0f}" for one in spent)
        print(
            f"{'sealed' if key else 'plain'}: {count} messages in groups of {size}: {count / spent[0]:.0f}/s; "
            f"a message costs {wall} us, of CPU {load} us to load and {commit} us to commit; "
            f"{bytes_kept / count:.0f} bytes a message"
        )


if __name__ == "__main__":
    groups, size = (int(one) for one in (*sys.argv[1:], "100", "64")[:2])
    for key in (None, os.urandom(32)):
        asyncio.run(measure(groups, size, key))
