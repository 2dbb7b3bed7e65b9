"""A load of bookings over MLLP from a process of its own: each connection waits for an answer before it sends again.

python -m tests.benchmarks.load PORT CONNECTIONS MESSAGES FIRST [PATIENTS]    prints one JSON line
"""

import asyncio
import json
import sys
import time
from functools import partial

import uvloop

from tests.benchmarks.sample import booking

END = b"\x1c\r"


class Line(asyncio.Protocol):
    """One connection with one message in flight."""

    def __init__(self, messages: list[bytes], done: asyncio.Future[None]) -> None:
        self.messages = messages
        self.done = done
        self.sent_at = 0.0
        self.times: list[float] = []
        self.refused = 0
        self.rest = b""
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's does not derive from asyncio's
        self._next()

    def _next(self) -> None:
        if not self.messages:
            self.done.set_result(None)
            return
        self.sent_at = time.perf_counter()
        self.transport.write(b"\x0b" + self.messages.pop() + END)

    def data_received(self, data: bytes) -> None:
        self.rest += data
        if self.rest.endswith(END):
            self.times.append(time.perf_counter() - self.sent_at)
            self.refused += b"MSA|AA|" not in self.rest and b"MSA|CA|" not in self.rest
            self.rest = b""
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionResetError())


def _same(line: Line) -> Line:
    return line


async def run(port: int, connections: int, messages: int, first: int, patients: int) -> dict[str, float]:
    """Send, and say how fast: messages a second, milliseconds at the median and the 99th percentile."""
    loop = asyncio.get_running_loop()
    each = messages // connections
    lines = []
    for place in range(connections):
        start = first + place * each
        own = [booking(number, patients) for number in range(start, start + each)]
        lines.append(Line(own, loop.create_future()))
    began = time.perf_counter()
    for line in lines:
        await loop.create_connection(partial(_same, line), "127.0.0.1", port)
    await asyncio.gather(*(line.done for line in lines))
    took = time.perf_counter() - began
    times = sorted(second for line in lines for second in line.times)
    return {
        "rate": each * connections / took,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
        "refused": sum(line.refused for line in lines),
    }


if __name__ == "__main__":
    port, connections, messages, first, *rest = map(int, sys.argv[1:])
    print(json.dumps(uvloop.run(run(port, connections, messages, first, rest[0] if rest else 1))))
