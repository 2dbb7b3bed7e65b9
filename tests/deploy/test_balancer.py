"""The balancer in front of two processes: it serves both doors, hides metrics, and loses nothing when one leaves.

Two gateways of one process each stand behind it, with data of their own: what is shown is the balancer's part.
"""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.deploy.validators import DEPLOY, ROOT, judged, tool

CONFIGURATION = DEPLOY / "haproxy" / "haproxy.cfg"
MESSAGE = ROOT / "tests" / "golden" / "hl7v2" / "siu-s12-booked" / "in.hl7"


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Gateway:
    """One `isthmus serve` of the example site, on ports and data of its own."""

    def __init__(self, folder: Path, http: int, mllp: int) -> None:
        self.http, self.mllp = http, mllp
        shutil.copytree(DEPLOY / "site", folder)
        for path, old, new in (
            ("isthmus.toml", "127.0.0.1:8080", f"127.0.0.1:{http}"),
            ("isthmus.toml", "../../demo-data/example", "data"),
            ("peers/east.toml", "127.0.0.1:2575", f"127.0.0.1:{mllp}"),
        ):
            text = (folder / path).read_text(encoding="utf-8")
            assert old in text
            (folder / path).write_text(text.replace(old, new), encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", folder], cwd=ROOT, stderr=subprocess.DEVNULL
        )

    def tell(self) -> None:
        """Tell it to leave."""
        self._process.send_signal(signal.SIGTERM)

    def left(self) -> int:
        """How it ended, when it has."""
        return self._process.wait(30)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class House:
    """Two gateways behind the balancer."""

    def __init__(self, folder: Path) -> None:
        haproxy = tool("haproxy")
        self.http, self.mllp, *ports = free_ports(6)
        self.gateways = [Gateway(folder / "one", *ports[:2]), Gateway(folder / "two", *ports[2:])]
        path = folder / "haproxy.cfg"
        path.write_text(self._here(CONFIGURATION.read_text(encoding="utf-8")), encoding="utf-8")
        self._log = (folder / "haproxy.log").open("w+", encoding="utf-8")
        self._process = subprocess.Popen([haproxy, "-f", path], stdout=self._log, stderr=self._log)

    def _here(self, text: str) -> str:
        """The configuration with the addresses of this test in the place of those of the containers."""
        for number, one in enumerate(self.gateways, 1):
            text = text.replace(f"api-{number}:8080", f"127.0.0.1:{one.http}")
            text = text.replace(f"feeds-{number}:2575", f"127.0.0.1:{one.mllp} port {one.http}")
        text = text.replace("bind :8080", f"bind 127.0.0.1:{self.http}").replace("check port 8080", "check")
        return text.replace("bind :2575", f"bind 127.0.0.1:{self.mllp}")

    def get(self, path: str) -> int:
        return httpx.get(f"http://127.0.0.1:{self.http}{path}", timeout=10).status_code

    def send(self) -> str:
        """What the sender of a message hears."""
        return judged(sys.executable, "-m", "gateway.cli", "send", MESSAGE, "--to", f"127.0.0.1:{self.mllp}")

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text(encoding="utf-8")

    def open(self) -> None:
        """Wait until both gateways are taken for ready."""
        for one in self.gateways:
            until = time.monotonic() + 30
            while time.monotonic() < until:
                try:
                    if httpx.get(f"http://127.0.0.1:{one.http}/health/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
        until = time.monotonic() + 15
        while time.monotonic() < until and len(re.findall("is UP", self.log())) < 2:
            time.sleep(0.2)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        for one in self.gateways:
            one.end()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The balancer with both gateways at work."""
    tool("haproxy")
    built = House(tmp_path_factory.mktemp("house"))
    try:
        built.open()
        yield built
    finally:
        built.close()


def test_haproxy_is_content() -> None:
    """The configuration can be read, although the processes' names are not known here."""
    judged(tool("haproxy"), "-c", "-f", CONFIGURATION)


def test_both_doors_are_open(house: House) -> None:
    """A request is answered, a message acknowledged."""
    assert 200 == house.get("/health/ready")
    assert 401 == house.get("/v1/patients")
    assert "MSA|AA|" in house.send()


def test_metrics_are_not_for_everyone(house: House) -> None:
    """What needs no token is not passed on."""
    assert 404 == house.get("/metrics")


def test_what_is_searched_for_is_not_in_the_log(house: House) -> None:
    """Neither path nor query, which may carry an identifier."""
    house.get("/v1/patients?identifier=CANARY-7731")
    assert "GET 401" in house.log()
    assert "CANARY" not in house.log()
    assert "/v1/patients" not in house.log()


def test_one_that_leaves_costs_no_request_and_no_message(house: House) -> None:
    """Requests go on while it drains, and after."""
    first, _ = house.gateways
    seen = [house.get("/health/ready") for _ in range(20)]
    first.tell()
    seen += [house.get("/health/ready") for _ in range(200)]
    assert 0 == first.left()
    seen += [house.get("/health/ready") for _ in range(50)]

    assert {200} == set(seen)
    assert "MSA|AA|" in house.send()
