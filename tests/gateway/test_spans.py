"""The spans of a message: mapped, committed, each sampled one as it was, and nothing of those that are not sampled."""

import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway import intake
from gateway.pipeline import Pipeline
from gateway.site.settings import Feed, FeedSettings, Intake, Peer, feed_of
from gateway.store.protocol import Unavailable
from gateway.store.sqlite import SqliteStore
from policies.metrics import Metrics
from policies.tracing import Span, Tracer
from tests.gateway.conftest import KEY, micros
from tests.gateway.routes.said import ZONE, booking


def feed() -> Feed:
    return feed_of("north", Peer(zone=ZONE, feed=FeedSettings()), {})


class Traced:
    """A pipeline, what it exported, and how often it asked the span clock."""

    def __init__(self, store: SqliteStore, ratio: float) -> None:
        self.spans: list[Span] = []
        self.asked = 0
        tracer = Tracer(self.spans.append, ratio, self._now, random.Random(7).getrandbits)
        self.metrics = Metrics()
        self.pipeline = Pipeline(store, Intake(), micros, tracer, self.metrics)

    def _now(self) -> int:
        self.asked += 1
        return time.time_ns()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.trace.name == name]

    async def hear(self, *messages: bytes) -> None:
        """All at once: they are committed as one group."""
        answers = [self.pipeline.accept(feed(), message) for message in messages]
        await self.pipeline.start()
        for answer in answers:
            await answer
        await self.pipeline.stop()


class Full(SqliteStore):
    """A store whose disk is full."""

    def unit(self):  # type: ignore[no-untyped-def] # it gives nothing
        raise Unavailable("SQLITE_FULL")


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store."""
    opened = SqliteStore(tmp_path, KEY)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_group_is_told_by_each_of_its_messages(store: SqliteStore) -> None:
    """Each message of a group has a commit span of its own trace, with one begin and end, and the group's size."""
    traced = Traced(store, 1.0)
    await traced.hear(booking(1), booking(2, patient=2), booking(3, patient=3))
    commits, messages = traced.named("commit"), traced.named("message")

    assert [3, 3, 3] == [span.attributes["group"] for span in commits]
    assert 1 == len({(span.trace.start, span.end) for span in commits})
    assert {span.trace.span_id for span in messages} == {span.trace.parent_id for span in commits}
    assert {span.trace.span_id for span in messages} == {span.trace.parent_id for span in traced.named("map")}
    assert {span.trace.trace_id for span in messages} == {span.trace.trace_id for span in commits}


async def test_what_is_not_sampled_pays_nothing(store: SqliteStore) -> None:
    """Messages that are not sampled make no span, and ask the clock no more than for their own start."""
    traced = Traced(store, 0.0)
    await traced.hear(booking(1), booking(2, patient=2))

    assert ([], 2) == (traced.spans, traced.asked)


async def test_a_commit_that_failed(tmp_path: Path) -> None:
    """It is an error of the commit and of the message, and is counted with its reason."""
    store = Full(tmp_path, KEY)
    await store.open()
    traced = Traced(store, 1.0)
    await traced.hear(booking(1))
    await store.close()
    (commit,), (message,) = traced.named("commit"), traced.named("message")

    assert (True, "commit_failed") == (commit.is_error, commit.attributes["code"])
    assert (True, "unavailable") == (message.is_error, message.attributes["code"])
    assert b'isthmus_declined_total{feed="north",reason="unavailable"} 1.0' in traced.metrics.render()


@pytest.mark.parametrize("ratio", [0.0, 1.0])
async def test_a_fault_of_ours_while_mapping(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    """It is told of whether or not the message is sampled."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(intake, "map_message", broken)
    traced = Traced(store, ratio)
    await traced.hear(booking(1))
    (mapped,) = traced.named("map")

    assert (True, "mapping_failed") == (mapped.is_error, mapped.attributes["code"])


async def test_the_time_to_the_acknowledgement_is_measured(store: SqliteStore) -> None:
    """For each feed, from receipt to the answer that followed the commit."""
    traced = Traced(store, 0.0)
    await traced.hear(booking(1), booking(1))

    assert b'isthmus_feed_to_ack_seconds_count{feed="north"} 2.0' in traced.metrics.render()
