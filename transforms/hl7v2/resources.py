"""Services and resources of an appointment as lists: RGS with its AIS, AIG, AIL, AIP and their notes (2.5.1 ch. 10.6).

In snapshot mode the segments of a message are the whole list; in action mode AIx-2 says what becomes of each entry
(DOMAIN 2.3). Entries are known by segment and set id (`AIP/1`), in a group after the first also by that (`AIP/2.1`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from canonical.datatypes import Identifier, Note, Participant, Service
from canonical.patches import Edit

from .actors import Person, Spot
from .bookable import LAYOUTS, booked
from .delimiters import repetitions
from .er7 import Segment
from .instants import instant
from .notes import notes_of
from .people import PL, spot
from .rows import Reading, Used, take
from .times import rfc3339
from .timing import duration

REMOVING: Final = frozenset({"S20", "S21", "S22"})

ACTIONS: Final = frozenset({"", "A", "D", "U", "X"})  # table 0206

_ACTION = "no action of table 0206; only an event that removes leaves such a segment alone"
_ALL = "AIx-2 does not say which of the resources the event is about; it was taken to be about all"
_REQUIRED = "the segment does not say which service or resource it is about"


class Entry(NamedTuple):
    """One entry of a list as the message has it: where it stands, the action code, what it is, and who or where."""

    field: str
    key: str
    action: str
    kind: str
    value: Participant | Service
    who: Person | Spot | None


def resources(reading: Reading, start: str | None) -> list[Entry]:
    """Every service and resource in the order of the message; `start` is what offsets are counted from."""
    walk = Walk(reading, start)
    for segment in reading.message.segments:
        name = segment.name
        if name == "RGS":
            walk.enter(segment)
        elif name in LAYOUTS:
            walk.visit(segment)
    reading.field = None
    return _once(walk.found)


def _once(entries: list[Entry]) -> list[Entry]:
    """Without the people of AIG whom AIP names as well."""
    if not any(_is_general(one) for one in entries):
        return entries
    named = {number.value for one in entries if one.key.startswith("AIP") for number in _numbers(one)}
    return [
        one for one in entries if not _is_general(one) or named.isdisjoint(number.value for number in _numbers(one))
    ]


def _is_general(entry: Entry) -> bool:
    return entry.kind == "provider" and entry.key.startswith("AIG")


def _numbers(entry: Entry) -> tuple[Identifier, ...]:
    return entry.value.identifiers if isinstance(entry.value, Participant) else ()


class Walk:
    """The way through the resource segments of one message: the group in force holds until the next RGS."""

    __slots__ = ("action", "found", "group", "prefix", "reading", "seen", "start")

    def __init__(self, reading: Reading, start: str | None) -> None:
        self.reading = reading
        self.start = start
        self.found: list[Entry] = []
        self.seen: set[str] = set()
        self.group: str | None = None
        self.prefix = ""
        self.action = ""

    def enter(self, rgs: Segment) -> None:
        """A group begins: RGS-3 or RGS-1 names it, RGS-2 is the action of segments without one."""
        leaf = self.reading.dialect.leaf
        number = _number(rgs)
        self.prefix = "" if number == "1" else f"{number}."
        self.group = leaf(rgs.get(3).partition(self.reading.dialect.component)[0]) or leaf(rgs.get(1))
        self.action = self._action(rgs, "")

    def visit(self, segment: Segment) -> None:
        """One resource segment; a repeating resource makes several entries."""
        reading, name, fields = self.reading, segment.name, segment.fields
        key = f"{name}/{self.prefix}{_number(segment)}"
        if key in self.seen:
            key = f"{key}#{segment.occurrence}"
        self.seen.add(key)
        reading.field = field = "services" if name == "AIS" else "participants"
        traced = len(reading.trace or ())
        action = self._action(segment, self.action)
        things = booked(segment, reading)
        if not things:
            reading.complain("DQ-REQUIRED-MISSING", _REQUIRED, at=f"{segment.path}-3")
            return
        at = LAYOUTS[name].start
        start = self._start(segment, at) if len(fields) > at else None
        notes = notes_of(segment, reading, "service" if name == "AIS" else "participant")
        for place, (kind, value, who) in enumerate(things):
            named = f"{key}~{place + 1}" if place else key
            entry = self._placed(value, who, start, notes, named, segment)
            self.found.append(Entry(field, named, action, kind, entry, who))
            if reading.trace is not None:
                self._trace(field, named, reading.trace[traced:])

    def _trace(self, field: str, key: str, since: Sequence[Used]) -> None:
        """Leave a trace of the entry by itself: what was read for the list since then was read for it."""
        for used in since:
            if used.field == field:
                self.reading.used(f"{field}/{key}", used.path, used.by)

    def _action(self, segment: Segment, otherwise: str) -> str:
        action = segment.get(2)
        if action not in ACTIONS:  # which is rare
            action = action.strip().upper()
            if action not in ACTIONS:
                self.reading.complain("DQ-CODE-UNMAPPED", _ACTION, at=f"{segment.path}-2")
        return action or otherwise

    def _start(self, segment: Segment, at: int) -> str | None:
        """The start as sent, else the offset from the start of the appointment."""
        if segment.get(at):
            return take(instant, segment, at, self.reading) or None
        amount = segment.get(at + 1)
        if not amount or not self.start:
            return None
        path = segment.path
        offset = duration(amount, segment.get(at + 2), f"{path}-{at + 1}", self.reading, f"{path}-{at + 2}")
        return moved(self.start, offset) if offset else self.start

    def _placed(
        self,
        value: Participant | Service,
        who: Person | Spot | None,
        start: str | None,
        notes: tuple[Note, ...],
        key: str,
        segment: Segment,
    ) -> Participant | Service:
        """The entry with its time, group, notes and name, and the record that it refers to."""
        group = self.group or value.group
        if isinstance(value, Service):
            return replace(value, start=start, group=group, notes=notes, key=key)
        actor = refer(who, f"{segment.path}-3", self.reading) if who else None
        return replace(value, actor=actor, start=start, group=group, notes=notes, key=key)


def _number(segment: Segment) -> str:
    return segment.get(1).strip().lstrip("0") or str(segment.occurrence)


def refer(who: Person | Spot, path: str, reading: Reading) -> str | None:
    """The reference to a person or a place that stands in this field."""
    cast = reading.cast
    reference = cast.provider(who) if isinstance(who, Person) else cast.location(who)
    if reference and reading.trace is not None:
        reading.at = path
        if isinstance(who, Person):
            reading.introduced(reference, "person")
        else:
            reading.at += _repetition(who, path, reading)
            reading.introduced(reference, "spot", PL)
    return reference


def _repetition(place: Spot, path: str, reading: Reading) -> str:
    """Which of the repetitions of a field names this place, where there are several."""
    segment, index = reading.message.segment(path), int(path.rpartition("-")[2])
    texts = repetitions(segment.get(index), reading.delimiters) if segment else []
    told = len(reading.problems)
    found = next((n for n, text in enumerate(texts, 1) if spot(text, reading) == place), 1)
    del reading.problems[told:]  # they were told when the field was read
    return f"[{found}]" if len(texts) > 1 else ""


def actor(person: Person, reading: Reading) -> dict[str, Any]:
    """The person whose field is being read, as a participant."""
    reference = refer(person, reading.at, reading)
    return {"kind": "provider", "actor": reference, "identifiers": person.identifiers, "display": person.display}


def moved(start: str, minutes: int) -> str:
    """An instant some minutes later."""
    return rfc3339(datetime.fromisoformat(start) + timedelta(minutes=minutes))


# What becomes of them


def snapshot(
    entries: Sequence[Entry], patients: Sequence[Participant], attending: Sequence[Participant]
) -> dict[str, object]:
    """The lists that a message gives whole; one of which it has no segment stays as it is."""
    fields: dict[str, object] = {}
    services = [entry.value for entry in entries if entry.field == "services" and entry.action != "D"]
    booked = [entry.value for entry in entries if entry.field == "participants" and entry.action != "D"]
    if any(entry.field == "services" for entry in entries):
        fields["services"] = tuple(services)
    if any(entry.field == "participants" for entry in entries):
        fields["participants"] = (*patients, *booked, *attending)
    return fields


def edits(entries: Sequence[Entry], event: str, reading: Reading) -> tuple[Edit, ...]:
    """AIx-2 entry by entry: A and U set, D removes, X leaves alone (table 0206).

    Where no segment has a code, the event speaks about all of them; where some have, the others are mere context of
    an event that removes.
    """
    removing = event in REMOVING
    if removing and entries and not any(entry.action for entry in entries):
        reading.remark("AIx-2", "DQ-REQUIRED-MISSING", _ALL)
        return tuple(Edit(field=entry.field, key=entry.key, value=None) for entry in entries)
    return tuple(
        Edit(field=entry.field, key=entry.key, value=None if entry.action == "D" else entry.value)
        for entry in entries
        if entry.action in ("D", "A", "U") or (not removing and entry.action != "X")
    )
