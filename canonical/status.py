"""Status machines: which transitions are regular, and the fold that turns what was said into what is so.

A status is never overwritten. Every statement is kept as a fact with its clock, and the status is the fold of the
facts in the order of their clocks: whatever order they arrived in, the result is the same (DOMAIN 1.0 rule 2, 2.10).
"""

from bisect import insort
from collections.abc import Iterator, Sequence

from msgspec import Struct

from canonical.records import Fact

REMOVED = "entered-in-error"

APPOINTMENT = {
    None: {"proposed", "pending", "waitlist", "booked"},
    "proposed": {"pending", "waitlist", "booked", "cancelled", REMOVED},
    "pending": {"booked", "waitlist", "proposed", "cancelled", REMOVED},
    "waitlist": {"pending", "booked", "cancelled", REMOVED},
    "booked": {
        *("booked", "pending", "waitlist", "arrived", "checked-in", "fulfilled", "cancelled", "noshow", REMOVED),
    },
    "arrived": {"checked-in", "fulfilled", "booked", "cancelled", "noshow", REMOVED},
    "checked-in": {"arrived", "fulfilled", "cancelled", REMOVED},
    "fulfilled": {"checked-in", "arrived", "noshow", REMOVED},
    "noshow": {"arrived", "checked-in", "fulfilled", "booked", "cancelled"},
    "cancelled": {"booked", "waitlist", REMOVED},
    REMOVED: set(),
}
ENCOUNTER = {
    None: {"planned", "arrived", "triaged", "in-progress"},
    "planned": {"arrived", "triaged", "in-progress", "cancelled", REMOVED},
    "arrived": {"triaged", "in-progress", "finished", "cancelled", "planned", REMOVED},
    "triaged": {"in-progress", "finished", "cancelled", REMOVED},
    "in-progress": {"onleave", "finished", "cancelled", REMOVED},
    "onleave": {"in-progress", "finished", REMOVED},
    "finished": {"in-progress", REMOVED},
    "cancelled": {"planned", "in-progress", REMOVED},
    REMOVED: set(),
}
ACTIVE = {
    None: {"active", "inactive"},
    "active": {"inactive", "merged", REMOVED},
    "inactive": {"active", "merged", REMOVED},
    "merged": {"active"},
    REMOVED: set(),
}
MACHINES: dict[str, dict[str | None, set[str]]] = {
    "appointment": APPOINTMENT,
    "encounter": ENCOUNTER,
    "patient": ACTIVE,
    "provider": ACTIVE,
    "location": ACTIVE,
}


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
    """The facts in the order of their clocks, each with what it did.

    The feed is the truth: an irregular transition is applied and marked. Three things have no effect: a weak fact
    after any other, the cancel of an event that is not the current one, and any fact after `entered-in-error` that does
    not come from the feed which removed the record.
    """
    current: Fact | None = None
    newest = -1
    for fact in facts:
        before = current.status if current else None
        effective = _takes_effect(current, fact)
        yield Change(
            before=before,
            after=fact.status if effective else before or fact.status,
            fact=fact,
            anomaly=effective and not allowed(kind, before, fact.status),
            late=fact.recorded_at < newest,
            effective=effective,
        )
        newest = max(newest, fact.recorded_at)
        if effective:
            current = fact


def _takes_effect(current: Fact | None, fact: Fact) -> bool:
    if current is None:
        return True
    if fact.weak:
        return False
    if current.status == REMOVED:
        return fact.status != REMOVED and fact.feed == current.feed
    return not fact.cancels or current.event in fact.cancels


def fold(facts: Sequence[Fact]) -> Fact | None:
    """The fact that now holds."""
    current: Fact | None = None
    for fact in facts:
        if _takes_effect(current, fact):
            current = fact
    return current


def remember(facts: Sequence[Fact], fact: Fact) -> tuple[Fact, ...]:
    """The facts with one more, in clock order; of a run of equal ones only the first and the last are kept.

    What lies between two equal facts cannot change any fold, so long stays stay small.
    """
    known = list(facts)
    insort(known, fact, key=_clock)
    at = known.index(fact)
    while at > 1 and _same(known[at - 2], known[at - 1], known[at]):
        del known[at - 1]
        at -= 1
    while at < len(known) - 2 and _same(known[at], known[at + 1], known[at + 2]):
        del known[at + 1]
    if 0 < at < len(known) - 1 and _same(known[at - 1], fact, known[at + 1]):
        del known[at]
    return tuple(known)


def _clock(fact: Fact) -> tuple[int, int]:
    return fact.stamp.rank, fact.stamp.at


def _same(*facts: Fact) -> bool:
    first = facts[0]
    return all(
        fact.status == first.status
        and fact.feed == first.feed
        and fact.event == first.event
        and fact.weak == first.weak
        and fact.cancels == first.cancels
        and fact.reason == first.reason
        and fact.source == first.source
        for fact in facts[1:]
    )
