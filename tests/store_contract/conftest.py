"""Every test of the contract runs on every backend; a new one is a line in BACKENDS and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from canonical.events import Event
from gateway.store.protocol import Batch, Store
from gateway.store.sqlite import SqliteStore

Open = Callable[[Path, bytes | None], Store]
BACKENDS: dict[str, Open] = {"sqlite": SqliteStore}
KEY = bytes(range(32))


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Open:
    """How a store of this backend is made, from a directory of its own and a site key."""
    made: Open = request.param
    return made


@pytest_asyncio.fixture
async def store(backend: Open, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store with a site key and nothing in it."""
    store = backend(tmp_path, KEY)
    await store.open()
    yield store
    await store.close()


async def keep(store: Store, batch: Batch) -> list[Event]:
    """Commit a batch in a unit of its own."""
    async with store.unit() as unit:
        return await unit.commit(batch)
