"""An EHR: it says of each of its appointments one thing after the other, and repeats each until it is acknowledged.

The `n`th message about an appointment moves it to the `n`th minute, so that the record, its history, its events and
its webhooks show whether one was lost, came twice, or came in another order.
"""

import asyncio
import random
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from connectors.mllp.client import MllpError, Sender
from tests.mllp import code

HEARD = datetime(2025, 1, 10, 9)
BEGINS = datetime(2027, 6, 1, 9)
ANSWER_SECONDS = 8.0
PAUSE = 0.1  # before a repeat
TWICE = 0.03  # how many are sent again although they were acknowledged


def control(subject: int, number: int) -> str:
    """The control id of a message."""
    return f"S{subject}-{number}"


def said(subject: int, number: int) -> bytes:
    """The `number`th message about an appointment: booked first, then moved by a minute each time."""
    at, start = HEARD + timedelta(seconds=number), BEGINS + timedelta(minutes=number)
    event = "S13" if number else "S12"
    clock, time = f"{at:%Y%m%d%H%M%S}-0500", f"{start:%Y%m%d%H%M%S}"
    return "\r".join(
        (
            f"MSH|^~\\&|SOAK|NORTH|HUB|HUB|{clock}||SIU^{event}^SIU_S12|{control(subject, number)}|P|2.5.1",
            f"SCH|P{subject}^SOAK|F{subject}^SOAK||||NEW^New^L|CHECK^Check-up^L|ROUTINE^Routine^L|30|min^^ISO+",
            f"TQ1|1||||||{time}",
            f"PID|1||M{subject}^^^NORTH^MR||DOE^JANE||19800229|F",
            "RGS|1",
            f"AIP|1||77{subject % 7}^WATSON^ADA^^^^^^NORTH|ATT^Attending^HL70182",
            "",
        )
    ).encode()


@dataclass
class Ehr:
    """What it sent and was told; each connection has appointments of its own, and one message under way."""

    port: int
    connections: int
    subjects: int
    rate: float  # messages a second, of all connections together
    acknowledged: dict[str, int] = field(default_factory=dict)  # control ids, in order, and the subject of each
    times: list[float] = field(default_factory=list)  # of acknowledgements, by the clock of the loop
    refused: int = 0
    unanswered: int = 0
    repeated: int = 0
    broken: int = 0  # a repeat of what was acknowledged that was not

    async def send(self, enough: asyncio.Event, dice: random.Random) -> None:
        """Send until it is enough, and what was begun is acknowledged."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.connections):
                mine = range(number, self.subjects, self.connections)
                tasks.create_task(self._connection(list(mine), enough, random.Random(dice.random())))

    async def _connection(self, subjects: list[int], enough: asyncio.Event, dice: random.Random) -> None:
        sender = Sender("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        loop, due, number = asyncio.get_running_loop(), asyncio.get_running_loop().time(), 0
        while not enough.is_set():
            for subject in subjects:
                await self._tell(sender, subject, number)
                if dice.random() < TWICE:
                    await self._again(sender, subject, number)
                due = max(due + self.connections / self.rate, loop.time() - 1.0)
                await asyncio.sleep(max(0.0, due - loop.time()))
                if enough.is_set():
                    break
            number += 1
        with suppress(MllpError, OSError):
            await sender.close()

    async def _tell(self, sender: Sender, subject: int, number: int) -> None:
        """Send one until it is acknowledged."""
        while await self._answer(sender, said(subject, number)) != "AA":
            self.repeated += 1
            await asyncio.sleep(PAUSE)
        self.acknowledged[control(subject, number)] = subject
        self.times.append(asyncio.get_running_loop().time())

    async def _again(self, sender: Sender, subject: int, number: int) -> None:
        """Send what was acknowledged once more, on a connection of its own: it must be again, however long it takes."""
        other = Sender("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        while (answer := await self._answer(other, said(subject, number))) != "AA":
            self.broken += answer == "AE"
            await asyncio.sleep(PAUSE)
        with suppress(MllpError, OSError):
            await other.close()

    async def _answer(self, sender: Sender, message: bytes) -> str:
        try:
            answer = code(await sender.send(message))
        except (MllpError, OSError):
            self.unanswered += 1
            return ""
        self.refused += answer != "AA"
        return answer

    def stall(self, begun: float, ended: float) -> float:
        """The longest time without an acknowledgement between two moments."""
        inside = self.times[bisect_left(self.times, begun) : bisect_left(self.times, ended)]
        edges = [begun, *inside, ended]
        return max(after - before for before, after in pairwise(edges))
