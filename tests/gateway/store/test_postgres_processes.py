"""A day of a hospital fed by two processes at once ends as it does fed by one, also when one of them is killed."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from canonical.apply import survivor_link
from canonical.records import RECORDS, Record
from gateway.store.protocol import MessageQuery, RecordQuery, Store
from tests.gateway.store import feeder
from tests.servers.postgres import Postgres
from tests.store_contract.conftest import KEY, InSchema

# What tells when and by which message something came to be known, and not what is known.
OF_ITS_COURSE = {
    *("id", "version", "createdAt", "updatedAt", "effectiveAt", "newest", "message", "feed"),
    *("facts", "stamps", "clocks", "starts", "named", "recordedAt"),
}


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[None]:
    """A store that is open for a while."""
    await store.open()
    try:
        yield
    finally:
        await store.close()


async def started(directory: Path, part: int, of: int) -> asyncio.subprocess.Process:
    """A feeder in a process of its own."""
    arguments = ("-m", feeder.__name__, str(directory), str(part), str(of))
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)


async def acknowledged(process: asyncio.subprocess.Process) -> list[str]:
    """The control ids that it printed until its end."""
    assert process.stdout
    lines = (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


async def all_records(store: Store) -> list[Record]:
    """Every record of every kind."""
    found: list[Record] = []
    for kind in RECORDS:
        after = None
        while True:
            page = await store.records(RecordQuery(tenant="main", kind=kind, limit=500, after=after))
            found += page.items
            if (after := page.next) is None:
                break
    return found


async def state(store: Store) -> Counter[str]:
    """What is known, without when and how it came to be: ids are replaced by the identifiers they stand for.

    Of a patient who was merged it is the survivor: what was said of it before is there or went to the survivor at once.
    """
    records = await all_records(store)
    names = {one.id: "+".join(sorted(f"{it.system}|{it.value}" for it in one.identifiers)) for one in records}

    def said(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: said(inner) for key, inner in value.items() if key not in OF_ITS_COURSE}
        if isinstance(value, list | tuple):
            return sorted((said(inner) for inner in value), key=repr)
        return names.get(value, value) if isinstance(value, str) else value

    def all_said(one: Record) -> Any:
        return said(survivor_link(one) or to_builtins(one))

    return Counter(f"{type(one).__name__} {names[one.id]} {all_said(one)}" for one in records)


async def control_ids(store: Store) -> Counter[str]:
    """How often each message was kept."""
    found: Counter[str] = Counter()
    after = None
    while True:
        page = await store.messages(MessageQuery(tenant="main", limit=500, after=after))
        found.update(one.control_id for one in page.items)
        if (after := page.next) is None:
            return found


async def follow(store: Store, seen: list[int]) -> None:
    """Read the feed as it grows."""
    while True:
        seen += [one.seq for one in await store.events("main", seen[-1] if seen else 0, 50)]
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("kills", [0, 3])
async def test_two_processes_do_what_one_does(postgres_server: Postgres, tmp_path: Path, kills: int) -> None:
    """The same patients through two processes: the same end, every message kept once, no gap in the feed that a reader
    sees, and nothing that was acknowledged is missing whenever a process is killed."""
    alone, together = InSchema(tmp_path / "one", KEY), InSchema(tmp_path / "two", KEY)
    async with opened(alone), opened(together):
        await compare(alone, together, tmp_path, kills)


async def compare(alone: Store, together: Store, tmp_path: Path, kills: int) -> None:
    """Feed one by one process and the other by two, and compare."""
    expected_ids = await acknowledged(await started(tmp_path / "one", 0, 1))
    seen: list[int] = []
    following = asyncio.create_task(follow(together, seen))
    heard: list[str] = []
    for _ in range(kills):
        first, second = await started(tmp_path / "two", 0, 2), await started(tmp_path / "two", 1, 2)
        assert first.stdout
        heard += [(await first.stdout.readline()).decode().strip() for _ in range(10)]
        for one in (first, second):
            with suppress(ProcessLookupError):  # it may be done
                one.kill()
            heard += await acknowledged(one)
    ends = await asyncio.gather(*[acknowledged(await started(tmp_path / "two", part, 2)) for part in (0, 1)])
    await asyncio.sleep(0.2)
    following.cancel()
    kept = await control_ids(together)

    assert set(expected_ids) == set(ends[0]) | set(ends[1]) == set(kept)
    assert set(kept.values()) == {1}
    assert set(heard) <= set(kept)
    assert list(range(1, await together.head() + 1)) == seen
    expected, found = await state(alone), await state(together)
    assert expected - found == Counter()
    assert found - expected == Counter()
