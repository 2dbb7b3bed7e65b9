"""The demo as a script uses it: started, used through what demo.json says, stopped; and it leaves nothing behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.day import AGAIN, BAD, LATE, day
from gateway.demo.house import PEER
from gateway.demo.partner import Inbox, counters
from gateway.demo.show import Tally
from gateway.frames import messages
from gateway.site.settings import Peer, feed_of
from gateway.translate import translate
from policies.signing import Hmac, new_secret, sign

WITHIN = 60.0
PRIVATE = ("demo.json", ".clients.json", "site/site.key")
ON = date(2026, 11, 14)


class Running:
    """A demo in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        (folder / "demo.json").unlink(missing_ok=True)
        command = [sys.executable, "-m", "gateway.cli", "demo", "--headless", "--data", str(folder), *options]
        ports = ["--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
        self.log = (folder.parent / f"{folder.name}.log").open("wb")
        self.process = subprocess.Popen([*command, *ports], stdout=self.log, stderr=self.log)
        self._token = ""

    def ready(self) -> "Running":
        """Once demo.json is there everything can be used."""
        wait_for(lambda: (self.folder / "demo.json").exists() or self.process.poll() is not None)
        self.here: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return self

    def get(self, path: str) -> dict[str, Any]:
        """An answer of the API, as the admin."""
        if not self._token:
            form = {"grant_type": "client_credentials", **self.here["clients"]["admin"]}
            data = urllib.parse.urlencode(form).encode()
            with urllib.request.urlopen(f"{self.here['http']}/oauth/token", data, timeout=10) as answer:
                self._token = json.load(answer)["access_token"]
        request = urllib.request.Request(self.here["http"] + path, headers={"authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def children(self) -> list[int]:
        """The processes that it has started."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listed.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def end(self, number: signal.Signals) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(WITHIN)


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[Running]:
    """A demo that is gone at the end, whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    running = Running(folder, *options)
    try:
        yield running.ready()
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
        running.log.close()


def wait_for(fact: Callable[[], object]) -> None:
    """Until it is so."""
    until = time.monotonic() + WITHIN
    while not fact():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be buried does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def test_demo_from_end_to_end(tmp_path: Path) -> None:
    """The EHR's messages become appointments, the partner's webhooks arrive, and SIGTERM leaves nobody behind."""
    with demo(tmp_path / "demo") as running:
        here = running.here
        assert {"http", "mllp", "clients"} == set(here)
        assert {"admin", "partner"} == set(here["clients"])
        assert {"client_id", "client_secret"} == set(here["clients"]["partner"])
        wait_for(lambda: running.get("/v1/appointments?limit=1")["items"])
        wait_for(lambda: running.get("/v1/deliveries?state=delivered&limit=1")["items"])
        children = running.children()
        assert 2 == len(children)

        assert 0 == running.end(signal.SIGTERM)

        assert not [pid for pid in children if is_alive(pid)]


def test_children_die_with_a_killed_demo(tmp_path: Path) -> None:
    """After kill -9 the peers notice that nobody listens to them, and end."""
    with demo(tmp_path / "demo") as running:
        wait_for(lambda: len(running.children()) == 2)
        children = running.children()
        running.end(signal.SIGKILL)

        wait_for(lambda: not [pid for pid in children if is_alive(pid)])


def test_quiet_demo_keeps_everything(tmp_path: Path) -> None:
    """Without traffic it has no children; a second start has the same clients, key and data."""
    with demo(tmp_path / "demo", "--quiet-peers") as running:
        first = running.here["clients"]
        key = (tmp_path / "demo" / "site" / "site.key").read_bytes()
        assert [] == running.children()
        (message,) = (one.raw for one in list(day(1, 1, ON))[:1])
        path = tmp_path / "one.hl7"
        path.write_bytes(message)
        send = [sys.executable, "-m", "gateway.cli", "send", str(path), "--to", running.here["mllp"]]
        assert 0 == subprocess.run(send, check=False, capture_output=True).returncode
        (kept,) = running.get("/v1/messages")["items"]
        assert 0 == running.end(signal.SIGINT)

    with demo(tmp_path / "demo", "--quiet-peers") as running:
        assert first == running.here["clients"]
        assert key == (tmp_path / "demo" / "site" / "site.key").read_bytes()
        assert [kept["id"]] == [one["id"] for one in running.get("/v1/messages")["items"]]


def test_a_second_demo_leaves_the_first_alone(tmp_path: Path) -> None:
    """Of two demos on one folder the second is turned away; what the first announced still holds."""
    with demo(tmp_path / "demo", "--quiet-peers") as running:
        command = [sys.executable, "-m", "gateway.cli", "demo", "--headless", "--quiet-peers"]
        ports = ["--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", "--data", str(running.folder)]
        second = subprocess.run([*command, *ports], check=False, capture_output=True, text=True, timeout=WITHIN)

        assert 1 == second.returncode
        assert second.stderr.endswith("another Isthmus is running on this data\n")
        assert running.here == json.loads((running.folder / "demo.json").read_text())
        assert running.get("/v1/feeds")["items"]


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    """demo.json and the site key can be read by nobody else, and no secret stands in the site or the log."""
    with demo(tmp_path / "demo", "--quiet-peers") as running:
        running.get("/v1/feeds")
        secrets = [one["client_secret"].encode() for one in running.here["clients"].values()]

    folder = tmp_path / "demo"
    assert {0o600} == {(folder / name).stat().st_mode & 0o777 for name in PRIVATE}
    others = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in PRIVATE]
    assert not [path for path in others for secret in secrets if secret in path.read_bytes()]


# -- the day


def test_day_is_pure() -> None:
    """The same seed sends the same bytes; another seed sends about other people."""
    assert list(day(7, 40, ON)) == list(day(7, 40, ON))
    assert not {one.raw for one in day(7, 40, ON)} & {one.raw for one in day(8, 40, ON)}


def test_day_is_realistic() -> None:
    """Everything that the demo promises happens on a day, in the order in which it is sent."""
    sent = list(day(7, 400, ON))

    kinds = {f"ADT^A{event}" for event in ("01", "02", "03", "04", "05", "06", "08", "11", "12", "13", "28", "40")}
    kinds |= {f"SIU^S{event}" for event in ("12", "13", "14", "15", "26")}
    assert kinds == {one.kind for one in sent}
    assert {"", LATE, AGAIN, BAD} == {one.note for one in sent}
    assert sorted(one.at for one in sent) == [one.at for one in sent]


def test_day_names_each_message_once() -> None:
    """A control id is used again only for the same bytes."""
    sent = [one for when in (14, 15) for one in day(7, 100, date(2026, 11, when))]

    assert len({one.raw for one in sent}) == len({messages(one.raw)[0].split(b"|")[9] for one in sent})


@pytest.mark.parametrize("seed", [1, 2])
def test_day_can_be_read(seed: int) -> None:
    """Each message of a day is applied; only those with a bad field have something wrong with them."""
    import tomllib

    import msgspec

    feed = feed_of("east", msgspec.convert(tomllib.loads(PEER), Peer), {})
    for one in day(seed, 60, ON):
        found = translate(one.raw, feed)
        wrong = [problem for problem in found.problems if problem.severity != "information"]
        assert "applied" == found.state, one.kind
        assert (one.note == BAD) == bool(wrong) or one.note == AGAIN, [problem.path for problem in wrong]


# -- the partner


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"webhook-signature": "v1,AAAA"}, 401),
        ({"webhook-timestamp": "1"}, 401),
        ({"webhook-id": ""}, 400),
    ],
)
def test_partner_takes_only_what_is_signed(change: dict[str, str], status: int) -> None:
    """The simulated partner is as strict as a real one should be."""
    secret = Hmac(new_secret(os.urandom(32)))
    body = json.dumps({"type": "appointment.created", "time": "2026-11-14T06:00:00Z"}).encode()
    inbox = Inbox()
    assert 503 == inbox.take({}, body)
    inbox.checkers.append(secret)

    assert status == inbox.take(sign([secret], "dlv_1", int(time.time()), body) | change, body)


def test_partner_counts_a_webhook_once() -> None:
    """The same webhook-id is answered 200 and counted as a repetition."""
    secret = Hmac(new_secret(os.urandom(32)))
    inbox = Inbox()
    inbox.checkers.append(secret)
    body = json.dumps({"type": "appointment.created", "time": "2026-11-14T06:00:00Z"}).encode()
    before = (counters.verified, counters.duplicates)
    headers = sign([secret], "dlv_2", int(time.time()), body)

    assert [200, 200] == [inbox.take(headers, body) for _ in range(2)]
    assert (before[0] + 1, before[1] + 1) == (counters.verified, counters.duplicates)


async def test_a_partner_that_leaves_leaves_nothing_under_way() -> None:
    """Connections that are open, and those that come in at the last moment, end with its inbox."""
    before = asyncio.all_tasks()
    inbox = Inbox()
    async with inbox.open() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        late = socket.create_connection(("127.0.0.1", port))

    assert before == asyncio.all_tasks()
    assert b"" == await reader.read()
    writer.close()
    late.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


def test_what_is_shown_is_of_this_run() -> None:
    """The store may hold more, from the runs before."""
    assert "new in this run" in next(what for who, what, _ in Tally().rows() if who == "Isthmus")
