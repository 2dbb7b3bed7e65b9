"""compose.yaml fits together: with the command line, the balancer, Prometheus, and the secrets that are made for it."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from gateway.cli import parser
from gateway.site.settings import Server
from tests.deploy.validators import DEPLOY, judged, read, tool
from tests.servers.redis import started

COMPOSE = read("compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("${ISTHMUS_IMAGE")}
BALANCER = (DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8")


def test_it_is_a_compose_file() -> None:
    """The published schema of the Compose specification holds."""
    judged(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_every_role_runs_twice() -> None:
    """Two api, two feeds, two workers, and one migration before them."""
    commands = sorted(" ".join(one["command"]) for one in OURS.values())
    roles = [f"serve /site --role {role}" for role in ("api", "feeds", "worker") for _ in range(2)]
    assert ["migrate /site", *roles] == commands


@pytest.mark.parametrize("name", OURS)
def test_the_command_line_is_one_that_isthmus_reads(name: str) -> None:
    """What is started is a command with its options."""
    parser().parse_args(OURS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_ours_cannot_do_more_than_they_must(name: str) -> None:
    """A read-only file system, no capabilities, secrets as files and none in the environment."""
    one = OURS[name]
    assert one["read_only"] is True
    assert ["ALL"] == one["cap_drop"]
    assert ["no-new-privileges:true"] == one["security_opt"]
    assert "environment" not in one
    assert all(volume.endswith(":ro") for volume in one["volumes"])


@pytest.mark.parametrize("name", OURS)
def test_a_stop_waits_longer_than_a_drain(name: str) -> None:
    """What is in flight is finished before the process is killed."""
    assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > Server().drain_seconds


@pytest.mark.parametrize("name", sorted(set(OURS) - {"migrate"}))
def test_nothing_starts_before_the_migration_is_done(name: str) -> None:
    """The schema is that of this release."""
    assert "service_completed_successfully" == OURS[name]["depends_on"]["migrate"]["condition"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """Each has a tag that names a version."""
    tag = SERVICES[name]["image"].removesuffix("}").rpartition(":")[2]
    assert tag == "local" or re.match(r"v?\d+\.\d+", tag)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_holds_a_secret_itself(name: str) -> None:
    """What is secret in an environment is the name of a file."""
    for key in SERVICES[name].get("environment", {}):
        assert not re.search("PASSWORD|SECRET|TOKEN|KEY", key) or key.endswith("_FILE")


def test_only_the_balancer_is_reached_from_outside() -> None:
    """All else that is published listens on this machine alone; no way leads out to the database and to Redis."""
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert {"balancer", "prometheus", "grafana"} == set(published)
    assert all("127.0.0.1:" in port for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert ["inside"] == SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"]


def test_the_balancer_knows_every_process_that_it_serves() -> None:
    """HTTP goes to the api processes, MLLP to the feeds."""
    servers = re.findall(r"^ +server (\S+) (\S+):(\d+)$", BALANCER, re.MULTILINE)
    expected = [(name, name, "8080") for name in ("api-1", "api-2")]
    expected += [(name, name, "2575") for name in ("feeds-1", "feeds-2")]
    assert expected == servers
    assert {name for name, _, _ in servers} <= set(OURS)


def test_prometheus_asks_every_process() -> None:
    """Each is scraped, under the role that it has."""
    (job,) = read("prometheus", "prometheus.yaml")["scrape_configs"]
    asked = {target: one["labels"]["role"] for one in job["static_configs"] for target in one["targets"]}
    assert {f"{name}:8080": one["command"][3] for name, one in OURS.items() if name != "migrate"} == asked


def test_every_mounted_file_is_there() -> None:
    """Paths are those of this folder."""
    for one in SERVICES.values():
        for volume in one.get("volumes", ()):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists()


def test_the_secrets_that_are_referred_to_are_those_that_are_made(tmp_path: Path) -> None:
    """secrets.sh makes each once, in a folder that is closed to others; a second run changes nothing."""
    script = Path(shutil.copy(DEPLOY / "secrets.sh", tmp_path))
    judged("sh", script)
    made = {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    judged("sh", script)

    assert made == {path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(one["file"]).name for one in COMPOSE["secrets"].values()} <= set(made)
    assert set(COMPOSE["secrets"]) >= {name for one in SERVICES.values() for name in one.get("secrets", ())}
    assert 0o700 == (tmp_path / "secrets").stat().st_mode & 0o777
    assert 32 == len(made["site-key"])
    assert made["postgres-password"] in made["store-url"]


def test_redis_takes_its_configuration_and_its_address(tmp_path: Path) -> None:
    """The real program: to who has the password of the address it does what it must, to others nothing."""
    judged("sh", shutil.copy(DEPLOY / "secrets.sh", tmp_path))
    secrets = tmp_path / "secrets"
    for server in started(str(secrets / "redis-conf")):
        url = (secrets / "redis-url").read_text().replace("redis:6379", f"127.0.0.1:{server.port}")
        with Redis.from_url(url) as client:
            client.set("a", 1, px=1000)
            assert {"maxmemory-policy": "allkeys-lru"} == client.config_get("maxmemory-policy")
        with Redis(port=server.port) as stranger, pytest.raises(AuthenticationError):
            stranger.get("a")
