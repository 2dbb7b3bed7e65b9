"""The trail: reads are kept soon, changes before they are answered, and nothing goes on without it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.store.protocol import AuditRow, Unavailable
from gateway.store.sqlite import SqliteStore
from gateway.trail import MOST_WAITING, Trail
from policies.audit import AuditRecord, ChainRow, decode, verify
from policies.metrics import Metrics
from tests.gateway.routes.conftest import Gate, micros
from tests.gateway.routes.conftest import gate as gate


def record(number: int) -> AuditRecord:
    return AuditRecord(at=float(number), actor="someone", tenant="main", action="R", what="/v1/x/{id}", outcome=0)


class Leaky(SqliteStore):
    """A store whose disk can be full."""

    is_full = False

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        if self.is_full:
            raise Unavailable("SQLITE_FULL")
        await super().audit(rows)


async def kept(store: SqliteStore) -> list[float]:
    return [decode(row.body).at for _, row in await store.audit_rows("main", 0, 100_000)]


async def test_notes_are_kept_by_themselves(store: SqliteStore) -> None:
    """Records are kept in their order, in groups, in a chain that holds."""
    trail = Trail(store, micros, Metrics())
    for number in range(500):
        trail.note(record(number))
    async with asyncio.timeout(10):
        while True:
            found = await kept(store)
            if len(found) == 500:
                break
            await asyncio.sleep(0.01)
    links = await store.audit_links()

    assert [float(number) for number in range(500)] == found
    assert 1 == len(links)
    assert verify([ChainRow(previous=p, digests=tuple(d), head=h) for p, h, d in links]) is None


async def test_stopping_keeps_what_waits(store: SqliteStore) -> None:
    """Nothing is lost at the end."""
    trail = Trail(store, micros, Metrics())
    trail.note(record(1))
    await trail.stop()

    assert [1.0] == await kept(store)


async def test_a_write_waits(store: SqliteStore) -> None:
    """When `write` returns, its record and all before it are kept."""
    trail = Trail(store, micros, Metrics())
    trail.note(record(1))
    await trail.write(record(2))

    assert [1.0, 2.0] == await kept(store)


async def test_a_full_disk(tmp_path: Path) -> None:
    """Changes stop at once, records wait, and all are kept once there is room."""
    store = Leaky(tmp_path, b"k" * 32)
    await store.open()
    trail = Trail(store, micros, Metrics())
    store.is_full = True
    with pytest.raises(Unavailable):
        await trail.write(record(1))
    trail.note(record(2))
    failing, full = trail.is_failing, trail.is_full
    for number in range(3, MOST_WAITING + 1):
        trail.note(record(number))
    at_bound = trail.is_full
    store.is_full = False
    await trail.flush()

    assert (True, False, True) == (failing, full, at_bound)
    assert (False, MOST_WAITING) == (trail.is_failing, len(await kept(store)))
    await trail.stop()
    await store.close()


async def test_no_change_without_a_record(gate: Gate) -> None:
    """While the trail fails, changes are refused before they are made; past the bound, reads are too."""
    await gate.token()
    gate.trail.is_failing = True
    refused = await gate.post("/v1/feeds/north/pause")
    read = await gate.ask("GET", "/v1/feeds")
    gate.trail._waiting = [record(1)] * MOST_WAITING
    full = await gate.ask("GET", "/v1/feeds")

    assert [503, 200, 503] == [one.status_code for one in (refused, read, full)]
    assert {} == gate.pipeline.switches
