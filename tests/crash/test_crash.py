"""kill -9 under load, in small: the whole of it is `make soak`."""

import pytest

from tests.crash.trial import trial


@pytest.mark.timeout(180)
async def test_nothing_acknowledged_is_lost_and_nothing_applied_twice() -> None:
    """After three kills every acknowledged message is there once, and every event was delivered under one id."""
    account = await trial(kills=3, lanes=4, seed=7)

    assert account.holds(), str(account)
    assert account.resent > 0
