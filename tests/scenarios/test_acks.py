"""What the sender hears: the table of DESIGN 2 row by row, over the wire, in original and in enhanced mode."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.mllp.framing import frame
from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.messages import booking, message, person

ORIGINAL = ""
ASKS = {"AL/NE": "|||AL|NE", "NE/AL": "|||NE|AL", "AL/AL": "|||AL|AL", "ER/NE": "|||ER|NE", "NE/NE": "|||NE|NE"}
PEERS: dict[str, dict[str, object]] = {
    "strict": {"unmapped": "AR", "field-problems": "AE"},
    "both": {"application-acks": "connection"},
    "closing": {"unavailable": "close"},
    "erring": {"unavailable": "AE"},
    "telling": {"problems-in-ack": True},
    "live": {"processing-ids": ["P"]},
}
PROBES = itertools.count(1)

APPLIED = ("SIU^S12", ())
UNMAPPED = ("ORU^R01", (person(), "OBX|1|TX|X||some"))
PARKED = ("ADT^A08", ("EVN|A08|20250110", "PID|1||||DOE^JANE"))
REFUSED = ("ADT^A08", ("EVN|A08|20250110", person(), "MSH|^~\\&|A|B|||20250110||ADT^A08|2|P|2.5.1"))
BAD_FIELD = ("ADT^A31", ("EVN|A31|20250110", person("M300", born="19801329")))
ROWS = [
    # feed, what is sent, MSH-15/MSH-16, what comes back, what became of it
    ("soak", "applied", ORIGINAL, ["AA"], "applied"),
    ("soak", "applied", "AL/NE", ["CA"], "applied"),
    ("soak", "applied", "NE/AL", ["AA"], "applied"),
    ("soak", "applied", "AL/AL", ["CA"], "applied"),
    ("both", "applied", "AL/AL", ["CA", "AA"], "applied"),
    ("soak", "applied", "ER/NE", [], "applied"),
    ("soak", "applied", "NE/NE", [], "applied"),
    ("soak", "bad field", ORIGINAL, ["AA"], "applied"),
    ("strict", "bad field", ORIGINAL, ["AE"], "applied"),
    ("strict", "bad field", "AL/NE", ["CA"], "applied"),
    ("soak", "unmapped", ORIGINAL, ["AA"], "unmapped"),
    ("soak", "unmapped", "AL/NE", ["CA"], "unmapped"),
    ("strict", "unmapped", ORIGINAL, ["AR"], "unmapped"),
    ("strict", "unmapped", "AL/NE", ["CR"], "unmapped"),
    ("soak", "parked", ORIGINAL, ["AE"], "parked"),
    ("soak", "parked", "AL/NE", ["CA"], "parked"),
    ("both", "parked", "AL/AL", ["CA", "AE"], "parked"),
    ("soak", "parked", "ER/NE", [], "parked"),
    ("soak", "refused", ORIGINAL, ["AR"], "refused"),
    ("soak", "refused", "AL/NE", ["CR"], "refused"),
    ("soak", "refused", "ER/NE", ["CR"], "refused"),
    ("soak", "refused", "NE/AL", ["AR"], "refused"),
    ("soak", "refused", "NE/NE", [], "refused"),
]


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """A feed with the defaults, and one for each option."""
    made = Isthmus(tmp_path_factory.mktemp("acks"))
    for name, settings in PEERS.items():
        made.peer(name, settings)
    with running(made) as started:
        yield started


def sent(what: str, asks: str, control: str) -> bytes:
    """One of the messages of the table."""
    if what == "applied":
        return booking(control, control, mrn=control, msh=ASKS.get(asks, ""))
    kind, parts = {"unmapped": UNMAPPED, "parked": PARKED, "bad field": BAD_FIELD, "refused": REFUSED}[what]
    return message(kind, control, *parts, msh=ASKS.get(asks, ""))


def heard(line: Line, raw: bytes) -> list[str]:
    """The codes that come back for a message: all that comes before the answer to the next one, which is a probe."""
    probe = f"PROBE{next(PROBES)}"
    line.send(raw)
    line.send(message("ADT^A31", probe, "EVN|A31|20250110", person("M999")))
    answers = []
    while f"|{probe}".encode() not in (answer := line.hear() or b""):
        answers.append(code(answer))
    return answers


@pytest.mark.parametrize(("feed", "what", "asks", "codes", "state"), ROWS)
def test_the_table(isthmus: Isthmus, feed: str, what: str, asks: str, codes: list[str], state: str) -> None:
    """Each outcome has its code, its silence where the sender asked for that, and leaves the message in its state."""
    control = f"C{ROWS.index((feed, what, asks, codes, state))}"
    with Line(isthmus.ports[feed]) as line:
        assert codes == heard(line, sent(what, asks, control))
        assert codes == heard(line, sent(what, asks, control)), "again: the first answer"
    (kept,) = isthmus.all(f"/v1/messages?controlId={control}")

    assert (state, 1, feed) == (kept["state"], kept["duplicates"], kept["feed"])


def test_a_parked_message_is_work_for_a_person(isthmus: Isthmus) -> None:
    """There is one task about it, which says why and names nobody; a refused message makes none."""
    with Line(isthmus.mllp) as line:
        line.say(sent("parked", ORIGINAL, "P1"))
        line.say(sent("refused", ORIGINAL, "P2"))
    parked, refused = (isthmus.all(f"/v1/messages?controlId={control}")[0]["id"] for control in ("P1", "P2"))
    tasks = {one["subject"]: one for one in isthmus.all("/v1/tasks?status=ready")}

    assert ("integration-errors", "DQ-REQUIRED-MISSING") == (tasks[parked]["queue"], tasks[parked]["code"])
    assert "DOE" not in str(tasks[parked])
    assert refused not in tasks


@pytest.mark.parametrize(
    ("raw", "said", "error", "state"),
    [
        (rb"MSH|^~\&|a", "AR", "ERR||MSH^1^9|101^", "refused"),
        (message("", "NOTYPE"), "AR", "ERR||MSH^1^9|101^", "refused"),
        (message("ADT^A40", "NOMRG", "EVN|A40|20250110", person("M1")), "AE", "ERR||MRG^1^1|101^", "parked"),
        (message("ADT^A34", "NOONE", "EVN|A34|20250110", person("M1"), "MRG|"), "AE", "ERR||MRG^1^1|101^", "parked"),
        (message("ADT^A28", "", "EVN|A28|20250110", person("M8")), "AA", "", "applied"),
    ],
)
def test_what_is_missing(isthmus: Isthmus, raw: bytes, said: str, error: str, state: str) -> None:
    """No type, nobody to merge, no control id: each has its own answer, and the message says what is missing."""
    with Line(isthmus.mllp) as line:
        answer = line.say(raw) or b""
    kept = max(isthmus.all("/v1/messages?"), key=lambda one: str(one["receivedAt"]))

    assert (said, error.encode() in answer) == (code(answer), True), answer
    assert state == kept["state"]
    assert kept["problems"]


@pytest.mark.parametrize(
    ("feed", "processing", "asks", "said", "error", "state"),
    [
        ("live", "P", "", "AA", "", "applied"),
        ("live", "p^T", "", "AA", "", "applied"),
        ("live", "T", "", "AR", "ERR||MSH^1^11^1^1|202^Unsupported processing id^HL70357|E|", "refused"),
        ("live", "D", "|||AL|AL", "CR", "ERR||MSH^1^11^1^1|202^", "refused"),
        ("live", "", "", "AR", "ERR||MSH^1^11^1^1|202^", "refused"),
        ("soak", "T", "", "AA", "", "applied"),
        ("soak", "Q", "", "AA", "", "applied"),
    ],
)
def test_processing_ids(
    isthmus: Isthmus, feed: str, processing: str, asks: str, said: str, error: str, state: str
) -> None:
    """A feed that lists its processing ids refuses the others and keeps them; any other feed takes them all."""
    control = f"PROC{next(PROBES)}"
    raw = booking(control, control, mrn=control, msh=asks).replace(b"|P|2.5.1", f"|{processing}|2.5.1".encode())
    with Line(isthmus.ports[feed]) as line:
        answer = line.say(raw) or b""
    (kept,) = isthmus.all(f"/v1/messages?controlId={control}")

    assert (said, state) == (code(answer), kept["state"])
    assert error.encode() in answer


@pytest.mark.parametrize(
    ("version", "error"),
    [
        ("2.5.1", b"ERR||TQ1^1^7^1^1|102^Data type error^HL70357|E|"),
        ("2.3.1", b"ERR|TQ1^1^7^102&Data type error&HL70357"),
    ],
)
def test_a_bad_time_by_its_place(isthmus: Isthmus, version: str, error: bytes) -> None:
    """Annex A5: AE where the feed wants it, with an ERL from 2.5 on and an ELD before; both name the event."""
    control = f"A5{version}"
    raw = booking(control, control, mrn=control, start="20261302093000").replace(b"|P|2.5.1", f"|P|{version}".encode())
    with Line(isthmus.ports["strict"]) as line:
        answer = line.say(raw) or b""

    assert "AE" == code(answer)
    assert b"|ACK^S12^ACK|" in answer
    assert error in answer


def test_an_unknown_version_is_told_where_the_feed_asks(isthmus: Isthmus) -> None:
    """Applied, with 203 as a warning in ERR."""
    raw = booking("VER1", "VER1", mrn="VER1").replace(b"|P|2.5.1", b"|P|2.99")
    with Line(isthmus.ports["telling"]) as line:
        answer = line.say(raw) or b""

    assert "AA" == code(answer)
    assert b"ERR||MSH^1^12^1^1|203^Unsupported version id^HL70357|W|" in answer


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        (b"this is not HL7 at all", []),
        (b"PID|1||M1^^^NORTH^MR", []),
        (b"junk MSH|^~\\&|EHR|NORTH|||20250110||ADT^A08|N1|P|2.5.1", ["AR"]),
        (b"junk MSH|^~\\&|EHR|NORTH|||20250110||ADT^A08|N2|P|2.5.1|||AL|AL", ["CR"]),
        (b"junk MSH|^~\\&|EHR|NORTH|||20250110||ADT^A08|N3|P|2.5.1|||NE|NE", []),
        (b"MSH|^^^^|EHR|NORTH|||20250110||ADT^A08|N4|P|2.5.1", ["AR"]),
        (message("ACK^A08", "N5", "MSA|AA|1"), []),
    ],
)
def test_what_is_hardly_hl7(isthmus: Isthmus, raw: bytes, codes: list[str]) -> None:
    """Answered from what there is of an MSH, else not at all; the line stays open, and the bytes are kept."""
    before = {one["id"] for one in isthmus.all("/v1/messages")}
    with Line(isthmus.mllp) as line:
        assert codes == heard(line, raw)
    kept = [
        one
        for one in isthmus.all("/v1/messages")
        if one["id"] not in before and not one.get("controlId", "").startswith("PROBE")
    ]

    assert [raw] == [isthmus.ask("GET", f"/v1/messages/{one['id']}/raw").body for one in kept]


@pytest.mark.parametrize("held", ["intake", "feeds/soak"])
def test_what_is_held_keeps_nothing(isthmus: Isthmus, held: str) -> None:
    """Intake or a feed paused through the API: AR and CR, nothing kept; released, the same message is accepted."""
    control = f"H{held[0]}"
    with Line(isthmus.mllp) as line:
        assert 200 == isthmus.ask("POST", f"/v1/{held}/pause").status
        assert ["AR"] == heard(line, sent("applied", ORIGINAL, control))
        assert ["CR"] == heard(line, sent("applied", "AL/AL", control))
        assert ["AR"] == heard(line, sent("applied", "NE/AL", control))
        with Line(isthmus.mllp) as unheard:
            assert unheard.say(sent("applied", "NE/NE", control)) is None, "who wants no answer sees a closed line"
        assert "paused" in [one["state"] for one in isthmus.get("/v1/feeds")["items"] if one["name"] == "soak"]
        assert [] == isthmus.all(f"/v1/messages?controlId={control}")
        assert 200 == isthmus.ask("POST", f"/v1/{held}/release").status
        assert ["AA"] == heard(line, sent("applied", ORIGINAL, control))


def test_one_feed_is_held_and_the_others_are_not(isthmus: Isthmus) -> None:
    """Holding a feed holds nobody else; an unknown feed is not found."""
    isthmus.ask("POST", "/v1/feeds/strict/pause")
    with Line(isthmus.ports["strict"]) as held, Line(isthmus.mllp) as free:
        assert ["AR", "AA"] == [code(line.say(booking("F910", "K910", mrn="M910"))) for line in (held, free)]
    isthmus.ask("POST", "/v1/feeds/strict/release")

    assert 404 == isthmus.ask("POST", "/v1/feeds/nobody/pause").status


@pytest.mark.parametrize(("asks", "answer"), [(ORIGINAL, "AE"), ("AL/AL", "CE"), ("NE/AL", "AE")])
def test_an_error_instead_of_a_refusal(isthmus: Isthmus, asks: str, answer: str) -> None:
    """`unavailable = "AE"` says so by AE and CE; never by CA, because nothing was kept."""
    isthmus.ask("POST", "/v1/feeds/erring/pause")
    with Line(isthmus.ports["erring"]) as line:
        assert [answer] == heard(line, sent("applied", asks, "E1"))
    isthmus.ask("POST", "/v1/feeds/erring/release")

    assert [] == isthmus.all("/v1/messages?controlId=E1")


def test_a_closed_line_instead_of_an_answer(isthmus: Isthmus) -> None:
    """`unavailable = "close"`: no answer, the line ends, nothing is kept."""
    isthmus.ask("POST", "/v1/feeds/closing/pause")
    with Line(isthmus.ports["closing"]) as line:
        assert line.say(sent("applied", ORIGINAL, "X1")) is None
    isthmus.ask("POST", "/v1/feeds/closing/release")

    assert [] == isthmus.all("/v1/messages?controlId=X1")
    with Line(isthmus.ports["closing"]) as line:
        assert "AA" == code(line.say(sent("applied", ORIGINAL, "X1")))


def test_a_full_queue(tmp_path: Path) -> None:
    """What finds no room is declined and not kept."""
    numbers = ["Q1", "Q2", "Q3"]
    with running(Isthmus(tmp_path, settings={"intake": {"queue": 1}})) as full, Line(full.mllp) as line:
        line.socket.sendall(b"".join(frame(sent("applied", ORIGINAL, one)) for one in numbers))
        answers = {one: code(line.hear()) for one in numbers}

        assert ("AA", "AR") == (answers["Q1"], answers["Q2"])
        kept = {one["controlId"] for one in full.all("/v1/messages")}
        assert {one for one, answer in answers.items() if answer == "AA"} == kept


def test_what_is_held_stays_held(tmp_path: Path) -> None:
    """A pause survives a restart, and /v1/switches says since when and by whom."""
    isthmus = Isthmus(tmp_path)
    isthmus.start()
    isthmus.ask("POST", "/v1/intake/pause")
    assert 0 == isthmus.stop()
    with running(isthmus), Line(isthmus.mllp) as line:
        (switch,) = isthmus.get("/v1/switches")["items"]
        assert "AR" == code(line.say(sent("applied", ORIGINAL, "S1")))
        assert ("intake", "admin", True) == (switch["name"], switch["by"], switch["since"] > "2026")
