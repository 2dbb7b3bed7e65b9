"""A site of six processes on one PostgreSQL, by role: two that serve the API, two that hear the feeds on one port, and
two that deliver. They do as one would, and each can go and come back while the others work.
"""

import asyncio
import http.client
import itertools
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from tests.isthmus import SECRET, Isthmus, together, wait
from tests.mllp import Line, code
from tests.scenarios.collector import Collector
from tests.scenarios.messages import booking
from tests.servers.postgres import Postgres, create, url_of

SOON = 1.5  # within a second, and what a machine that has other work adds
LINES = 16  # the kernel gives each to one of the two that listen
QUIET = 2.0
Events = list[dict[str, Any]]


class Cluster(NamedTuple):
    """The processes of a site, by role."""

    api: tuple[Isthmus, Isthmus]
    feeds: tuple[Isthmus, Isthmus]
    workers: tuple[Isthmus, Isthmus]

    @property
    def all(self) -> tuple[Isthmus, ...]:
        return (*self.api, *self.feeds, *self.workers)


@pytest.fixture(scope="module", autouse=True)
def backend() -> str:
    """Several processes share PostgreSQL alone."""
    return "postgres"


@pytest.fixture(scope="module")
def cluster(postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All six, started at once on an empty database."""
    folder = tmp_path_factory.mktemp("cluster")
    asyncio.run(create(folder))
    site = Isthmus(folder, settings={"store": {"database": url_of(folder)}})
    site.peer("quiet", {"silent-after-seconds": QUIET})
    made = Cluster(*((site.beside(role), site.beside(role)) for role in ("api", "feeds", "worker")))
    with together(*made.all):
        yield made


@pytest.fixture
def lines(cluster: Cluster) -> Iterator[list[Line]]:
    """Connections to the feed, some to each process that hears it."""
    with ExitStack() as open_lines:
        yield [open_lines.enter_context(Line(cluster.feeds[0].mllp)) for _ in range(LINES)]


_numbers = itertools.count(1)


def fresh() -> bytes:
    """A booking of somebody new."""
    number = next(_numbers)
    return booking(f"A{number}", f"C{number}", mrn=f"M{number}")


def say(lines: Sequence[Line]) -> list[str]:
    """What a new message on each line is answered."""
    for line in lines:
        line.send(fresh())
    return [code(line.hear()) for line in lines]


def applied(isthmus: Isthmus) -> int:
    """How many messages this process has taken since it began."""
    metrics = isthmus.ask("GET", "/metrics", client=None).body.decode()
    return sum(int(float(one)) for one in re.findall(r'messages_total{[^}]*outcome="applied"[^}]*} (\S+)', metrics))


def told(isthmus: Isthmus, types: str, after: int = 0) -> Events:
    """Events of some types after a place."""
    return list(isthmus.get(f"/v1/events?types={types}&after={after}&limit=200")["items"])


def head(isthmus: Isthmus) -> int:
    """The place where the feed of events ends now."""
    found, after = None, "0"
    while found != after:
        found, after = after, isthmus.get(f"/v1/events?limit=200&after={after}")["next"]
    return int(after)


def test_any_door_and_any_api(cluster: Cluster, lines: list[Line]) -> None:
    """Both that hear the feed take messages on its one port; whichever did, every API shows them with the ack."""
    before = [applied(one) for one in cluster.feeds]
    assert ["AA"] * LINES == say(lines)
    taken = [applied(one) - was for one, was in zip(cluster.feeds, before, strict=True)]
    one, two = (isthmus.all("/v1/appointments") for isthmus in cluster.api)

    assert LINES == sum(taken)
    assert min(taken) > 0
    assert one == two
    assert len(one) >= LINES


def test_who_does_what(cluster: Cluster) -> None:
    """A process without the API answers probes and scrapers, and nothing else."""
    for isthmus in (*cluster.feeds, *cluster.workers):
        assert 200 == isthmus.ask("GET", "/health/ready", client=None).status
        assert 404 == isthmus.ask("GET", "/v1/appointments", client=None).status


def test_a_token_is_good_everywhere_until_it_is_taken_back(cluster: Cluster) -> None:
    """What one API gave the other takes; taken back at one, it is void there at once and soon at the other."""
    one, two = cluster.api
    token = one.token()
    shown = {"authorization": f"Bearer {token}"}
    assert [200, 200] == [isthmus.ask("GET", "/v1/events", **shown).status for isthmus in cluster.api]
    form = f"client_id=admin&client_secret={SECRET}&token={token}".encode()
    one._tokens.clear()
    media = {"content_type": "application/x-www-form-urlencoded"}
    assert 200 == one.ask("POST", "/oauth/revoke", form, client=None, **media).status

    assert 401 == one.ask("GET", "/v1/events", **shown).status
    wait(lambda: 401 == two.ask("GET", "/v1/events", **shown).status, SOON)


def test_a_feed_is_held_and_released_everywhere(cluster: Cluster, lines: list[Line]) -> None:
    """Held at one API and released at the other: soon every process that hears it does so."""
    one, two = cluster.api
    assert ["AA"] * LINES == say(lines)
    assert "paused" == one.ask("POST", "/v1/feeds/soak/pause").json["state"]
    wait(lambda: "AA" not in say(lines), SOON)
    wait(lambda: "paused" == state(two), SOON)
    assert "open" == two.ask("POST", "/v1/feeds/soak/release").json["state"]
    wait(lambda: {"AA"} == set(say(lines)), SOON)
    wait(lambda: "open" == state(one), SOON)


def test_held_anew_as_soon_as_it_was_released(cluster: Cluster) -> None:
    """Who holds a feed that another API released a moment ago holds it, whatever was known before."""
    one, two = cluster.api
    for _ in range(3):
        one.ask("POST", "/v1/feeds/quiet/pause")
        two.ask("POST", "/v1/feeds/quiet/release")
        one.ask("POST", "/v1/feeds/quiet/pause")
        assert ["feed:quiet"] == [held["name"] for held in two.get("/v1/switches")["items"]]
        one.ask("POST", "/v1/feeds/quiet/release")


def state(isthmus: Isthmus) -> str:
    """Whether the feed is held, as this API shows it."""
    return str(next(one["state"] for one in isthmus.get("/v1/feeds")["items"] if one["name"] == "soak"))


def test_a_webhook_goes_out_once(cluster: Cluster, lines: list[Line]) -> None:
    """Two that deliver share what came in by two that hear."""
    hooks = Collector()
    body = {"url": f"{hooks.url}/hook", "types": ["appointment.created"]}
    made = cluster.api[0].ask("POST", "/v1/subscriptions", body)
    assert 201 == made.status
    since = head(cluster.api[0])
    say(lines)
    hooks.wait(LINES)
    wait(lambda: not waiting(cluster.api[1], made.json["id"]))
    hooks.close()
    events = told(cluster.api[1], "appointment.created", since)
    assert 204 == cluster.api[1].ask("DELETE", f"/v1/subscriptions/{made.json['id']}").status

    assert LINES == len(events)
    assert sorted(one["id"] for one in events) == sorted(request.json["id"] for request in hooks.requests)


def waiting(isthmus: Isthmus, subscription: str) -> Events:
    """What is still on its way to a receiver."""
    path = f"/v1/deliveries?subscription={subscription}"
    return [*isthmus.all(f"{path}&state=pending"), *isthmus.all(f"{path}&state=claimed")]


def test_a_stream_tells_of_every_feed(cluster: Cluster, lines: list[Line]) -> None:
    """What comes in by other processes is told at once to who listens at an API."""
    connection = http.client.HTTPConnection("127.0.0.1", cluster.api[1].http, timeout=5)
    shown = {"authorization": f"Bearer {cluster.api[1].token()}"}
    connection.request("GET", "/v1/events/stream?types=appointment.created", headers=shown)
    stream = connection.getresponse()
    assert b"retry" in stream.readline()
    began = time.monotonic()
    say(lines)
    seen = 0
    while seen < LINES:
        seen += stream.readline().startswith(b"event: appointment.created")
    connection.close()

    assert time.monotonic() - began < 2 * SOON


def test_a_bulk_replay_outlives_its_process(cluster: Cluster, lines: list[Line]) -> None:
    """A job goes on at the other API where one was killed in the middle of it, and every message is counted once."""
    one, two = cluster.api
    for _ in range(20):
        say(lines)
    begun = one.ask("POST", "/v1/messages/_replay", {"feed": "soak"}).json
    where = f"/v1/jobs/{begun['id']}"
    wait(lambda: two.get(where)["done"])
    one.kill()
    left = two.get(where)
    wait(lambda: "completed" == two.get(where)["state"], 60)
    job = two.get(where)
    one.start()

    assert "running" == left["state"]
    assert left["done"] < left["total"]
    assert begun["total"] == job["done"]
    assert 0 == job["failed"]


def test_a_job_is_handed_over(cluster: Cluster, lines: list[Line]) -> None:
    """Where a process leaves in order, its job goes on elsewhere from the very message that it had reached."""
    one, two = cluster.api
    say(lines)
    begun = one.ask("POST", "/v1/messages/_replay", {"feed": "soak"}).json
    where = f"/v1/jobs/{begun['id']}"
    wait(lambda: two.get(where)["done"])
    assert 0 == one.stop()
    wait(lambda: "completed" == two.get(where)["state"], 60)
    job = two.get(where)
    one.start()

    assert (begun["total"], 0) == (job["done"], job["failed"])


def test_silence_is_told_once(cluster: Cluster) -> None:
    """Six processes notice that a feed is quiet, and that it is back; each time one of them says so."""
    api, since = cluster.api[0], head(cluster.api[0])
    with Line(cluster.feeds[0].ports["quiet"]) as line:
        for expected in (["feed.silent"], ["feed.silent", "feed.resumed", "feed.silent"]):
            for _ in range(10):  # each watch goes its round after another of these
                assert "AA" == code(line.say(fresh()))
                time.sleep(0.3)
            wait(lambda: len(quiet(api, since)) >= len(expected))  # noqa: B023 - it is called here and now
            time.sleep(4.5)  # two more rounds of every watch
            assert expected == quiet(api, since)


def quiet(isthmus: Isthmus, since: int) -> list[str]:
    """What was told of the quiet feed."""
    return [one["type"] for one in told(isthmus, "feed.*", since) if one["subject"] == "quiet"]


class Load(threading.Thread):
    """Goes on until it is enough."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.enough = threading.Event()


class Sender(Load):
    """Sends one message after the other; where its connection ends it connects again and repeats the last one."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__()
        self.port, self.prefix = port, name
        self.acked: list[str] = []
        self.refused: list[str] = []
        self.cut = 0

    def run(self) -> None:
        number = 0
        while not self.enough.is_set():
            try:
                with Line(self.port) as line:
                    while not self.enough.is_set():
                        control = f"{self.prefix}-{number}"
                        answer = line.say(booking(control, control, mrn=control))
                        if answer is None:
                            break
                        (self.acked if code(answer) == "AA" else self.refused).append(control)
                        number += 1
            except ConnectionError:
                pass
            self.cut += not self.enough.is_set()


class Caller(Load):
    """Asks one API after the other on connections that stay open; one that is cut is asked of the other, as a balancer
    would do it."""

    def __init__(self, ports: Sequence[int], token: str) -> None:
        super().__init__()
        self.ports, self.shown = ports, {"authorization": f"Bearer {token}"}
        self.answered = 0
        self.repeated = 0
        self.failed: list[str] = []
        self._open: dict[int, http.client.HTTPConnection] = {}

    def run(self) -> None:
        for turn in itertools.count():
            if self.enough.is_set():
                break
            if not any(self._asked(self.ports[(turn + other) % len(self.ports)]) for other in range(2)):
                self.failed.append("no API could be reached")
            time.sleep(0.005)
        for connection in self._open.values():
            connection.close()

    def _asked(self, port: int) -> bool:
        connection = self._open.pop(port, None) or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/v1/appointments?limit=1", headers=self.shown)
            answer = connection.getresponse()
            body = answer.read()
        except (ConnectionError, http.client.RemoteDisconnected):
            self.repeated += 1
            connection.close()
            return False
        self.answered += 1
        if answer.status != 200 or not body.startswith(b'{"items"'):
            self.failed.append(f"{answer.status}")
        self._open[port] = connection
        return True


def test_each_in_turn_is_restarted_under_load(cluster: Cluster) -> None:
    """A rolling restart: nobody is refused, nothing acknowledged is lost, nothing is delivered twice."""
    hooks = Collector()
    made = cluster.api[0].ask("POST", "/v1/subscriptions", {"url": f"{hooks.url}/roll", "types": ["appointment.*"]})
    since = head(cluster.api[0])
    senders = [Sender(cluster.feeds[0].mllp, f"R{number}") for number in range(4)]
    callers = [Caller([one.http for one in cluster.api], cluster.api[0].token()) for _ in range(2)]
    load: tuple[Load, ...] = (*senders, *callers)
    for thread in load:
        thread.start()
    wait(lambda: all(sender.acked for sender in senders) and all(caller.answered for caller in callers))
    for isthmus in cluster.all:
        assert 0 == isthmus.stop()
        isthmus.start()
    for thread in load:
        thread.enough.set()
    for thread in load:
        thread.join(20)
    acked = [control for sender in senders for control in sender.acked]
    kept = [one for one in cluster.api[1].all("/v1/messages?feed=soak") if one["controlId"].startswith("R")]
    hooks.wait(len(acked), 60)
    wait(lambda: not waiting(cluster.api[0], made.json["id"]))
    hooks.close()
    created = events_of(cluster.api[0], since)

    assert [] == [problem for caller in callers for problem in caller.failed]
    assert [] == [control for sender in senders for control in sender.refused]
    assert sorted(acked) == sorted(one["controlId"] for one in kept)
    assert {"applied"} == {one["state"] for one in kept}
    assert sum(sender.cut for sender in senders) > 0, "nobody was cut off, so nothing was shown"
    assert len(acked) == len(created)
    assert sorted(created) == sorted(request.json["id"] for request in hooks.requests)


def events_of(isthmus: Isthmus, since: int) -> list[str]:
    """The ids of all events about appointments after a place."""
    found: list[str] = []
    after = str(since)
    while True:
        page = isthmus.get(f"/v1/events?types=appointment.*&limit=200&after={after}")
        if not page["items"]:
            return found
        found += [one["id"] for one in page["items"]]
        after = page["next"]
