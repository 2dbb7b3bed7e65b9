"""`isthmus hold`: what it makes stands, what it releases goes, and both are in the audit."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.store.protocol import Batch
from gateway.store.sqlite import SqliteStore
from policies.audit import AuditRecord, decode
from tests.store_contract import made

WHY = ("--name", "Doe v. Hospital", "--reason", "a letter\nof counsel")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site that keeps a message and the patient that it was about."""
    (tmp_path / "isthmus.toml").write_text('[store]\npath = "data"\n')

    async def fill(store: SqliteStore) -> None:
        async with store.unit() as unit:
            person = made.patient(1)
            await unit.commit(Batch(messages=[made.message(1, records=(person.id,))], records=[made.new(person)]))

    within(tmp_path, fill)
    return tmp_path


def within(site: Path, work: Any) -> Any:
    """What is found in the site's store."""

    async def opened() -> Any:
        store = SqliteStore(site / "data")
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(opened())


def hold(site: Path, *options: str) -> int:
    return main(["hold", str(site), *options])


@pytest.mark.parametrize(
    "covers",
    [("--record", made.patient(1).id), ("--message", made.message(1).id), ("--feed", "ehr", "--from", "2026-01-01")],
)
def test_a_hold_is_made_listed_and_released(
    site: Path, covers: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each; the audit has who, what and when."""
    assert 0 == hold(site, *covers, *WHY)
    found = re.match(r"(hld_\w{26}) stands", capsys.readouterr().out)
    assert found
    assert 0 == hold(site)
    assert re.fullmatch(
        rf"{found[1]}  {covers[0][2:]} {covers[1]}  since [\d-]+ by cli\S*  Doe v. Hospital: a letter of counsel\n",
        capsys.readouterr().out,
    )
    assert 0 == hold(site, "--release", found[1])
    capsys.readouterr()
    assert 0 == hold(site)
    assert ", released 2" in capsys.readouterr().out

    async def audited(store: SqliteStore) -> list[AuditRecord]:
        return [decode(row.body) for _, row in await store.audit_rows("main", 0, 50)]

    told = [(one.action, one.outcome, one.records, one.what) for one in within(site, audited)]
    assert [(action, outcome, (found[1],), "isthmus hold") for action in "CU" for outcome in (None, 0)] == told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--message", "msg_1", *WHY), "there is no such message, or what it was is purged"),
        (("--record", "pat_1", *WHY), "there is no such record, or what it was is purged"),
        (("--feed", "lab", *WHY), "there is no such feed, or what it was is purged"),
        (("--feed", "ehr", "--message", "msg_1", *WHY), "name one: --record, --message, --feed or --release"),
        (("--feed", "ehr"), "a hold needs a --name and a --reason"),
        (("--feed", "ehr", "--to", "May", *WHY), "--to is an RFC 3339 instant or a date"),
        (("--message", made.message(1).id, "--to", "2026-05-01", *WHY), "--from and --to go with --feed"),
        (("--release", "hld_1"), "there is no such hold"),
        (("--tenant", "mars"), "--tenant is not one of isthmus.toml's tenants"),
    ],
)
def test_a_mistake_is_a_sentence(
    site: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is held."""
    assert 1 == hold(site, *options)
    assert f"isthmus: {said}\n" == capsys.readouterr().err
    assert [] == within(site, lambda store: store.holds())
