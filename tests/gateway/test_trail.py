"""The trail: reads are kept soon, changes before they are answered, and nothing goes on without it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.store.protocol import AuditRow, Unavailable
from gateway.store.sqlite import SqliteStore
from gateway.trail import MOST_WAITING, Trail
from policies.audit import AuditRecord, ChainRow, decode, verify
from policies.metrics import Metrics
from tests.gateway.routes.conftest import SECRET, Gate, micros, site
from tests.gateway.routes.conftest import gate as gate
from tests.gateway.routes.test_subscriptions import OURS, subscribe


def record(number: int) -> AuditRecord:
    return AuditRecord(at=float(number), actor="someone", tenant="main", action="R", what="/v1/x/{id}", outcome=0)


def begun(number: int) -> AuditRecord:
    return replace(record(number), outcome=None)


class Leaky(SqliteStore):
    """A store whose disk can be full."""

    is_full = False

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        if self.is_full:
            raise Unavailable("SQLITE_FULL")
        await super().audit(rows)


class Busy(SqliteStore):
    """A store that is read from whenever it keeps a record of reading."""

    trail: Trail | None = None

    async def audit(self, rows: Sequence[AuditRow]) -> None:
        if self.trail:
            self.trail.note(record(len(rows)))
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


async def test_a_beginning_waits_for_itself_alone(tmp_path: Path) -> None:
    """However much is read meanwhile, a change waits for its own record and what came before it."""
    store = Busy(tmp_path)
    await store.open()
    trail = store.trail = Trail(store, micros, Metrics())
    async with asyncio.timeout(5):
        await trail.begin(begun(1))

    assert 1.0 in await kept(store)
    store.trail = None
    await trail.stop()
    await store.close()


async def test_a_beginning_waits(store: SqliteStore) -> None:
    """When `begin` returns, its record and all before it are kept."""
    trail = Trail(store, micros, Metrics())
    trail.note(record(1))
    await trail.begin(record(2))

    assert [1.0, 2.0] == await kept(store)


async def test_a_full_disk(tmp_path: Path) -> None:
    """Changes stop at once, records wait, and all are kept once there is room; what was not done is said to be so."""
    store = Leaky(tmp_path, b"k" * 32)
    await store.open()
    trail = Trail(store, micros, Metrics())
    store.is_full = True
    for _ in range(2):  # the second is turned away at once
        with pytest.raises(Unavailable):
            await trail.begin(begun(1))
    failing, full = trail.is_failing, trail.is_full
    for number in range(3, MOST_WAITING + 1):
        trail.note(record(number))
    at_bound = trail.is_full
    store.is_full = False
    await trail.flush()

    assert (True, False, True) == (failing, full, at_bound)
    assert (False, MOST_WAITING) == (trail.is_failing, len(await kept(store)))
    assert [None, 12, 0] == [decode(row.body).outcome for _, row in await store.audit_rows("main", 0, 3)]
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


@pytest_asyncio.fixture
async def leaky(tmp_path: Path) -> AsyncIterator[Gate]:
    """A gate whose trail can be stopped; its clients have their tokens."""
    made = Gate(tmp_path, site())
    made.store = Leaky(tmp_path, b"k" * 32)
    await made.open()
    for client in ("admin", "partner"):
        await made.token(client)
    yield made
    await made.close()


def break_trail(gate: Gate, is_full: bool = True) -> None:
    assert isinstance(gate.store, Leaky)
    gate.store.is_full = is_full


async def test_what_is_said_not_to_be_done_is_not(leaky: Gate) -> None:
    """The first change that finds the trail broken is refused before it is made; repeated later, it is made once."""
    body = {"url": "http://127.0.0.1:9/hook"}
    break_trail(leaky)
    refused = await leaky.post(OURS, body, "partner")
    break_trail(leaky, False)
    await leaky.trail.flush()
    made = await leaky.post(OURS, body, "partner")

    assert (503, "unavailable", True) == (refused.status_code, refused.json()["code"], refused.json()["retryable"])
    assert [made.json()["id"]] == [one.id for one in await leaky.store.subscriptions("main")]
    assert [None, 12, None, 0] == [one.outcome for one in await leaky.audited() if one.what == OURS]


async def test_what_was_done_is_answered_as_done(leaky: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the trail breaks while a change is made, its beginning is kept, the answer is the real one, and how it
    ended is kept once that can be."""
    put = leaky.store.put_subscription

    async def done(*given: Any, **more: Any) -> bool:
        kept = await put(*given, **more)
        break_trail(leaky)
        return kept

    monkeypatch.setattr(leaky.store, "put_subscription", done)
    made = await subscribe(leaky)
    await leaky.trail.flush()
    meanwhile = [decode(row.body) for _, row in await leaky.store.audit_rows("main", 0, 100)]
    break_trail(leaky, False)
    first, last = [one for one in await leaky.audited() if one.what == OURS]

    assert [None] == [one.outcome for one in meanwhile if one.what == OURS]
    assert (None, (), 0, (made["id"],)) == (first.outcome, first.records, last.outcome, last.records)
    assert ("partner", "C") == (first.actor, first.action)
    assert first.trace == last.trace


async def test_a_change_names_what_it_is_about_to_change(leaky: Gate) -> None:
    """The beginning has the id of the path, where that is an id; a mistyped path is not repeated."""
    made = await subscribe(leaky)
    await leaky.post(f"{OURS}/{made['id']}/pause", client="partner")
    await leaky.post(f"{OURS}/Jane-Doe/pause", client="partner")
    await leaky.post("/v1/feeds/north/pause")

    found = [(one.outcome, one.records) for one in await leaky.audited() if one.what.endswith("/pause")]
    assert [(None, (made["id"],)), (0, (made["id"],)), (None, ()), (4, ()), (None, ()), (0, ("north",))] == found


@pytest.mark.parametrize("path", ["token", "revoke"])
async def test_no_token_without_a_record(leaky: Gate, path: str) -> None:
    """While the trail fails no token is given and none is taken back: 503, and the token is as good as before."""
    shown = {"client_id": "partner", "client_secret": SECRET}
    form = shown | {"grant_type": "client_credentials", "token": await leaky.token("partner")}
    break_trail(leaky)
    answers = [await leaky.http.post(f"/oauth/{path}", data=form) for _ in range(2)]
    held = [name for name in await leaky.store.switches() if name.startswith("token:")]
    break_trail(leaky, False)
    await leaky.trail.flush()
    again = await leaky.http.post(f"/oauth/{path}", data=form)

    assert [(503, "unavailable")] * 2 == [(one.status_code, one.json()["code"]) for one in answers]
    assert [] == held
    assert 200 == again.status_code
    assert [None, 12, None, 0] == [one.outcome for one in await leaky.audited() if one.what == f"/oauth/{path}"][-4:]
