"""How long a message is kept."""

import pytest

from gateway.retention.lives import life_of, lives_of, longest, mark_of
from gateway.site.settings import MessageClass, RetentionSettings
from gateway.store.protocol import Old

CLASSES = (
    MessageClass(feed="lab", type="ORU", days=10),
    MessageClass(type="ORU", days=20),
    MessageClass(event="A08", days=30),
)


@pytest.mark.parametrize(
    ("feed", "kind", "event", "days"),
    [
        ("lab", "ORU", "R01", 10),
        ("ehr", "ORU", "R01", 20),
        ("lab", "ADT", "A08", 30),
        ("lab", "ADT", "A01", 90),
        ("lab", "", "", 90),
    ],
)
def test_the_first_class_that_speaks_of_it_decides(feed: str, kind: str, event: str, days: int) -> None:
    """What no class speaks of is kept as all messages are."""
    lives = lives_of(RetentionSettings(messages=90, classes=CLASSES))

    assert days == life_of("main", Old(1, "msg_1", feed, kind, event, 1), lives).days


def test_nothing_is_dropped_whole_before_the_longest_life_ends() -> None:
    """For ever is longer than any other."""
    assert 90 == longest(lives_of(RetentionSettings(messages=90, classes=CLASSES)))
    assert 30 == longest(lives_of(RetentionSettings(messages=15, classes=CLASSES)))
    assert None is longest(lives_of(RetentionSettings(classes=CLASSES)))
    assert None is longest(lives_of(RetentionSettings()))


def test_other_classes_are_followed_anew() -> None:
    """Other days are not: what was purged is gone, and what is left comes after it."""

    def marks(*classes: MessageClass, messages: int = 90) -> list[str]:
        lives = lives_of(RetentionSettings(messages=messages, classes=classes))
        return [mark_of("main", life, lives) for life in lives]

    assert marks(*CLASSES) == marks(*CLASSES, messages=50)
    assert set(marks(*CLASSES)).isdisjoint(marks(*CLASSES[1:]))
    assert 4 == len(set(marks(*CLASSES)))
