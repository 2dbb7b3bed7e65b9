"""API reads and searches with every policy on, over both stores, beside a bare Litestar handler on the same server."""

import json
import subprocess
import sys
from typing import cast

from tests.benchmarks.durable import isthmus, load, median, shared
from tests.isthmus import Isthmus

CONNECTIONS = 32
SECONDS = 4.0
ROUNDS = 3
RECORDS = 2_000


def ask(port: int, requests: list[dict[str, str]]) -> dict[str, object]:
    """A run of the request process."""
    command = [sys.executable, "-m", "tests.benchmarks.requests", str(port), str(CONNECTIONS), str(SECONDS)]
    lines = "\n".join(map(json.dumps, requests))
    done = subprocess.run(command, input=lines, check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def get(path: str, token: str = "") -> dict[str, str]:
    """A request as it goes over the wire."""
    bearer = f"authorization: Bearer {token}\r\n" if token else ""
    return {"head": f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{bearer}\r\n", "body": ""}


def _floor(size: int, ids: list[str]) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "tests.benchmarks.bare", str(size)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        port = int(process.stdout.readline())
        ask(port, [get("/v1/appointments/warm")])
        return [ask(port, [get(f"/v1/appointments/{one}") for one in ids]) for _ in range(ROUNDS)]
    finally:
        process.kill()
        process.wait()


def _middle(runs: list[dict[str, object]]) -> float:
    return median([cast(float, one["rate"]) for one in runs])


def _line(name: str, runs: list[dict[str, object]], floor: float) -> str:
    rate = _middle(runs)
    p50, p99 = (median([cast(float, one[key]) for one in runs]) for key in ("p50", "p99"))
    statuses = sorted({status for one in runs for status in cast(list[str], one["statuses"])})
    return (
        f"API {name}: {rate:,.0f}/s (p50 {p50:.2f} ms, p99 {p99:.2f} ms, answers {'/'.join(statuses)}); "
        f"bare Litestar {floor:,.0f}/s; ratio {rate / floor:.2f}"
    )


def _some(ours: Isthmus) -> list[dict[str, object]]:
    page = ours.get("/v1/appointments?limit=200")
    return cast(list[dict[str, object]], page["items"])


def _asks(ours: Isthmus) -> dict[str, list[dict[str, str]]]:
    """Fill it, and what to ask of it: reads and searches of many records."""
    load(ours.mllp, 8, RECORDS, 0, 200)
    some, token = _some(ours), ours.token()
    return {
        "read": [get(f"/v1/appointments/{one['id']}", token) for one in some],
        "search by patient, 5 a page": [
            get(f"/v1/appointments?patient={one['patient']}&limit=5", token) for one in some
        ],
    }


def run() -> list[str]:
    """The lines to print."""
    lines = []
    with isthmus() as ours, shared() as (other, _):
        asks, others = _asks(ours), _asks(other)
        some = _some(ours)
        floor = _middle(_floor(len(json.dumps(some[0])), [str(one["id"]) for one in some]))
        for name in asks:
            runs = [(ask(ours.http, asks[name]), ask(other.http, others[name])) for _ in range(ROUNDS)]
            lines.append(_line(name, [mine for mine, _ in runs], floor))
            lines.append(_line(f"{name}, PostgreSQL", [theirs for _, theirs in runs], floor))
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
