"""A site of two gateways on one PostgreSQL and one Redis: limits count over both, words reach the other at once, and
nothing is missed while Redis is emptied, away or silent.
"""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from policies.lease import KEPT
from tests.isthmus import SECRET, Isthmus, Reply, together, wait
from tests.mllp import Line, code
from tests.scenarios.messages import booking
from tests.servers.postgres import Postgres
from tests.servers.redis import RedisServer

BURST = 32
RATE = 20


@pytest.fixture(scope="module", autouse=True)
def backend() -> str:
    """Several processes share PostgreSQL alone."""
    return "postgres"


@pytest.fixture
def gateways(
    postgres_server: Postgres, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Isthmus, Isthmus]]:
    """Two that do everything; the client `desk` may call rarely."""
    monkeypatch.setenv("ISTHMUS_TEST_BACKEND", "postgres")
    monkeypatch.setenv("REDIS", redis_server.url)
    site = Isthmus(tmp_path, settings={"redis": {"url": "env:REDIS", "prefix": "scenario"}})
    site.client("desk", ["appointments.read"], requests_per_second=0.01, burst=BURST)
    site.client("eager", ["appointments.read"], requests_per_second=RATE, burst=BURST)
    one, two = (site.beside(role) for role in ("api", "api"))
    feeds = site.beside("feeds")
    with together(one, two, feeds):
        for process in (one, two, feeds):
            wait(partial(is_up, process))
        yield one, two


def is_up(isthmus: Isthmus) -> bool:
    """Whether a process has found Redis."""
    return b'isthmus_redis_up{prefix="scenario"} 1.0' in isthmus.ask("GET", "/metrics", client=None).body


def asked(times: int, *processes: Isthmus) -> Counter[int]:
    """What a client is answered that asks them in turn, with a token of the first."""
    held = f"Bearer {processes[0].token('desk')}"
    return Counter(
        one.ask("GET", "/v1/appointments", client=None, authorization=held).status
        for _ in range(times)
        for one in processes
    )


def test_a_limit_counts_over_both(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Together no call more than the client may make at once, and fewer by less than two blocks."""
    answers = asked(BURST, *gateways)

    assert BURST - 4 <= answers[200] <= BURST
    assert {200, 429} == answers.keys()


def test_the_sum_is_kept_of_calls_that_meet(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Eight callers at both processes for three seconds: the burst and what the rate gives, and a second's worth, and
    another where this machine is too busy for answers to come in time."""
    held = f"Bearer {gateways[0].token('eager')}"
    began = time.monotonic()

    def ask(number: int) -> list[Reply]:
        replies = []
        while time.monotonic() < began + 3:
            replies.append(gateways[number % 2].ask("GET", "/v1/appointments", client=None, authorization=held))
        return replies

    with ThreadPoolExecutor(8) as callers:
        replies = [reply for heard in callers.map(ask, range(8)) for reply in heard]
    took = time.monotonic() - began
    admitted = sum(reply.status == 200 for reply in replies)

    assert BURST + RATE <= admitted <= BURST + RATE * (took + 2 * KEPT)
    waits = {reply.headers.get("retry-after") for reply in replies if reply.status == 429}
    assert {"1"} == waits  # the next call is a twentieth of a second away
    left = [int(reply.headers["ratelimit"].partition(";r=")[2].partition(";")[0]) for reply in replies]
    assert 0 <= min(left) <= max(left) < BURST


def test_a_token_that_is_taken_back_is_good_nowhere(gateways: tuple[Isthmus, Isthmus]) -> None:
    """The other process hears of it at once."""
    one, two = gateways
    token = two.token("admin")
    assert 200 == two.ask("GET", "/v1/events").status
    form = f"client_id=admin&client_secret={SECRET}&token={token}".encode()
    headers = {"content_type": "application/x-www-form-urlencoded"}
    assert 200 == one.ask("POST", "/oauth/revoke", form, client=None, **headers).status
    wait(lambda: two.ask("GET", "/v1/events", client=None, authorization=f"Bearer {token}").status == 401, 2)


@pytest.mark.parametrize("harm", ["flush", "stop", "hang"])
def test_service_goes_on_without(gateways: tuple[Isthmus, Isthmus], redis_server: RedisServer, harm: str) -> None:
    """Every call is answered, messages are taken and streams tell of them; each process says that Redis is away."""
    one, two = gateways
    assert 200 in asked(1, *gateways)
    getattr(redis_server, harm)()
    assert {200} == asked(5, *gateways).keys()
    connection = http.client.HTTPConnection("127.0.0.1", two.http, timeout=10)
    connection.request("GET", "/v1/events/stream?after=0", headers={"authorization": f"Bearer {two.token()}"})
    stream = connection.getresponse()
    with Line(one.mllp) as line:
        assert "AA" == code(line.say(booking("R1", "R1")))
    while b"appointment.created" not in stream.readline():
        pass
    connection.close()
    if harm != "flush":
        wait(lambda: not is_up(one) and not is_up(two))
        redis_server.wake() if harm == "hang" else redis_server.start()
        wait(lambda: is_up(one) and is_up(two))
        said = [json.loads(text).get("event", "") for text in one.log.read_text().splitlines()]
        changes = [event for event in said if event.startswith("redis.")]
        assert changes  # a machine under load may lose it once more; nobody is told twice of the same
        assert ["redis.away", "redis.back"] * (len(changes) // 2) == changes


def test_a_redis_that_was_never_there(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway starts without it, and is ready."""
    monkeypatch.setenv("ISTHMUS_TEST_BACKEND", "postgres")
    monkeypatch.setenv("REDIS", "redis://127.0.0.1:1/0")
    site = Isthmus(tmp_path, settings={"redis": {"url": "env:REDIS"}})
    with together(site):
        assert 200 == site.ask("GET", "/v1/appointments").status
        assert not is_up(site)
