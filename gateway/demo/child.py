"""How a simulated peer talks to the demo that started it: a JSON line of orders in, JSON lines of counters out.

Its standard input stays open as long as the demo lives; when that ends, by whatever means, the peer ends too.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import msgspec

from policies.redact import setup

EVERY = 0.25


class Orders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a peer is told at its start. Never on the command line, where others could read it."""

    mllp: str = ""
    http: str = ""
    client_id: str = ""
    client_secret: str = ""
    seed: int = 0
    rate: float = 8.0
    patients: int = 60


async def live(work: Callable[[Orders], Awaitable[None]], counters: Callable[[], object]) -> None:
    """Do the peer's work until the demo is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    line = await reader.readline()
    if not line:
        return
    working = asyncio.ensure_future(work(msgspec.json.decode(line, type=Orders)))
    telling = asyncio.ensure_future(_tell(counters))
    hearing = asyncio.ensure_future(reader.read())
    done, _ = await asyncio.wait({working, telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    for task in (working, telling, hearing):
        task.cancel()
    await asyncio.gather(working, telling, hearing, return_exceptions=True)
    if working in done and not working.cancelled():
        working.result()


async def _tell(counters: Callable[[], object]) -> None:
    """Until nobody listens any more."""
    out = sys.stdout.buffer
    while True:
        try:
            out.write(msgspec.json.encode(counters()) + b"\n")
            out.flush()
        except OSError:
            return
        await asyncio.sleep(EVERY)


def run(work: Callable[[Orders], Awaitable[None]], counters: Callable[[], object]) -> None:
    """The process of a peer; it leaves with the demo, and without a word about that. What it logs are lines as ours."""
    setup(sys.stderr)
    asyncio.run(live(work, counters))
