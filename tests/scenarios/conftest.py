"""A running Isthmus, as a user has it: the real command in its own process, with a site key.

Every scenario runs on both stores. A module about one of them alone has a fixture `backend` of its own, and says why.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isthmus import BACKEND, Isthmus


@pytest.fixture(scope="module", params=["sqlite", "postgres"], autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the data of every Isthmus of this module is: in a folder, or in a schema of PostgreSQL."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_server")
    os.environ[BACKEND] = request.param
    yield request.param
    del os.environ[BACKEND]


@pytest.fixture
def isthmus(tmp_path: Path) -> Iterator[Isthmus]:
    """Started before the test and killed after it; its log must hold no traceback."""
    running = Isthmus(tmp_path)
    running.start()
    yield running
    running.kill()
    assert "Traceback" not in running.log.read_text()
