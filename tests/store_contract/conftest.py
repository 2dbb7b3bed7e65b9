"""Every test of the contract runs on every backend; a new one is a line in BACKENDS and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from canonical.events import Event
from gateway.store.postgres import PostgresStore
from gateway.store.protocol import Batch, Store
from gateway.store.sqlite import SqliteStore
from tests.servers import postgres

Open = Callable[[Path, bytes | None], Store]
KEY = bytes(range(32))


class InSchema(PostgresStore):
    """A store on a schema of the test server, which stands for a directory and is made with the first store on it."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(postgres.url_of(directory), key, *retired)
        self._directory = directory

    async def open(self) -> None:
        await postgres.create(self._directory)
        await super().open()


BACKENDS: dict[str, Open] = {"sqlite": SqliteStore, "postgres": InSchema}


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Open:
    """How a store of this backend is made, from a directory of its own and a site key."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_server")
    return BACKENDS[request.param]


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
