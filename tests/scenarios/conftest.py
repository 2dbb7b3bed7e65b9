"""A running Isthmus, as a user has it: the real command in its own process, with a site key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isthmus import Isthmus


@pytest.fixture
def isthmus(tmp_path: Path) -> Iterator[Isthmus]:
    """Started before the test and killed after it; its log must hold no traceback."""
    running = Isthmus(tmp_path)
    running.start()
    yield running
    running.kill()
    assert "Traceback" not in running.log.read_text()
