"""Which store a site has, and what is said where it cannot have it."""

import asyncio
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.site.folder import BadSite, load
from gateway.site.settings import ROLES, Role, StoreSettings
from gateway.store.choice import store_of
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from gateway.store.unusable import Unusable
from tests.servers.postgres import Postgres, create, name_of

PASSWORD = "a password does not stand in a settings file: write env:NAME or file:PATH"
URL = "postgresql://isthmus:secret@db.example/isthmus"


def test_without_a_database_it_is_the_embedded_one(tmp_path: Path) -> None:
    """In the folder of the settings."""
    store = store_of(StoreSettings(path=tmp_path), {})

    assert isinstance(store, SqliteStore)
    assert tmp_path == store.directory


@pytest.mark.parametrize("reference", ["env:DATABASE", "file:{folder}/url", URL])
def test_a_reference_leads_to_the_database(tmp_path: Path, reference: str) -> None:
    """By the environment, by a file with or without a line end, or as it stands."""
    (tmp_path / "url").write_text(f"{URL}\n")
    store = store_of(StoreSettings(database=reference.format(folder=tmp_path)), {"DATABASE": URL})

    assert isinstance(store, PostgresStore)
    assert URL == store.url


def test_connections_by_role() -> None:
    """Two of each role, with the one connection each that listens, fit into half of what a server gives by default."""
    roles: tuple[tuple[Role, ...], ...] = (ROLES, ("api",), ("feeds",), ("worker",), ("feeds", "worker"))
    stores = [store_of(StoreSettings(database=URL), {}, one) for one in roles]
    most = [store.most for store in stores if isinstance(store, PostgresStore)]

    assert [10, 10, 5, 7, 7] == most
    assert 2 * sum(one + 1 for one in most[1:4]) <= 50


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:NOWHERE", "the environment has no NOWHERE"),
        ("env:OTHER", "OTHER holds no postgresql:// address"),
        ("file:/nowhere/url", "/nowhere/url cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere(reference: str, said: str) -> None:
    """Is said in a sentence that holds no secret."""
    with pytest.raises(Unusable) as told:
        store_of(StoreSettings(database=reference), {"OTHER": "mysql://root:secret@db"})

    assert said == str(told.value)


def test_without_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said."""
    for name in [name for name in sys.modules if name.startswith("gateway.store.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(Unusable, match=r"isthmus\[postgres\]"):
        store_of(StoreSettings(database=URL), {})


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:DATABASE", None),
        ("file:url", None),
        ("postgresql://db.example/isthmus?sslmode=verify-full", None),
        ("env:", "name what comes after env:"),
        ("mysql://db.example/isthmus", "write env:NAME or file:PATH, which hold a postgresql:// address"),
        (URL, "a password does not stand in a settings file: write env:NAME or file:PATH"),
        (
            "postgresql://db/x?password=secret",
            "a password does not stand in a settings file: write env:NAME or file:PATH",
        ),
    ],
)
def test_a_site_names_its_database(tmp_path: Path, reference: str, said: str | None) -> None:
    """By reference, a file from the site folder; a password in the settings is refused, and not repeated."""
    (tmp_path / "isthmus.toml").write_text(f'[store]\ndatabase = "{reference}"\n')
    if said is None:
        expected = f"file:{tmp_path}/url" if reference == "file:url" else reference
        assert expected == load(tmp_path).main.store.database
        return
    with pytest.raises(BadSite) as told:
        load(tmp_path)
    assert [said] == [one.detail for one in told.value.problems]
    assert "secret" not in str(told.value)


def test_migrate(
    postgres_server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data is brought to the release, for either store, as often as one likes."""
    asyncio.run(create(tmp_path))
    monkeypatch.setenv("DATABASE", f"{postgres_server.address}/postgres?search_path={name_of(tmp_path)}")
    for settings in ("", '[store]\ndatabase = "env:DATABASE"\n') * 2:
        (tmp_path / "isthmus.toml").write_text(settings)
        assert 0 == main(["migrate", str(tmp_path)])
        assert "the data is as this release needs it" in capsys.readouterr().out


def test_a_database_that_is_away_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence without its address, and the command ends with 1."""
    monkeypatch.setenv("DATABASE", "postgresql://isthmus:secret@127.0.0.1:9/isthmus")
    (tmp_path / "isthmus.toml").write_text('[store]\ndatabase = "env:DATABASE"\n')
    for command in ("migrate", "serve"):
        assert 1 == main([command, str(tmp_path)])
        told = capsys.readouterr().err
        assert "store.database: the database cannot be used" in told
        assert "secret" not in told
