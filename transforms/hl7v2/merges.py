"""Merges, moves, renames and links of patients, accounts and visits: MRG and its events (2.5.1 ch. 3.3; DOMAIN 2.4).

A merge says that two are one from now on; a move gives something to another patient; a change of a number renames. What
is named and unknown leaves a tombstone, so that messages which are late find their way.
"""

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from canonical.datatypes import Identifier
from canonical.patches import SELF, Mapped, Merge, Patch, Said, Tie
from canonical.problems import Problem

from . import encounter
from .actions import Action
from .authority import SSN
from .belonging import about
from .codes import MEMBER_TYPES
from .er7 import Segment
from .identity import identifier, identifiers
from .patient import named_at
from .rows import Reading, take
from .visits import each_patient, stay

ACTIVE: Final = Said(status="active")
UNKNOWN: Final = Said(status="unknown", weak=True)
NOTHING_MERGED: Final = "no number of the record that is merged away: nothing was merged"
NOTHING_MOVED: Final = "MRG-1 and PID-3 have no number in common: no number was moved"
NO_ACCOUNT: Final = "the event is about an account, and one of its two numbers is missing"
NO_OTHER: Final = "a link needs two patients, each with a number in PID-3"
LEAVES: Final = {"A46": (4, 2), "A48": (2, 4)}  # MRG-4 is the prior external number, MRG-2 the alternate one


def merge_patients(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A18, A30, A34, A36, A39, A40: in each group the patient of MRG is the one of PID."""
    missing: list[str] = []
    for pid, who in each_patient(reading, mapped, said=ACTIVE):
        groups = about(reading, pid, "MRG")
        missing += [] if groups else ["MRG-1"]
        for mrg in groups:
            former, further = _former(mrg, reading)
            if former:
                who.retires += further
                mapped.merges.append(Merge(source=former, survivor=len(reading.cast.patches)))
            else:
                missing.append(f"{mrg.path}-1")
        reference = reading.cast.add(who)
        if action.code == "A36":
            _accounts(action, reading, pid, reference)
    _without(missing, bool(mapped.merges), reading, mapped)


def _without(missing: Sequence[str], are_others: bool, reading: Reading, mapped: Mapped) -> None:
    """Groups that do not say who is merged away; a message of which no group does is about nobody, and is parked."""
    if missing and not are_others:
        nobody = Problem(code="DQ-REQUIRED-MISSING", path=missing[0], detail=NOTHING_MERGED, severity="error")
        mapped.anchor_missing = mapped.anchor_missing or nobody
        return
    for path in missing:
        reading.complain("DQ-REQUIRED-MISSING", NOTHING_MERGED, at=path)


def merge_accounts(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A35, A41, A49: what was on the account of MRG-3 is on that of PID-18."""
    for pid, who in each_patient(reading, mapped):
        _accounts(action, reading, pid, reading.cast.add(who))


def _accounts(action: Action, reading: Reading, pid: Segment, patient: str) -> None:
    now = encounter.typed(_number(pid, 18, reading), "AN")
    for mrg in about(reading, pid, "MRG"):
        before = encounter.typed(_number(mrg, 3, reading, "account"), "AN")
        if not now or not before:
            reading.complain("DQ-REQUIRED-MISSING", NO_ACCOUNT, at=f"{mrg.path}-3" if now else f"{pid.path}-18")
        elif not _same(now, before):
            patch = Patch(
                type="encounter",
                anchors=(before,),
                also=(now,),
                fields={"account": now, "patient": patient},
                said=UNKNOWN,
                event=action.event if action.event.startswith("encounter.") else None,
                retires=(before,),
                every=True,
            )
            _traced(reading.cast.add(patch), pid, (f"{mrg.path}-3",), reading)


def move_account(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A44: the visits on an account belong to the patient of PID from now on."""
    for pid, who in each_patient(reading, mapped):
        patient = reading.cast.add(who)
        moved = [
            _number(pid, 18, reading),
            *(_number(mrg, 3, reading, "account") for mrg in about(reading, pid, "MRG")),
        ]
        accounts = _once(encounter.typed(one, "AN") for one in moved)
        if not accounts:
            reading.complain("DQ-REQUIRED-MISSING", NO_ACCOUNT, at=f"{pid.path}-18")
            continue
        patch = Patch(
            type="encounter",
            anchors=accounts,
            fields={"account": accounts[0], "patient": patient},
            said=UNKNOWN,
            event=action.event,
            retires=accounts[1:],
            every=True,
        )
        former = tuple(f"{mrg.path}-3" for mrg in about(reading, pid, "MRG"))
        _traced(reading.cast.add(patch), pid, former, reading)


def move_visits(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A45: each visit of a (MRG, PV1) pair belongs to the patient and the account of PID from now on."""
    for pid, who in each_patient(reading, mapped):
        patient = reading.cast.add(who)
        account = _number(pid, 18, reading)
        for mrg, pv1 in _pairs(pid, reading):
            left = _number(mrg, 3, reading, "account")
            drops = (left,) if left and account and not _same(left, account) else ()
            place = stay(action, reading, mapped, pid, pv1, patient, former=_visit(mrg, 5, reading), drops=drops)
            if place and drops:
                reading.used(f"{place[len(SELF) :]}.identifiers", f"{mrg.path}-3", "identifier")
            _one_visit(place, reading, mapped)


def merge_visits(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A42, A50, A51: the visit of MRG-5 (A51: MRG-6) is the one of PV1, or is known by that number from now on."""
    index = 6 if action.code == "A51" else 5
    for pid, who in each_patient(reading, mapped):
        patient = reading.cast.add(who)
        for mrg, pv1 in _pairs(pid, reading):
            former = _visit(mrg, index, reading)
            place = stay(action, reading, mapped, pid, pv1, patient, former=former) if former else None
            if place is None:
                reading.complain("DQ-REQUIRED-MISSING", NOTHING_MERGED, at=f"{mrg.path}-{index}")
            _one_visit(place, reading, mapped)


def _one_visit(place: str | None, reading: Reading, mapped: Mapped) -> None:
    """The visit under a former number is this one, should it be known as another."""
    survivor = int(place[1:]) if place else 0
    if place and (former := reading.cast.patches[survivor].retires):
        mapped.merges.append(Merge(source=former, survivor=survivor, type="encounter"))


def rename_patient(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A46, A47, A48: the patient of MRG has the numbers of PID now; the others become old ones."""
    missing: list[str] = []
    is_named = False
    for pid, who in each_patient(reading, mapped, event=action.event):
        kept = {(one.system, one.value) for one in (*who.anchors, *who.also)}
        former: list[Identifier] = []
        for mrg in about(reading, pid, "MRG"):
            fields = LEAVES.get(action.code, ())
            reading.field = "identifiers"
            found = [one for index in fields for one in take(identifiers, mrg, index, reading) or ()]
            reading.field = None
            former += found or _former(mrg, reading)[0]
        gone = tuple(one for one in _once(former) if (one.system, one.value) not in kept)
        if gone:
            who.anchors += gone
            who.retires = gone
            mapped.merges.append(Merge(source=gone, survivor=len(reading.cast.patches)))
        else:
            missing.append("MRG-1")
        is_named = is_named or bool(former)
        reading.cast.add(who)
    _without(missing, is_named, reading, mapped)


def move_identifiers(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A43: the numbers that PID-3 and MRG-1 share leave the patient whom the rest of MRG-1 names, for that of PID-3."""
    for pid, who in each_patient(reading, mapped, event=action.event):
        listed = {(one.system, one.value): one for one in who.anchors}
        sources: list[Patch] = []
        for mrg in about(reading, pid, "MRG"):
            former, _ = _former(mrg, reading)
            moved = tuple(listed[one.system, one.value] for one in former if (one.system, one.value) in listed)
            left = tuple(one for one in former if (one.system, one.value) not in listed)
            stays = tuple(one for one in who.anchors if one not in moved)
            if moved and left and stays:
                who = replace(who, anchors=stays, also=(*who.also, *moved))
                sources.append(Patch(type="patient", anchors=left, drops=moved, event=action.event))
            else:
                reading.complain("DQ-REQUIRED-MISSING", NOTHING_MOVED, at=f"{mrg.path}-1")
        reading.cast.patches += [who, *sources]


def link(action: Action, reading: Reading, mapped: Mapped) -> None:
    """A24, A37: two patients are, or are no longer, thought to be one person; both records stay."""
    linked = action.code == "A24"
    named = {int(reading.cast.add(who)[1:]): pid for pid, who in each_patient(reading, mapped)}
    places = list(named)
    for place in places:
        for pid in named.values():
            reading.used(f"{place}.links", named_at(pid), "link")
    if len(places) < 2 and not mapped.anchor_missing:
        reading.complain("DQ-REQUIRED-MISSING", NO_OTHER, at="PID-3")
    mapped.ties += [Tie(one=places[0], other=other, linked=linked) for other in places[1:]]


def _former(mrg: Segment, reading: Reading) -> tuple[tuple[Identifier, ...], tuple[Identifier, ...]]:
    """The numbers that find the patient who is merged away, and further ones: MRG-1, else MRG-4 and MRG-2."""
    reading.field = "identifiers"
    listed, external, alternate = (take(identifiers, mrg, index, reading) or () for index in (1, 4, 2))
    reading.field = None
    found = _once(one for one in listed if one.type not in MEMBER_TYPES and one.type != "SS" and one.system != SSN)
    older = _once((*external, *alternate))
    return (found, older) if found else (older, ())


def _number(segment: Segment, index: int, reading: Reading, field: str | None = None) -> Identifier | None:
    """One number; `field` is what it is in a lineage, where it is a former one."""
    reading.field = field
    found = take(identifier, segment, index, reading) or None
    reading.field = None
    return found


def _traced(reference: str, pid: Segment, former: Sequence[str], reading: Reading) -> None:
    """Leave a trace of the visits on an account, which PID and MRG-3 alone speak of."""
    number = reference[len(SELF) :]
    accounts = [f"{pid.path}-18"] if pid.get(18) else list(former)
    reading.used(f"{number}.patient", named_at(pid), "patient")
    for path in accounts:
        reading.used(f"{number}.account", path, "identifier")
    for path in dict.fromkeys((*accounts, *former)):
        reading.used(f"{number}.identifiers", path, "identifier")


def _visit(mrg: Segment, index: int, reading: Reading) -> tuple[Identifier, ...]:
    return _once((encounter.typed(_number(mrg, index, reading, "identifiers"), "VN"),))


def _pairs(pid: Segment, reading: Reading) -> Iterator[tuple[Segment, Segment]]:
    """Each MRG with the PV1 that follows it."""
    visits = about(reading, pid, "PV1")
    for mrg in about(reading, pid, "MRG"):
        at = bisect(visits, mrg.number, key=lambda one: one.number)
        if at < len(visits):
            yield mrg, visits[at]


def _once(numbers: Iterable[Identifier | None]) -> tuple[Identifier, ...]:
    """Each number once, by what it is matched on."""
    return tuple({(one.system, one.value): one for one in numbers if one}.values())


def _same(one: Identifier, other: Identifier) -> bool:
    return (one.system, one.value) == (other.system, other.value)
