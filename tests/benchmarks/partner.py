"""A partner that answers 200 and counts. `report` on its standard input prints and clears what it has counted:
deliveries, deliveries a second, and milliseconds from the message's receipt to this request, from the event's own time.
"""

import asyncio
import json
import sys
import time
from datetime import datetime

import uvloop

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Partner:
    """What it has heard since the last report."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.times: list[float] = []
        self.first = self.last = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                start = head.find(b"content-length:")
                body = await reader.readexactly(int(head[start + 15 : head.find(b"\r", start)]))
                writer.write(OK)
                now = time.time()
                happened = datetime.fromisoformat(json.loads(body)["time"]).timestamp()
                self.times.append(now - happened)
                self.first = self.first or now
                self.last = now
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def report(self) -> dict[str, float]:
        """What was heard; the list is kept until there is nothing new, so that a poller can wait for a count."""
        times = sorted(self.times) or [0.0]
        return {
            "count": len(self.times),
            "rate": len(self.times) / max(self.last - self.first, 1e-9),
            "p50": times[len(times) // 2] * 1000,
            "p99": times[len(times) * 99 // 100] * 1000,
        }


async def main() -> None:
    """Listen, print the port, answer reports."""
    partner = Partner()
    server = await asyncio.start_server(partner.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        print(json.dumps(partner.report()), flush=True)
        if line.strip() == b"clear":
            partner.clear()


if __name__ == "__main__":
    uvloop.run(main())
