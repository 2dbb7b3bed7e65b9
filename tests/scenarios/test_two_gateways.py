"""Two gateways on one PostgreSQL, as a hospital group runs them: what one is told the other knows at once."""

import asyncio
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.collector import Collector
from tests.scenarios.messages import booking, message, person
from tests.servers.postgres import Postgres, create, name_of

PAIRS = 40


@pytest.fixture(scope="module", autouse=True)
def backend() -> str:
    """Several processes share PostgreSQL alone."""
    return "postgres"


@pytest.fixture
def gateways(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Isthmus, Isthmus]]:
    """Two processes with one database and one site key."""
    asyncio.run(create(tmp_path))
    monkeypatch.setenv("DATABASE", f"{postgres_server.address}/postgres?search_path={name_of(tmp_path)}")
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Isthmus(tmp_path / name, settings={"store": {"database": "env:DATABASE"}}))
    made[1].configure({"store": {"key-file": str(made[0].folder / "site.key")}})
    with running(made[0]) as one, running(made[1]) as two:
        yield one, two


def say(isthmus: Isthmus, *messages: bytes) -> None:
    """Send messages one after the other, and have each accepted."""
    with Line(isthmus.mllp) as line:
        assert ["AA"] * len(messages) == [code(line.say(one)) for one in messages]


def events(isthmus: Isthmus) -> list[dict[str, Any]]:
    """The whole feed."""
    return list(isthmus.get("/v1/events?limit=200")["items"])


def test_one_story_through_two_doors(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Booked through one, moved through the other, sent again to the first: one appointment, each message once."""
    one, two = gateways
    say(one, booking("A1", "C1"))
    say(two, booking("A1", "C2", "S13", at="20250110100000-0500", start="20270602090000", end="20270602093000"))
    say(one, booking("A1", "C2", "S13", at="20250110100000-0500", start="20270602090000", end="20270602093000"))
    (appointment,) = one.all("/v1/appointments")

    assert [appointment] == two.all("/v1/appointments")
    assert "2027-06-02T13:00:00Z" == appointment["start"]
    assert 1 == len(two.all("/v1/patients"))
    assert ["applied", "applied"] == [message["state"] for message in one.all("/v1/messages")]
    assert events(one) == events(two)
    told = [event["seq"] for event in events(one)]
    assert list(range(1, len(told) + 1)) == told


def test_one_control_id_through_two_doors_at_once(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Two senders use one for messages about different people, at the same moment: both are applied, one is told."""
    with Line(gateways[0].mllp) as one, Line(gateways[1].mllp) as two:
        for number in range(PAIRS):
            for side, line in enumerate((one, two)):
                line.send(message("ADT^A28", f"C{number}", "EVN|A28|20250110", person(f"M{number}-{side}")))
            assert ["AA", "AA"] == [code(line.hear()) for line in (one, two)]
    kept = gateways[0].all("/v1/messages")
    reused = [one["controlId"] for one in kept if "DQ-CTRLID-REUSE" in [problem["code"] for problem in one["problems"]]]

    assert sorted(f"C{number}" for number in range(PAIRS)) == sorted(reused)


def test_a_stream_of_the_other_gateway(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Who listens at one hears at once what comes in at the other."""
    one, two = gateways
    connection = http.client.HTTPConnection("127.0.0.1", two.http, timeout=5)
    connection.request("GET", "/v1/events/stream?after=0", headers={"authorization": f"Bearer {two.token()}"})
    stream = connection.getresponse()
    assert 200 == stream.status
    say(one, booking("A1", "C1"))
    seen: list[str] = []
    while "appointment.created" not in seen:
        line = stream.readline().decode()
        if line.startswith("event: "):
            seen.append(line.removeprefix("event: ").strip())
    connection.close()


def test_webhooks_through_both(gateways: tuple[Isthmus, Isthmus]) -> None:
    """Two workers share a subscription: every event arrives once, those of a patient in their order."""
    one, two = gateways
    hooks = Collector()
    body = {"url": f"{hooks.url}/hook", "types": ["appointment.*"]}
    assert 201 == one.ask("POST", "/v1/subscriptions", body).status
    for number in range(30):
        say((one, two)[number % 2], booking(f"A{number}", f"C{number}", mrn=f"M{number % 3}"))
    hooks.wait(30)
    hooks.close()
    patients = {one["id"]: one["patient"] for one in two.all("/v1/appointments")}
    order = {event["subject"]: event["seq"] for event in events(two) if event["type"] == "appointment.created"}
    arrived = [request.json["subject"] for request in hooks.requests]

    assert 30 == len(arrived) == len(set(arrived))
    for patient in set(patients.values()):
        lane = [order[subject] for subject in arrived if patients[subject] == patient]
        assert sorted(lane) == lane
