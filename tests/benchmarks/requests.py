"""HTTP requests a second over keep-alive connections, from a process of its own.

python -m tests.benchmarks.requests PORT CONNECTIONS SECONDS < one request per line as JSON {"head", "body"}
"""

import asyncio
import json
import sys
import time
from itertools import cycle, islice

import uvloop


async def _ask(port: int, requests: list[bytes], until: float, times: list[float], statuses: set[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in cycle(requests):
        began = time.perf_counter()
        if began > until:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        start = head.lower().find(b"content-length:")
        if start >= 0:
            await reader.readexactly(int(head[start + 15 : head.find(b"\r", start)]))
        statuses.add(head[9:12])
        times.append(time.perf_counter() - began)
    writer.close()


async def run(port: int, connections: int, seconds: float, requests: list[bytes]) -> dict[str, object]:
    """Ask until the time is over."""
    times: list[float] = []
    statuses: set[bytes] = set()
    began = time.perf_counter()
    turns = [list(islice(cycle(requests), place, place + len(requests))) for place in range(connections)]
    await asyncio.gather(*(_ask(port, turn, began + seconds, times, statuses) for turn in turns))
    took = time.perf_counter() - began
    times.sort()
    return {
        "rate": len(times) / took,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
        "statuses": sorted(status.decode() for status in statuses),
    }


if __name__ == "__main__":
    asked = [json.loads(line) for line in sys.stdin]
    wire = [(one["head"] + one["body"]).encode() for one in asked]
    print(json.dumps(uvloop.run(run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), wire))))
