"""A process that has part of a hospital's day, accepts it over its own pipeline, and prints each control id that was
acknowledged (DIRECTORY PART OF). What is declined is sent again, as senders do."""

import asyncio
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from gateway.clock import micros
from gateway.demo.day import NEW_YORK, Sent, day
from gateway.pipeline import Pipeline
from gateway.site.settings import Intake, Peer, feed_of
from policies.metrics import Metrics
from policies.tracing import Tracer
from tests.store_contract.conftest import KEY, InSchema

FEED = feed_of("east", Peer(zone=NEW_YORK), {})
PATIENTS = 60
IN_FLIGHT = 24


def all_of_it() -> Iterator[Sent]:
    """The day that is sent, whoever sends which part of it."""
    return day(7, PATIENTS, date(2026, 11, 24))


def control_id(raw: bytes) -> str:
    """MSH-10."""
    return raw.split(b"|")[9].decode()


async def feed(directory: Path, part: int, of: int) -> None:
    """Send every `of`th message, so many at a time, until each has been acknowledged."""
    store = InSchema(directory, KEY)
    await store.open()
    tracer = Tracer(None, 0.0, time.time_ns, lambda bits: 1)
    pipeline = Pipeline(store, Intake(group=8), micros, tracer, Metrics())
    await pipeline.start()
    room = asyncio.Semaphore(IN_FLIGHT)

    async def send(raw: bytes) -> None:
        async with room:
            answer = await pipeline.accept(FEED, raw)
            while b"|AR|" in (answer.payload or b"|AR|"):
                answer = await pipeline.accept(FEED, raw)
            print(control_id(raw), flush=True)

    await asyncio.gather(*(send(one.raw) for place, one in enumerate(all_of_it()) if place % of == part))
    await pipeline.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(feed(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
