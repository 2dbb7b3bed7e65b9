"""A server to crash: what others wrote, it would read again after each crash."""

from collections.abc import Iterator

import pytest

from tests.servers.postgres import Postgres, of_its_own


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Postgres]:
    """The server of the tests of this folder."""
    yield from of_its_own()
