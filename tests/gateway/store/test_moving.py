"""A store moves: from either backend to either, whole or not at all."""

import io
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.store.holding import Hold
from gateway.store.moving.move import carry_in, carry_out
from gateway.store.moving.shape import Damaged, NotEmpty, Source, Target, Unfinished
from gateway.store.postgres import PostgresStore
from gateway.store.postgres.arriving import PostgresTarget
from gateway.store.postgres.leaving import PostgresSource
from gateway.store.protocol import Batch, Delivery, DeliveryQuery, MessageQuery, Move, Store, Subscription
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.arriving import SqliteTarget
from gateway.store.sqlite.leaving import SqliteSource
from gateway.store.vault import WrongKey
from policies.audit import ChainRow, verify, verify_all
from tests.servers import postgres
from tests.servers.postgres import Postgres
from tests.store_contract.conftest import BACKENDS, KEY, keep
from tests.store_contract.made import T0, appointment, audit_row, changed, event, message, new, patient, task

WAYS = [(one, other) for one in BACKENDS for other in BACKENDS]


def delivery(number: int) -> Delivery:
    """Event `number` on its way to the subscription, in one lane."""
    given = {"event": event(number).id, "type": "appointment.created", "lane": "p", "due_at": T0, "created_at": T0}
    return Delivery(id=f"dlv_{number}", tenant="main", subscription="sub_1", seq=number, **given)  # type: ignore[arg-type]


def source(backend: str, folder: Path) -> Source:
    return SqliteSource(folder, KEY) if backend == "sqlite" else PostgresSource(postgres.url_of(folder), KEY)


async def target(backend: str, folder: Path, key: bytes = KEY) -> Target:
    if backend == "sqlite":
        return SqliteTarget(folder, key)
    await postgres.create(folder)
    return PostgresTarget(postgres.url_of(folder), key)


async def filled(store: Store) -> None:
    """1,100 messages, so that a lot is full; a patient with two versions, a task, a claimed delivery, audit."""
    one, visit = patient(1, "Doe", "Jane"), appointment(2)
    await keep(
        store,
        Batch(
            messages=[message(n) for n in range(1, 1101)],
            records=[new(one), new(visit)],
            events=[event(1), event(2)],
            tasks=[task(1)],
            audit=[audit_row(1), audit_row(2)],
        ),
    )
    await keep(store, Batch(records=[changed(one, birth_date="1990-01-01")], audit=[audit_row(3)]))
    subscription = Subscription(id="sub_1", tenant="main", client="c", url="https://partner.example/x")
    await store.put_subscription(subscription, None)
    await store.derive([Move(subscription="sub_1", cursor=0, upto=2, deliveries=[delivery(1), delivery(2)])])
    await store.claim(T0 + 1_000_000_000, 60_000_000, 1, {"sub_1": 1})
    await store.once("jti", T0 * 2, T0)
    await store.set_switch("feed:ehr", "held")
    await store.secret("token-key", b"the key")
    await store.keep_site("d", b"files")
    await store.put_hold(Hold(id="hld_1", tenant="main", name="n", reason="r", by="admin", created_at=T0, feed="lab"))
    await keep(store, Batch(messages=[message(3000, feed="lab"), message(3001)]))
    old = await store.old_messages("main", (T0 + 2999, 1 << 62), T0 * 2, 2)
    await store.purge_messages("main", old)
    await store.set_switch("retention:x", "7")


async def exported(backend: str, folder: Path) -> bytes:
    store = BACKENDS[backend](folder, KEY)
    await store.open()
    await filled(store)
    await store.close()
    out, leaving = io.BytesIO(), source(backend, folder)
    await leaving.open(True)
    await carry_out(leaving, out, T0)
    await leaving.close()
    return out.getvalue()


@pytest.mark.parametrize(("one", "other"), WAYS)
async def test_everything_is_carried(one: str, other: str, postgres_server: Postgres, tmp_path: Path) -> None:
    """What was kept is found, in the same order and under the same numbers; what comes next goes on after it."""
    stream = await exported(one, tmp_path / "a")
    counts = await carry_in(io.BytesIO(stream), await target(other, tmp_path / "b"))
    store = BACKENDS[other](tmp_path / "b", KEY)
    await store.open()
    kept = await store.message("main", message(7).id)
    found = await store.messages(MessageQuery(tenant="main", keys=(("control_id", "M700"),)))
    async with store.unit() as unit:
        seen = await unit.seen("main", [(message(7).dedup, message(7).hash)], 0)
    (told,) = await keep(store, Batch(messages=[message(2000)], events=[event(3)], audit=[audit_row(4)]))
    links = await store.audit_links()
    deliveries = await store.deliveries(DeliveryQuery(tenant="main"))
    claimed = await store.claim(T0 + 9_000_000_000, 60_000_000, 5, {"sub_1": 5})
    history = await store.history("main", patient(1).id)

    assert 1100 == counts["messages"]
    assert kept == replace(message(7), duplicates=0)
    assert [message(700).id] == [item.id for item in found.items]
    assert message(7).ack == seen[message(7).dedup][0].ack
    assert 3 == told.seq
    assert [1, 2] == [version.version for version in history]
    assert [patient(1).id] == await store.find("main", "patient", ("identifier", "P1"))
    assert None is verify_all([ChainRow(previous=p, digests=tuple(d), head=h) for p, h, d in links])
    assert [audit_row(n).body for n in (1, 2, 3, 4)] == [row.body for _, row in await store.audit_rows("main", 0, 9)]
    assert {"pending"} == {item.state for item in deliveries.items}
    assert [delivery(1).id] == [item.id for item, _ in claimed][:1]
    assert 2 == (await store.subscriptions())[0].cursor
    assert not await store.once("jti", T0 * 2, T0)
    assert {"feed:ehr": "held"} == await store.switches()
    assert b"the key" == await store.secret("token-key", b"other")
    assert b"files" == await store.site("d")
    assert message(3000, feed="lab") == await store.message("main", message(3000).id)
    assert await store.tombstone("main", message(3001).id)
    async with store.unit() as unit:
        assert await unit.seen("main", [(message(3001).dedup, message(3001).hash)], 0)
    assert ["hld_1"] == [hold.id for hold in await store.holds()]
    await store.close()


@pytest.mark.parametrize("backend", list(BACKENDS))
async def test_what_is_not_whole_leaves_nothing(backend: str, postgres_server: Postgres, tmp_path: Path) -> None:
    """Cut off, altered, or under another key: refused, and the target is empty for the next try."""
    stream = await exported("sqlite", tmp_path / "a")
    altered = bytearray(stream)
    altered[len(altered) // 2] ^= 1
    for wrong in (stream[:-20], bytes(altered), stream + b"x", b"nothing"):
        with pytest.raises(Damaged):
            await carry_in(io.BytesIO(wrong), await target(backend, tmp_path / "b"))
    with pytest.raises(WrongKey):
        await carry_in(io.BytesIO(stream), await target(backend, tmp_path / "b", bytes(32)))
    await carry_in(io.BytesIO(stream), await target(backend, tmp_path / "b"))
    with pytest.raises(NotEmpty):
        await carry_in(io.BytesIO(stream), await target(backend, tmp_path / "b"))


@pytest.mark.parametrize("backend", list(BACKENDS))
async def test_nobody_opens_what_is_half_there(backend: str, postgres_server: Postgres, tmp_path: Path) -> None:
    """While an import is under way, or after one that was killed, the store does not open; another import mends it."""
    stream = await exported("sqlite", tmp_path / "a")
    killed = await target(backend, tmp_path / "b")
    await killed.open(await _sealed(tmp_path / "a"))
    if isinstance(killed, PostgresTarget):
        killed._connection.terminate()
    elif isinstance(killed, SqliteTarget):
        os.close(killed._owned)  # as the system does for a process that is gone
    store = BACKENDS[backend](tmp_path / "b", KEY)
    with pytest.raises(Unfinished):
        await store.open()
    await carry_in(io.BytesIO(stream), await target(backend, tmp_path / "b"))
    await store.open()
    assert 2 == await store.head()
    await store.close()


@pytest.mark.parametrize("backend", list(BACKENDS))
async def test_a_link_that_lost_its_rows_is_seen(backend: str, postgres_server: Postgres, tmp_path: Path) -> None:
    """Rows taken away from under a link do not take the link out of sight."""
    store = BACKENDS[backend](tmp_path, KEY)
    await store.open()
    await keep(store, Batch(audit=[audit_row(1)]))
    await keep(store, Batch(audit=[audit_row(2)]))
    if isinstance(store, PostgresStore):
        await store._do("DELETE FROM audit_rows WHERE n = 2")
    elif isinstance(store, SqliteStore):
        async with store._write() as writer:
            writer.execute("DELETE FROM audit_rows WHERE n = 2")
    links = await store.audit_links()
    await store.close()

    assert 1 == verify([ChainRow(previous=p, digests=tuple(d), head=h) for p, h, d in links])


async def _sealed(folder: Path) -> bytes:
    leaving = SqliteSource(folder, KEY)
    await leaving.open(True)
    sealed, _ = await leaving.secret()
    await leaving.close()
    return sealed
