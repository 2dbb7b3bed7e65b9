"""What happens to a cluster: one thing after the other, in an order that a seed gives."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from tests.isthmus import Isthmus
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


def blows(cluster: Cluster, dice: random.Random, away: float = AWAY) -> list[Blow]:
    """Everything that may happen, once."""

    def one(role: str) -> Isthmus:
        return dice.choice(cluster.processes[role])

    async def killed(role: str) -> None:
        await again(one(role))

    async def both_killed(role: str) -> None:
        for process in cluster.processes[role]:
            process.kill()
        for process in cluster.processes[role]:
            await asyncio.to_thread(process.start)

    async def frozen(role: str) -> None:
        process = one(role)
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(away)
        process.signal(signal.SIGCONT)

    async def server_crashes() -> None:
        await asyncio.to_thread(cluster.postgres.restart, signal.SIGQUIT)

    async def server_restarts() -> None:
        await asyncio.to_thread(cluster.postgres.restart)

    async def while_away(begins: Callable[[], None], seconds: float = away) -> None:
        begins()
        await asyncio.sleep(seconds)
        cluster.network.heal()

    async def rolling() -> None:
        for process in cluster.all:
            await asyncio.to_thread(process.stop)
            await asyncio.to_thread(process.start)

    network = cluster.network
    return [
        *(Blow(f"{role}: kill -9", lambda role=role: killed(role)) for role in ROLES),  # type: ignore[misc]
        *(Blow(f"{role}: stands still", lambda role=role: frozen(role)) for role in ROLES),  # type: ignore[misc]
        Blow("feeds: kill -9 of both", lambda: both_killed("feeds")),
        Blow("PostgreSQL: crash", server_crashes),
        Blow("PostgreSQL: restart", server_restarts),
        Blow("PostgreSQL: cut off", lambda: while_away(network.refuse)),
        Blow("PostgreSQL: hangs", lambda: while_away(network.hang, 2 * away)),
        Blow("PostgreSQL: connections forgotten", lambda: while_away(network.forget)),
        Blow("all: restart one after the other", rolling),
    ]


async def again(process: Isthmus) -> None:
    """kill -9, and a new one."""
    process.kill()
    await asyncio.to_thread(process.start)


def schedule(everything: list[Blow], dice: random.Random) -> Iterator[Blow]:
    """All of them in some order, again and again."""
    while True:
        yield from dice.sample(everything, len(everything))


async def strike(
    cluster: Cluster, dice: random.Random, seconds: float, away: float = AWAY, pause: tuple[float, float] = PAUSE
) -> list[Struck]:
    """Let things happen for some time; what happened."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    done: list[Struck] = []
    await asyncio.sleep(pause[0])
    for blow in schedule(blows(cluster, dice, away), dice):
        if loop.time() > until:
            break
        done.append(Struck(blow.name, loop.time()))
        await blow.strike()
        await asyncio.sleep(dice.uniform(*pause))
        done[-1].ended = loop.time()
    return done
