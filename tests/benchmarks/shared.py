"""What it costs to share limits over Redis, and what a cache of verified tokens there would cost.

python -m tests.benchmarks.shared    prints CPU time of this process, the best of several runs, in microseconds
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import uvloop

from gateway.shared.limits import Shared
from gateway.shared.link import Link
from policies.auth import Principal
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle
from policies.tokens import Issuer, Revocations, Verifier, generate_key, key_set, principal_of
from tests.servers.redis import started

LIMIT = Limit(name="client", quota=1_000_000, window=1)
BASE = "http://isthmus.test"
RUNS = 7


async def cost(work: Callable[[], Awaitable[object]], times: int) -> float:
    """CPU microseconds of one call; the loop turns now and then, so that what is done beside it is counted too."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.process_time()
        for number in range(times):
            await work()
            if not number % 100:
                await asyncio.sleep(0)
        best = min(best, time.process_time() - began)
    return best / times * 1e6


def verifier() -> tuple[Verifier, str]:
    """One that remembers, and a token that it takes."""
    key = generate_key()
    token = Issuer(BASE, BASE, key).issue("desk", "main", frozenset({"appointments.read"}), time.time(), "tok_1")
    return Verifier("api", BASE, BASE, key_set(key), Revocations()), token


async def measured(url: str) -> list[str]:
    """Each figure as a line."""
    link = Link(url, "bench", Metrics())
    link.start(b"bench")
    while not link.is_up:  # noqa: ASYNC110 - it says so to nobody
        await asyncio.sleep(0.01)
    own, shared = Throttle([LIMIT]), Shared(LIMIT, link)
    checks, token = verifier()
    principal = principal_of(checks.claims(token, time.time()))
    await link._client.set("token", msgspec.json.encode(principal))
    decoder = msgspec.json.Decoder(Principal)

    async def remembered() -> object:
        return checks.verify(token, time.time())

    async def verified() -> object:
        return checks.claims(token, time.time())

    async def asked() -> object:
        hashlib.sha256(token.encode()).hexdigest()
        return decoder.decode(await link._client.get("token") or b"")

    lines = {
        "a call counted by this process": await cost(lambda: own.decide("desk", "main", time.time()), 20_000),
        "a call counted over Redis": await cost(lambda: shared.decide("desk", "main", time.time()), 20_000),
        "a token remembered": await cost(remembered, 20_000),
        "a token verified": await cost(verified, 1_000),
        "a token read from Redis": await cost(asked, 1_000),
    }
    await link.stop()
    return [f"{name:<32} {figure:6.1f} us" for name, figure in lines.items()]


def run() -> Iterator[str]:
    """Every line, over a Redis of its own."""
    for server in started():
        yield from uvloop.run(measured(server.url))


if __name__ == "__main__":
    for line in run():
        print(line)
