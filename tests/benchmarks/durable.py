"""Durable MLLP messages a second: sent, kept with synchronous=FULL or in PostgreSQL with fsync, acknowledged.

The embedded store, the shared one and the floor in turn; then two processes that take messages, beside one.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.backends import OnServer, server, worked
from tests.isthmus import Isthmus
from tests.servers import postgres

CONNECTIONS = {1: 1_500, 8: 6_000, 64: 12_800}
ROUNDS = 3


def load(port: int, connections: int, messages: int, first: int, patients: int) -> dict[str, float]:
    """A run of the load process."""
    command = [sys.executable, "-m", "tests.benchmarks.load", *map(str, (port, connections, messages, first, patients))]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


@contextmanager
def floor() -> Iterator[int]:
    """The floor program's port."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.floor", str(Path(folder) / "floor.db")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.wait()


@contextmanager
def isthmus() -> Iterator[Isthmus]:
    """A running Isthmus with a site key, as it is served."""
    with tempfile.TemporaryDirectory() as folder:
        running = Isthmus(Path(folder))
        running.start()
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def shared(role: str = "") -> Iterator[tuple[Isthmus, OnServer]]:
    """A running Isthmus over a server of its own, or one process of it with a role; and the server."""
    with server() as address, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(postgres.create(folder))
        site = Isthmus(folder, settings={"store": {"database": postgres.url_of(folder)}})
        running = site.beside(role) if role else site
        running.start()
        try:
            yield running, OnServer(address)
        finally:
            running.kill()


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def counted(ours: Isthmus, behind: OnServer, connections: int, messages: int, first: int) -> dict[str, float]:
    """A run of the load process, with the microseconds of CPU that a message costs us and the server."""
    before = worked(ours.pid), behind.busy()
    found = load(ours.mllp, connections, messages, first, 500)
    after = worked(ours.pid), behind.busy()
    ours_, theirs = ((now - then) / messages * 1e6 for then, now in zip(before, after, strict=True))
    return found | {"ours": ours_, "theirs": theirs}


def _lines(
    connections: int, mine: list[dict[str, float]], others: list[dict[str, float]], least: list[dict[str, float]]
) -> list[str]:
    rate, p50, p99 = (median([one[key] for one in mine]) for key in ("rate", "p50", "p99"))
    bottom = median([one["rate"] for one in least])
    head = f"durable MLLP, {connections} connections"
    keys = ("rate", "p50", "p99", "ours", "theirs")
    other, other50, other99, ours, theirs = (median([one[key] for one in others]) for key in keys)
    return [
        f"{head}: {rate:,.0f}/s (p50 {p50:.2f} ms, p99 {p99:.2f} ms); floor {bottom:,.0f}/s; "
        f"ratio {rate / bottom:.2f}; not accepted {sum(one['refused'] for one in mine):.0f}",
        f"{head}, PostgreSQL: {other:,.0f}/s (p50 {other50:.2f} ms, p99 {other99:.2f} ms); ratio to SQLite "
        f"{other / rate:.2f}; a message costs {ours:.0f} us of CPU and {theirs:.0f} us of the server's; "
        f"not accepted {sum(one['refused'] for one in others):.0f}",
    ]


def _two() -> str:
    """Two processes on one port, and one, in turn."""
    rates: dict[str, list[float]] = {"one": [], "two": []}
    with shared("feeds") as (first, _):
        load(first.mllp, 64, 6_400, 0, 500)
        for turn in range(ROUNDS):
            number = (turn + 1) * 10_000_000
            rates["one"].append(load(first.mllp, 64, 12_800, number, 500)["rate"])
            second = first.beside("feeds")
            second.start()
            rates["two"].append(load(first.mllp, 64, 12_800, number + 1_000_000, 500)["rate"])
            second.kill()
    one, two = median(rates["one"]), median(rates["two"])
    ratio = f"two feeds processes {two:,.0f}/s; one {one:,.0f}/s; ratio {two / one:.2f}"
    return f"durable MLLP, 64 connections, PostgreSQL: {ratio}"


def run() -> list[str]:
    """The lines to print."""
    lines = []
    with isthmus() as ours, shared() as (other, behind), floor() as floor_port:
        for connections, messages in CONNECTIONS.items():
            mine: list[dict[str, float]] = []
            others: list[dict[str, float]] = []
            least: list[dict[str, float]] = []
            for turn in range(ROUNDS):
                first = connections * 10_000_000 + turn * messages
                least.append(load(floor_port, connections, messages, first, 500))
                mine.append(load(ours.mllp, connections, messages, first, 500))
                others.append(counted(other, behind, connections, messages, first))
            lines += _lines(connections, mine, others, least)
    return [*lines, _two()]


if __name__ == "__main__":
    print("\n".join(run()))
