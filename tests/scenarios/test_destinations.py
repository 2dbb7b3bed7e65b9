"""The ways out of a real gateway: what is acknowledged reaches an EHR once, in order, however the gateway ends."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.gateway.links.conftest import Ehr
from tests.gateway.links.said import fields, oru, siu
from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code

KILLS = {"sqlite": 4, "postgres": 1}  # there what a process had claimed that is gone waits for the end of its lease
LEASE = 90.0
MESSAGES = 40


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    """A receiving EHR."""
    made = Ehr()
    yield made
    made.stop()


def with_ways_out(folder: Path, ehr: Ehr) -> Isthmus:
    """A site whose results and bookings go to the EHR."""
    made = Isthmus(folder, settings={"webhooks": {"timeout-seconds": 1.0}})
    quick = {"timeout-seconds": 1.0, "retry-seconds": [0.0, 0.1, 0.1, 0.1, 0.1]}
    lab = {"mllp": f"127.0.0.1:{ehr.port}", "events": ["appointment.*"], **quick}
    made.file("peers/lab.toml", {}, {"destination": lab})
    made.file("routes/results.toml", {"to": ["lab"], "types": ["ORU"]})
    return made


def say(isthmus: Isthmus, *messages: bytes) -> None:
    """Send messages, each after the one before was acknowledged."""
    with Line(isthmus.mllp) as line:
        for raw in messages:
            assert "AA" == code(line.say(raw))


def tried(ehr: Ehr, least: int) -> bool:
    """Whether more than so many were tried."""
    return len(ehr.attempts()) > least


def test_kill_9(tmp_path: Path, ehr: Ehr, backend: str) -> None:
    """Killed again and again while it sends: every message arrives, once for who knows control ids, and in order."""
    ehr.behaves(delay=0.02)
    made = with_ways_out(tmp_path, ehr)
    sent = [oru(number) for number in range(1, MESSAGES + 1)]
    kills = KILLS[backend]
    with running(made):
        say(made, *sent)
        for kill in range(1, kills + 1):
            wait(partial(tried, ehr, kill * MESSAGES // (kills + 1)))
            made.kill()
            made.start()
        wait(lambda: len(ehr.received()) == MESSAGES, LEASE)

    numbers = [int(one[1:]) for one in ehr.attempts()]
    assert sent == ehr.received()
    assert all(after - before in (0, 1) for before, after in pairwise(numbers)), "nothing overtakes"
    assert len(numbers) == MESSAGES + ehr.counts().get("duplicates", 0)


def test_both_kinds_through_the_api(tmp_path: Path, ehr: Ehr) -> None:
    """A booking becomes an SIU, a result goes as it came; the API shows both with how they were answered, sends them
    again, and holds what goes out."""
    made = with_ways_out(tmp_path, ehr)
    with running(made):
        say(made, siu(1), oru(2))
        wait(lambda: len(ehr.received()) == 2)
        wait(lambda: {"delivered"} == {one["state"] for one in made.all("/v1/deliveries")})
        shown = {one["type"]: one for one in made.all("/v1/deliveries")}
        result = made.get(f"/v1/deliveries/{shown['message.received']['id']}")
        made.ask("POST", f"/v1/deliveries/{result['id']}/resend")
        wait(lambda: len(ehr.attempts()) == 3)
        routes = [one for one in made.get("/v1/subscriptions")["items"] if one["kind"] == "route"]
        made.ask("POST", f"/v1/subscriptions/{routes[0]['id']}/pause")
        say(made, oru(3))
        wait(lambda: [one for one in made.all("/v1/deliveries") if one["state"] == "pending"])
        time.sleep(0.3)
        before = ehr.attempts()
        made.ask("POST", f"/v1/subscriptions/{routes[0]['id']}/release")
        wait(lambda: len(ehr.attempts()) == 4)

    assert {"message.received", "appointment.created"} == set(shown)
    assert ["ack_aa"] == [one["outcome"] for one in result["tries"]]
    assert "R3" not in before
    assert "SIU^S12^SIU_S12" in {fields(raw, "MSH")[8] for raw in ehr.received()}


def test_a_reload(tmp_path: Path, ehr: Ehr) -> None:
    """Files that change while the gateway is served count from then on; a way that goes is disabled, and comes back."""
    made = with_ways_out(tmp_path, ehr)
    other = Ehr()
    with running(made):
        say(made, oru(1))
        wait(lambda: len(ehr.received()) == 1)
        made.file("peers/archive.toml", {}, {"destination": {"mllp": f"127.0.0.1:{other.port}"}})
        made.file("routes/results.toml", {"to": ["archive"]})
        made.reload()
        states = {one["destination"]: one["state"] for one in made.get("/v1/subscriptions")["items"] if one["route"]}
        say(made, oru(2))
        wait(lambda: len(other.received()) == 1)
        made.file("routes/results.toml", {"to": ["lab"]})
        made.reload()
        say(made, oru(3))
        wait(lambda: "R3" in ehr.attempts())
    received = other.received()
    other.stop()

    assert {"lab": "disabled", "archive": "active"} == states
    assert [oru(2)] == received
