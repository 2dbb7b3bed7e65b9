"""A status that follows from the parts of a record: a requisition's from its lines, an authorization's from its items.

No single message can say it. One receipt does not know of the others, and a payer decides one item today and another
tomorrow, so it is worked out again from all that is known (DOMAIN 1.7, 1.10).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from canonical.datatypes import AuthorizationItem, Decision, Line, Progress

# How far a requisition has come, from the first status that its lines may move on.
STAGES: Final = ("pending-approval", "approved", "partially-ordered", "ordered", "partially-received", "received")
APPROVED, SOME_ORDERED, ORDERED, SOME_RECEIVED, RECEIVED = range(1, 6)
# A word about the whole says how far at least every line has come.
FLOORS: Final = {
    "approved": APPROVED,
    "partially-ordered": APPROVED,
    "ordered": ORDERED,
    "partially-received": APPROVED,
    "received": RECEIVED,
}
EVERY_ITEM: Final = "*"
# Where an authorization waits for a payer's word or has it: its items decide then.
WITH_PAYER: Final = frozenset(
    {
        *("submitted", "pended", "approved", "partially-approved", "modified", "denied", "contact-payer"),
        "not-required",
    }
)


def of_lines(said: str | None, lines: Sequence[Line], progress: Sequence[Progress]) -> str | None:
    """The status of a requisition of which `said` is the last word about the whole.

    Lines that were cancelled or rejected count no more; the others move it on, and never back.
    """
    if said not in STAGES:
        return said
    done = {one.key: number(one.quantity.value) for one in progress}
    live = [line for line in lines if wanted(line, done) > 0]
    if lines and not live:
        return "rejected" if all(f"{one.key}/rejected" in done for one in lines) else "cancelled"
    stages = [max(FLOORS.get(said, 0), _stage(line, done)) for line in live]
    return STAGES[max(STAGES.index(said), _together(stages))]


def line_status(line: Line, progress: Sequence[Progress]) -> str | None:
    """How far one line has come by itself; None while nothing is known of it."""
    done = {one.key: number(one.quantity.value) for one in progress if one.line == line.key}
    if not done:
        return None
    if wanted(line, done) <= 0:
        return "rejected" if f"{line.key}/rejected" in done else "cancelled"
    stage = _stage(line, done)
    return STAGES[stage] if stage else None


def wanted(line: Line, done: Mapping[str, Decimal]) -> Decimal:
    """How many of a line are still to be had: what was approved, or else asked for, without what will not come."""
    asked = number(line.quantity.value) - done.get(f"{line.key}/rejected", Decimal())
    return min(asked, done.get(f"{line.key}/approved", asked)) - done.get(f"{line.key}/cancelled", Decimal())


def _stage(line: Line, done: Mapping[str, Decimal]) -> int:
    need = wanted(line, done)
    received = done.get(f"{line.key}/received", Decimal())
    ordered = done.get(f"{line.key}/ordered", Decimal())
    if received > 0:
        return RECEIVED if received >= need else SOME_RECEIVED
    if ordered > 0:
        return ORDERED if ordered >= need else SOME_ORDERED
    return APPROVED if done.get(f"{line.key}/approved", 0) > 0 else 0


def _together(stages: Sequence[int]) -> int:
    """How far the lines have come together."""
    if not stages:
        return 0
    least, most = min(stages), max(stages)
    if least == RECEIVED or most < SOME_ORDERED:
        return least
    if most >= SOME_RECEIVED:
        return SOME_RECEIVED
    return ORDERED if least == ORDERED else SOME_ORDERED


def of_decisions(said: str | None, items: Sequence[AuthorizationItem], decisions: Sequence[Decision]) -> str | None:
    """The status of an authorization of which `said` is the last word about the whole, by the decisions since then.

    One that is pended holds up all; else those that agree give their word, and those that do not make it partial.
    """
    if said not in WITH_PAYER or not decisions:
        return said
    told = {one.key: one.status for one in decisions}
    otherwise = told.pop(EVERY_ITEM, "pended" if said == "submitted" else said)
    found = [told.get(item.key, otherwise) for item in items] or list(told.values()) or [otherwise]
    live = set(found) - {"cancelled"} or {"cancelled"}
    if "pended" in live:
        return "pended"
    return live.pop() if len(live) == 1 else "partially-approved"


def number(text: str) -> Decimal:
    """A decimal of a message; what is none counts for nothing."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return Decimal()
    return found if found.is_finite() else Decimal()
