"""A shared database for the tests of this folder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.store.postgres import PostgresStore
from tests.servers.postgres import Postgres
from tests.store_contract.conftest import KEY, InSchema

Opened = Callable[[], Awaitable[PostgresStore]]


@pytest_asyncio.fixture
async def another(postgres_server: Postgres, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens one more store on the same database, as another process would."""
    stores: list[PostgresStore] = []

    async def opened() -> PostgresStore:
        stores.append(InSchema(tmp_path, KEY))
        await stores[-1].open()
        return stores[-1]

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
def address(postgres_server: Postgres) -> str:
    """Where the server is."""
    return postgres_server.address
