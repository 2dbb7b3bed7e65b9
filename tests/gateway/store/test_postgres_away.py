"""When the shared database is away, breaks or crashes: nothing is lost, nothing is taken for kept that was not.

The server is one of its own: what others wrote, it would read again after each crash.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from canonical.settle import Working
from gateway.store.postgres import PostgresStore
from gateway.store.protocol import Batch, Store, Unavailable
from tests.gateway.store.conftest import Opened
from tests.servers.postgres import Postgres, create, name_of, of_its_own
from tests.servers.proxy import Proxy, proxy
from tests.store_contract import made
from tests.store_contract.conftest import KEY, keep

SOON = 8.0  # seconds in which what need not wait is done on any machine
HUNG = 15.0  # in which a link that hangs is noticed; a statement may take twice as long


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Postgres]:
    """The server of this module."""
    yield from of_its_own()


async def test_a_restart_is_survived(postgres_server: Postgres, another: Opened) -> None:
    """While the server is away nothing can be kept or read, and is said to be so; when it is back all goes on."""
    store = await another()
    await keep(store, Batch(messages=[made.message(1)], events=[made.event(1)]))
    told = asyncio.Event()
    for how in (signal.SIGINT, signal.SIGQUIT):
        postgres_server.stop(how)
        with pytest.raises(Unavailable):
            await keep(store, Batch(messages=[made.message(2)]))
        with pytest.raises(Unavailable):
            await store.head()
        postgres_server.start()
        assert made.message(1) == await store.message("main", made.message(1).id)
        await keep(store, Batch(messages=[made.message(ord(how.name[3]))], events=[made.event(3)]))
    store.hear(told.set)
    other = await another()
    await asyncio.sleep(1.2)
    await keep(other, Batch(events=[made.event(4)]))

    await asyncio.wait_for(told.wait(), SOON)
    assert [1, 2, 3, 4] == [one.seq for one in await store.events("main", 0, 10)]


async def test_a_crash_under_load_is_never_a_fault_of_ours(postgres_server: Postgres, another: Opened) -> None:
    """Whatever the driver says of a connection whose server crashed meanwhile: it is the database that is away."""
    store = await another()
    ends: set[str] = set()
    enough = asyncio.Event()

    async def work(number: int) -> None:
        while not enough.is_set():
            try:
                await (store.switches() if number % 2 else store.set_switch(f"probe{number}", "x" * 20_000))
                ends.add("done")
            except Unavailable:
                ends.add("unavailable")
                await asyncio.sleep(0.02)
            except Exception as other:
                ends.add(repr(other))

    working = [asyncio.create_task(work(number)) for number in range(8)]
    for how in (signal.SIGQUIT, signal.SIGINT) * 3:
        await asyncio.sleep(0.4)
        await asyncio.to_thread(postgres_server.restart, how)
    enough.set()
    await asyncio.gather(*working)

    assert {"done", "unavailable"} == ends


@pytest_asyncio.fixture
async def cuttable(postgres_server: Postgres, tmp_path: Path) -> AsyncIterator[tuple[PostgresStore, Proxy]]:
    """A store behind a proxy."""
    await create(tmp_path)
    async with proxy(postgres_server.port) as between:
        url = f"postgresql://postgres@127.0.0.1:{between.port}/postgres?search_path={name_of(tmp_path)}"
        store = PostgresStore(url, KEY)
        await store.open()
        yield store, between
        await store.close()


async def test_connections_that_break_are_replaced(cuttable: tuple[PostgresStore, Proxy]) -> None:
    """Reads and writes that begin on a broken connection go on on another one."""
    store, between = cuttable
    for number in range(5):
        between.cut()
        await keep(store, Batch(messages=[made.message(number)], audit=[made.audit_row(number)]))
        between.cut()
        assert made.message(number) == await store.message("main", made.message(number).id)
        between.cut()
        await store.set_switch("intake", str(number))


async def test_a_link_that_hangs(cuttable: tuple[PostgresStore, Proxy]) -> None:
    """A silent cut is noticed in seconds, whatever is under way: it fails, and works again when the link does."""
    store, between = cuttable
    await keep(store, Batch(messages=[made.message(1)]))
    async with store.unit() as unit:
        await unit.seen("main", [], 0)
        between.hang()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(unit.commit(Batch(messages=[made.message(2)], events=[made.event(2)])), HUNG)
    failing = (store.head(), keep(store, Batch(messages=[made.message(3)])), store.set_switch("intake", "held"))
    ends = await asyncio.wait_for(asyncio.gather(*failing, return_exceptions=True), HUNG)
    between.heal()
    await keep(store, Batch(messages=[made.message(4)]))

    assert [Unavailable] * 3 == [type(end) for end in ends]
    assert [made.message(number).id for number in (4, 1)] == await made.found(store)


async def test_connections_that_nobody_knows_any_more(cuttable: tuple[PostgresStore, Proxy], another: Opened) -> None:
    """A firewall forgot them: what is under way fails in seconds, what comes next has new ones, and the transaction
    that was left open at the server holds others no longer than that."""
    store, between = cuttable
    await keep(store, Batch(records=[made.new(made.patient(1))]))
    async with store.unit() as unit:
        working = Working()
        await unit.load("main", working, [("patient", made.identifier("P1"))])
        between.forget()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(unit.commit(Batch(messages=[made.message(2)])), HUNG)
    await asyncio.wait_for(keep(store, Batch(messages=[made.message(3)])), HUNG)
    other = await another()
    async with other.unit() as unit:
        await asyncio.wait_for(unit.load("main", Working(), [("patient", made.identifier("P1"))]), HUNG)

    assert [made.message(3).id] == await made.found(store)


@pytest.mark.parametrize("heard", [True, False])
async def test_a_commit_whose_answer_is_lost(cuttable: tuple[Store, Proxy], heard: bool) -> None:
    """Where the connection breaks on COMMIT, the store finds out: kept is no failure, and a failure is not kept."""
    store, between = cuttable
    for number in range(1, 4):
        between.cut_at, between.delivers = b"COMMIT", heard
        batch = Batch(messages=[made.message(number)], events=[made.event(number)], audit=[made.audit_row(number)])
        if heard:
            assert [number] == [one.seq for one in await keep(store, batch)]
        else:
            with pytest.raises(Unavailable):
                await keep(store, batch)
    assert 3 == between.cuts
    kept = [made.message(number).id for number in (3, 2, 1)] if heard else []

    assert kept == await made.found(store)
    assert len(kept) == len(await store.audit_links()) == await store.head()


async def test_a_crash_gives_out_numbers_again(
    postgres_server: Postgres, cuttable: tuple[PostgresStore, Proxy], another: Opened
) -> None:
    """A transaction that died with the server is not taken for the next one of its number, which was kept."""
    store, between = cuttable
    other = await another()
    connection = await asyncpg.connect(postgres_server.address + "/postgres")
    await connection.execute(
        "ALTER SYSTEM SET wal_writer_delay = '10s'"
    )  # so that nothing reaches the disk but commits
    await connection.execute("SELECT pg_reload_conf()")
    try:
        between.cut_at, between.delivers = b"COMMIT", False
        losing = asyncio.create_task(keep(store, Batch(messages=[made.message(1)], audit=[made.audit_row(1)])))
        await between.has_cut.wait()
        between.hang()
        await asyncio.to_thread(postgres_server.crash)
        for number in range(2, 6):
            await keep(other, Batch(messages=[made.message(number)], audit=[made.audit_row(number)]))
        between.heal()
        with pytest.raises(Unavailable):
            await losing
    finally:
        connection = await asyncpg.connect(postgres_server.address + "/postgres")
        await connection.execute("ALTER SYSTEM RESET wal_writer_delay")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()

    assert [made.message(number).id for number in range(5, 1, -1)] == await made.found(store)


async def test_who_is_cancelled_while_a_commit_fails_is_cancelled(cuttable: tuple[PostgresStore, Proxy]) -> None:
    """Else whoever works for ever would go on, and who waits for its end would wait as long."""
    store, between = cuttable

    async def write() -> None:
        async with store._write() as connection:
            await connection.execute("SELECT 1")
            between.hang()

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    writing.cancel()
    await asyncio.sleep(0.1)
    between.cut()
    between.heal()

    with pytest.raises(asyncio.CancelledError):
        await writing


async def test_who_is_cancelled_leaves_no_transaction(another: Opened) -> None:
    """At whatever moment: the connection is not given back in the middle of one, and the next write is as any other."""
    store = await another()
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, complaint: complaints.append(complaint))
    for moment in range(60):
        writing = asyncio.create_task(store.set_switch("intake", str(moment)))
        for _ in range(moment % 12):
            await asyncio.sleep(moment / 60 * 0.0005)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await store.set_switch("intake", "held")

    assert [] == [complaint["message"] for complaint in complaints]
    assert {"intake": "held"} == await store.switches()
