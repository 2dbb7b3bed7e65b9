"""`kill -9` at any moment: what was acknowledged is there, what was not is there whole or not at all."""

import asyncio
import random
import sys
from pathlib import Path

from gateway.store.protocol import Store
from tests.store_contract import committer
from tests.store_contract.conftest import BACKENDS, KEY, Open

ROUNDS = 4


async def test_no_acknowledged_message_is_missing(backend: Open, tmp_path: Path) -> None:
    """Killed again and again, the store has every message it said it had, each with its record and its event."""
    name = next(name for name, made in BACKENDS.items() if made is backend)
    acknowledged: list[str] = []
    for turn in range(ROUNDS):
        acknowledged += await acknowledged_before_death(name, tmp_path, turn * 1_000_000)
        store = backend(tmp_path, KEY)
        await store.open()
        await check(store, acknowledged)
        await store.close()

    assert len(acknowledged) > ROUNDS


async def acknowledged_before_death(name: str, directory: Path, first: int) -> list[str]:
    """Start a process that commits, read some of what it prints, kill it, read the rest."""
    arguments = ("-m", committer.__name__, name, str(directory), str(first))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    assert process.stdout
    lines = [await process.stdout.readline() for _ in range(random.randint(1, 60))]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    return [line.decode().strip() for line in lines if line.endswith(b"\n")]


async def check(store: Store, acknowledged: list[str]) -> None:
    """All that was acknowledged is there; the feed has no gap and no event without its message."""
    events = await store.events("main", 0, 1_000_000)
    messages = {one.message for one in events if one.message}

    assert list(range(1, len(events) + 1)) == [one.seq for one in events]
    assert not set(acknowledged) - messages
    assert 0 == len(events) % committer.GROUP
    for identity in messages:
        assert await store.message("main", identity)
