"""What happens to a cluster: one thing after the other, in an order that a seed gives."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from tests.isthmus import Isthmus
from tests.servers.proxy import Proxy
from tests.soak.cluster import ROLES, Cluster

AWAY = 5.0  # seconds for which something is cut off or stands still; what hangs does so for twice as long
PAUSE = (1.5, 3.0)  # seconds between the end of one thing and the next


@dataclass
class Blow:
    """One thing that happens: it is over, and all is whole again, when `strike` returns."""

    name: str
    strike: Callable[[], Awaitable[None]]


@dataclass
class Struck:
    """What happened, from its begin to the begin of the next, by the clock of the loop."""

    name: str
    begun: float
    ended: float = 0.0


class Chaos:
    """Everything that may happen to a cluster; the dice say to which of two."""

    def __init__(self, cluster: Cluster, dice: random.Random, away: float = AWAY) -> None:
        self.cluster, self.dice, self.away = cluster, dice, away

    def blows(self) -> list[Blow]:
        """All of it, once."""
        cluster, crash, stop = self.cluster, signal.SIGQUIT, signal.SIGINT
        return [
            *(Blow(f"{role}: kill -9", partial(self.killed, role)) for role in ROLES),
            *(Blow(f"{role}: stands still", partial(self.stands_still, role)) for role in ROLES),
            Blow("feeds: kill -9 of both", partial(self.both_killed, "feeds")),
            Blow("PostgreSQL: crash", partial(asyncio.to_thread, cluster.postgres.restart, crash)),
            Blow("PostgreSQL: restart", partial(asyncio.to_thread, cluster.postgres.restart, stop)),
            *self._of("PostgreSQL", cluster.to_postgres),
            *self._of("Redis", cluster.to_redis),
            Blow("Redis: emptied", partial(asyncio.to_thread, cluster.redis.flush)),
            Blow("Redis: stopped", self.redis_stopped),
            Blow("all: restart one after the other", self.rolling),
        ]

    def _of(self, name: str, network: Proxy) -> list[Blow]:
        """What happens to the network before a server."""
        return [
            Blow(f"{name}: cut off", partial(self.until_healed, network, network.refuse, self.away)),
            Blow(f"{name}: hangs", partial(self.until_healed, network, network.hang, 2 * self.away)),
            Blow(f"{name}: connections forgotten", partial(self.until_healed, network, network.forget, self.away)),
        ]

    def one(self, role: str) -> Isthmus:
        """One of two."""
        return self.dice.choice(self.cluster.processes[role])

    async def killed(self, role: str) -> None:
        """kill -9, and a new one."""
        await asyncio.to_thread(self.one(role).crash)

    async def both_killed(self, role: str) -> None:
        """For a while there is none."""
        for process in self.cluster.processes[role]:
            process.kill()
        for process in self.cluster.processes[role]:
            await asyncio.to_thread(process.start)

    async def stands_still(self, role: str) -> None:
        """One does nothing and lets go of nothing, as on a machine that swaps."""
        process = self.one(role)
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(self.away)
        process.signal(signal.SIGCONT)

    async def until_healed(self, network: Proxy, harm: Callable[[], None], seconds: float) -> None:
        """The network fails for some time."""
        harm()
        await asyncio.sleep(seconds)
        network.heal()

    async def redis_stopped(self) -> None:
        """kill -9, and later a new one that knows nothing."""
        await asyncio.to_thread(self.cluster.redis.stop)
        await asyncio.sleep(self.away)
        await asyncio.to_thread(self.cluster.redis.start)

    async def rolling(self) -> None:
        """Each is stopped in order and started again."""
        for process in self.cluster.all:
            await asyncio.to_thread(process.stop)
            await asyncio.to_thread(process.start)


def schedule(everything: list[Blow], dice: random.Random) -> Iterator[Blow]:
    """All of them in some order, again and again."""
    while True:
        yield from dice.sample(everything, len(everything))


async def strike(chaos: Chaos, seconds: float, pause: tuple[float, float]) -> list[Struck]:
    """Let things happen for some time; what happened."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    done: list[Struck] = []
    await asyncio.sleep(pause[0])
    for blow in schedule(chaos.blows(), chaos.dice):
        if loop.time() > until:
            break
        done.append(Struck(blow.name, loop.time()))
        await blow.strike()
        await asyncio.sleep(chaos.dice.uniform(*pause))
        done[-1].ended = loop.time()
    return done
