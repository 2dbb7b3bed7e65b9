"""kill -9 under load, in small: the whole of it is `make soak`."""

import pytest

from tests.crash.trial import trial
from tests.isthmus import BACKEND
from tests.servers.postgres import Postgres


@pytest.mark.timeout(180)
async def test_nothing_acknowledged_is_lost_and_nothing_applied_twice() -> None:
    """After three kills every acknowledged message is there once, and every event was delivered under one id."""
    account = await trial(kills=3, lanes=4, seed=7)

    assert account.holds(), str(account)
    assert account.resent > 0


@pytest.mark.timeout(180)
async def test_the_same_on_postgresql_which_crashes_too(
    postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two kills of the gateway and two of the database."""
    monkeypatch.setenv(BACKEND, "postgres")
    account = await trial(kills=4, lanes=4, seed=7, database=postgres_server)

    assert account.holds(), str(account)
    assert account.resent > 0
