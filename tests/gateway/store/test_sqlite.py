"""The embedded database's own promises: one owner, nothing in clear, nothing that holds the loop."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from canonical.datatypes import Address
from gateway.store.holding import Hold
from gateway.store.protocol import Batch, Unavailable
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite.database import DirectoryInUse, NewerSchema
from gateway.store.vault import WrongKey
from policies.audit import ChainRow, purged, verify_all
from tests.store_contract import made
from tests.store_contract.conftest import KEY, keep

CANARY = "Zyxwvutsrq"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store with a site key."""
    store = SqliteStore(tmp_path, KEY)
    await store.open()
    yield store
    await store.close()


async def test_a_directory_has_one_owner(store: SqliteStore, tmp_path: Path) -> None:
    """A second store on the directory is refused while the first is open, and not afterwards."""
    second = SqliteStore(tmp_path, KEY)
    with pytest.raises(DirectoryInUse):
        await second.open()


async def test_nothing_sealed_stands_in_clear(tmp_path: Path) -> None:
    """Names, identifiers, messages, notes, resolutions, secrets and audit bodies are in no file of the store."""
    store = SqliteStore(tmp_path, KEY)
    await store.open()
    person = made.patient(1, CANARY, identifiers=(made.identifier(CANARY),), addresses=(Address(city=CANARY),))
    kept = made.message(1, raw=CANARY.encode(), ack=CANARY.encode(), keys=(("name", CANARY), ("ssn", CANARY)))
    again = made.changed(person, gender=CANARY)
    await keep(store, Batch(messages=[kept], records=[made.new(person), again], tasks=[made.task(1)]))
    done = made.task(1, version=2, status="completed", resolution=CANARY, note=CANARY)
    await keep(store, Batch(changed_tasks=[done]))
    await store.put_hold(Hold(id="h", tenant="main", name=CANARY, reason=CANARY, by="b", created_at=1, message=kept.id))
    aside = made.message(2, raw=CANARY.encode())
    await keep(store, Batch(messages=[aside]))
    await store.put_hold(
        Hold(id="i", tenant="main", name=CANARY, reason=CANARY, by="b", created_at=1, message=aside.id)
    )
    await store.purge_messages("main", [one for one in await store.old_messages("main", (0, 0), 1 << 60, 9)][1:])
    await store.secret("one", CANARY.encode())
    await store.keep_site("abc", CANARY.encode())
    files = [path for path in tmp_path.iterdir() if path.name != "lock"]
    found = [path.name for path in files if CANARY.lower().encode() in path.read_bytes().lower()]
    assert [person.id] == await made.records(store, "patient", keys=((("name", CANARY),),))
    assert done == await store.task("main", done.id)
    await store.close()

    assert [] == found
    assert CANARY.lower().encode() not in (tmp_path / "isthmus.db").read_bytes().lower()


@pytest.mark.parametrize("key", [None, bytes(32)])
async def test_a_wrong_site_key_is_refused_at_the_start(tmp_path: Path, key: bytes | None) -> None:
    """So is none; and the right one still opens."""
    for one in (KEY, KEY):
        store = SqliteStore(tmp_path, one)
        await store.open()
        await store.close()
    wrong = SqliteStore(tmp_path, key)
    with pytest.raises(WrongKey):
        await wrong.open()
    right = SqliteStore(tmp_path, KEY)
    await right.open()
    await right.close()


async def test_a_site_key_comes_later_and_is_changed(tmp_path: Path) -> None:
    """What was kept plain or under an old key is read and found; then the old key is needed for old bodies only."""
    new = bytes(32)
    for number, (key, *retired) in enumerate([(None,), (KEY,), (new, KEY)], 1):
        store = SqliteStore(tmp_path, key, *filter(None, retired))
        await store.open()
        await keep(store, Batch(records=[made.new(made.patient(number, "Doe"))]))
        found = await made.records(store, "patient", keys=((("name", "doe"),),))
        assert [made.patient(n).id for n in range(1, number + 1)] == found
        await store.close()
    last = SqliteStore(tmp_path, new)
    await last.open()
    with pytest.raises(WrongKey):
        await last.record("main", made.patient(2).id)
    assert made.patient(3, "Doe") == await last.record("main", made.patient(3).id)
    await last.close()


@pytest.mark.parametrize("messages", [1, 1023, 1024, 3000])
async def test_the_newest_messages_are_found_after_a_restart(tmp_path: Path, messages: int) -> None:
    """Their keys are not in the index yet; more messages and another restart change nothing."""
    for first in (0, messages, 2 * messages):
        store = SqliteStore(tmp_path, KEY)
        await store.open()
        kept = [made.message(number) for number in range(first, first + messages)]
        await keep(store, Batch(messages=kept))
        await store.close()
    store = SqliteStore(tmp_path, KEY)
    await store.open()
    for number in (0, messages - 1, messages, 3 * messages - 1):
        assert [made.message(number).id] == await made.found(store, keys=(("control_id", f"M{number}"),))
    assert 3 * messages == len(await made.found(store, feed="ehr", limit=500))
    await store.close()


async def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    """A release that does not know the schema says so instead of guessing."""
    with sqlite3.connect(tmp_path / "isthmus.db") as database:
        database.execute("PRAGMA user_version = 9999")
    database.close()
    with pytest.raises(NewerSchema):
        await SqliteStore(tmp_path).open()


async def test_a_full_disk_is_unavailable(store: SqliteStore) -> None:
    """A batch that does not fit keeps nothing, and the store goes on when there is room again."""
    (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    batch = Batch(messages=[made.message(1, raw=bytes(1_000_000))], events=[made.event(1)])
    with pytest.raises(Unavailable, match="SQLITE_FULL"):
        await keep(store, batch)
    assert 0 == await store.head()
    assert [] == await made.found(store, keys=(("control_id", "M1"),))
    store._writer.execute("PRAGMA max_page_count = 1000000")
    await keep(store, batch)

    assert batch.messages[0] == await store.message("main", batch.messages[0].id)


async def test_a_foreign_writer_makes_it_unavailable(store: SqliteStore, tmp_path: Path) -> None:
    """When another program holds the database, a commit says so instead of waiting."""
    with sqlite3.connect(tmp_path / "isthmus.db", isolation_level=None) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="SQLITE_BUSY"):
            await keep(store, Batch(events=[made.event(1)]))
        foreign.execute("ROLLBACK")
    foreign.close()
    await keep(store, Batch(events=[made.event(1)]))

    assert 1 == await store.head()


async def test_who_is_cancelled_leaves_the_writer_free(store: SqliteStore) -> None:
    """A commit that was cancelled is whole or not at all, and the next one works."""
    for number in range(20):
        task = asyncio.create_task(keep(store, Batch(messages=[made.message(number)], events=[made.event(number)])))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await keep(store, Batch(messages=[made.message(99)], events=[made.event(99)]))
    events = await store.events("main", 0, 100)

    assert list(range(1, len(events) + 1)) == [one.seq for one in events]
    assert len(events) == len(await made.found(store))


async def test_a_fault_of_ours_is_not_the_databases(store: SqliteStore) -> None:
    """Wrong SQL and impossible values are raised as they are, and the writer is free again."""
    for wrong in ("SELECT nothing FROM nowhere", "INSERT INTO switches (name, value) VALUES ('x', NULL)"):
        with pytest.raises(sqlite3.Error):
            async with store._write() as writer:
                writer.execute(wrong)
    await store.set_switch("intake", "ann")

    assert {"intake": "ann"} == await store.switches()


async def test_a_long_search_does_not_hold_the_loop(store: SqliteStore) -> None:
    """A read that walks far ends in a thread, with the same answer, and short reads go on beside it."""
    endless = "WITH RECURSIVE c (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < ?) SELECT count(*) FROM c"
    search = asyncio.create_task(store._search(endless, (2_000_000,)))
    beside = 0
    while not search.done():
        await store.head()
        beside += 1
        await asyncio.sleep(0)

    assert [(2_000_000,)] == await search
    assert beside > 10


async def test_a_chain_goes_on_from_its_anchor(store: SqliteStore) -> None:
    """Whole links go, never the newest; what stays is verified from there, and a change in it shows as before."""
    for number in range(1, 6):
        await store.audit([made.audit_row(number), made.audit_row(number + 100)])
    now = made.T0 + 1_000
    steps = [await store.purge_audit(before, now) for before in (made.T0 + 102, made.T0 + 102, now, now)]
    assert [(2, 0), (0, 0), (6, 0), (0, 0)] == steps  # of the second link a part was younger at first
    await store.audit([made.audit_row(6)])
    links = [ChainRow(previous=one, digests=tuple(two), head=head) for one, head, two in await store.audit_links()]
    anchors = await store.audit_anchors()

    assert [(4, 8, made.T0 + 104)] == [(one.links, one.rows, one.until) for one in anchors]
    assert 2 == len(links)
    assert None is verify_all(links, anchors)
    assert [0, 0, 1] == [
        verify_all(links),
        verify_all(links[1:], anchors),
        verify_all([links[0], replace(links[1], digests=())], anchors),
    ]
    assert "4 links over 8 records" in str(purged(anchors))


async def test_a_clock_that_was_wrong_keeps_nothing_for_ever(store: SqliteStore) -> None:
    """What is of the future stands in nobody's way: it goes with what came after it."""
    ahead = made.T0 + 10**15
    await keep(store, Batch(events=[made.event(1), made.event(2, at=ahead), made.event(3), made.event(500)]))

    assert 4 == await store.purgeable_events(made.T0 + 100, made.T0 + 1000)


async def test_what_is_purged_is_overwritten(tmp_path: Path) -> None:
    """Also where there is no site key, no file of the store has it any more."""
    store = SqliteStore(tmp_path)
    await store.open()
    many = [made.message(n, raw=(CANARY * 300).encode(), ack=CANARY.encode()) for n in range(50)]
    await keep(store, Batch(messages=many))
    await store.purge_messages("main", await store.old_messages("main", (0, 0), 1 << 60, 50))
    await keep(store, Batch(messages=[made.message(99)]))
    await store.close()

    assert [] == [path.name for path in tmp_path.iterdir() if CANARY.encode() in path.read_bytes()]


async def test_room_that_is_free_is_used_again(tmp_path: Path) -> None:
    """The file does not shrink, and does not grow by what comes in the place of what was purged."""
    store = SqliteStore(tmp_path, KEY)
    await store.open()
    sizes = []
    for round_ in range(4):
        fresh = [made.message(n + 1000 * round_, raw=bytes(5000)) for n in range(400)]
        await keep(store, Batch(messages=fresh))
        sizes.append(store._all("PRAGMA page_count")[0][0])
        await store.purge_messages("main", await store.old_messages("main", (0, 0), 1 << 60, 400))
    await store.close()

    assert sizes[3] < sizes[0] * 1.2
