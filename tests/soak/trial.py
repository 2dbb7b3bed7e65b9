"""One soak: load and readers on a cluster, blows in turn, and when all is quiet again the account."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from gateway.store.postgres import PostgresStore
from tests.servers.postgres import Postgres
from tests.servers.redis import RedisServer
from tests.soak.account import Account, count_events, count_messages, count_webhooks
from tests.soak.chaos import AWAY, PAUSE, Chaos, Struck, strike
from tests.soak.cluster import Cluster, cluster
from tests.soak.load import Ehr
from tests.soak.partner import Partner, subscribed
from tests.soak.readers import Listener, Poller, Reader

SETTLES_WITHIN = 180.0


@dataclass(frozen=True)
class Plan:
    """How long and how hard; the seed gives the order of the blows."""

    seconds: float = 240.0
    seed: int = 20261125
    rate: float = 100.0
    connections: int = 12
    subjects: int = 120
    away: float = AWAY
    pause: tuple[float, float] = PAUSE


QUICK = Plan(seconds=24, rate=60, connections=8, subjects=40, away=1.5, pause=(0.3, 0.6))  # each blow about once


async def soak(folder: Path, postgres: Postgres, redis: RedisServer, plan: Plan) -> Account:
    """Run one and count."""
    async with cluster(folder, postgres, redis) as made, subscribed(made.all[0]) as partner:
        return await _soaked(made, partner, plan)


async def _soaked(made: Cluster, partner: Partner, plan: Plan) -> Account:
    dice = random.Random(plan.seed)
    ehr = Ehr(made.mllp, plan.connections, plan.subjects, plan.rate)
    readers: list[Reader] = [
        Poller(made.apis),
        Poller(made.apis[::-1], "appointment.*"),
        Listener(made.apis),
        Listener(made.apis[::-1]),
    ]
    account = Account()
    sent, read = asyncio.Event(), asyncio.Event()
    sending = asyncio.create_task(ehr.send(sent, dice))
    reading = [asyncio.create_task(reader.follow(read)) for reader in readers]
    watching = asyncio.create_task(_connections(account, made))
    begun = asyncio.get_running_loop().time()
    struck = await strike(Chaos(made, dice, plan.away), plan.seconds, plan.pause)
    account.seconds = asyncio.get_running_loop().time() - begun
    sent.set()
    await sending
    await _quiet(made, partner, readers)
    account.died, account.faults = made.dead, made.faults
    read.set()
    for task in (*reading, watching):
        task.cancel()
    await asyncio.gather(*reading, watching, return_exceptions=True)
    await _count(account, made, partner, ehr, readers)
    _stalls(account, ehr, struck)
    return account


async def _quiet(made: Cluster, partner: Partner, readers: list[Reader]) -> None:
    """Wait until nothing is under way, and nobody has heard anything new for a while."""
    loop = asyncio.get_running_loop()
    until, before = loop.time() + SETTLES_WITHIN, None
    while loop.time() < until:
        now = (await asyncio.to_thread(lambda: partner.accepted), *(len(reader.seen) for reader in readers))
        if now == before and not await _is_underway(made):
            return
        before = now
        await asyncio.sleep(2.0)


async def _is_underway(made: Cluster) -> bool:
    connection = await asyncpg.connect(made.direct)
    try:
        left = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state IN ('pending', 'claimed'))"
        behind = "SELECT EXISTS (SELECT 1 FROM subscriptions, heads WHERE name = 'events' AND cursor < value)"
        return bool(await connection.fetchval(left) or await connection.fetchval(behind))
    finally:
        await connection.close()


async def _connections(account: Account, made: Cluster) -> None:
    """How many connections there were at most; the server may be away."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isthmus'"
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(made.direct, timeout=2)
            try:
                account.connections = max(account.connections, await connection.fetchval(asked))
            finally:
                await connection.close()
        await asyncio.sleep(1.0)


async def _count(account: Account, made: Cluster, partner: Partner, ehr: Ehr, readers: list[Reader]) -> None:
    account.repeats, account.refused, account.unanswered = ehr.repeated, ehr.refused, ehr.unanswered
    received = await asyncio.to_thread(partner.ask, "/received")
    again = int((await asyncio.to_thread(partner.ask, "/counts")).get("duplicates", 0))
    store = PostgresStore(made.direct, made.key)
    await store.open()
    try:
        await count_messages(account, store, ehr.acknowledged)
        events = await count_events(account, store, readers)
    finally:
        await store.close()
    count_webhooks(account, events, received, again)


def _stalls(account: Account, ehr: Ehr, struck: list[Struck]) -> None:
    """The longest time without an acknowledgement that each kind of blow brought."""
    for one in struck:
        account.struck[one.name] += 1
        account.stalls[one.name] = max(account.stalls.get(one.name, 0.0), ehr.stall(one.begun, one.ended))
