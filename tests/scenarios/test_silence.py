"""A feed that falls silent raises one event and a metric, and clears them itself when it is heard again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line, code
from tests.scenarios.messages import booking

SOON = {"silent-after-seconds": 1.0}


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """Three feeds of which a second's quiet is said at once."""
    made = Isthmus(tmp_path_factory.mktemp("silence"), feed=SOON)
    made.peer("held", SOON)
    made.peer("never", SOON)
    with running(made) as started:
        yield started


def told(isthmus: Isthmus, feed: str) -> list[str]:
    """What the feed of events says of a feed, in order."""
    return [one["type"] for one in isthmus.get("/v1/events?types=feed.*")["items"] if one["subject"] == feed]


def shown(isthmus: Isthmus, feed: str) -> tuple[bool, bool]:
    """Whether it counts as silent: in the metrics, and on /v1/feeds."""
    metrics = isthmus.ask("GET", "/metrics", client=None).body.decode()
    (state,) = [one for one in isthmus.get("/v1/feeds")["items"] if one["name"] == feed]
    return f'isthmus_feed_silent{{feed="{feed}"}} 1.0' in metrics, state["silent"]


def test_silent_and_back(isthmus: Isthmus) -> None:
    """One event when it falls silent however long it lasts, one when it is back; the metric follows; others are not it.

    A held feed's quiet is not its own, and a feed that was never heard has no pace to miss.
    """
    with Line(isthmus.ports["held"]) as line:
        line.say(booking("H1", "H1"))
    isthmus.ask("POST", "/v1/feeds/held/pause")
    with Line(isthmus.mllp) as line:
        assert "AA" == code(line.say(booking("F1", "K1")))
        wait(lambda: told(isthmus, "soak"))
        time.sleep(2.5)  # another round of the watch
        assert (["feed.silent"], (True, True)) == (told(isthmus, "soak"), shown(isthmus, "soak"))

        assert "AA" == code(line.say(booking("F2", "K2", mrn="M2")))
        wait(lambda: len(told(isthmus, "soak")) > 1)
    assert ["feed.silent", "feed.resumed"] == told(isthmus, "soak")[:2]
    assert [] == told(isthmus, "held") + told(isthmus, "never")
    assert [(False, False)] * 2 == [shown(isthmus, feed) for feed in ("held", "never")]


def test_the_event_names_the_feed_alone(isthmus: Isthmus) -> None:
    """It is about a feed and no patient, and goes to who subscribes to it like any other."""
    wait(lambda: told(isthmus, "soak"))
    event = isthmus.get("/v1/events?types=feed.silent")["items"][0]

    assert ("feed.silent", "soak", 0) == (event["type"], event["subject"], event["version"])


def test_a_restart_does_not_forget(tmp_path: Path) -> None:
    """Silence goes on through a restart without a second event; a feed that then stays quiet is still missed."""
    isthmus = Isthmus(tmp_path, feed=SOON)
    isthmus.peer("other", SOON)
    isthmus.start()
    with Line(isthmus.mllp) as line:
        line.say(booking("F1", "K1"))
    wait(lambda: told(isthmus, "soak"))
    with Line(isthmus.ports["other"]) as line:
        line.say(booking("F2", "K2", mrn="M2"))
    isthmus.stop()
    with running(isthmus):
        assert (True, True) == shown(isthmus, "soak")
        wait(lambda: told(isthmus, "other"))
        with Line(isthmus.mllp) as line:
            line.say(booking("F3", "K3", mrn="M3"))
        wait(lambda: len(told(isthmus, "soak")) > 1)
        assert ["feed.silent", "feed.resumed"] == told(isthmus, "soak")[:2]
        assert ["feed.silent"] == told(isthmus, "other")
