"""The example site for many processes can be served, from a folder and as a cluster mounts it."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from gateway.settings import Main
from gateway.site import load
from tests.deploy.validators import DEPLOY, SITE, SITE_FILES, judged


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


@pytest.mark.skipif(
    find_spec("gateway.store.postgres") is None or "redis" not in Main.__struct_fields__,
    reason="this release has no PostgreSQL store or no Redis yet",
)
def test_the_example_site_is_good(site: Path) -> None:
    """`isthmus check` finds nothing wrong with it."""
    assert ["east"] == [feed.name for feed in load(site).feeds]


def test_no_secret_stands_in_the_example_site() -> None:
    """Addresses that hold passwords are named by the file that holds them."""
    for name in SITE_FILES:
        text = (SITE / name).read_text(encoding="utf-8")
        assert "postgresql://" not in text
        assert "redis://" not in text


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
