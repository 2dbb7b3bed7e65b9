"""Statuses are folds of facts: what takes effect, what is irregular, what came late."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canonical.records import Fact, Stamp
from canonical.status import MACHINES, allowed, fold, hear, history, lines, remember

FROM = {"A01": "in-progress", "A02": "in-progress", "A03": "finished", "A05": "planned", "A08": "arrived"}
FROM |= {"A11": "cancelled", "A13": "in-progress", "A23": "entered-in-error", "S12": "booked", "S15": "cancelled"}
CANCELS = {"A11": ("A01", "A04"), "A13": ("A03",)}


def fact(event: str, at: int, received: int | None = None, feed: str = "adt") -> Fact:
    """What an event says, by the tables above; an A08 and an A02 are weak."""
    return Fact(
        status=FROM[event],
        stamp=Stamp(0, at, f"msg_{at}"),
        feed=feed,
        event=event,
        recorded_at=at if received is None else received,
        weak=event in ("A02", "A08"),
        cancels=CANCELS.get(event, ()),
    )


def known(*facts: Fact) -> tuple[Fact, ...]:
    """The facts as they are remembered, heard in this order."""
    held: tuple[Fact, ...] = ()
    for one in facts:
        held = hear(held, one)
    return held


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ("A08", "arrived"),
        ("A08 A01", "in-progress"),
        ("A01 A08", "in-progress"),
        ("A08 A02", "in-progress"),
        ("A05 A02", "planned"),
        ("A01 A03", "finished"),
        ("A01 A03 A11", "finished"),
        ("A01 A11", "cancelled"),
        ("A08 A11", "cancelled"),
        ("A11", "cancelled"),
        ("A01 A11 A08", "cancelled"),
        ("A01 A03 A13", "in-progress"),
        ("A01 A11 A13", "cancelled"),
        ("A01 A23 A03", "finished"),
        ("A01 A23 A08", "entered-in-error"),
        ("A01 A23 A13", "entered-in-error"),
    ],
)
def test_what_was_said_adds_up(events: str, status: str) -> None:
    """Weak facts give way, cancels undo only their own, what was removed comes back by a plain statement alone."""
    facts = [fact(event, at) for at, event in enumerate(events.split())]

    now = fold(known(*facts))

    assert now
    assert status == now.status


def test_another_feed_does_not_bring_back_what_was_removed() -> None:
    """`entered-in-error` is sticky for all but the feed that said it (DOMAIN 1.0 rule 2)."""
    now = fold(known(fact("A01", 1), fact("A23", 2), fact("A01", 3, feed="siu")))

    assert now
    assert now.status == "entered-in-error"


def test_a_late_fact_is_the_one_that_came_late() -> None:
    """S15 is received before the S12 that it cancels: the booking is late, the cancel is not (DOMAIN A2)."""
    changes = list(history("appointment", known(fact("S15", 2, received=10), fact("S12", 1, received=11))))

    assert [("booked", True), ("cancelled", False)] == [(change.after, change.late) for change in changes]


def test_a_fact_without_effect_stays_in_the_history() -> None:
    """An A11 after the discharge is listed, changes nothing and is no anomaly."""
    *_, last = history("encounter", known(fact("A01", 1), fact("A03", 2), fact("A11", 3)))

    assert (last.before, last.after, last.effective, last.anomaly) == ("finished", "finished", False, False)


def test_what_already_holds_is_no_line() -> None:
    """A booking that is confirmed a hundred times is one line, and so is a cancel that never takes effect."""
    booked = known(*(fact("S12", at) for at in range(100)), fact("S15", 101))
    stay = known(fact("A01", 1), fact("A03", 2), *(fact("A11", at) for at in range(3, 50)), fact("A08", 60))

    assert [(None, "booked", 0), ("booked", "cancelled", 101)] == [
        (change.before, change.after, change.fact.stamp.at) for change in history("appointment", booked)
    ]
    assert [("in-progress", 1), ("finished", 2), ("finished", 3)] == [
        (change.after, change.fact.stamp.at) for change in history("encounter", stay)
    ]


def test_a_repetition_that_comes_late_is_no_line() -> None:
    """An older message that says what held already, then and now, changes nothing that anyone can see."""
    held = known(fact("S12", 1, received=1), fact("S12", 5, received=2))

    assert lines(held) == lines(hear(held, fact("S12", 3, received=9)))


def test_an_irregular_transition_is_applied_and_marked() -> None:
    """The feed is the truth: a finished visit that is planned again is planned, and the history says so."""
    first, last = history("encounter", known(fact("A03", 1), fact("A05", 2)))

    assert not first.anomaly, "a record may be heard of first in any status"
    assert (last.after, last.anomaly) == ("planned", True)


@pytest.mark.parametrize("kind", MACHINES)
def test_machines_lead_only_to_their_own_statuses(kind: str) -> None:
    """Every status that a transition leads to is one that the machine knows what to do with."""
    machine = MACHINES[kind]

    assert set().union(*machine.values()) <= set(machine)
    assert all(allowed(kind, status, status) for status in machine if status)


def test_a_message_read_again_replaces_what_it_said() -> None:
    """A replay under another mapping does not leave the first reading behind."""
    facts = known(fact("A01", 1), fact("A03", 2))
    again = Fact(status="cancelled", stamp=Stamp(0, 2, "msg_2"), feed="adt", event="A03", recorded_at=2)

    assert ["in-progress", "cancelled"] == [one.status for one in remember(facts, again)]


def test_a_long_stay_stays_small() -> None:
    """Of a hundred A08s in a row the first and the last are kept."""
    facts = known(fact("A01", 0), *(fact("A08", at) for at in range(1, 101)), fact("A03", 101))

    assert [0, 1, 100, 101] == [one.stamp.at for one in facts]


@given(
    st.lists(st.sampled_from(sorted(FROM)), min_size=1, max_size=9),
    st.lists(st.sampled_from(["adt", "siu"]), min_size=9, max_size=9),
    st.randoms(use_true_random=False),
)
def test_the_fold_knows_no_order_of_receipt(events: list[str], feeds: Sequence[str], dice: object) -> None:
    """Whatever order facts are remembered in, and whichever of them were forgotten as equal, the status is the same."""
    facts = [fact(event, at, feed=feed) for at, (event, feed) in enumerate(zip(events, feeds, strict=False))]
    shuffled = list(facts)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    whole, here, there = fold(facts), fold(known(*facts)), fold(known(*shuffled))

    assert whole
    assert here
    assert there
    assert (whole.status, whole.event) == (here.status, here.event) == (there.status, there.event)


def test_every_order_of_a_stay_ends_finished() -> None:
    """Admit, transfer, update, discharge: in any order of receipt the visit is finished."""
    facts = [fact("A01", 1), fact("A02", 2), fact("A08", 3), fact("A03", 4)]

    assert {"finished"} == {now.status for order in permutations(facts) if (now := fold(known(*order)))}


def test_weak_words_do_not_pile_up() -> None:
    """A provider named all day by several feeds and events keeps two facts: the first and the last."""
    known: tuple[Fact, ...] = ()
    for at in range(200):
        stamp = Stamp(0, at, f"msg_{at}")
        event, feed = ("S12", "A08", "S14")[at % 3], ("east", "west")[at % 2]
        known = remember(known, Fact(status="active", stamp=stamp, feed=feed, event=event, recorded_at=at, weak=True))

    assert [0, 199] == [fact.stamp.at for fact in known]
