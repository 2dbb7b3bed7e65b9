"""A site of six processes on one machine, two for each role, over PostgreSQL and Redis; the networks can fail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.isthmus import Isthmus, Settings
from tests.servers.postgres import Postgres, create, name_of, url_of
from tests.servers.proxy import Proxy, proxy
from tests.servers.redis import RedisServer

ROLES = ("api", "feeds", "worker")
AWAY = '"error":"Unavailable"'
PATIENCE = 2.0  # with a receiver: what a killed process had claimed is free again after that and twenty seconds


@dataclass
class Cluster:
    """The processes by role, the servers below them, and the networks between."""

    processes: dict[str, tuple[Isthmus, Isthmus]]
    postgres: Postgres
    redis: RedisServer
    to_postgres: Proxy
    to_redis: Proxy
    direct: str  # the database, past the network

    @property
    def all(self) -> list[Isthmus]:
        """Every process."""
        return [one for role in ROLES for one in self.processes[role]]

    @property
    def apis(self) -> list[str]:
        """Where the API is."""
        return [one.url for one in self.processes["api"]]

    @property
    def mllp(self) -> int:
        """Where the feed is heard, by two."""
        return self.processes["feeds"][0].mllp

    @property
    def key(self) -> bytes:
        """The site key."""
        return self.all[0].key

    @property
    def dead(self) -> int:
        """How many have ended by themselves."""
        return sum(not one.is_running for one in self.all)

    @property
    def faults(self) -> int:
        """How often one had a failure that is not that of the store being away."""
        lines = [line for one in self.all for line in one.log.read_text().splitlines()]
        return sum("Traceback" in line or ('"level":"error"' in line and AWAY not in line) for line in lines)


@asynccontextmanager
async def cluster(folder: Path, postgres: Postgres, redis: RedisServer) -> AsyncIterator[Cluster]:
    """All six, started on an empty database; killed at the end."""
    await create(folder)
    async with proxy(postgres.port) as to_postgres, proxy(redis.port) as to_redis:
        database = f"postgresql://postgres@127.0.0.1:{to_postgres.port}/postgres?search_path={name_of(folder)}"
        settings: dict[str, Settings] = {
            "store": {"database": database},
            "redis": {"url": f"redis://127.0.0.1:{to_redis.port}/0"},
            "webhooks": {"timeout-seconds": PATIENCE},
        }
        site = Isthmus(folder, settings=settings)
        processes = {role: (site.beside(role), site.beside(role)) for role in ROLES}
        made = Cluster(processes, postgres, redis, to_postgres, to_redis, url_of(folder))
        with ExitStack() as ending:
            for one in made.all:
                one.launch()
                ending.callback(one.kill)
            for one in made.all:
                await asyncio.to_thread(one.ready)
            yield made
