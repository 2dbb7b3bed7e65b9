"""The watch with a clock that runs fast: a week of usual pace, a silence, and what is measured on the way."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest_asyncio

from canonical.events import Event
from gateway.clock import MICROS
from gateway.pipeline import Pipeline
from gateway.site.settings import Feed, FeedSettings, Intake, Peer, feed_of
from gateway.store.protocol import Unavailable, Unit
from gateway.store.sqlite import SqliteStore
from gateway.watch import Watch
from policies.metrics import Metrics
from policies.tracing import Tracer
from tests.gateway.conftest import KEY
from tests.gateway.routes.said import ZONE, booking

MINUTE, DAY = 60, 86_400
MONDAY = (1_767_225_600 // DAY // 7 * 7 + 4) * DAY  # a Monday of 2026, 00:00 UTC


class Leaky(SqliteStore):
    """A store whose disk can be full."""

    is_full = False

    def unit(self) -> AbstractAsyncContextManager[Unit]:  # type: ignore[override] # as the protocol has it
        if self.is_full:
            raise Unavailable("SQLITE_FULL")
        return super().unit()


class House:
    """A watch over one feed, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.store, self.metrics, self.now = Leaky(folder, KEY), Metrics(), MONDAY
        tracer = Tracer(None, 1.0, lambda: 0, lambda bits: 1)
        self.pipeline = Pipeline(self.store, Intake(), lambda: self.now * MICROS, tracer, self.metrics)
        self.feed: Feed = feed_of("north", Peer(zone=ZONE, feed=FeedSettings()), {})
        self.watch = Watch([self.feed], [], self.pipeline, self.store, self.metrics)
        self.told: list[str] = []
        self.pipeline.on_events.append(self._tell)

    def _tell(self, events: Sequence[Event]) -> None:
        self.told += [one.type for one in events if one.type.startswith("feed.")]

    async def live(self, seconds: int, every: int | None = None) -> None:
        """Let time pass, a round every minute, with messages as often as is said."""
        for passed in range(MINUTE, seconds + 1, MINUTE):
            self.now += MINUTE
            if every and passed % every == 0:
                self.watch.heard("north", self.now * MICROS)
            await self.watch.go_round()

    def shown(self, name: str, **labels: str) -> float | None:
        """A metric as it is scraped."""
        return self.metrics.registry.get_sample_value(f"isthmus_{name}", labels)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A feed that was heard every two minutes for a day and a half of Tuesday and Wednesday."""
    made = House(tmp_path)
    await made.store.open()
    await made.watch.start()
    assert 0 == made.shown("feed_silent", feed="north"), "it is shown before anything happens"
    made.now = MONDAY + DAY
    await made.live(DAY + DAY // 2, 2 * MINUTE)
    yield made
    await made.watch.stop()
    await made.store.close()


async def test_silent_beyond_its_pace_and_back(house: House) -> None:
    """A quarter of an hour's quiet raises one event and the metric; one message ends both, with one event."""
    last = house.now
    await house.live(14 * MINUTE)
    assert ([], 0) == (house.told, house.shown("feed_silent", feed="north"))

    await house.live(3 * 60 * MINUTE)
    assert (["feed.silent"], 1) == (house.told, house.shown("feed_silent", feed="north"))
    assert last == house.shown("feed_last_message_timestamp_seconds", feed="north")

    await house.live(60 * MINUTE, 2 * MINUTE)
    assert (["feed.silent", "feed.resumed"], 0) == (house.told, house.shown("feed_silent", feed="north"))
    assert house.now == house.shown("feed_last_message_timestamp_seconds", feed="north")


async def test_what_could_not_be_told_is_told_later(house: House) -> None:
    """A store that fails just then costs no alarm: it is raised once it can be kept."""
    house.store.is_full = True
    await house.live(60 * MINUTE)
    assert [] == house.told
    house.store.is_full = False
    await house.live(2 * MINUTE)
    assert ["feed.silent"] == house.told

    house.store.is_full = True
    await house.live(4 * MINUTE, 2 * MINUTE)
    house.store.is_full = False
    await house.live(4 * MINUTE, 2 * MINUTE)
    assert ["feed.silent", "feed.resumed"] == house.told


async def test_a_silence_that_could_not_be_told_and_is_over(house: House) -> None:
    """A feed that is back before its silence could be told is not said to be back."""
    house.store.is_full = True
    await house.live(60 * MINUTE)
    await house.live(4 * MINUTE, 2 * MINUTE)
    house.store.is_full = False
    await house.live(10 * MINUTE, 2 * MINUTE)

    assert ([], 0) == (house.told, house.shown("feed_silent", feed="north"))


async def test_what_is_held_is_shown(house: House) -> None:
    """A feed that a person holds is not silent but held; so are all while intake is."""
    await house.pipeline.pause("feed:north", "someone")
    await house.live(60 * MINUTE)
    assert (1, 0) == tuple(house.shown(name, feed="north") for name in ("feed_held", "feed_silent"))
    await house.pipeline.release("feed:north")
    await house.live(MINUTE)
    assert 0 == house.shown("feed_held", feed="north")


async def test_open_tasks_are_counted(house: House) -> None:
    """By queue, also the queues in which nothing waits."""
    await house.pipeline.start()
    await house.pipeline.accept(house.feed, booking(1).replace(b"PID|", b"ZZZ|").replace(b"SCH|", b"ZZY|"))
    await house.live(MINUTE)
    await house.pipeline.stop()
    queues = ("integration-errors", "patient-identity", "delivery")

    assert 1 == sum(house.shown("tasks_open", queue=queue) or 0 for queue in queues[:2])
    assert 0 == house.shown("tasks_open", queue="delivery")
