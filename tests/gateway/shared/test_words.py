"""What processes on one PostgreSQL tell one another over one Redis: nobody is woken twice, and nothing is missed."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway import neighbours as around
from gateway.neighbours import Neighbours
from gateway.pipeline import Pipeline
from gateway.revoking import revoke
from gateway.shared.words import Words
from gateway.site.settings import Intake
from gateway.store.postgres import wakes
from policies.metrics import Metrics
from policies.tokens import Revocations
from policies.tracing import Tracer
from tests.gateway.shared.conftest import SITE, Process, until
from tests.servers.postgres import Postgres
from tests.servers.redis import RedisServer
from tests.store_contract.conftest import KEY, InSchema


def micros() -> int:
    return time.time_ns() // 1000


class Gateway:
    """A process without its doors; it tells and is told over Redis, if it has one."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.store = InSchema(folder, KEY)
        tracer = Tracer(None, 1.0, time.time_ns, secrets.randbits)
        self.pipeline = Pipeline(self.store, Intake(), micros, tracer, Metrics())
        self.revocations = Revocations()
        self.neighbours = Neighbours(self.store, self.pipeline, self.revocations)
        self.process = Process(url) if url else None
        if self.process:
            self.words = Words(self.process.link, self.neighbours)
        self.woken = 0
        self.pipeline.on_events.append(self.hear)

    def hear(self, events: object) -> None:
        """Count what others woke this one for."""
        self.woken += not events

    async def start(self) -> None:
        await self.store.open()
        if self.process:
            self.process.link.start(SITE)
            await until(lambda: self.process and self.process.link.is_up)

    async def stop(self) -> None:
        if self.process:
            await self.process.link.stop()
        await self.store.close()

    async def commit(self) -> None:
        """An event of the gateway's own."""
        await self.pipeline.announce([self.pipeline.event("feed.silent", "main", "north", "north")])


@pytest_asyncio.fixture
async def several(
    postgres_server: Postgres, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Gateway, Gateway, Gateway]]:
    """Two with Redis and one without; none of them looks by itself."""
    monkeypatch.setattr(wakes, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(around, "EVERY", 60.0)
    made = (
        Gateway(tmp_path, redis_server.url),
        Gateway(tmp_path, redis_server.url),
        Gateway(tmp_path, None),
    )
    for one in made:
        await one.start()
    yield made
    for one in made:
        await one.stop()


async def test_each_commit_wakes_the_others_once(several: tuple[Gateway, Gateway, Gateway]) -> None:
    """By a word or by a notification, whichever comes: never by both, and who committed is not woken at all."""
    one, two, _ = several
    for number in range(1, 21):
        await one.commit()
        await until(lambda number=number: two.woken >= number)  # type: ignore[misc]
    await asyncio.sleep(3 * around.ECHO)

    assert (0, 20) == (one.woken, two.woken)


async def test_many_commits_are_few_words(several: tuple[Gateway, Gateway, Gateway], redis_server: RedisServer) -> None:
    """Those that follow one another closely are told together, and the last is told."""
    one, two, _ = several
    await one.commit()
    await until(lambda: two.woken == 1)  # it is listening
    for seq in range(2, 202):
        one.words.committed([replace(one.pipeline.event("feed.silent", "main", "north"), seq=seq)])
    await until(lambda: two.neighbours.seen == 201)

    assert two.woken < 20
    said = next(line for line in redis_server.say("INFO commandstats").splitlines() if b"_publish:" in line)
    assert int(said.partition(b"calls=")[2].partition(b",")[0]) < 20


async def test_who_cannot_be_told_is_notified(
    several: tuple[Gateway, Gateway, Gateway], redis_server: RedisServer
) -> None:
    """A process without Redis wakes those who have it, and is woken by them; and so it is when Redis is gone."""
    one, two, alone = several
    await alone.commit()
    await until(lambda: one.woken == two.woken == 1)
    await one.commit()
    await until(lambda: alone.woken == 1)
    redis_server.stop()
    before = two.woken
    await one.commit()
    await until(lambda: two.woken > before)


async def test_a_token_that_was_taken_back_is_known_at_once(several: tuple[Gateway, Gateway, Gateway]) -> None:
    """The word says nothing of it: what is true stands in the store."""
    one, two, _ = several
    looking = asyncio.create_task(two.neighbours.run())
    heard: list[str] = []

    def hear(word: str) -> None:
        heard.append(word)
        two.neighbours.look_soon()

    assert two.process
    two.process.link.hear("switches", hear)
    async with asyncio.timeout(20):
        while not two.revocations.epoch:  # it may not yet be listening
            await revoke(one.store, one.revocations, "tok_0123", time.time() + 60)
            await asyncio.sleep(0.1)
    looking.cancel()

    assert {"look"} == set(heard)
