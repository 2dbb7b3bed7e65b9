"""SIU, schedule information: what each of its events does (2.5.1 ch. 10.3; DOMAIN 2.2, 2.3).

A message without resources leaves those that are known alone. A visit that it mentions is linked and, unless the feed
stands for registration too, never changed.
"""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from canonical.datatypes import Coding, Concept, Participant
from canonical.patches import SELF, Edit, Mapped, Patch, Said
from canonical.problems import Problem

from .actions import Action, Events
from .actors import Person
from .appointment import PV1, REASON, SCH, expected, numbers
from .belonging import about
from .changes import changed
from .encounter import is_about_a_visit
from .er7 import Segment
from .filler_status import BOOKS, ENDED, WAITING, is_block, status
from .patient import digest, named_at, patient
from .people import Roll, name, people, spots
from .resources import Entry, edits, refer, resources, snapshot
from .rows import Reading, populated, take
from .visits import stay

NO_TIME: Final = "the event books, and the message does not say for when"
UNNUMBERED: Final = "no number in PID-3: the patient takes part by name alone"
BY_ACTION: Final = frozenset({"S18", "S19", "S20", "S21", "S22"})
ATTENDING: Final = Concept(
    codings=(Coding(code="ATND", system="http://terminology.hl7.org/CodeSystem/v3-ParticipationType"),), text="attender"
)
REPLACED: Final = Concept(
    codings=(Coding(code="replaced", system="urn:isthmus:status-reason", display="Replaced"),), text="Replaced"
)
PLANNED: Final = Said(status="planned", weak=True)
NO_APPOINTMENT: Final = Problem(
    code="DQ-REQUIRED-MISSING",
    path="SCH-2",
    detail="the message names no appointment: neither SCH-2 nor SCH-1 holds a number",
    severity="error",
)
NOTHING_BLOCKED: Final = Problem(
    code="DQ-REQUIRED-MISSING",
    path="SCH-5",
    detail="the message names neither a schedule nor a resource whose time it is about",
    severity="error",
)
MOVED: Final = Problem(
    code="DQ-TIME-CONFLICT",
    path="TQ1-7",
    detail="the event changes details, and the time is another than before: taken as a reschedule",
    field="start",
)


def appointment(action: Action, reading: Reading, mapped: Mapped) -> None:
    """Patients first, then who and what takes part, then the appointment, which refers to them."""
    sch = reading.message.first("SCH")
    if sch is None:
        mapped.anchor_missing = NO_APPOINTMENT
        return
    if action.code not in ENDED and "PID" not in reading.message.named and is_block(sch, reading):
        block(replace(action, event="slot.blocked"), reading, mapped)
        return
    reading.zone = zone_of_place(reading)
    patients = [_patient(pid, place, reading) for place, pid in enumerate(reading.message.all("PID"), 1)]
    problems, traced = len(reading.problems), len(reading.trace or ())
    anchors = numbers(sch, reading)
    if not anchors:
        mapped.anchor_missing = NO_APPOINTMENT
        return
    _numbered(patients, reading)
    expected(sch, reading)
    said, fields = _fields(action, sch, patients, reading)
    if action.code in BOOKS and said.status == "booked" and not fields.get("start"):
        _untimed(reading)
    changed = _lists(action, patients, fields, reading)
    patch = Patch(type="appointment", anchors=anchors, fields=fields, said=said, edits=changed, event=action.event)
    if action.code == "S14" and "start" in fields:
        patch.unmoved = replace(MOVED, path=_start_path(reading))
    if action.code == "S13":
        _replace(patch, reading)
    patch.problems = reading.wrong(problems)
    reading.number(len(reading.cast.patches), traced)
    reading.cast.add(patch)
    if reading.profile.siu_creates_encounter and action.code not in ENDED:
        _plan(action, patients, reading, mapped)


def _numbered(patients: Sequence[Participant], reading: Reading) -> None:
    """Say who of the patients is left without a record."""
    reading.field = "patient"
    for pid, who in zip(reading.message.all("PID"), patients, strict=True):
        if not who.actor:
            reading.complain("required-field-missing", UNNUMBERED, at=f"{pid.path}-3")
    reading.field = None


def _untimed(reading: Reading) -> None:
    """Say that it is booked for no time, unless it was said why that cannot be read."""
    if all(one.field != "start" for one in reading.problems):
        reading.field = "start"
        reading.complain("DQ-REQUIRED-MISSING", NO_TIME, at="TQ1-7")
        reading.field = None


def _start_path(reading: Reading) -> str:
    """Where the start of the appointment stands."""
    tq1, sch = reading.message.first("TQ1"), reading.message.first("SCH")
    if tq1 and tq1.get(7):
        return f"{tq1.path}-7"
    return "SCH-11.4" if sch and sch.get(11) else "AIS-4"


def _plan(action: Action, patients: Sequence[Participant], reading: Reading, mapped: Mapped) -> None:
    """The visits that the message names, planned until registration says more: for feeds that stand for both."""
    for pid, who in zip(reading.message.all("PID"), patients, strict=True):
        pv1 = next(iter(about(reading, pid, "PV1")), None)
        if pv1 and who.actor and is_about_a_visit(pv1, reading):
            visit = stay(replace(action, event="encounter.updated"), reading, mapped, pid, pv1, who.actor)
            if visit:
                reading.cast.patches[int(visit[len(SELF) :])].said = PLANNED


def _fields(
    action: Action, sch: Segment, patients: Sequence[Participant], reading: Reading
) -> tuple[Said, dict[str, object]]:
    """The status and every field that is not a list of entries."""
    fields: dict[str, object] = {}
    said, overbooked = status(action, sch, reading)
    if overbooked is not None:
        fields["overbooked"] = overbooked or None
        reading.used("overbooked", f"{sch.path}-25", "status")
    SCH.read(sch, reading, fields)
    if action.code not in ENDED:
        REASON.read(sch, reading, fields)
    if "start" not in fields and said.status not in WAITING:  # a length without a start means something only there
        fields.pop("minutes_duration", None)
        fields.pop("duration_source", None)
    if pv1 := reading.message.first("PV1"):
        PV1.read(pv1, reading, fields)
    changed("appointment", sch, reading, fields)
    if patients:
        fields["patient"] = patients[0].actor
        if reading.trace is not None:
            _trace(patients, reading)
    return said, fields


def _trace(patients: Sequence[Participant], reading: Reading) -> None:
    """Leave a trace of where the patients are named."""
    for pid, who in zip(reading.message.all("PID"), patients, strict=True):
        for field in ("patient", "participants", f"participants/{who.key}"):
            reading.used(field, named_at(pid), "patient")


def _patient(pid: Segment, place: int, reading: Reading) -> Participant:
    patch = patient(reading, pid)
    reference = reading.cast.patient(patch)
    shown = None
    if reference is None and (called := take(name, pid, 5, reading)):
        shown = " ".join(part for part in (*called.given, called.family) if part)
    key = f"PID/{digest(patch.anchors[0]) if patch else place}"  # the same in every message, whatever its PID-1
    return Participant(kind="patient", actor=reference, display=shown, status="accepted", key=key)


def _lists(
    action: Action, patients: Sequence[Participant], fields: dict[str, object], reading: Reading
) -> tuple[Edit, ...]:
    """Participants and services: the whole lists go to the fields, single entries are given back."""
    start = fields.get("start")
    entries = resources(reading, start if isinstance(start, str) else None)
    mode = reading.profile.list_mode
    if mode == "action" or (mode == "auto" and action.code in BY_ACTION):
        return (*_set(patients), *edits(entries, action.code, reading))
    attending = [] if action.code in ENDED else _attending(entries, reading)
    lists = snapshot(entries, patients, attending)
    fields.update(lists)
    if "participants" in lists:
        return ()
    if len(patients) > 1 and action.code not in ENDED:
        return (Edit(field="participants", key="PID", value=tuple(patients)), *_set(attending))
    return _set([*patients, *attending])


def _set(participants: Sequence[Participant]) -> tuple[Edit, ...]:
    return tuple(Edit(field="participants", key=one.key or "", value=one) for one in participants)


def _attending(entries: Sequence[Entry], reading: Reading) -> list[Participant]:
    """PV1-7, unless AIP names the same person."""
    pv1 = reading.message.first("PV1")
    if pv1 is None or not pv1.get(7):
        return []
    reading.field = "participants"
    traced = len(reading.trace or ())
    named = Roll(*(entry.who for entry in entries if isinstance(entry.who, Person)))
    found = [one for one in take(people, pv1, 7, reading) or () if named.find(one) is None]
    attending = [_attends(one, f"PV1/7~{place}" if place else "PV1/7", pv1, reading) for place, one in enumerate(found)]
    reading.field = None
    if reading.trace is not None and not found:  # who is named twice takes part once, by AIP
        del reading.trace[traced:]
    return attending


def _attends(one: Person, key: str, pv1: Segment, reading: Reading) -> Participant:
    actor = refer(one, f"{pv1.path}-7", reading)
    return Participant(
        kind="provider", role=ATTENDING, actor=actor, identifiers=one.identifiers, display=one.display, key=key
    )


def _replace(patch: Patch, reading: Reading) -> None:
    """S13 under a new number: the appointment under the old one is cancelled, if this one was not known before.

    An appointment that is one of a series has its number in SCH-3 and keeps its parent.
    """
    parents = patch.fields.get("parents")
    if not isinstance(parents, tuple) or patch.fields.get("occurrence_number"):
        return
    own = {(one.system, one.value) for one in patch.anchors}
    others = tuple(one for one in parents if (one.system, one.value) not in own)
    if others:
        number = len(reading.cast.patches) + 1
        said = Said(status="cancelled", reason=REPLACED)
        old = Patch(type="appointment", anchors=others, said=said, event="appointment.cancelled", successor=number)
        reference = patch.fields["replaces"] = reading.cast.add(old)
        sch = reading.message.all("SCH")
        for path in populated(("SCH-24", "SCH-23"), sch[0], reading.message) if reading.trace is not None else ():
            reading.used("replaces", path, "replaced")
            reading.used(f"{reference[len(SELF) :]}.identifiers", path, "replaced")


def block(action: Action, reading: Reading, mapped: Mapped) -> None:
    """S23, S24: time of a schedule, with no patient and no appointment; whom and what it concerns is kept and told."""
    for aip in reading.message.all("AIP"):
        for person in take(people, aip, 3, reading) or ():
            refer(person, f"{aip.path}-3", reading)
    for ail in reading.message.all("AIL"):
        for place in take(spots, ail, 3, reading) or ():
            refer(place, f"{ail.path}-3", reading)
    if sch := reading.message.first("SCH"):
        mapped.keys += [
            ("schedule", one) for index in (5, 1, 2) if (one := reading.dialect.first(_head(sch, index, reading)))
        ]
    if not mapped.keys and not reading.cast.patches and not reading.message.first("AIG"):
        mapped.anchor_missing = NOTHING_BLOCKED
    mapped.notices.append(action.event)


def _head(sch: Segment, index: int, reading: Reading) -> str:
    return sch.get(index).partition(reading.dialect.component)[0]


def zone_of_place(reading: Reading) -> ZoneInfo | None:
    """The zone of the place of the appointment, else the feed's (DOMAIN 2.10)."""
    zones = reading.profile.location_zones
    if zones:
        for segment_name, index in (("AIL", 3), ("PV1", 3)):
            for segment in reading.message.all(segment_name):
                for place in take(spots, segment, index, reading) or ():
                    parts = (place.point_of_care, place.facility, place.building)
                    if known := next((zones[part] for part in parts if part and part in zones), None):
                        reading.zone_at = f"{segment.path}-{index}"
                        return ZoneInfo(known)
    return reading.dialect.zone


_SAYS: Final = {
    "S12": ("appointment.created", None, "A new appointment; booked unless SCH-25 says otherwise."),
    "S13": ("appointment.rescheduled", None, "Another time; under a new number it replaces its parent."),
    "S14": ("appointment.updated", None, "Details changed; if the time did, that is a reschedule."),
    "S15": ("appointment.cancelled", "cancelled", "Cancelled for the reason in SCH-6, known before or not."),
    "S16": ("appointment.discontinued", "cancelled", "Stopped after it had begun: cancelled, reason discontinued."),
    "S17": ("appointment.deleted", "entered-in-error", "Booked in error."),
    "S18": ("appointment.resource_added", None, "Services or resources were added (AIx-2)."),
    "S19": ("appointment.resource_changed", None, "Services or resources were changed (AIx-2)."),
    "S20": ("appointment.resource_cancelled", None, "Services or resources were cancelled (AIx-2)."),
    "S21": ("appointment.resource_discontinued", None, "Services or resources were stopped (AIx-2)."),
    "S22": ("appointment.resource_deleted", None, "Services or resources were deleted (AIx-2)."),
    "S26": ("appointment.noshow", "noshow", "The patient did not come."),
    "S27": ("appointment.updated", None, "A snapshot; it never books what was known to be otherwise."),
}
EVENTS: Events = {
    ("SIU", code): Action(code=code, event=event, says=says, build=appointment, status=status)
    for code, (event, status, says) in _SAYS.items()
} | {
    ("SIU", "S23"): Action(code="S23", event="slot.blocked", says="Time of a schedule was blocked.", build=block),
    ("SIU", "S24"): Action(code="S24", event="slot.opened", says="Blocked time was opened again.", build=block),
}
