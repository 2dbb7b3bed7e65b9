"""The patients of a group appointment: who was named first, by the senders' clocks, is first and the appointment's own.

A message about one of them, such as a cancel for her alone, says nothing of the order; nor does the order of receipt.
Patients are known by their numbers, as messages name them, and not by the records that these lead to today: so it is
all the same whether a merge came before or after. Who then stands there twice is shown once (`each_once`).
"""

from collections.abc import Iterable

from canonical.datatypes import Participant
from canonical.records import Mention, Stamp

NEVER = Mention(2**31, 0, 0)


def mention(named: dict[str, Mention], members: Iterable[Participant], stamp: Stamp, place: int = 0) -> int:
    """Remember who was named under this stamp, from that place on; the answer is the next place."""
    for one in members:
        if one.kind == "patient" and one.key:
            said = Mention(stamp.rank, stamp.at, place)
            named[one.key] = min(said, named.get(one.key, said))
            place += 1
    return place


def in_order(members: Iterable[Participant], named: dict[str, Mention]) -> tuple[Participant, ...]:
    """Patients in the order in which they were named, then all others as they stand."""
    return tuple(sorted(members, key=lambda one: (one.kind != "patient", named.get(one.key or "", NEVER))))


def first(members: Iterable[Participant]) -> str | None:
    """The first patient of whom there is a record."""
    return next((one.actor for one in members if one.kind == "patient" and one.actor), None)


def each_once(members: Iterable[Participant]) -> tuple[Participant, ...]:
    """Everyone who takes part, a patient under several numbers as the first of them."""
    found: dict[object, Participant] = {}
    for place, one in enumerate(members):
        found.setdefault(one.actor if one.kind == "patient" and one.actor else place, one)
    return tuple(found.values())
