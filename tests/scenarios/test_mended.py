"""What was refused is mended and replayed: over the wire, its sender hears so when it sends the same again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.messages import booking, merge, message, person

ASKS = {"original": "", "accept": "|||AL|NE", "both": "|||AL|AL"}
UNMAPPED = message("ORU^R01", "O1", person(), "OBX|1|TX|X||some")


@pytest.fixture
def isthmus(tmp_path: Path) -> Iterator[Isthmus]:
    """A feed that refuses what is outside the model, one for one sender alone, one that answers twice."""
    made = Isthmus(tmp_path, feed={"unmapped": "AR"})
    made.peer("narrow", {"senders": ["SCHED|SOUTH"]})
    made.peer("twice", {"application-acks": "connection"})
    made.start()
    yield made
    made.kill()
    assert "Traceback" not in made.log.read_text()


def kept(isthmus: Isthmus, control: str) -> dict[str, Any]:
    (found,) = isthmus.all(f"/v1/messages?controlId={control}")
    return found


def replay(isthmus: Isthmus, control: str) -> dict[str, Any]:
    answer = isthmus.ask("POST", f"/v1/messages/{kept(isthmus, control)['id']}/replay", {})
    assert answer.status == 200, answer.body
    replayed: dict[str, Any] = answer.json
    return replayed


def both(control: str, asks: str = "") -> bytes:
    """A booking of somebody who has the numbers of two patients."""
    return booking("F700", control, mrn="M701", msh=ASKS[asks or "original"]).replace(
        b"M701^^^NORTH^MR", b"M701^^^NORTH^MR~M702^^^NORTH^MR"
    )


def test_a_parked_message(isthmus: Isthmus) -> None:
    """AE until the patients are merged and it is replayed, then AA, also after a restart; its task is done."""
    with Line(isthmus.mllp) as line:
        for number in ("M701", "M702"):
            line.say(message("ADT^A28", f"N{number}", "EVN|A28|20250110", person(number)))
        assert ["AE", "AE"] == [code(line.say(both("B1"))) for _ in range(2)]
        assert "AA" == code(line.say(merge("G1", "M701", "M702", "20250110100000-0500")))
        assert "AE" == code(line.say(both("B1")))
        replay(isthmus, "B1")
        first = line.say(both("B1"))
        assert first == line.say(both("B1"))
    isthmus.stop()
    isthmus.start()
    with Line(isthmus.mllp) as line:
        assert first == line.say(both("B1"))
    (task,) = isthmus.all("/v1/tasks")
    told = [one["type"] for one in isthmus.get("/v1/events?limit=500&types=task.*")["items"]]

    assert ("AA", b"|B1") == (code(first), (first or b"").split(b"MSA|AA")[1][:3])
    message_kept = kept(isthmus, "B1")
    assert ("applied", 5, "AA", ["AE"]) == (
        message_kept["state"],
        message_kept["duplicates"],
        message_kept["ackCode"],
        [one["code"] for one in message_kept["earlierAcks"]],
    )
    assert ("completed", "auto-resolved") == (task["status"], task["resolution"])
    assert ["task.created", "task.completed"] == told


def test_in_enhanced_mode(isthmus: Isthmus) -> None:
    """CA stays CA; where the application acknowledgement follows on the same line, its AE becomes AA."""
    with Line(isthmus.ports["twice"]) as line:
        for number in ("M701", "M702"):
            line.say(message("ADT^A28", f"N{number}", "EVN|A28|20250110", person(number)))
        before = [code(line.say(both("B2", "both"))), code(line.hear())]
        line.say(merge("G2", "M701", "M702", "20250110100000-0500"))
        replay(isthmus, "B2")
        after = [code(line.say(both("B2", "both"))), code(line.hear())]

    assert (["CA", "AE"], ["CA", "AA"]) == (before, after)


def test_a_refused_message(isthmus: Isthmus) -> None:
    """AR until the site files take it and it is replayed: a sender that was not listed, a type that was refused."""
    with Line(isthmus.mllp) as line, Line(isthmus.ports["narrow"]) as narrow:
        assert ["AR", "AR"] == [code(line.say(UNMAPPED)), code(narrow.say(booking("F710", "B3", mrn="M710")))]
    isthmus.stop()
    isthmus.peer("soak", {}, port=isthmus.mllp)
    isthmus.peer("narrow", {}, port=isthmus.ports["narrow"])
    isthmus.start()
    with Line(isthmus.mllp) as line, Line(isthmus.ports["narrow"]) as narrow:
        assert ["AR", "AR"] == [code(line.say(UNMAPPED)), code(narrow.say(booking("F710", "B3", mrn="M710")))]
        states = [replay(isthmus, control)["state"] for control in ("O1", "B3")]
        assert ["AA", "AA"] == [code(line.say(UNMAPPED)), code(narrow.say(booking("F710", "B3", mrn="M710")))]

    assert ["unmapped", "applied"] == states
    assert [] == isthmus.all("/v1/tasks")


def test_what_was_taken_is_never_refused(isthmus: Isthmus, tmp_path: Path) -> None:
    """AA is a promise: the site files changed, a replay refuses the message, and a repeat still hears the first AA."""
    with Line(isthmus.ports["twice"]) as line:
        first = line.say(booking("F720", "B4", mrn="M720"))
    isthmus.stop()
    isthmus.peer("twice", {"senders": ["SCHED|SOUTH"]}, port=isthmus.ports["twice"])
    with running(isthmus), Line(isthmus.ports["twice"]) as line:
        assert "refused" == replay(isthmus, "B4")["state"]
        assert first == line.say(booking("F720", "B4", mrn="M720"))
        assert [] == isthmus.all("/v1/tasks")
