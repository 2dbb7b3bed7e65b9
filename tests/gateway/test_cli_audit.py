"""`isthmus audit verify` on an audit whose beginning was purged."""

import asyncio
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.store.sqlite import SqliteStore
from tests.store_contract import made


async def purged(folder: Path, sql: str = "") -> None:
    """An audit of five links of which the first two were purged; then something is done to it behind our back."""
    store = SqliteStore(folder / "data")
    await store.open()
    for number in range(1, 6):
        await store.audit([made.audit_row(number)])
    await store.purge_audit(made.T0 + 3, made.T0 + 10)
    store._writer.executescript(sql)
    await store.close()


@pytest.mark.parametrize(
    ("sql", "status", "said"),
    [
        ("", 0, "3 links in 1 chains: none was changed, dropped or put in. Heads:"),
        ("DELETE FROM audit_links WHERE n = 3; DELETE FROM audit_rows WHERE n = 3", 1, "link 1 of 2 was changed"),
        ("DELETE FROM audit_rows WHERE n = 4", 1, "link 2 of 3 was changed"),
        ("DELETE FROM audit_anchors", 1, "link 1 of 3 was changed"),
        ("UPDATE audit_rows SET digest = zeroblob(32) WHERE n = 5", 1, "link 3 of 3 was changed"),
    ],
)
def test_what_is_left_is_verified_from_its_anchor(
    tmp_path: Path, sql: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how much it cannot see any more; whatever was changed, dropped or put in after that shows."""
    (tmp_path / "isthmus.toml").write_text("")
    asyncio.run(purged(tmp_path, sql))

    assert status == main(["audit", "verify", str(tmp_path)])
    told = capsys.readouterr().out
    assert told.startswith(said)
    assert status or told.endswith(
        "Before them 2 links over 2 records were purged, as [retention] says; chains go on from anchors.\n"
    )
