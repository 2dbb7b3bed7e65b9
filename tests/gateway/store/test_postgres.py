"""The shared database's own promises: nothing in clear, months that come and go, and what happens when it is away."""

import asyncio
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from canonical.datatypes import Address
from canonical.ids import new_id
from gateway.store.holding import Hold
from gateway.store.postgres import PostgresStore, retention
from gateway.store.postgres.database import Fault
from gateway.store.postgres.partitions import month_of, month_of_id, span_of_id
from gateway.store.protocol import Batch, Conflict, DeliveryQuery, MessageQuery, RecordQuery, Unavailable
from gateway.store.unusable import Unusable
from gateway.store.vault import WrongKey
from policies.audit import ChainRow, purged, verify_all
from tests.gateway.store.conftest import Opened
from tests.servers import postgres
from tests.servers.postgres import Postgres, name_of
from tests.store_contract import made
from tests.store_contract.conftest import KEY, InSchema, keep

CANARY = "Zyxwvutsrq"
SOON = 8.0  # seconds in which what need not wait is done on any machine; who waits for a lock does so for longer
HUNG = 15.0  # in which a link that hangs is noticed; a statement may take twice as long
YEAR = 365 * 86_400_000_000


async def test_nothing_sealed_stands_in_clear(another: Opened, tmp_path: Path) -> None:
    """Names, identifiers, messages, notes, secrets and audit bodies are in no row of the store."""
    store = await another()
    person = made.patient(1, CANARY, identifiers=(made.identifier(CANARY),), addresses=(Address(city=CANARY),))
    kept = made.message(1, raw=CANARY.encode(), ack=CANARY.encode(), keys=(("name", CANARY), ("ssn", CANARY)))
    again = made.changed(person, gender=CANARY)
    audit = [replace(made.audit_row(1), body=CANARY.encode())]
    batch = Batch(messages=[kept], records=[made.new(person), again], tasks=[made.task(1, note=CANARY)], audit=audit)
    await keep(store, batch)
    await store.put_hold(Hold(id="h", tenant="main", name=CANARY, reason=CANARY, by="b", created_at=1, message=kept.id))
    aside = made.message(2, raw=CANARY.encode())
    await keep(store, Batch(messages=[aside]))
    await store.put_hold(
        Hold(id="i", tenant="main", name=CANARY, reason=CANARY, by="b", created_at=1, message=aside.id)
    )
    await store.purge_messages("main", [one for one in await store.old_messages("main", (0, 0), 1 << 60, 9)][1:])
    await store.secret("one", CANARY.encode())
    await store.keep_site("abc", CANARY.encode())
    rows = await postgres.kept(tmp_path)

    assert kept.id.encode() in rows
    assert CANARY.lower().encode() not in rows.lower()
    assert [person.id] == await made.records(store, "patient", keys=((("name", CANARY),),))


@pytest.mark.parametrize("key", [None, bytes(32)])
async def test_a_wrong_site_key_is_refused_at_the_start(another: Opened, tmp_path: Path, key: bytes | None) -> None:
    """So is none; and the right one still opens."""
    await another()
    with pytest.raises(WrongKey):
        await InSchema(tmp_path, key).open()
    await another()


async def test_a_newer_schema_is_not_touched(another: Opened, address: str, tmp_path: Path) -> None:
    """A release that does not know the schema says so instead of guessing."""
    await another()
    connection = await asyncpg.connect(f"{address}/postgres", server_settings={"search_path": name_of(tmp_path)})
    await connection.execute("INSERT INTO migrations (number) VALUES (9999)")
    await connection.close()
    with pytest.raises(Unusable, match="schema 9999"):
        await InSchema(tmp_path, KEY).open()


async def test_many_open_a_new_database_at_once(postgres_server: Postgres, tmp_path: Path) -> None:
    """One of them makes the schema and the secrets; all end with the same."""
    stores = [InSchema(tmp_path, KEY) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    await keep(stores[0], Batch(records=[made.new(made.patient(1))]))

    for store in stores:
        assert [made.patient(1).id] == await store.find("main", "patient", ("identifier", "P1"))
        await store.close()


async def test_a_server_that_may_lose_what_it_said_is_refused(postgres_server: Postgres, tmp_path: Path) -> None:
    """Whole pages must be written: without them a crash can destroy what was acknowledged."""
    connection = await asyncpg.connect(f"{postgres_server.address}/postgres")
    try:
        await connection.execute("ALTER SYSTEM SET full_page_writes = off")
        await connection.execute("SELECT pg_reload_conf(), pg_sleep(0.3)")
        with pytest.raises(Unusable, match="full_page_writes"):
            await InSchema(tmp_path, KEY).open()
    finally:
        await connection.execute("ALTER SYSTEM RESET full_page_writes")
        await connection.execute("SELECT pg_reload_conf(), pg_sleep(0.3)")
        await connection.close()


async def test_commits_wait_for_the_disk(postgres_server: Postgres, another: Opened) -> None:
    """Also where the server's own setting is not to wait."""
    connection = await asyncpg.connect(f"{postgres_server.address}/postgres")
    try:
        await connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        await connection.execute("SELECT pg_reload_conf(), pg_sleep(0.3)")
        store = await another()
        assert "on" == (await store._all("SHOW synchronous_commit"))[0][0]
    finally:
        await connection.execute("ALTER SYSTEM RESET synchronous_commit")
        await connection.execute("SELECT pg_reload_conf(), pg_sleep(0.3)")
        await connection.close()


@pytest.mark.parametrize(
    "wrong",
    ["127.0.0.1:9/none", "{there}/none", "{there}/postgres?search_path=none", "{there}/postgres?sslmode=require"],
)
async def test_a_database_that_cannot_be_used(address: str, wrong: str) -> None:
    """Nobody there, no such database, no such schema, no TLS: each is said in a sentence."""
    there = address.removeprefix("postgresql://")
    with pytest.raises(Unusable, match=r"cannot be used \(\w+\)"):
        await PostgresStore(f"postgresql://{wrong.format(there=there)}", KEY).open()


@pytest.mark.parametrize("strange", ["a\0b", "\ud800"])
async def test_what_cannot_be_kept_is_found_nowhere(another: Opened, strange: str) -> None:
    """A NUL or half a surrogate pair in what is asked for is no failure."""
    store = await another()

    assert None is await store.record("main", strange)
    assert None is await store.message("main", strange)
    assert [] == await store.events("main", 0, 10, (strange, f"{strange}.*"))
    assert [] == (await store.messages(MessageQuery(tenant="main", feed=strange))).items
    assert [] == (await store.records(RecordQuery(tenant="main", kind="patient", statuses=(strange,)))).items
    assert [] == (await store.deliveries(DeliveryQuery(tenant="main", type=strange))).items
    assert 0 == await store.revivable(DeliveryQuery(tenant="main", type=strange), 1)


async def test_a_fault_of_ours_says_nothing_of_rows(another: Opened) -> None:
    """What the database refuses is named by its class: its own text quotes what was to be kept."""
    store = await another()
    for text in ("SELECT nothing FROM nowhere", f"INSERT INTO switches (name, value) VALUES ('{CANARY}', NULL)"):
        with pytest.raises(Fault) as told:
            await store._do(text)
        assert CANARY not in str(told.value)
        assert told.value.__cause__ is None
    await store.set_switch("intake", "ann")

    assert {"intake": "ann"} == await store.switches()


async def test_who_is_cancelled_leaves_the_store_usable(another: Opened) -> None:
    """A commit that was cancelled is whole or not at all, and the next one works."""
    store = await another()
    for number in range(30):
        task = asyncio.create_task(keep(store, Batch(messages=[made.message(number)], events=[made.event(number)])))
        await asyncio.sleep(number / 5000)
        task.cancel()
        await asyncio.wait([task])
    await keep(store, Batch(messages=[made.message(99)], events=[made.event(99)]))
    events = await store.events("main", 0, 100)

    assert list(range(1, len(events) + 1)) == [one.seq for one in events]
    assert len(events) == len(await made.found(store))


# -- months


def test_an_id_names_its_month() -> None:
    """The month of an id is that of the instant that it was made from."""
    january = 1_798_761_600_000_000  # 2027-01-01T00:00:00Z
    for micros in (0, january - 1000, january, made.T0, january + 30 * YEAR):
        assert month_of(micros) == month_of_id(new_id("message", micros, "x"))
    assert (684, 683) == (month_of(january), month_of(january - 1))
    for strange in ("", "msg_", "msg_x", "MSG", "msg_01J!", new_id("message", 1, "x")[:-1]):
        assert None is month_of_id(strange)
        assert (0, 0) == span_of_id(strange)


async def test_messages_of_any_month_are_found(another: Opened) -> None:
    """Years apart and in any order of coming: by id, in lists and by keys, page by page, newest first."""
    store = await another()
    ages = [3, 0, 7, 1]
    several = [
        made.message(
            n,
            id=new_id("message", made.T0 - age * YEAR, n),
            received_at=made.T0 - age * YEAR,
            keys=(("name", "Doe"),),
            records=("pat_1",),
        )
        for n, age in enumerate(ages)
    ]
    for one in several:
        await keep(store, Batch(messages=[one]))
    two_years = made.T0 - 2 * YEAR
    newest_first = [several[n].id for n in (1, 3, 0, 2)]

    assert several == [await store.message("main", one.id) for one in several]
    for limit in (1, 3, 50):
        assert newest_first == await made.found(store, limit=limit)
        assert newest_first == await made.found(store, keys=(("name", "doe"),), limit=limit)
        assert newest_first == await made.found(store, record="pat_1", limit=limit)
        assert newest_first[:2] == await made.found(store, record="pat_1", received_from=two_years, limit=limit)
        assert newest_first[2:] == await made.found(store, record="pat_1", received_before=two_years, limit=limit)


async def test_a_month_is_made_while_others_write(another: Opened) -> None:
    """Nobody waits for it, and it waits for nobody."""
    store, other = await another(), await another()
    old = made.message(1, id=new_id("message", made.T0 - YEAR, 1), received_at=made.T0 - YEAR)
    async with store.unit() as slow:
        await slow.seen("main", [(old.dedup, old.hash)], 0)  # a transaction that has the table in use
        await asyncio.wait_for(keep(other, Batch(messages=[old])), SOON)
    assert old == await store.message("main", old.id)


async def test_a_drop_that_was_interrupted(another: Opened) -> None:
    """What was taken away and not dropped is dropped the next time, or made anew when it is needed."""
    store = await another()
    for _ in range(2):
        for number, age in enumerate((2, 3)):
            one = made.message(number, id=new_id("message", made.T0 - age * YEAR, 1), received_at=made.T0 - age * YEAR)
            await keep(store, Batch(messages=[one]))
        async with store._write() as connection:
            await connection.execute("DELETE FROM dedup; ALTER TABLE messages DETACH PARTITION messages_2025_01")
        store._months.clear()
    assert 2 == await store.drop_messages(made.T0 - YEAR)

    assert [] == await made.found(store)


async def test_old_months_are_dropped_while_others_write(another: Opened) -> None:
    """Nobody who writes waits for it; what was dropped is gone, and is not new when it comes again."""
    store, other = await another(), await another()
    old = made.message(1, id=new_id("message", made.T0 - YEAR, 1), received_at=made.T0 - YEAR, records=("pat_1",))
    await keep(store, Batch(messages=[old, made.message(2)], events=[made.event(1)], audit=[made.audit_row(1)]))
    async with store.unit() as slow:
        await slow.seen("main", [(old.dedup, old.hash)], 0)  # a transaction that has the table in use
        dropping = asyncio.create_task(other.drop_messages(made.T0 - YEAR // 2))
        await asyncio.sleep(0.3)
        for number in range(3, 6):
            await asyncio.wait_for(keep(other, Batch(messages=[made.message(number)])), SOON)
        assert not dropping.done()
    assert 1 == await asyncio.wait_for(dropping, SOON)

    assert None is await store.message("main", old.id)
    assert [made.message(n).id for n in (5, 4, 3, 2)] == await made.found(store)
    later = made.message(6, id=new_id("message", made.T0 - YEAR, 6), received_at=made.T0 - YEAR)
    with pytest.raises(Conflict):  # this process has not heard that the month is gone
        await keep(store, Batch(messages=[later]))
    await keep(store, Batch(messages=[later]))
    assert later == await store.message("main", later.id)
    with pytest.raises(Conflict):
        await keep(store, Batch(messages=[old]))


async def test_months_of_events_and_audit_are_dropped(another: Opened) -> None:
    """Those that ended; the feed goes on with the next number, and what was dropped is counted."""
    store = await another()
    await keep(store, Batch(events=[made.event(1)], audit=[made.audit_row(1)]))
    await store._make([400])
    async with store._write() as connection:
        await connection.execute("UPDATE events SET month = 400; UPDATE audit_rows SET month = 400")
    later = await keep(store, Batch(events=[made.event(2)], audit=[made.audit_row(2)]))
    now = time.time_ns() // 1000

    assert 1 == await store.purgeable_events(now - 60 * YEAR, now)
    assert 2 == await store.purgeable_events(now, now)
    assert (1, 1) == await store.purge_events(2)
    assert later == await store.events("main", 0, 10)
    assert 2 == await store.oldest_event()
    assert (0, 1) == await store.purge_audit(now, now)
    assert (0, 0) == await store.purge_audit(now, now)


async def test_a_chain_goes_on_from_its_anchor(another: Opened) -> None:
    """The months that stay are verified from where the first ended; a link that is changed, dropped or put in shows."""
    store, other = await another(), await another()
    for number in range(1, 4):
        await store.audit([made.audit_row(number), made.audit_row(number + 10)])
        await other.audit([made.audit_row(number + 20)])
    await store._make([400])
    async with store._write() as connection:
        await connection.execute("UPDATE audit_rows SET month = 400 WHERE link < 3 OR chain = $1", other._chain)
    await store.audit([made.audit_row(4)])
    now = time.time_ns() // 1000
    assert (0, 1) == await store.purge_audit(now, now)
    links = [ChainRow(previous=one, digests=tuple(two), head=head) for one, head, two in await store.audit_links()]
    anchors = await store.audit_anchors()

    assert sorted([(store._chain, 2, 4), (other._chain, 3, 3)]) == [(one.chain, one.links, one.rows) for one in anchors]
    assert 2 == len(links)
    assert None is verify_all(links, anchors)
    assert 0 == verify_all(links)
    assert 0 == verify_all(links[1:], anchors)
    assert 1 == verify_all([links[0], replace(links[1], digests=())], anchors)
    assert "5 links over 7 records" in str(purged(anchors))
    async with store._write() as connection:
        assert 2 == len(await connection.fetch("SELECT * FROM audit_links"))


async def test_a_hold_that_is_made_while_a_month_goes(another: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from the moment it is kept: the month is looked at once more before it is dropped."""
    store = await another()
    old = made.message(1, id=new_id("message", made.T0 - YEAR, 1), received_at=made.T0 - YEAR, raw=b"evidence")
    await keep(store, Batch(messages=[old]))
    leave, hold = store._leave, Hold(id="h", tenant="main", name="", reason="", by="", created_at=1, message=old.id)

    async def leave_late(connection: Any, table: str, name: str) -> bool:
        left = await leave(connection, table, name)
        await store.put_hold(hold)
        return left

    monkeypatch.setattr(store, "_leave", leave_late)
    assert 1 == await store.drop_messages(made.T0 - YEAR // 2)

    assert old == await store.message("main", old.id)
    assert [] == await made.found(store)


async def test_a_month_that_somebody_has_in_use_is_left_for_later(
    another: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is made to wait for it, and the next round ends what this one began."""
    store, other = await another(), await another()
    old = made.message(1, id=new_id("message", made.T0 - YEAR, 1), received_at=made.T0 - YEAR)
    await keep(store, Batch(messages=[old]))
    monkeypatch.setattr(retention, "PATIENCE", "SET lock_timeout = '100ms'")
    async with store.unit() as slow:
        await slow.seen("main", [(old.dedup, old.hash)], 0)
        with pytest.raises(Unavailable):
            await other.drop_messages(made.T0 - YEAR // 2)
        await asyncio.wait_for(keep(other, Batch(messages=[made.message(2)])), SOON)
    assert 1 == await other.drop_messages(made.T0 - YEAR // 2)
    assert [made.message(2).id] == await made.found(store)
