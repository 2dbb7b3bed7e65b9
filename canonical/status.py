"""How a status comes about: the fold that turns what was said into what is so, and the history of it.

A status is never overwritten. Every statement is kept as a fact with its clock, and the status is the fold of the
facts in the order of their clocks: whatever order they arrived in, the result is the same (DOMAIN 1.0 rule 2, 2.10).
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from canonical.machines import MACHINES, REMOVED
from canonical.records import Fact

__all__ = ["MACHINES", "REMOVED", "Change", "Line", "allowed", "fold", "hear", "history", "lines", "remember"]


class Line(NamedTuple):
    """What a fact did, where it did anything that can be told: the status before it, and how it came."""

    before: str | None
    fact: Fact
    effective: bool


class Change(Struct, frozen=True, kw_only=True):
    """One line of a status history: from what to what, by which fact, and whether it was out of the ordinary."""

    before: str | None
    after: str
    fact: Fact
    anomaly: bool = False
    late: bool = False
    effective: bool = True


def allowed(kind: str, before: str | None, after: str) -> bool:
    """Whether the machine of this record type knows the transition."""
    return before == after or after in MACHINES[kind].get(before, ())


def history(kind: str, facts: Sequence[Fact]) -> Iterator[Change]:
    """The lines of a status history, in the order of the senders' clocks.

    The feed is the truth: an irregular transition is applied and marked, and whatever is heard of first is a beginning.
    """
    for before, fact, effective in lines(facts):
        yield Change(
            before=before,
            after=fact.status if effective else before or fact.status,
            fact=fact,
            anomaly=effective and before is not None and not allowed(kind, before, fact.status),
            late=fact.late,
            effective=effective,
        )


def lines(facts: Sequence[Fact]) -> list[Line]:
    """The facts that changed the status, and those that would have but had no effect; the latter once in each status.

    What only says again what holds is no line, nor is a weak word after a stronger one: a record that is confirmed all
    day looks the same in the evening.
    """
    found: list[Line] = []
    current: Fact | None = None
    vain: set[tuple[str, str, str]] = set()
    for fact in facts:
        before = current.status if current else None
        if effective := _takes_effect(current, fact):
            current = fact
            vain = vain if before == fact.status else set()
        what = (fact.status, fact.event, fact.feed)
        if before != fact.status and (effective or not (fact.weak or what in vain)):
            found.append(Line(before, fact, effective))
            if not effective:
                vain.add(what)
    return found


def _takes_effect(current: Fact | None, fact: Fact) -> bool:
    """What is said holds, with three exceptions.

    A weak fact gives way to any other. What one feed removed, no other feed brings back, nor does an event that names
    no status. The cancel of an event has no
    effect while the status came from another event (A11 after A03).
    """
    if current is None or current.weak:
        return True
    if fact.weak:
        return False
    if current.status == REMOVED and (fact.implied or fact.status == REMOVED or fact.feed != current.feed):
        return False
    return not fact.cancels or current.event in fact.cancels


def fold(facts: Sequence[Fact]) -> Fact | None:
    """The fact that now holds."""
    current: Fact | None = None
    for fact in facts:
        if _takes_effect(current, fact):
            current = fact
    return current


def hear(facts: Sequence[Fact], fact: Fact) -> tuple[Fact, ...]:
    """The facts with one that was received now: it is late where a newer one is known, and stays so when read again."""
    message = fact.stamp.message
    known = next((one for one in facts if one.stamp.message == message), None)
    late = known.late if known else any(_clock(fact) < _clock(one) for one in facts)
    return remember(facts, replace(fact, late=True) if late else fact)


def remember(facts: Sequence[Fact], fact: Fact) -> tuple[Fact, ...]:
    """The facts with one more, in clock order; a message that is read again replaces what it said before.

    Of a run of equal facts only the first and the last are kept: what lies between them cannot change any fold, and
    long stays stay small.
    """
    message = fact.stamp.message
    known = [one for one in facts if one.stamp.message != message]
    insort(known, fact, key=_clock)
    last = len(known) - 1
    return tuple(
        [
            one
            for at, one in enumerate(known)
            if not (0 < at < last and _same(known[at - 1], one) and _same(one, known[at + 1]))
        ]
    )


def _clock(fact: Fact) -> tuple[int, int]:
    return fact.stamp.rank, fact.stamp.at


def _same(one: Fact, other: Fact) -> bool:
    """Whether two facts say the same. Of weak ones neither event nor feed matters: nothing cancels them."""
    return (
        one.status == other.status
        and one.weak == other.weak
        and one.implied == other.implied
        and one.reason == other.reason
        and one.source == other.source
        and (one.weak or (one.feed == other.feed and one.event == other.event and one.cancels == other.cancels))
    )
