"""The soak of a cluster in small: the whole of it is `make soak-cluster`."""

from pathlib import Path

import pytest

from tests.servers.postgres import Postgres
from tests.servers.redis import RedisServer
from tests.soak.trial import QUICK, soak


@pytest.mark.timeout(240)
async def test_a_cluster_keeps_every_promise(
    postgres_server: Postgres, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Whatever is killed, stopped, cut off or hangs: nothing lost, nothing twice, all in order, no gap."""
    account = await soak(tmp_path, postgres_server, redis_server, QUICK)

    assert account.holds(), str(account)
    assert account.repeats > 0
