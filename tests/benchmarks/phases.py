"""Where a message's time goes: microseconds of each step for groups of 64 bookings, on one core, store included.

python -m tests.benchmarks.phases [MESSAGES]
"""

import os
import secrets
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop

from gateway.answers import reply
from gateway.app import settle_memory
from gateway.intake import Intent, read
from gateway.pipeline import Pipeline
from gateway.settling import settled_into
from gateway.site.settings import FeedSettings, Intake, Peer, feed_of
from gateway.store.protocol import Batch
from gateway.store.sqlite import SqliteStore
from gateway.witness import group_rows
from policies.metrics import Metrics
from policies.tracing import Tracer
from tests.benchmarks.sample import booking
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import map_message

GROUP = 64
WARM = 10  # groups that are not counted


class Steps:
    """Time by step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.perf_counter()
        yield
        self.spent[step] += time.perf_counter() - began


async def main(messages: int) -> None:
    """Run and print."""
    steps = Steps()
    feed = feed_of("bench", Peer(zone="America/New_York", feed=FeedSettings()), {})
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder), os.urandom(32))
        await store.open()
        tracer = Tracer(None, 1.0, time.time_ns, secrets.randbits)
        pipeline = Pipeline(store, Intake(), lambda: time.time_ns() // 1000, tracer, Metrics())
        settle_memory()
        for first in range(0, messages, GROUP):
            if first == WARM * GROUP:
                steps.spent.clear()
            raws = [booking(number, 500) for number in range(first, first + GROUP)]
            with steps.of("(of read) header"):
                heads = [header(raw) for raw in raws]
            with steps.of("(of read) parse"):
                parsed = [parse(raw) for raw in raws]
            with steps.of("(of read) map"):
                for message, head in zip(parsed, heads, strict=True):
                    assert head
                    map_message(message, head, feed.profile, time.time_ns() // 1000)
            with steps.of("read"):
                group = [read(feed, raw, time.time_ns() // 1000 + n) for n, raw in enumerate(raws)]
            await _group(pipeline, group, steps)
        await store.close()
    counted = messages - WARM * GROUP
    for step, spent in steps.spent.items():
        print(f"{step:18} {spent / counted * 1e6:7.1f} us")
    whole = sum(spent for step, spent in steps.spent.items() if not step.startswith("("))
    print(f"{'together':18} {whole / counted * 1e6:7.1f} us = {counted / whole:,.0f}/s")


async def _group(pipeline: Pipeline, group: list[Intent], steps: Steps) -> None:
    async with pipeline.store.unit() as unit:
        with steps.of("load"):
            working = await pipeline._load(unit, group)
        with steps.of("seen"):
            seen = await pipeline._seen(unit, group)
        batch = Batch()
        with steps.of("settle, answer"):
            for intent in group:
                settled_into(batch, intent, working[intent.cause.tenant], seen)
        with steps.of("(of it) answer"):
            for intent in group:
                reply(intent, "AA", ())
        with steps.of("audit"):
            batch.audit = group_rows(batch.messages, 1)
        with steps.of("commit"):
            await unit.commit(batch)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 6_400))
