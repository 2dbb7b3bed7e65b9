"""What a process has of a Redis, in several copies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from gateway.shared import link as linked
from gateway.shared.limits import Shared
from gateway.shared.link import Link
from policies.metrics import Metrics
from policies.throttle import Limit, Verdict
from tests.servers.redis import RedisServer

LIMIT = Limit(name="client", quota=10, window=1000, burst=64)
SITE = b"a site of these tests"
Join = Callable[..., Awaitable["Process"]]


async def until(so: Callable[[], object], within: float = 20.0) -> None:
    """Wait until it is so."""
    deadline = asyncio.get_running_loop().time() + within
    while not so():
        assert asyncio.get_running_loop().time() < deadline, "it did not become so in time"
        await asyncio.sleep(0.02)


class Process:
    """One process, with a limit that it shares with others of its site."""

    def __init__(self, url: str, limit: Limit = LIMIT) -> None:
        self.metrics = Metrics()
        self.link = Link(url, "test", self.metrics)
        self.limit = Shared(limit, self.link)

    async def decide(self, client: str = "desk") -> Verdict:
        """The verdict on a call; time goes on by the loop's clock."""
        return await self.limit.decide(client, "main", asyncio.get_running_loop().time() + 1_000_000)

    async def admits(self, times: int = 1, client: str = "desk") -> int:
        """How many calls are admitted."""
        return sum([(await self.decide(client)).allowed for _ in range(times)])

    def falls(self, reason: str) -> int:
        """How often it went on by itself."""
        name = f'isthmus_redis_falls_total{{reason="{reason}"}} '
        lines = self.metrics.render().decode().splitlines()
        return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))

    def says_up(self) -> bool:
        """What its metric says."""
        return b'isthmus_redis_up{prefix="test"} 1.0' in self.metrics.render()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a request has, for a machine that is busy."""
    monkeypatch.setattr(linked, "REQUEST_SECONDS", 2.0)


@pytest_asyncio.fixture
async def join(redis_server: RedisServer) -> AsyncIterator[Join]:
    """Makes a process that has found Redis: at that address, with that limit, of that site."""
    made: list[Process] = []

    async def joined(
        url: str | None = None, limit: Limit = LIMIT, site: bytes = SITE, **hears: Callable[[str], None]
    ) -> Process:
        one = Process(url or redis_server.url, limit)
        for channel, told in hears.items():
            one.link.hear(channel, told)
        one.link.start(site)
        made.append(one)
        await until(lambda: one.link.is_up)
        return one

    yield joined
    for one in made:
        await one.link.stop()
