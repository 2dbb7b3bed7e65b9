"""Durable MLLP messages a second: sent, kept with synchronous=FULL, acknowledged. Ours beside the floor, in turn."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.isthmus import Isthmus

CONNECTIONS = {1: 3_000, 8: 12_000, 64: 25_600}
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


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def _line(connections: int, mine: list[dict[str, float]], least: list[dict[str, float]]) -> str:
    rate, p50, p99 = (median([one[key] for one in mine]) for key in ("rate", "p50", "p99"))
    bottom = median([one["rate"] for one in least])
    return (
        f"durable MLLP, {connections} connections: {rate:,.0f}/s (p50 {p50:.2f} ms, p99 {p99:.2f} ms); "
        f"floor {bottom:,.0f}/s; ratio {rate / bottom:.2f}; not accepted {sum(one['refused'] for one in mine):.0f}"
    )


def run() -> list[str]:
    """The lines to print."""
    lines = []
    with isthmus() as ours, floor() as floor_port:
        for connections, messages in CONNECTIONS.items():
            mine: list[dict[str, float]] = []
            least: list[dict[str, float]] = []
            for turn in range(ROUNDS):
                first = connections * 10_000_000 + turn * messages
                least.append(load(floor_port, connections, messages, first, 500))
                mine.append(load(ours.mllp, connections, messages, first, 500))
            lines.append(_line(connections, mine, least))
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
