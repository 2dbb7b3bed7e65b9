"""Every test of the contract runs on every backend; a new one is a line in BACKENDS and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.store.protocol import Store
from gateway.store.sqlite import SqliteStore

Open = Callable[[Path, bytes | None], Store]
BACKENDS: dict[str, Open] = {"sqlite": SqliteStore}
KEY = bytes(range(32))


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
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
