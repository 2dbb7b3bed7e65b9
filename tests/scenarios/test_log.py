"""What the log says: a line for what is out of the ordinary, with ids and codes, and nothing of the happy path."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code
from tests.scenarios.messages import booking, message, person
from tests.scenarios.test_tls import Papers, knock

SMALL = 2000


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """A hospital's CA."""
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[Isthmus]:
    """A feed for each thing that can go wrong."""
    made = Isthmus(tmp_path_factory.mktemp("log"), feed={"silent-after-seconds": 1.0})
    made.peer("small", {"max-bytes": SMALL})
    made.peer("mutual", papers.mutual)
    made.peer("bound", papers.mutual | {"certificates": ["DNS:east.example.org"]})
    made.peer("refusing", {"unmapped": "AR"})
    made.peer("flooded")
    with running(made) as started:
        yield started


def lines(isthmus: Isthmus, event: str, feed: str) -> list[dict[str, Any]]:
    """The lines of one event about one feed."""
    found = [json.loads(one) for one in isthmus.log.read_text().splitlines()]
    return [one for one in found if one["event"] == event and one.get("feed") == feed]


def counted(isthmus: Isthmus, name: str) -> float:
    """A metric by its name and labels; 0 where there is none."""
    metrics = isthmus.ask("GET", "/metrics", client=None).body.decode()
    return next((float(one.rpartition(" ")[2]) for one in metrics.splitlines() if one.startswith(f"{name} ")), 0.0)


def acks(isthmus: Isthmus, feed: str, code: str) -> float:
    """How often a code was answered."""
    return counted(isthmus, f'isthmus_acks_total{{code="{code}",feed="{feed}"}}')


def test_a_message_that_is_applied_is_no_line(isthmus: Isthmus) -> None:
    """Nor is one that comes again, nor one outside the model that its feed takes; each answer is counted."""
    before = acks(isthmus, "soak", "AA")
    with Line(isthmus.mllp) as line:
        assert ["AA"] * 3 == [
            code(line.say(one))
            for one in (booking("L1", "L1"), booking("L1", "L1"), message("ORU^R01", "L2", person()))
        ]

    assert before + 3 == acks(isthmus, "soak", "AA")
    assert "message." not in "".join(one for one in isthmus.log.read_text().splitlines() if '"soak"' in one)


@pytest.mark.parametrize(
    ("feed", "raw", "state", "kind", "problem"),
    [
        (
            "small",
            message("ADT^A08", "P1", "EVN|A08|20250110", "PID|1||||DOE^JANE"),
            "parked",
            "ADT^A08",
            "DQ-REQUIRED-MISSING",
        ),
        ("small", message("", "P2", person()), "refused", "ADT", "required-field-missing"),
        ("refusing", message("ORU^R01", "P3", person()), "unmapped", "ORU^R01", "unsupported-message-type"),
    ],
)
def test_a_message_that_is_not_applied_is_a_line(
    isthmus: Isthmus, feed: str, raw: bytes, state: str, kind: str, problem: str
) -> None:
    """Its id finds it in the API; type, state and code of the problem are there, and nothing of the patient."""
    with Line(isthmus.ports[feed]) as line:
        line.say(raw)
    wait(lambda: lines(isthmus, f"message.{state}", feed))
    (said,) = lines(isthmus, f"message.{state}", feed)

    assert (state, problem, "warning") == (said["state"], said["problem"], said["level"])
    assert state == isthmus.get(f"/v1/messages/{said['message']}")["state"]
    assert state == "refused" or kind == said["type"]
    assert "DOE" not in isthmus.log.read_text()


def test_a_message_that_is_too_long(isthmus: Isthmus) -> None:
    """It is counted as a message and as an answer, and told with whose it was; nothing of it is kept."""
    raw = booking("BIG1", "BIG1") + b"NTE|1||" + b"x" * SMALL + b"\r"
    with Line(isthmus.ports["small"]) as line:
        assert "AR" == code(line.say(raw))
    wait(lambda: lines(isthmus, "message.turned_away", "small"))
    (said,) = lines(isthmus, "message.turned_away", "small")

    assert ("SIU", "value-too-long", "127.0.0.1") == (said["type"], said["why"], said["address"])
    assert 1 == counted(isthmus, 'isthmus_messages_total{feed="small",outcome="oversize",type="SIU"}')
    assert acks(isthmus, "small", "AR")
    assert [] == isthmus.all("/v1/messages?controlId=BIG1")


def test_a_certificate_that_is_not_the_feeds(isthmus: Isthmus, papers: Papers) -> None:
    """Its AR is counted, and told once a minute for each address."""
    for control in ("W1", "W2"):
        with Line(isthmus.ports["bound"], context=papers.showing("unbound")) as line:
            assert "AR" == code(line.say(booking(control, control)))

    assert 2 == acks(isthmus, "bound", "AR")
    assert ["route"] == [one["why"] for one in lines(isthmus, "message.turned_away", "bound")]


def test_a_handshake_that_fails(isthmus: Isthmus, papers: Papers) -> None:
    """It is an MLLP fault like another, and one line a minute for each address says why."""
    for _ in range(3):
        assert "" == knock(isthmus.ports["mutual"], booking("T1", "T1"), papers.showing(None))
    wait(lambda: counted(isthmus, 'isthmus_mllp_faults_total{fault="tls",feed="mutual"}') == 3)
    (said,) = lines(isthmus, "mllp.fault", "mutual")

    assert ("tls", "127.0.0.1", "peer_did_not_return_a_certificate") == (said["fault"], said["address"], said["why"])


def test_what_is_held_and_let_go(isthmus: Isthmus) -> None:
    """Both are told, as is each message that had to wait, whose answer is counted.

    A sender that wants no answer would not notice, so its connection is closed.
    """
    isthmus.ask("POST", "/v1/feeds/flooded/pause")
    with Line(isthmus.ports["flooded"]) as line:
        assert "AR" == code(line.say(booking("H1", "H1")))
        assert line.say(booking("H2", "H2", msh="|||NE|NE")) is None
    isthmus.ask("POST", "/v1/feeds/flooded/release")

    assert 1 == acks(isthmus, "flooded", "AR")
    assert ["held"] * 2 == [one["why"] for one in lines(isthmus, "message.declined", "flooded")]
    assert ["admin"] == [one["client"] for one in lines(isthmus, "feed.held", "flooded")]
    assert lines(isthmus, "feed.released", "flooded")


def test_a_flood_is_a_few_lines(isthmus: Isthmus) -> None:
    """A hundred a minute for each feed; the metrics count them all."""
    with Line(isthmus.ports["flooded"]) as line:
        for number in range(130):
            line.say(message("ADT^A08", f"FL{number}", "EVN|A08|20250110", "PID|1||||DOE^JANE"))

    assert 100 == len(lines(isthmus, "message.parked", "flooded"))
    assert 130 == counted(isthmus, 'isthmus_messages_total{feed="flooded",outcome="parked",type="ADT"}')


def test_a_feed_that_falls_silent(isthmus: Isthmus) -> None:
    """And is back."""
    with Line(isthmus.mllp) as line:
        line.say(booking("S1", "S1"))
        wait(lambda: lines(isthmus, "feed.silent", "soak"))
        line.say(booking("S2", "S2"))
        wait(lambda: lines(isthmus, "feed.resumed", "soak"))


def test_every_event_is_documented(isthmus: Isthmus) -> None:
    """What was logged here stands in the table of the guide."""
    guide = (Path(__file__).parents[2] / "docs/guides/operations.md").read_text()
    said = Counter(json.loads(one)["event"] for one in isthmus.log.read_text().splitlines())

    assert [] == [event for event in said if f"`{event}`" not in guide]
