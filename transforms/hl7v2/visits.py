"""A message about visits, put together: the patients it names, and for each the encounter that it speaks of."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from canonical.datatypes import Identifier
from canonical.patches import SELF, Edit, Mapped, Patch, Said
from canonical.problems import Problem

from . import encounter, whereabouts
from .actions import Action, decided
from .belonging import about
from .converters import coded
from .er7 import Segment
from .identity import identifier
from .patient import ACTIVE, named_at, patient
from .rows import Reading, take

NO_PATIENT: Final = Problem(
    code="DQ-REQUIRED-MISSING",
    path="PID-3",
    detail="the message names no patient: PID-3 holds no number",
    severity="error",
)
UNNUMBERED: Final = "no number in PID-3: this patient and what is said about them was left out"
NO_VISIT: Final = "the event is about a visit, and the message has none"

# Fields and places that an event empties unless the message says otherwise.
EMPTIES: Final = {
    "A13": ("end", "discharge_disposition", "discharged_to"),
    "A22": ("leave_expected_return",),
    "A25": ("planned_end",),
    "A52": ("leave_expected_return",),
}
VACATES: Final = {
    "A01": ("pending",),
    "A02": ("pending",),
    "A03": ("pending",),
    "A06": ("pending",),
    "A10": ("temporary",),
    "A11": ("pending",),
    "A12": ("prior",),
    "A23": ("pending",),
    "A26": ("pending",),
    "A27": ("pending",),
    "A32": ("temporary",),
    "A33": ("pending", "temporary"),
    "A38": ("pending",),
}
IMPLIES: Final = {"A06": ("I", "Inpatient"), "A07": ("O", "Outpatient")}
# A cancel may name the date or place that is expected no more: it goes all the same. PV1-11 of an A32 or A33 is none of
# these: it is where the patient was, and is (2.5.1 ch. 3.3.32 and 33).
CALLED_OFF: Final = {"A25": ("planned_end",), "A26": ("pending",), "A33": ("pending",)}

# What a cancel can undo: it has no effect on a visit that has come to its state by another event (DOMAIN 2.2).
CANCELS: Final = {
    "A11": ("A01", "A04", "A06", "A07", "A13", "A22", "A52"),
    "A13": ("A03",),
    "A27": ("A05", "A14"),
    "A38": ("A05", "A14"),
    "A52": ("A21",),
    "A53": ("A22",),
}
# Whoever is transferred, on the move or awaited elsewhere is there: so much these events say about an unknown visit.
PRESENT: Final = frozenset({"A02", "A09", "A10", "A12", "A15", "A16", "A17", "A25", "A26", "A32", "A33"})
STATE: Final = (2, 44, 45)  # of PV1: what tells the state of a visit that is heard of without its beginning
_reason = coded("0062")


def each_patient(
    reading: Reading, mapped: Mapped, event: str | None = None, said: Said = ACTIVE
) -> Iterator[tuple[Segment, Patch]]:
    """Every patient of the message that a number names; a message without any is parked."""
    pids = reading.message.all("PID")
    numbered = 0
    for pid in pids:
        found = patient(reading, pid, event, said)
        if found:
            numbered += 1
            yield pid, found
        elif len(pids) > 1:
            reading.complain("DQ-REQUIRED-MISSING", UNNUMBERED, at=f"{pid.path}-3")
    if not numbered:
        mapped.anchor_missing = NO_PATIENT


def visits(action: Action, reading: Reading, mapped: Mapped) -> None:
    """The patients of the message, each with the visit in the PV1 that follows; A17 has two."""
    for pid, who in each_patient(reading, mapped):
        reference = reading.cast.add(who)
        pv1 = next(iter(about(reading, pid, "PV1")), None)
        if pv1 is not None and encounter.is_about_a_visit(pv1, reading):
            traced, former = len(reading.trace or ()), _former(action, pid, reading)
            visit = stay(action, reading, mapped, pid, pv1, reference, former=former)
            if visit:
                reading.number(int(visit[len(SELF) :]), traced)
        elif action.code != "A08":
            reading.complain("DQ-REQUIRED-MISSING", NO_VISIT, at="PV1")


def _former(action: Action, pid: Segment, reading: Reading) -> tuple[Identifier, ...]:
    """The numbers that a visit had before its class changed: MRG-5 and MRG-3 of A06 and A07."""
    if action.code not in IMPLIES:
        return ()
    reading.field = "identifiers"
    found = [
        encounter.typed(take(identifier, mrg, index, reading), kind)
        for mrg in about(reading, pid, "MRG")
        for index, kind in ((5, "VN"), (3, "AN"))
    ]
    reading.field = None
    return tuple([one for one in found if one])


def stay(
    action: Action,
    reading: Reading,
    mapped: Mapped,
    pid: Segment,
    pv1: Segment,
    patient: str,
    former: Sequence[Identifier] = (),
    drops: Sequence[Identifier] = (),
) -> str | None:
    """What is said about one visit; `former` are numbers it was known by. None when nothing tells it from others."""
    problems, traced = len(reading.problems), len(reading.trace or ())
    reading.zone = whereabouts.zone_of(pv1, reading)
    pv2 = next(iter(about(reading, pid, "PV2")), None)
    fields = encounter.fields(pid, pv1, pv2, reading)
    own, weaker = encounter.numbers(pv1, reading), encounter.weaker(fields, pid, pv1, reading)
    known = {(one.system, one.value) for one in (*own, *weaker)}
    retires = tuple(one for one in former if (one.system, one.value) not in known)
    anchors = tuple(dict.fromkeys((*own, *retires, *weaker)))
    anchors = anchors or encounter.derived(pid, pv1, reading.cast.patches[int(patient[1:])].anchors[0], reading)
    if not anchors:
        return None
    said = _said(action, pv1, fields, mapped.clock, reading)
    if reading.trace is not None:
        reading.used("patient", named_at(pid), "patient")
    edits = [*whereabouts.placements(pv1, said, reading), *whereabouts.participants(pv1, pv2, reading)]
    _follow(action, fields, edits, reading)
    patch = Patch(
        type="encounter",
        anchors=anchors,
        fields={"patient": patient, **fields},
        said=said,
        edits=tuple(edits),
        event=action.event,
        retires=retires,
        drops=tuple(drops),
        problems=reading.wrong(problems),
    )
    reading.number(len(reading.cast.patches), traced)
    return reading.cast.add(patch)


def _said(action: Action, pv1: Segment, fields: dict[str, object], clock: int, reading: Reading) -> Said:
    """The status that the event stands for; an event that is about something else only says it of a visit unknown."""
    if action.code == "A04":
        return Said(status=encounter.registered(fields, clock))
    if action.status is None:
        if action.code in PRESENT and not fields.get("end"):
            return Said(status="in-progress", weak=True)
        for index in STATE:
            if pv1.get(index):
                reading.used("status", f"{pv1.path}-{index}", "state")
        return Said(status=encounter.state(fields, clock), weak=True)
    evn = reading.message.first("EVN")
    reading.field = "status_reason"
    reason = take(_reason, evn, 4, reading) or None if evn and action.status == "cancelled" else None
    reading.field = None
    return Said(status=action.status, cancels=CANCELS.get(action.code, ()), reason=reason)


def follows(event: str) -> frozenset[str]:
    """The fields and places of a visit that an event by itself empties."""
    return frozenset((*EMPTIES.get(event, ()), *(f"placements/{kind}" for kind in VACATES.get(event, ()))))


def _follow(action: Action, fields: dict[str, object], edits: list[Edit], reading: Reading) -> None:
    """What follows from the event itself, unless the message says otherwise."""
    gone = CALLED_OFF.get(action.code, ())
    for field in EMPTIES.get(action.code, ()):
        fields[field] = None if field in gone else fields.get(field)
    if action.code in IMPLIES and not fields.get("class_"):
        fields["class_"] = encounter.event_class(*IMPLIES[action.code])
        if reading.trace is not None:
            by_event = decided("class_", action.code, reading.message)
            reading.instead(by_event.field, by_event.path, by_event.by)
    edits[:] = [replace(edit, value=None) if edit.key in gone else edit for edit in edits] if gone else edits
    spoken = {edit.key for edit in edits}
    edits += [
        Edit(field="placements", key=kind, value=None) for kind in VACATES.get(action.code, ()) if kind not in spoken
    ]
