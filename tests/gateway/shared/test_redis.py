"""Redis beside several processes: limits that are kept together, words that reach all, and work without it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from gateway.shared.limits import Shared
from gateway.shared.link import PATIENCE, Link
from policies.metrics import Metrics
from policies.throttle import Limit
from tests.servers.proxy import proxy
from tests.servers.redis import RedisServer

LIMIT = Limit(name="client", quota=10, window=1000, burst=64)


async def until(so: Callable[[], object], within: float = 10.0) -> None:
    """Wait until it is so."""
    deadline = asyncio.get_running_loop().time() + within
    while not so():
        assert asyncio.get_running_loop().time() < deadline, "it did not become so in time"
        await asyncio.sleep(0.02)


class Process:
    """What a process has of Redis, with a limit."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self.metrics = Metrics()
        self.link = Link(url, "test:", self.metrics, patience)
        self.limit = Shared(LIMIT, self.link)

    async def ask(self, times: int = 1, client: str = "desk") -> int:
        """How many calls are admitted."""
        now = asyncio.get_running_loop().time() + 1_000_000
        return sum([(await self.limit.decide(client, "main", now)).allowed for _ in range(times)])


@pytest_asyncio.fixture
async def processes(redis_server: RedisServer) -> AsyncIterator[list[Process]]:
    """Two that have found Redis, and have more patience with it than others, for a machine that is busy."""
    made = [Process(redis_server.url, 1.0) for _ in range(2)]
    for one in made:
        one.link.start()
    await until(lambda: all(one.link.is_up for one in made))
    yield made
    for one in made:
        await one.link.stop()


async def test_a_limit_is_kept_together(processes: list[Process]) -> None:
    """Two processes that are asked in turn admit together what the limit allows, less what a block may lose."""
    admitted = 0
    for _ in range(60):
        for one in processes:
            admitted += await one.ask()

    assert 64 - 2 * 4 <= admitted <= 64


async def test_one_process_alone_admits_all_of_it(processes: list[Process]) -> None:
    """Exactly, and what each client is left with is its own."""
    assert 64 == await processes[0].ask(100)
    assert 0 == await processes[1].ask(10)
    assert 10 == await processes[1].ask(10, "other")


async def test_what_is_left_is_told(processes: list[Process]) -> None:
    """The headers count down over both."""
    now = asyncio.get_running_loop().time() + 1_000_000
    first = await processes[0].limit.decide("desk", "main", now)
    second = await processes[1].limit.decide("desk", "main", now)

    assert (63, 59) == (first.remaining, second.remaining)


@pytest.mark.parametrize("harm", ["flush", "stop", "hang"])
async def test_service_goes_on_without_redis(
    processes: list[Process], redis_server: RedisServer, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Emptied, stopped or silent: each is answered in time, by the process's own count, and Redis is found again."""
    one = processes[0]
    caplog.set_level("INFO", logger="isthmus")
    await one.ask(5)
    getattr(redis_server, harm)()
    started = asyncio.get_running_loop().time()
    admitted = await one.ask(64, "fresh")
    took = asyncio.get_running_loop().time() - started

    assert 64 == admitted
    if harm != "flush":
        assert took < 5
        await until(lambda: not one.link.is_up)
        assert b'isthmus_redis_up{prefix="test"} 0.0' in one.metrics.render()
        assert b"isthmus_redis_falls_total 1.0" in one.metrics.render()
        assert "redis.away" in [record.getMessage() for record in caplog.records]
        redis_server.wake() if harm == "hang" else redis_server.start()
        await until(lambda: one.link.is_up)
        assert "redis.back" in [record.getMessage() for record in caplog.records]
    assert 64 == await one.ask(100, "later")


async def test_a_network_that_is_cut_heals(redis_server: RedisServer) -> None:
    """Connections that break in the middle cost no request and are made anew."""
    async with proxy(redis_server.port) as between:
        one = Process(f"redis://127.0.0.1:{between.port}/0")
        one.link.start()
        await until(lambda: one.link.is_up)
        for _ in range(3):
            between.cut()
            assert 3 == await one.ask(3, "cut")
        await until(lambda: one.link.is_up)
        assert 64 == await one.ask(100, "healed")
        await one.link.stop()


async def test_words_reach_the_others(processes: list[Process], redis_server: RedisServer) -> None:
    """Also those who were cut off, once they are back."""
    heard: list[str] = []
    late = Process(redis_server.url)
    late.link.hear("events", heard.append)
    late.link.start()
    await until(lambda: late.link.is_up)

    async def told(word: str) -> None:
        for _ in range(200):
            await processes[0].link.tell("events", word)
            if word in heard:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(word)

    await told("one")
    redis_server.stop()
    await until(lambda: not late.link.is_up)
    redis_server.start()
    await until(lambda: late.link.is_up and processes[0].link.is_up)
    await told("two")
    await late.link.stop()
