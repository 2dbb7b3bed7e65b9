"""SIGTERM under load: acknowledged is kept and kept is acknowledged, everyone is let go, and work goes on after."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code
from tests.scenarios.collector import Collector, Request
from tests.scenarios.messages import booking

LINES, WINDOW = 4, 16
DRAIN = 5.0


class Sender(threading.Thread):
    """One connection that keeps a window of messages in flight until it is closed, and notes what was acknowledged."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self.line, self.prefix = Line(port), name
        self.acked: list[str] = []
        self.refused: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._send()
        except (ConnectionError, TimeoutError) as error:
            self.error = error
        finally:
            self.line.close()

    def _send(self) -> None:
        sent = heard = 0
        while True:
            try:
                while sent - heard < WINDOW:
                    control = f"{self.prefix}-{sent}"
                    self.line.send(booking(control, control, mrn=control))
                    sent += 1
            except (BrokenPipeError, ConnectionResetError):
                sent = heard + WINDOW  # nothing more can be said; what is on its way can still be heard
            answer = self.line.hear()
            if answer is None:
                return
            (self.acked if code(answer) == "AA" else self.refused).append(f"{self.prefix}-{heard}")
            heard += 1


@pytest.fixture
def isthmus(tmp_path: Path) -> Iterator[Isthmus]:
    """With a short time for leaving."""
    with running(Isthmus(tmp_path, settings={"server": {"drain-seconds": DRAIN}})) as started:
        yield started


def kept(isthmus: Isthmus) -> set[str]:
    """The control ids of all messages."""
    return {one["controlId"] for one in isthmus.all("/v1/messages")}


def test_acknowledged_is_kept_and_kept_is_acknowledged(isthmus: Isthmus) -> None:
    """Under load on several lines, with several messages in flight on each."""
    senders = [Sender(isthmus.mllp, f"S{n}") for n in range(LINES)]
    for sender in senders:
        sender.start()
    wait(lambda: all(len(sender.acked) > 50 for sender in senders))
    assert 0 == isthmus.stop()
    for sender in senders:
        sender.join(10)
    isthmus.start()
    acked = {control for sender in senders for control in sender.acked}

    assert [] == [sender.error for sender in senders if sender.error]
    assert acked == kept(isthmus)
    assert len(acked) > LINES * 50


def test_who_waits_is_let_go(isthmus: Isthmus) -> None:
    """An event stream, a long poll and an idle line end by themselves, and so does the process, within its time."""
    stream, poll = (http.client.HTTPConnection("127.0.0.1", isthmus.http, timeout=30) for _ in range(2))
    token = {"authorization": f"Bearer {isthmus.token()}"}
    stream.request("GET", "/v1/events/stream", headers=token)
    poll.request("GET", "/v1/events?types=patient.merged&wait=60", headers=token)
    answer = stream.getresponse()
    with Line(isthmus.mllp) as idle:
        assert "AA" == code(idle.say(booking("F1", "K1")))
        seen = b""
        while b"appointment.created" not in seen:
            seen += answer.read1()
        isthmus.terminate()

        assert 0 == isthmus.left(within=2 * DRAIN)
        assert idle.hear() is None
    assert b"appointment.created" not in answer.read()
    assert [] == json.load(poll.getresponse())["items"]
    stream.close()
    poll.close()
    isthmus.start()


def test_a_receiver_that_hangs_holds_nobody_up(isthmus: Isthmus) -> None:
    """A delivery under way is waited for no longer than the drain time, and is sent again after the restart."""
    released = threading.Event()
    hooks = Collector()

    def hanging(request: Request) -> int:
        if len(hooks.requests) == 1:
            released.wait(60)
        return 200

    hooks.answer = hanging
    isthmus.get("/v1/subscriptions", True, {"url": hooks.url, "types": ["appointment.*"]})
    with Line(isthmus.mllp) as line:
        line.say(booking("F1", "K1"))
    hooks.wait(1)
    isthmus.terminate()
    try:
        assert 0 == isthmus.left(within=2 * DRAIN)
    finally:
        released.set()
    isthmus.start()
    first, second = hooks.wait(2, within=60)
    hooks.close()

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_deliveries_go_on_after_a_restart(isthmus: Isthmus) -> None:
    """What was on its way, and what had not begun, arrives: once by webhook-id, in the order of each subject."""
    hooks = Collector()

    def slow(request: Request) -> int:
        time.sleep(0.05)
        return 200

    hooks.answer = slow
    isthmus.get("/v1/subscriptions", True, {"url": hooks.url, "types": ["appointment.*"]})
    with Line(isthmus.mllp) as line:
        for n in range(40):
            at = f"20250110{n // 10:02}0000-0500"
            line.say(booking(f"F{n % 10}", f"K{n}", "S14", mrn=f"M{n % 10}", at=at, start=f"202706{n + 10}090000"[:14]))
    hooks.wait(5)
    assert 0 == isthmus.stop()
    isthmus.start()
    wait(lambda: not isthmus.all("/v1/deliveries?state=pending") and not isthmus.all("/v1/deliveries?state=claimed"))
    told = [one for one in isthmus.get("/v1/events?limit=500")["items"] if one["type"].startswith("appointment.")]
    first = {request.headers["webhook-id"]: request.json for request in reversed(hooks.requests)}
    came = list(dict.fromkeys(request.headers["webhook-id"] for request in hooks.requests))
    hooks.close()

    assert {one["id"] for one in told} == {one["id"] for one in first.values()}
    for subject in {one["subject"] for one in told}:
        assert [one["id"] for one in told if one["subject"] == subject] == [
            first[identity]["id"] for identity in came if first[identity]["subject"] == subject
        ]
