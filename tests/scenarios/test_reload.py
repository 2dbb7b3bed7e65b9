"""A site's files are changed while it is served: what is new counts from then on, and nobody is let go."""

import json
from pathlib import Path

import pytest

from tests.isthmus import Isthmus, free_port
from tests.mllp import Line, code
from tests.scenarios.messages import booking

MAPPED = '\n[mapping."appointment.priority"]\nvalue = "URGENT"\n'


def appended(isthmus: Isthmus, name: str, text: str) -> None:
    """More in a file of the site."""
    path = isthmus.folder / "site" / name
    path.write_text(path.read_text() + text)


def test_a_change_of_the_mapping_counts_on_a_connection_that_is_open(isthmus: Isthmus) -> None:
    """The line goes on, the next message is read by the new files, and the earlier one keeps its own."""
    with Line(isthmus.mllp) as line:
        assert code(line.say(booking("R1", "R1"))) == "AA"
        appended(isthmus, "peers/soak.toml", MAPPED)
        isthmus.reload()
        assert code(line.say(booking("R2", "R2"))) == "AA"

    found = {one["identifiers"][-1]["value"].removeprefix("P"): one for one in isthmus.all("/v1/appointments")}
    assert "priority" not in found["R1"]
    assert found["R2"]["priority"]["codings"][0]["code"] == "URGENT"
    messages = {one["controlId"]: one["site"] for one in isthmus.all("/v1/messages")}
    assert messages["R1"] != messages["R2"]
    for control in ("R1", "R2"):
        lines = isthmus.get(f"/v1/appointments/{found[control]['id']}/lineage")["items"]
        assert {True} == {one["exact"] for one in lines if "exact" in one}


def test_feeds_come_and_go(isthmus: Isthmus) -> None:
    """A new peer is listened to, one that is gone is not, and the others notice nothing."""
    with Line(isthmus.mllp) as line:
        assert code(line.say(booking("G1", "G1"))) == "AA"
        port = isthmus.peer("west")
        isthmus.reload()
        with Line(port) as other:
            assert code(other.say(booking("W1", "W1"))) == "AA"
        (isthmus.folder / "site" / "peers" / "west.toml").unlink()
        isthmus.reload()
        with pytest.raises(ConnectionRefusedError):
            Line(port)
        assert code(line.say(booking("G2", "G2"))) == "AA"
    assert {"soak"} == {one["name"] for one in isthmus.all("/v1/feeds")}


def test_clients_come_and_go(isthmus: Isthmus) -> None:
    """A new client is known, and a token of one that is gone is good for nothing."""
    isthmus.client("desk", ["appointments.read"])
    isthmus.reload()
    assert isthmus.ask("GET", "/v1/appointments", client="desk").status == 200

    (isthmus.folder / "site" / "clients" / "desk.toml").unlink()
    isthmus.reload()
    assert isthmus.ask("GET", "/v1/appointments", client="desk").status == 401


def test_a_client_gets_its_own_rate(isthmus: Isthmus) -> None:
    """A limit of a client's own is kept from the reload on, and no longer than its file says so."""
    isthmus.client("desk", ["appointments.read"], requests_per_second=0.01, burst=1)
    isthmus.reload()
    assert [200, 429] == [isthmus.ask("GET", "/v1/appointments", client="desk").status for _ in range(2)]

    isthmus.client("desk", ["appointments.read"])
    isthmus.reload()
    assert isthmus.ask("GET", "/v1/appointments", client="desk").status == 200


@pytest.mark.parametrize("text", ["zone = 5\n", "[feed\n", '[feed]\nmllp = "{taken}"\n'])
def test_files_that_cannot_be_served_change_nothing(isthmus: Isthmus, text: str, tmp_path: Path) -> None:
    """A mistake is said in the log, and the site goes on as it was, also where a new address is taken."""
    path = isthmus.folder / "site" / "peers" / "west.toml"
    path.write_text(text.replace("{taken}", f"127.0.0.1:{isthmus.http}"))
    with Line(isthmus.mllp) as line:
        isthmus.reload("site.refused")
        assert code(line.say(booking("B1", "B1"))) == "AA"


def test_what_counts_at_a_start_alone_is_said(isthmus: Isthmus) -> None:
    """Another address of the API is not taken up, and the log says so; the rest is."""
    isthmus.configure({"server": {"http": f"127.0.0.1:{free_port()}"}})
    isthmus.client("desk", ["appointments.read"])
    isthmus.reload()

    assert isthmus.ask("GET", "/v1/appointments", client="desk").status == 200
    said = [json.loads(line) for line in isthmus.log.read_text().splitlines()]
    assert ["server"] == [line["kind"] for line in said if line.get("event") == "site.needs_restart"]
