"""A gateway that is served purges what its site says, and leaves without waiting for the next round."""

import asyncio
from pathlib import Path

import pytest

from canonical.ids import new_id
from gateway.app import Gateway
from gateway.clock import micros
from gateway.retention import keeper
from gateway.site.folder import load
from gateway.store.protocol import Batch
from gateway.store.sqlite import SqliteStore
from tests.store_contract import made
from tests.store_contract.conftest import keep


async def test_a_served_site_purges_what_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after its start, in one line of the log."""
    monkeypatch.setattr(keeper, "DELAY", 0.01)
    (tmp_path / "isthmus.toml").write_text('[server]\nhttp = "127.0.0.1:0"\n[retention]\nmessages = 30\n')
    at = micros() - 40 * 86_400_000_000
    old = made.message(1, id=new_id("message", at, 1), received_at=at)
    store = SqliteStore(tmp_path / "data")
    await store.open()
    await keep(store, Batch(messages=[old]))
    await store.close()
    gateway = Gateway(load(tmp_path))
    await gateway.open()
    try:
        await gateway.start()
        async with asyncio.timeout(30):
            while True:
                if await gateway.store.message("main", old.id) is None:
                    break
                await asyncio.sleep(0.01)
    finally:
        await asyncio.wait_for(gateway.stop(), 30)

    assert not gateway.has_failed
