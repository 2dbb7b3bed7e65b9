"""An appointment as SCH, TQ1, notes and resources: the tables of `appointment.py` turned round (DOMAIN 2.3).

What a table says in a row is written by that row; what a rule reads from several places is written by the function here
that is named beside it in `RULES`. `ELSEWHERE` is written in segments of its own, `UNWRITTEN` says why not.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from canonical.datatypes import Coding, Concept, Contact, Identifier, Note, Participant, Service
from canonical.records import Appointment

from . import appointment as tables
from .bookable import LAYOUTS
from .codes import APPOINTMENT_STATUSES, OVERBOOKED, V2_TABLE
from .filler_status import ENDED, STOPPED
from .turned import Rules, written
from .writing import (
    Writing,
    address,
    called,
    concept,
    day_or_moment,
    entity,
    leaf,
    moment,
    numbers,
    people,
    person,
    place,
    plain,
    repeated,
    segment,
    telecom,
)

STATUSES: Final = {  # table 0278; what has no word there goes by the canonical one
    **{"pending": "Pending", "waitlist": "Waitlist", "booked": "Booked", "checked-in": "Started"},
    **{"fulfilled": "Complete", "cancelled": "Cancelled", "noshow": "Noshow", "entered-in-error": "Deleted"},
}
PARTICIPATIONS: Final = {
    "accepted": "Booked",
    "declined": "Cancelled",
    "tentative": "Waitlist",
    "needs-action": "Pending",
}
MINUTES: Final = "min^minute^ISO+"
RESOURCES: Final = {"provider": "AIP", "location": "AIL", "device": "AIG"}
ATTENDING: Final = "ATND"
DESK: Final = {"placer": (12, 13, 14, 15), "filler": (16, 17, 18, 19), "enterer": (20, 21, 0, 22)}
KEY: Final = re.compile(r"AI[SGLP]/(?:(\d{1,4})\.)?(\d{1,4})")


Entry = Service | Participant


class Unwritable(Exception):
    """The appointment has nothing that a receiver could know it by."""


# The rules of SCH, turned round


def reasons(value: Sequence[Concept], writing: Writing) -> dict[str, str]:
    """SCH-7 holds the first; DG1 the others."""
    first = _first(value)
    return {"SCH-7": concept(first, writing) if first else ""}


def first_reason(appointment: Appointment) -> Concept | None:
    """The reason that stands in SCH-7."""
    return _first(appointment.reasons)


def _first(value: Sequence[Concept]) -> Concept | None:
    """The first; one of the table of types (0277) would be read as a type there."""
    is_type = value and any(coding.system == f"{V2_TABLE}0277" for coding in value[0].codings)
    return value[0] if value and not is_type else None


def appointment_type(value: Concept, writing: Writing) -> dict[str, str]:
    """SCH-8."""
    return {"SCH-8": concept(value, writing)}


def contacts(value: Sequence[Contact], writing: Writing) -> dict[str, str]:
    """SCH-12 to SCH-22: who placed, who fills and who entered the booking."""
    fields: dict[str, str] = {}
    for role, (who, phone, home, at) in DESK.items():
        found = [one for one in value if one.role == role]
        if not found:
            continue
        first = found[0]
        fields[f"SCH-{who}"] = repeated(_clerk, found, writing)
        fields[f"SCH-{phone}"] = repeated(telecom, first.telecoms, writing)
        fields[f"SCH-{at}"] = place(None, first.location) if first.location else ""
        if home:
            fields[f"SCH-{home}"] = address(first.address, writing) if first.address else ""
    return fields


def _clerk(one: Contact, writing: Writing) -> str:
    return person(next(iter(one.identifiers), None), one.name, writing)


def parents(value: Sequence[Identifier], writing: Writing) -> dict[str, str]:
    """SCH-24 has the filler's numbers, SCH-23 the placer's."""
    return _by_type(value, "SCH-23", "SCH-24", writing)


def orders(value: Sequence[Identifier], writing: Writing) -> dict[str, str]:
    """SCH-26 has the placer's numbers, SCH-27 the filler's."""
    return _by_type(value, "SCH-26", "SCH-27", writing)


def _by_type(value: Sequence[Identifier], placer: str, filler: str, writing: Writing) -> dict[str, str]:
    fillers = [one for one in value if one.type == "FILL"]
    others = [one for one in value if one.type != "FILL"]
    return {placer: repeated(entity, others, writing), filler: repeated(entity, fillers, writing)}


def priority(_: Concept, __: Writing) -> dict[str, str]:
    """TQ1-9, with the times; SCH-11.6 before 2.5."""
    return {}


RULES: Final[Rules] = {
    tables.reasons: reasons,
    tables.appointment_type: appointment_type,
    tables.contacts: contacts,
    tables.parents: parents,
    tables.orders: orders,
    tables.priority: priority,
}
ELSEWHERE: Final = {
    "notes": "NTE behind SCH",
    "supporting_information": "OBX-3",
    "visit": "PV1-19",
    "event_reason": "SCH-6, where the event does not end the appointment",
    "start": "TQ1-7 and SCH-11.4",
    "end": "TQ1-8 and SCH-11.5",
    "minutes_duration": "SCH-9 and SCH-10, where it was declared",
}
UNWRITTEN: Final = {
    "zone": "Times are written on the wall clock of the place, with its offset.",
    "duration_source": "A duration that follows from start and end is not written.",
}


# Segments


def sch(code: str, one: Appointment, writing: Writing) -> str:
    """SCH of an event."""
    placer, filler = _numbers(one)
    fields = {
        **written(tables.SCH, one, writing, RULES),
        1: entity(placer, writing) if placer else "",
        2: entity(filler, writing) if filler else "",
        6: _reason(code, one, writing),
        11: _legacy(one, writing),
        25: concept(status_of(one), writing),
    }
    if code == "S13" and not one.replaces:  # there a parent would be the appointment that this one takes the place of
        fields |= {23: "", 24: ""}
    if one.minutes_duration is not None and one.duration_source == "declared":
        fields |= {9: str(one.minutes_duration), 10: MINUTES}
    return segment("SCH", fields)


def _numbers(one: Appointment) -> tuple[Identifier | None, Identifier | None]:
    """The placer's and the filler's number; a number of another kind is taken as the filler's."""
    current = [number for number in one.identifiers if number.use != "old"]
    placer = next((number for number in current if number.type == "PLAC"), None)
    filler = next((number for number in current if number.type == "FILL"), None)
    filler = filler or next((number for number in current if number.type != "PLAC"), None)
    if placer is None and filler is None:
        raise Unwritable("the appointment has no number")
    return placer, filler


def _reason(code: str, one: Appointment, writing: Writing) -> str:
    """SCH-6: of the status where the event ends it, else of the event."""
    if code not in ENDED:
        return concept(one.event_reason, writing) if one.event_reason else ""
    said = one.status_reason
    codings = tuple(coding for coding in said.codings if coding != STOPPED) if said else ()
    is_ours = not said or (not codings and said.text == STOPPED.display)
    return "" if is_ours or not said else concept(Concept(codings=codings, text=said.text), writing)


def status_of(one: Appointment) -> Concept:
    """SCH-25: the sender's own word where it means the status, else that of table 0278."""
    said = one.source_status
    if said and any(_stands_for(coding.code) == one.status for coding in said.codings):
        return said
    status = one.status or "booked"
    word = "Overbook" if one.overbooked and status == "booked" else STATUSES.get(status)
    system = f"{V2_TABLE}0278" if word else None
    return Concept(codings=(Coding(code=word or status, display=word or status, system=system),), text=word or status)


def _stands_for(code: str) -> str | None:
    word = code.upper().replace(" ", "").replace("-", "")
    return None if word == OVERBOOKED else APPOINTMENT_STATUSES.get(word)


def timed(one: Appointment, writing: Writing) -> str | None:
    """TQ1, where there is a time or a priority."""
    urgency = concept(one.priority, writing) if one.priority else ""
    times = {7: moment(one.start, writing) if one.start else "", 8: moment(one.end, writing) if one.end else ""}
    if not one.start and not urgency:
        return None
    return segment("TQ1", {1: "1", 9: urgency} | (times if one.start else {}))


def _legacy(one: Appointment, writing: Writing) -> str:
    """SCH-11, by which receivers read times that do not look at TQ1."""
    start = moment(one.start, writing) if one.start else ""
    end = moment(one.end, writing) if one.start and one.end else ""
    urgency = leaf(one.priority.codings[0].code) if one.priority and one.priority.codings else ""
    return "^".join(("", "", "", start, end, urgency)).rstrip("^")


def told(notes: Sequence[Note], writing: Writing) -> Iterator[str]:
    """NTE, one for each note."""
    for number, one in enumerate(notes, 1):
        author = person(None, called(None, one.author), writing)
        time = day_or_moment(one.time, writing) if one.time else ""
        yield segment("NTE", {1: str(number), 3: leaf(one.text), 4: leaf(one.type), 5: author, 6: time})


# Resources


def is_attending(one: Participant) -> bool:
    """Whether someone takes part by PV1-7, without being booked."""
    return bool(one.key and one.key.startswith("PV1/"))


def resource_segments(one: Appointment, writing: Writing) -> Iterator[str]:
    """RGS with AIS, AIG, AIL and AIP: one group for each that the entries name."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    booked: list[Entry] = [part for part in one.participants if part.kind in RESOURCES and not is_attending(part)]
    entries: list[Entry] = [*one.services, *booked]
    for entry in entries:
        groups.setdefault((_group_number(entry), entry.group or ""), []).append(entry)
    ids = _ids([int(number or 1) for number, _ in groups])
    for number, ((_, group), members) in zip(ids, groups.items(), strict=True):
        yield segment("RGS", {1: str(number), 3: leaf(group) if group != str(number) else ""})
        yield from _members(members, writing)


def _group_number(entry: Entry) -> str:
    """Which of the groups of its message an entry was in; in the first keys do not say so."""
    found = KEY.match(entry.key or "")
    return (found[1] or "") if found else ""


def _ids(wanted: Sequence[int]) -> list[int]:
    """Set ids: those that the entries had where that tells them apart, else in turn."""
    return list(wanted) if len(set(wanted)) == len(wanted) and 0 not in wanted else list(range(1, len(wanted) + 1))


def _members(entries: Sequence[Entry], writing: Writing) -> Iterator[str]:
    """The segments of one group, in the order of the standard, each kind numbered by itself."""
    for kind in LAYOUTS:
        members = [one for one in entries if _segment_of(one) == kind]
        found = [KEY.fullmatch(one.key or "") for one in members]
        for number, one in zip(_ids([int(key[2]) if key else 0 for key in found]), members, strict=True):
            yield _service(number, one, writing) if isinstance(one, Service) else _resource(kind, number, one, writing)
            yield from told(one.notes, writing)


def _segment_of(one: Entry) -> str:
    return "AIS" if isinstance(one, Service) else RESOURCES[one.kind]


def _service(number: int, one: Service, writing: Writing) -> str:
    fields = _slots("AIS", one.start, one.minutes, one.status, writing)
    more = repeated(concept, one.supplemental, writing)
    return segment("AIS", {1: str(number), 3: concept(one.code, writing), 12: more} | fields)


def _resource(kind: str, number: int, one: Participant, writing: Writing) -> str:
    layout = LAYOUTS[kind]
    word = PARTICIPATIONS.get(one.status or "")
    status = one.source_status or (Concept(codings=(Coding(code=word, system=f"{V2_TABLE}0278"),)) if word else None)
    fields = {1: str(number), 3: _who(one, writing)} | _slots(kind, one.start, one.minutes, status, writing)
    fields[layout.role] = concept(one.role, writing) if one.role else ""
    fields[layout.start + 5] = leaf(one.substitution)
    if layout.quantity:
        fields[layout.quantity] = leaf(one.quantity)
    return segment(kind, fields)


def _slots(
    kind: str, start: str | None, minutes: int | None, status: Concept | None, writing: Writing
) -> dict[int, str]:
    """What all of them have at the same distance: start, length with its unit, status."""
    at = LAYOUTS[kind].start
    lasting = {at + 3: plain(minutes, writing), at + 4: MINUTES} if minutes is not None else {}
    begins = {at: moment(start, writing)} if start else {}
    return begins | lasting | ({at + 6: concept(status, writing)} if status else {})


def _who(one: Participant, writing: Writing) -> str:
    """The person, the place or the thing."""
    record = writing.records.get(one.actor or "")
    if one.kind == "provider":
        return people(numbers(one.identifiers, record, writing), called(record, one.display), writing)
    if one.kind == "location":
        return place(record, one.display)
    codings = tuple(Coding(code=number.value, system=number.system) for number in one.identifiers)
    return concept(Concept(codings=codings, text=one.display), writing)
