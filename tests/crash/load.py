"""A sender that behaves as real ones do: a message stays its own, and is sent again, until it is acknowledged."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from connectors.mllp.client import MllpError, Sender

WINDOW = 16
BATCH = 200


def booking(lane: int, number: int) -> bytes:
    """A booking of its own: control id, filler and patient number are unique to (lane, number)."""
    name = f"{lane}-{number}"
    day, hour = 1 + number % 28, 8 + number % 9
    start = f"202712{day:02d}{hour:02d}0000"
    clock = f"20261121{number // 3600 % 24:02d}{number // 60 % 60:02d}{number % 60:02d}-0500"
    return "\r".join(
        (
            f"MSH|^~\\&|SOAK|LAB|ISTHMUS|HUB|{clock}||SIU^S12^SIU_S12|C{name}|T|2.5.1",
            f"SCH|P{name}^SOAK|F{name}^SOAK||||NEW^New^L|CHECK^Check^L|ROUTINE^Routine^L|30|min^minute^ISO+|^^30^{start}",
            f"PID|1||M{lane}-{number % 50}^^^SOAKMRN^MR||Doe^Lane{lane}||19700101|F",
            "RGS|1",
            f"AIS|1||OFFV^Office visit^L|{start}|||30|min",
            f"AIP|1||77{lane}^Watson^Ada^^^^^^SOAKSTAFF|ATT^Attending^HL70182",
            "",
        )
    ).encode()


@dataclass
class Lane:
    """One connection's messages: how many were made, and which still wait for their AA."""

    number: int
    made: int = 0
    waiting: dict[int, None] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)
    refused: int = 0
    resent: int = 0

    def due(self) -> list[int]:
        """What to send next: what was not acknowledged, filled up with new ones."""
        fresh = range(self.made, self.made + BATCH - len(self.waiting))
        self.waiting.update(dict.fromkeys(fresh))
        self.made = fresh.stop
        return list(self.waiting)

    def going_out(self, number: int) -> bytes:
        """The message, as it is handed to the connection."""
        self.resent += number in self.sent
        self.sent.add(number)
        return booking(self.number, number)

    def answered(self, number: int, answer: bytes) -> None:
        """Note an acknowledgement."""
        if b"MSA|AA|" in answer:
            self.acknowledged.add(number)
            self.waiting.pop(number, None)
        else:
            self.refused += 1


async def send(lane: Lane, host: str, port: int, stop: asyncio.Event) -> None:
    """Send until told to stop, through refusals and lost connections."""
    while not stop.is_set():
        numbers = lane.due()
        sender = Sender(host, port, timeout=10)
        place = 0
        try:
            async for answer in sender.stream(map(lane.going_out, numbers), WINDOW):
                lane.answered(numbers[place], answer)
                place += 1
        except (MllpError, OSError):  # the far side dies on purpose; what was not acknowledged is sent again
            await asyncio.sleep(0.05)
        finally:
            with contextlib.suppress(MllpError, OSError):
                await sender.close()
