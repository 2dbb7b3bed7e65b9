"""The simulated EHR: sends one hospital day after another over MLLP, and keeps each message until it is acknowledged.

A week is sent from seven days ago up to yesterday, faster than life; then another hospital's week begins.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from msgspec import Struct

from connectors.mllp.client import MllpError, Sender
from gateway.demo.child import Orders, run
from gateway.demo.day import Sent, day
from transforms.hl7v2.ack import read_ack

WEEK = 7
PATIENCE = 10.0
AGAIN_AFTER = 1.0


class Counters(Struct):
    """What the EHR can say about itself."""

    sent: int = 0
    acks: dict[str, int] = {}
    odd: dict[str, int] = {}
    again: int = 0
    clock: str = ""
    milliseconds: float = 0.0  # of the last acknowledgement


counters = Counters()


def weeks(seed: int, patients: int) -> Iterator[Sent]:
    """Days without end, none of which is later than yesterday."""
    for week in count(seed):
        for back in range(WEEK, 0, -1):
            yield from day(week, patients, datetime.now(UTC).date() - timedelta(days=back))


async def work(orders: Orders) -> None:
    """Send at the pace that was asked for."""
    host, _, port = orders.mllp.rpartition(":")
    sender = Sender(host.strip("[]"), int(port), timeout=PATIENCE)
    loop = asyncio.get_running_loop()
    due = loop.time()
    for one in weeks(orders.seed, orders.patients):
        await keep_sending(sender, one)
        due = max(due + 1 / orders.rate, loop.time() - 1)
        await asyncio.sleep(max(0.0, due - loop.time()))


async def keep_sending(sender: Sender, one: Sent) -> None:
    """Until there is an answer: to send again what was not acknowledged is the sender's half of losing nothing."""
    while True:
        began = time.monotonic()
        try:
            answer = read_ack(await sender.send(one.raw))
        except MllpError:
            counters.again += 1
            await asyncio.sleep(AGAIN_AFTER)
            continue
        break
    code = answer[0] if answer else "none"
    counters.sent += 1
    counters.acks[code] = counters.acks.get(code, 0) + 1
    if one.note:
        counters.odd[one.note] = counters.odd.get(one.note, 0) + 1
    counters.clock = one.at.strftime("%a %d %b %H:%M")
    counters.milliseconds = (time.monotonic() - began) * 1000


if __name__ == "__main__":
    run(work, lambda: counters)
