"""Services and resources of an appointment: RGS with its AIS, AIG, AIL, AIP and their notes (2.5.1 ch. 10.6).

In snapshot mode the segments of a message are the whole list; in action mode AIx-2 says what becomes of each entry
(DOMAIN 2.3). Entries are known by segment and set id (`AIP/1`), in a group after the first also by that (`AIP/2.1`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from canonical.datatypes import Identifier, Participant, Service
from canonical.patches import Edit

from .actors import Person, Spot
from .codes import APPOINTMENT_STATUSES, PARTICIPATIONS, RESOURCE_KINDS
from .converters import coded, codes_of, concept, concepts, text
from .er7 import Segment
from .instants import instant
from .notes import notes_of
from .people import people, same, spots
from .rows import Reading, take
from .times import rfc3339
from .timing import duration

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
    """One entry of a list as the message has it: the list, its key there, the action code, the value."""

    field: str
    key: str
    action: str
    value: Participant | Service


def resources(reading: Reading, start: str | None) -> list[Entry]:
    """Every service and resource in the order of the message; `start` is what offsets are counted from."""
    walk = Walk(reading, start)
    for segment in reading.message.segments:
        if segment.name == "RGS":
            walk.enter(segment)
        elif segment.name in LAYOUTS:
            walk.take(segment)
    reading.field = None
    return _once(walk.found)


def _once(entries: list[Entry]) -> list[Entry]:
    """Without the people of AIG whom AIP names as well."""
    general = [one for one in entries if one.key.startswith("AIG") and getattr(one.value, "kind", "") == "provider"]
    if not general:
        return entries
    named = {number.value for one in entries if one.key.startswith("AIP") for number in _numbers(one)}
    return [one for one in entries if one not in general or named.isdisjoint(number.value for number in _numbers(one))]


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
        number = self._number(rgs)
        self.prefix = "" if number == "1" else f"{number}."
        self.group = leaf(rgs.get(3).partition(self.reading.dialect.component)[0]) or leaf(rgs.get(1))
        self.action = (leaf(rgs.get(2)) or "").upper()

    def take(self, segment: Segment) -> None:
        """One resource segment; a repeating resource makes several entries."""
        reading, name = self.reading, segment.name
        key = f"{name}/{self.prefix}{self._number(segment)}"
        if key in self.seen:
            key = f"{key}#{segment.occurrence}"
        self.seen.add(key)
        action = (reading.dialect.leaf(segment.get(2)) or "").upper() or self.action
        reading.field = field = "services" if name == "AIS" else "participants"
        layout = LAYOUTS[name]
        values = READERS[name](self, segment, layout)
        for place, value in enumerate(values):
            named = f"{key}~{place + 1}" if place else key
            self.found.append(Entry(field, named, action, replace(value, key=named)))
        if not values:
            reading.complain("DQ-REQUIRED-MISSING", _REQUIRED, at=f"{segment.path}-3")

    def _number(self, segment: Segment) -> str:
        return (self.reading.dialect.leaf(segment.get(1)) or str(segment.occurrence)).lstrip("0") or "0"

    def _service(self, ais: Segment, layout: Layout) -> list[Service]:
        """AIS-3, with the codes that supplement it (AIS-11, AIS-12)."""
        reading = self.reading
        code = take(concept, ais, 3, reading)
        if not code:
            return []
        more = [take(concepts, ais, index, reading) or () for index in (11, 12) if ais.get(index)]
        service = Service(
            code=code,
            start=self._start(ais, layout),
            minutes=self._minutes(ais, layout),
            status=take(_status, ais, layout.start + 6, reading) or None,
            supplemental=tuple(dict.fromkeys(one for some in more for one in some)),
            group=self.group,
            notes=notes_of(ais, reading, "service"),
        )
        return [service]

    def _people(self, aip: Segment, layout: Layout) -> list[Participant]:
        """AIP-3: its repetitions are the numbers of one person, or else several people."""
        shared = self._shared(aip, layout)
        return [replace(shared, **actor(one, self.reading)) for one in united(take(people, aip, 3, self.reading) or ())]

    def _places(self, ail: Segment, layout: Layout) -> list[Participant]:
        """AIL-3."""
        shared = self._shared(ail, layout)
        return [
            replace(shared, kind="location", actor=place_of(one, self.reading), display=one.display)
            for one in take(spots, ail, 3, self.reading) or ()
        ]

    def _general(self, aig: Segment, layout: Layout) -> list[Participant]:
        """AIG-3: a device, unless AIG-4 says that it is a person or a room."""
        thing = take(concept, aig, 3, self.reading)
        if not thing:
            return []
        shared = self._shared(aig, layout)
        said = [*codes_of(shared.role), *([shared.role.text] if shared.role and shared.role.text else [])]
        kinds = (RESOURCE_KINDS.get(one.upper()) for one in said)
        identifiers = tuple(
            Identifier(value=one.code, system=one.system or f"{self.reading.dialect.urn}resource")
            for one in thing.codings
        )
        kind = next((kind for kind in kinds if kind), "device")
        return [replace(shared, kind=kind, identifiers=identifiers, display=thing.text)]

    def _shared(self, segment: Segment, layout: Layout) -> Participant:
        """What all resources have in common: role, time, status, substitution, notes."""
        reading = self.reading
        status = take(_status, segment, layout.start + 6, reading) or None
        stands = next(
            (APPOINTMENT_STATUSES[one] for one in map(str.upper, codes_of(status)) if one in APPOINTMENT_STATUSES), ""
        )
        group = self.group or (take(text, segment, layout.group, reading) or None)
        return Participant(
            kind="device",
            role=take(concept, segment, layout.role, reading) or None,
            status=PARTICIPATIONS.get(stands),
            source_status=status,
            start=self._start(segment, layout),
            minutes=self._minutes(segment, layout),
            quantity=(take(text, segment, layout.quantity, reading) or None) if layout.quantity else None,
            substitution=take(text, segment, layout.start + 5, reading) or None,
            group=group,
            notes=notes_of(segment, reading, "participant"),
        )

    def _start(self, segment: Segment, layout: Layout) -> str | None:
        """The start as sent, else the offset from the start of the appointment."""
        reading = self.reading
        if segment.get(layout.start):
            return take(instant, segment, layout.start, reading) or None
        amount = segment.get(layout.start + 1)
        if not amount or not self.start:
            return None
        offset = duration(amount, segment.get(layout.start + 2), f"{segment.path}-{layout.start + 1}", reading)
        return moved(self.start, offset) if offset else self.start

    def _minutes(self, segment: Segment, layout: Layout) -> int | None:
        amount = segment.get(layout.start + 3)
        if not amount:
            return None
        return duration(amount, segment.get(layout.start + 4), f"{segment.path}-{layout.start + 3}", self.reading)


READERS: Final[dict[str, Callable[[Walk, Segment, Layout], Sequence[Participant | Service]]]] = {
    "AIS": Walk._service,
    "AIG": Walk._general,
    "AIL": Walk._places,
    "AIP": Walk._people,
}


def moved(start: str, minutes: int) -> str:
    """An instant some minutes later."""
    return rfc3339(datetime.fromisoformat(start) + timedelta(minutes=minutes))


def actor(person: Person, reading: Reading) -> dict[str, object]:
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
