"""A worker that is killed in the middle: everything arrives all the same, under the ids it had."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from gateway.store.sqlite import SqliteStore
from tests.gateway.conftest import KEY, House, Partner

ROOT = Path(__file__).parents[2]
KILLS = 5


def start(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.gateway.worker_alone", str(directory)], cwd=ROOT)


async def run_until(accepted: int, directory: Path, partner: Partner, house: House) -> None:
    """Run a worker until the partner has accepted so many, and kill it then."""
    running = start(directory)
    await house.until(lambda: partner.counts().get("accepted", 0) >= accepted)
    running.kill()
    running.wait()


async def test_kill_9(tmp_path: Path, partner: Partner) -> None:
    """Killed again and again, the worker delivers every event at least once, in order, and under one webhook-id."""
    store = SqliteStore(tmp_path, KEY)
    await store.open()
    house = House(store)
    await house.subscribe(partner.url)
    events = await house.happen(*(f"lane{n % 30}" for n in range(600)))
    await store.close()

    for kill in range(1, KILLS + 1):
        await run_until(len(events) * kill // KILLS, tmp_path, partner, house)

    ids, lanes = defaultdict(set), defaultdict(list)
    lane_of = {event.id: event.lane for event in events}
    for one in partner.received():
        ids[one["event"]["id"]].add(one["id"])
        lanes[lane_of[one["event"]["id"]]].append(one["event"]["seq"])
    assert {event.id for event in events} == set(ids)
    assert {1} == set(map(len, ids.values()))
    assert set().union(*ids.values()) == {one["id"] for one in partner.attempts()}
    assert all(sorted(seqs) == seqs for seqs in lanes.values())
