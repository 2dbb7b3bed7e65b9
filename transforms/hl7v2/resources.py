"""Services and resources of an appointment: RGS with its AIS, AIG, AIL, AIP and their notes (2.5.1 ch. 10.6).

In snapshot mode the segments of a message are the whole list; in action mode AIx-2 says what becomes of each entry
(DOMAIN 2.3). Entries are known by segment and set id (`AIP/1`), in a group after the first also by that (`AIP/2.1`).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from canonical.datatypes import Concept, Identifier, Participant, Service
from canonical.patches import Edit

from .actors import Person, Spot
from .codes import APPOINTMENT_STATUSES, PARTICIPATIONS, RESOURCE_KINDS
from .converters import coded, codes_of, concept, concepts, text
from .er7 import Segment
from .instants import instant
from .notes import notes_of
from .people import people, same, spots
from .rows import NULL, BadField, Reading
from .times import rfc3339
from .timing import duration

T = TypeVar("T")
EMPTY: Final = [""] * 16  # so that a field which was not sent reads as empty
REMOVING: Final = frozenset({"S20", "S21", "S22"})

_SEGMENT_ACTION = "AIx-2 does not say which of the resources the event is about; it was taken to be about all"
_REQUIRED = "the segment does not say which service or resource it is about"
_status = coded("0278")


class Layout(Struct, frozen=True):
    """Where the fields of a resource segment stand: the seven about time and status always follow one another."""

    start: int
    role: int = 0
    group: int = 0
    quantity: int = 0

    @property
    def paths(self) -> tuple[int, ...]:
        """Every field that is read, beside the set id and the action."""
        own = (index for index in (self.role, self.group, self.quantity) if index)
        return (3, *own, *range(self.start, self.start + 7))


LAYOUTS: Final = {
    "AIS": Layout(start=4),
    "AIG": Layout(start=8, role=4, group=5, quantity=6),
    "AIL": Layout(start=6, role=4, group=5),
    "AIP": Layout(start=6, role=4, group=5),
}
PATHS: Final = tuple(f"{name}-{index}" for name, layout in LAYOUTS.items() for index in layout.paths)


class Entry(NamedTuple):
    """One entry of a list as the message has it: the list, its key there, the action code, what it is, the value."""

    field: str
    key: str
    action: str
    kind: str
    value: Participant | Service


def resources(reading: Reading, start: str | None) -> list[Entry]:
    """Every service and resource in the order of the message; `start` is what offsets are counted from."""
    walk = Walk(reading, start)
    for segment in reading.message.segments:
        name = segment.name
        if name == "RGS":
            walk.enter(segment)
        elif name in READERS:
            walk.visit(segment)
    reading.field = None
    return _once(walk.found)


def _once(entries: list[Entry]) -> list[Entry]:
    """Without the people of AIG whom AIP names as well."""
    general = [one for one in entries if one.kind == "provider" and one.key.startswith("AIG")]
    if not general:
        return entries
    named = {number.value for one in entries if one.key.startswith("AIP") for number in _numbers(one)}
    return [one for one in entries if one not in general or named.isdisjoint(number.value for number in _numbers(one))]


def _numbers(entry: Entry) -> tuple[Identifier, ...]:
    return entry.value.identifiers if isinstance(entry.value, Participant) else ()


class Walk:
    """The way through the resource segments of one message: the group in force holds until the next RGS."""

    __slots__ = ("action", "fields", "found", "group", "key", "path", "prefix", "reading", "seen", "segment", "start")

    def __init__(self, reading: Reading, start: str | None) -> None:
        self.reading = reading
        self.start = start
        self.found: list[Entry] = []
        self.seen: set[str] = set()
        self.group: str | None = None
        self.prefix = ""
        self.action = ""
        self.path = ""

    def enter(self, rgs: Segment) -> None:
        """A group begins: RGS-3 or RGS-1 names it, RGS-2 is the action of segments without one."""
        leaf = self.reading.dialect.leaf
        self.segment, self.fields = rgs, rgs.fields + EMPTY
        number = self._number()
        self.prefix = "" if number == "1" else f"{number}."
        self.group = leaf(self.fields[3].partition(self.reading.dialect.component)[0]) or leaf(self.fields[1])
        self.action = self.fields[2].strip().upper()

    def visit(self, segment: Segment) -> None:
        """One resource segment; a repeating resource makes several entries."""
        self.segment, self.fields, self.path = segment, segment.fields + EMPTY, segment.path
        reading, name = self.reading, segment.name
        key = f"{name}/{self.prefix}{self._number()}"
        if key in self.seen:
            key = f"{key}#{segment.occurrence}"
        self.seen.add(key)
        self.key = key
        action = self.fields[2].strip().upper() or self.action
        reading.field = field = "services" if name == "AIS" else "participants"
        before = len(self.found)
        for kind, value in READERS[name](self, LAYOUTS[name]):
            self.found.append(Entry(field, value.key or key, action, kind, value))
        if len(self.found) == before:
            reading.complain("DQ-REQUIRED-MISSING", _REQUIRED, at=f"{self.path}-3")

    def _number(self) -> str:
        return self.fields[1].strip().lstrip("0") or str(self.segment.occurrence)

    def _field(self, convert: Callable[[str, Reading], T | None], index: int) -> T | None:
        """A field as its value, where something that can be read stands in it."""
        raw = self.fields[index]
        if not raw or raw == NULL:
            return None
        reading = self.reading
        reading.at = f"{self.path}-{index}"
        try:
            value = convert(raw, reading)
        except BadField as bad:
            reading.complain(bad.code, bad.detail, bad.severity)
            return None
        if reading.trace is not None and reading.field:
            reading.used(reading.field, reading.at, getattr(convert, "__name__", "rule"))
        return value

    def _service(self, layout: Layout) -> Iterator[tuple[str, Service]]:
        """AIS-3, with the codes that supplement it (AIS-11, AIS-12)."""
        if code := self._field(concept, 3):
            more = (*(self._field(concepts, 11) or ()), *(self._field(concepts, 12) or ()))
            yield (
                "service",
                Service(
                    code=code,
                    start=self._start(layout),
                    minutes=self._minutes(layout),
                    status=self._field(_status, layout.start + 6),
                    supplemental=tuple(dict.fromkeys(more)),
                    group=self.group,
                    notes=notes_of(self.segment, self.reading, "service"),
                    key=self.key,
                ),
            )

    def _people(self, layout: Layout) -> Iterator[tuple[str, Participant]]:
        """AIP-3: its repetitions are the numbers of one person, or else several people."""
        shared = self._shared(layout)
        for place, one in enumerate(united(self._field(people, 3) or ())):
            yield "provider", Participant(**actor(one, self.reading), **shared, key=self._key(place))

    def _places(self, layout: Layout) -> Iterator[tuple[str, Participant]]:
        """AIL-3."""
        shared = self._shared(layout)
        for place, one in enumerate(self._field(spots, 3) or ()):
            reference = place_of(one, self.reading)
            yield (
                "location",
                Participant(kind="location", actor=reference, display=one.display, **shared, key=self._key(place)),
            )

    def _general(self, layout: Layout) -> Iterator[tuple[str, Participant]]:
        """AIG-3: a device, unless AIG-4 says that it is a person or a room."""
        if thing := self._field(concept, 3):
            shared = self._shared(layout)
            kind = resource_kind(shared["role"])
            numbers = tuple(
                Identifier(value=one.code, system=one.system or f"{self.reading.dialect.urn}resource")
                for one in thing.codings
            )
            yield kind, Participant(kind=kind, identifiers=numbers, display=thing.text, **shared, key=self.key)

    def _key(self, place: int) -> str:
        return f"{self.key}~{place + 1}" if place else self.key

    def _shared(self, layout: Layout) -> dict[str, Any]:
        """What all resources have in common: role, time, status, substitution, notes."""
        status = self._field(_status, layout.start + 6)
        return {
            "role": self._field(concept, layout.role),
            "status": participation(status) if status else None,
            "source_status": status,
            "start": self._start(layout),
            "minutes": self._minutes(layout),
            "quantity": self._field(text, layout.quantity) if layout.quantity else None,
            "substitution": self._field(text, layout.start + 5),
            "group": self.group or self._field(text, layout.group),
            "notes": notes_of(self.segment, self.reading, "participant"),
        }

    def _start(self, layout: Layout) -> str | None:
        """The start as sent, else the offset from the start of the appointment."""
        at = layout.start
        if self.fields[at]:
            return self._field(instant, at)
        if not self.fields[at + 1] or not self.start:
            return None
        offset = self._length(at + 1)
        return moved(self.start, offset) if offset else self.start

    def _minutes(self, layout: Layout) -> int | None:
        return self._length(layout.start + 3) if self.fields[layout.start + 3] else None

    def _length(self, index: int) -> int | None:
        fields = self.fields
        return duration(fields[index], fields[index + 1], f"{self.path}-{index}", self.reading)


READERS: Final[dict[str, Callable[[Walk, Layout], Iterator[tuple[str, Participant | Service]]]]] = {
    "AIS": Walk._service,
    "AIG": Walk._general,
    "AIL": Walk._places,
    "AIP": Walk._people,
}


def resource_kind(role: Concept | None) -> str:
    """What AIG-4 says a general resource is."""
    said = (*codes_of(role), role.text or "") if role else ()
    return next((kind for one in said if (kind := RESOURCE_KINDS.get(one.upper()))), "device")


def participation(status: Concept) -> str | None:
    """The status of one resource (table 0278) as a participation."""
    stands = (APPOINTMENT_STATUSES.get(one.upper()) for one in codes_of(status))
    return next((PARTICIPATIONS[one] for one in stands if one), None)


def moved(start: str, minutes: int) -> str:
    """An instant some minutes later."""
    return rfc3339(datetime.fromisoformat(start) + timedelta(minutes=minutes))


def actor(person: Person, reading: Reading) -> dict[str, Any]:
    """A person as a participant."""
    reference = reading.cast.provider(person)
    if reference:
        reading.introduced(reference, "person")
    return {
        "kind": "provider",
        "actor": reference,
        "identifiers": person.identifiers,
        "display": person.display,
    }


def place_of(spot: Spot, reading: Reading) -> str | None:
    """The reference to a place."""
    reference = reading.cast.location(spot)
    if reference:
        reading.introduced(reference, "spot")
    return reference


def united(mentions: Sequence[Person]) -> list[Person]:
    """Repetitions that name one person, as that person with all the numbers."""
    found: list[Person] = []
    for one in mentions:
        known = next((place for place, other in enumerate(found) if _alike(one, other)), None)
        if known is None:
            found.append(one)
        else:
            numbers = tuple(dict.fromkeys((*found[known].identifiers, *one.identifiers)))
            found[known] = replace(found[known], identifiers=numbers)
    return found


def _alike(one: Person, other: Person) -> bool:
    return same(one, other) or (one.name is not None and one.name == other.name)


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
        reading.remark("AIx-2", "DQ-REQUIRED-MISSING", _SEGMENT_ACTION)
        return tuple(Edit(field=entry.field, key=entry.key, value=None) for entry in entries)
    return tuple(
        Edit(field=entry.field, key=entry.key, value=None if entry.action == "D" else entry.value)
        for entry in entries
        if entry.action in ("D", "A", "U") or (not removing and entry.action != "X")
    )
