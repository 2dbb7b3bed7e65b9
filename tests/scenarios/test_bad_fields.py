"""One bad field never costs a message: the rest is applied, the field stays readable raw, and the problem is told."""

from collections.abc import Iterator

import pytest

from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.messages import booking, message, person, scheduled, slot

BAD = {
    # what stands for what, the kind of record, its field (None: it stands all the same), where, the code told
    "month 13 of a start": (b"|20270601090000|", b"|20271301090000|", "appointment", "start", "TQ1-7"),
    "month 13 of a birth": (b"|19800229|", b"|19801329|", "patient", "birthDate", "PID-7"),
    "a status nobody knows": (b"|Booked", b"|Bokked", "appointment", None, "SCH-25"),
    "a broken escape": (b"CHECK^Check-up", rb"CHECK^Check\Xup", "appointment", None, "SCH-7"),
    "minutes in words": (b"|30|min||||||", b"|half|hour||||||", "appointment", None, "SCH-9"),
    "an unknown gender": (b"|F\r", b"|Q9\r", "patient", None, "PID-8"),
    "an end that is no time": (b"|20270601093000", b"|20270601996100", "appointment", None, "TQ1-8"),
    "a day where an instant is due": (b"|20270601090000|", b"|20270601|", "appointment", "start", "TQ1-7"),
    "a booking whose time is deleted": (b"|20270601090000|", b'|""|', "appointment", "start", "TQ1-7"),
    "a unit that nobody knows": (b"|min|", b"|fortnight|", "appointment", None, "SCH-9"),
    "more than a field holds": (b"CHECK^Check-up", b"C" * 70_000, "appointment", "reasons", "SCH-7"),
}


def broken(name: str, number: str) -> bytes:
    """A booking with one of the bad fields; it names no resources, which would say its time once more."""
    parts = scheduled(number), slot("20270601090000", "20270601093000"), person(f"M{number}")
    raw = message("SIU^S12^SIU_S12", f"K{number}", *parts, "RGS|1")
    good, bad, *_ = BAD[name]
    assert good in raw, "or this proves nothing"
    return raw.replace(good, bad)


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """A feed that tells its senders nothing about fields, and one that does."""
    made = Isthmus(tmp_path_factory.mktemp("fields"))
    made.peer("telling", {"problems-in-ack": True})
    with running(made) as started:
        yield started


@pytest.mark.parametrize("name", BAD)
def test_the_rest_is_applied(isthmus: Isthmus, name: str) -> None:
    """Applied without the field; the problem is on the record and on the message; the ack of this feed is silent."""
    _, _, kind, field, path = BAD[name]
    number = f"F{list(BAD).index(name)}"
    raw = broken(name, number)
    with Line(isthmus.mllp) as line:
        answer = line.say(raw)
    (message,) = isthmus.all(f"/v1/messages?controlId=K{number}")
    (appointment,) = isthmus.all(f"/v1/appointments?identifier={number}")
    record = appointment if kind == "appointment" else isthmus.get(f"/v1/patients/{appointment['patient']}")
    told = [one for one in message["problems"] if one["path"].startswith(path)]

    assert ("AA", "applied") == (code(answer), message["state"])
    assert b"ERR|" not in (answer or b"")
    assert told, message["problems"]
    assert told[0] in record["problems"]
    assert "booked" == appointment["status"]
    assert field is None or field not in record
    assert raw == isthmus.ask("GET", f"/v1/messages/{message['id']}/raw").body


@pytest.mark.parametrize("name", BAD)
def test_the_ack_tells_where_the_feed_asks_for_it(isthmus: Isthmus, name: str) -> None:
    """An ERR for each problem, with its place and without what stood there."""
    _, bad, *_, path = BAD[name]
    with Line(isthmus.ports["telling"]) as line:
        answer = line.say(broken(name, f"T{list(BAD).index(name)}")) or b""
    segment, _, rest = path.partition("-")
    place = f"{segment}^1^{rest.partition('.')[0]}"
    errors = [part for part in answer.split(b"\r") if part.startswith(b"ERR|")]

    assert "AA" == code(answer)
    assert place in "\n".join(part.split(b"|")[2].decode() for part in errors)
    assert bad.strip(b"|\r").split(b"|")[0] not in b"".join(errors)


def test_every_problem_at_once(isthmus: Isthmus) -> None:
    """A message with all of them is applied too, and every one is listed."""
    raw = booking("ALL", "KALL", mrn="MALL")
    for good, bad, *_ in BAD.values():
        raw = raw.replace(good, bad)
    with Line(isthmus.mllp) as line:
        assert "AA" == code(line.say(raw))
    (message,) = isthmus.all("/v1/messages?controlId=KALL")
    places = {one["path"] for one in message["problems"]}

    assert "applied" == message["state"]
    assert set() == {path for *_, path in BAD.values() if not any(place.startswith(path) for place in places)}
