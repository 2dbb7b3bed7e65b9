"""What follows an attempt is decided by its class."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.outcome import Kind, Outcome
from policies.retry import DEFAULT, Schedule, decide

HOUR = 3600


def an(kind: Kind, retry_after: float | None = None, attempted: bool = True) -> Outcome:
    return Outcome(kind=kind, code="some_code", retry_after=retry_after, attempted=attempted)


@pytest.mark.parametrize(
    ("verb", "kind", "deduplicates"),
    [
        ("done", "delivered", False),
        ("retry", "transient", False),
        ("retry", "ambiguous", True),
        ("park", "ambiguous", False),
        ("park", "permanent", True),
        ("disable", "gone", True),
    ],
)
def test_verb_of_each_class(verb: str, kind: Kind, deduplicates: bool) -> None:
    """An ambiguous outcome is repeated only where the destination deduplicates."""
    assert verb == decide(an(kind), 1, 0, deduplicates=deduplicates, dice=0).verb


def test_default_schedule_without_dice() -> None:
    """The tries lie at 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, then the delivery is parked."""
    decisions = [decide(an("transient"), attempt, 0, deduplicates=True, dice=0) for attempt in range(1, 11)]

    assert [decision.after for decision in decisions[:-1]] == list(DEFAULT.waits[1:])
    assert (decisions[-1].verb, decisions[-1].why) == ("park", "tries_used_up")
    assert list(accumulate(DEFAULT.waits))[-1] < DEFAULT.horizon


def test_retry_after_is_honoured() -> None:
    """A destination that asks for ten minutes is left alone for ten minutes."""
    assert decide(an("transient", retry_after=600), 1, 0, deduplicates=True, dice=0).after == 600


@pytest.mark.parametrize("attempted", [True, False])
def test_retry_after_beyond_the_horizon_is_cut(attempted: bool) -> None:
    """Nobody waits for longer than the horizon: there is one more try at its end, and then no other."""
    asks = an("transient", retry_after=10**8, attempted=attempted)
    first = decide(asks, 1, 10 * HOUR, deduplicates=True, dice=0.9)
    second = decide(asks, 2, DEFAULT.horizon, deduplicates=True, dice=0)

    assert (first.verb, first.after) == ("retry", DEFAULT.horizon - 10 * HOUR)
    assert (second.verb, second.why) == ("park", "too_late")


def test_what_was_not_attempted_uses_up_no_try() -> None:
    """An open circuit is asked again when it says, however many tries were made."""
    decision = decide(an("transient", retry_after=3, attempted=False), 10, 0, deduplicates=True, dice=0)

    assert (decision.verb, decision.after) == ("retry", 3)


@given(
    attempt=st.integers(1, 9),
    dice=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, 24 * HOUR),
    jitter=st.floats(0, 1),
)
def test_dice_only_lengthen_a_wait(attempt: int, dice: float, asked: float | None, jitter: float) -> None:
    """A retry is never earlier than planned or asked for, and never later than the jitter allows."""
    schedule = Schedule(jitter=jitter, horizon=1000 * HOUR)
    least = max(schedule.waits[attempt], asked or 0)

    after = decide(an("transient", asked), attempt, 0, schedule, deduplicates=True, dice=dice).after

    assert least <= after <= least * (1 + jitter)
