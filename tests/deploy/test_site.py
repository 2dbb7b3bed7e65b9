"""The example site for many processes can be served, from a folder and as a cluster mounts it."""

import asyncio
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from gateway.site.folder import load
from tests.deploy.validators import DEPLOY, ROOT, SITE, SITE_FILES, judged
from tests.isthmus import STARTS_WITHIN, free_port, wait
from tests.servers.postgres import Postgres, create, url_of

ISTHMUS = (sys.executable, "-m", "gateway.cli")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example site, with the secrets that secrets.sh makes in the place of those that are mounted."""
    judged("sh", shutil.copy(DEPLOY / "secrets.sh", tmp_path))
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder)
    main = folder / "isthmus.toml"
    text = main.read_text(encoding="utf-8")
    main.write_text(text.replace("/run/secrets", str(tmp_path / "secrets")), encoding="utf-8")
    return folder


def test_the_example_site_is_good(site: Path) -> None:
    """`isthmus check` finds nothing wrong with it."""
    assert ["east"] == [feed.name for feed in load(site).feeds]


def test_the_example_site_is_migrated_and_every_role_is_ready(postgres_server: Postgres, site: Path) -> None:
    """On a real PostgreSQL: the migration ends, and each role of it answers as a balancer and a cluster ask."""
    asyncio.run(create(site))
    (site.parent / "secrets" / "store-url").chmod(0o600)
    (site.parent / "secrets" / "store-url").write_text(url_of(site), encoding="utf-8")
    peer = site / "peers" / "east.toml"
    peer.write_text(
        peer.read_text(encoding="utf-8").replace("0.0.0.0:2575", f"127.0.0.1:{free_port()}"), encoding="utf-8"
    )

    assert "the data is as this release needs it" in judged(*ISTHMUS, "migrate", site)
    for role in ("api", "feeds", "worker"):
        address = f"127.0.0.1:{free_port()}"
        process = subprocess.Popen([*ISTHMUS, "serve", site, "--role", role, "--http", address], cwd=ROOT)
        try:
            wait(partial(is_ready, address), STARTS_WITHIN)
            process.terminate()
            assert 0 == process.wait(30)
        finally:
            process.kill()


def is_ready(address: str) -> bool:
    """Whether the process there takes work."""
    with suppress(httpx.TransportError):
        return httpx.get(f"http://{address}/health/ready").status_code == 200
    return False


def test_no_secret_stands_in_the_example_site() -> None:
    """Addresses that hold passwords are named by the file that holds them."""
    for name in SITE_FILES:
        text = (SITE / name).read_text(encoding="utf-8")
        assert "postgresql://" not in text


def test_a_site_is_the_same_as_a_cluster_mounts_it(tmp_path: Path) -> None:
    """A ConfigMap comes as links to a folder that is replaced whole; the site in it has the same digest."""
    plain, mounted = DEPLOY / "site", tmp_path / "site"
    hidden = mounted / "..2026_11_25_07_34_18.1"
    shutil.copytree(plain, hidden)
    (mounted / "..data").symlink_to(hidden.name)
    for path in hidden.iterdir():
        (mounted / path.name).symlink_to(Path("..data") / path.name)

    assert load(plain).digest == load(mounted).digest
    assert load(plain).clients == load(mounted).clients
