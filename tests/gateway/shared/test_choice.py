"""Whether there is a Redis: by the settings, and in a sentence where it cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.shared.choice import link_of, throttles
from gateway.shared.limits import Shared
from gateway.site.settings import RedisSettings
from gateway.store.unusable import Unusable
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle

LIMIT = Limit(name="client", quota=1, window=1)
UNASKED = """
import sys
from pathlib import Path
from gateway.app import Gateway
from gateway.site.folder import load
gateway = Gateway(load(Path(sys.argv[1])))
assert gateway.link is None
print([name for name in sys.modules if name.partition(".")[0] in ("redis", "hiredis")])
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site that says nothing of Redis."""
    (tmp_path / "isthmus.toml").write_text("")
    return tmp_path


def test_without_a_redis_nothing_of_it_is_loaded(site: Path) -> None:
    """Everything is as before: no import, limits of the process's own, no metric of it."""
    done = subprocess.run([sys.executable, "-c", UNASKED, str(site)], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()
    assert type(throttles(None)(LIMIT)) is Throttle
    assert b"isthmus_redis_up{" not in Metrics().render()


def test_with_one_limits_are_shared() -> None:
    """Those that the routes are given."""
    link = link_of(RedisSettings(url="env:REDIS"), {"REDIS": "redis://127.0.0.1:1/0"}, metrics := Metrics())

    assert isinstance(throttles(link)(LIMIT), Shared)
    assert b'isthmus_redis_up{prefix="isthmus"} 0.0' in metrics.render()


@pytest.mark.parametrize(
    ("url", "environment", "said"),
    [
        ("env:REDIS", {}, "the environment has no REDIS"),
        ("env:REDIS", {"REDIS": "postgresql://x"}, "REDIS holds no redis:// address"),
        ("file:/nowhere/redis", {}, "/nowhere/redis cannot be read"),
    ],
)
def test_what_cannot_be_used_is_said(url: str, environment: dict[str, str], said: str) -> None:
    """Which setting it is and what is wrong, never the address."""
    with pytest.raises(Unusable, match=said) as refused:
        link_of(RedisSettings(url=url), environment, Metrics())

    assert "redis.url" == refused.value.setting


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@cache:6379/0", "redis.url: a password does not stand in a settings file"),
        ("http://cache", "redis.url: write env:NAME or file:PATH, which hold a redis:// address"),
        ("env:", "redis.url: name what comes after env:"),
    ],
)
def test_check_says_what_is_wrong(site: Path, url: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file and the line, and without the password."""
    (site / "isthmus.toml").write_text(f'[redis]\nurl = "{url}"\n')

    assert 1 == main(["check", str(site)])
    told = "".join(capsys.readouterr())
    assert f"isthmus.toml:2: {said}" in told
    assert "secret@" not in told


@pytest.mark.parametrize("url", ["env:REDIS", "redis://cache:6379/0", "rediss://cache/1", "unix:///run/redis.sock"])
def test_check_is_content(site: Path, url: str) -> None:
    """A reference, or an address without a password."""
    (site / "isthmus.toml").write_text(f'[redis]\nurl = "{url}"\n')

    assert 0 == main(["check", str(site)])
