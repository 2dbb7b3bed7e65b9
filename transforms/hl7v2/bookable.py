"""What one AIS, AIG, AIL or AIP books (2.5.1 ch. 10.6.4 to 10.6.7): the service, person, place or thing, in what role.

Clinics book the same things all day, so what a segment says apart from its time is remembered.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from canonical.datatypes import Concept, Identifier, Participant, Service

from .actors import Person, Spot
from .codes import APPOINTMENT_STATUSES, PARTICIPATIONS, RESOURCE_KINDS
from .converters import coded, codes_of, concept, concepts, text
from .er7 import Segment
from .memory import remembered
from .people import people, spots, united
from .rows import NULL, BadField, Reading
from .timing import duration

T = TypeVar("T")

_status = coded("0278")


class Layout(Struct, frozen=True):
    """Where the fields of a resource segment stand: start, offset and its unit, length and its unit, substitution
    and status always follow one another."""

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
PATHS: Final = (
    *(f"{name}-{index}" for name, layout in LAYOUTS.items() for index in layout.paths),
    *("AIS-11", "AIS-12", "RGS-1", "RGS-3"),
)


class Booked(NamedTuple):
    """One thing booked: its kind, the entry without time, name and notes, and who or where it is."""

    kind: str
    value: Participant | Service
    who: Person | Spot | None = None


def booked(segment: Segment, reading: Reading) -> tuple[Booked, ...]:
    """What a segment books; several where its resource repeats."""
    fields, start = segment.fields, LAYOUTS[segment.name].start
    reading.at = segment.path
    lasting = (segment.name, *fields[3:start], *[""] * (start - len(fields)), *fields[start + 3 : start + 9])
    return _booked(reading.delimiters.field.join(lasting), reading)


@remembered
def _booked(text: str, reading: Reading) -> tuple[Booked, ...]:
    """The fields from the third on, without start and offset."""
    name, *rest = text.split(reading.delimiters.field)
    layout = LAYOUTS[name]
    before = layout.start - 3
    fields = ["", "", "", *rest[:before], "", "", "", *rest[before:], *[""] * 16]
    return tuple(READERS[name](Slots(fields, layout, reading)))


class Slots:
    """The fields of one segment, those that were not sent as empty ones."""

    __slots__ = ("fields", "layout", "path", "reading")

    def __init__(self, fields: list[str], layout: Layout, reading: Reading) -> None:
        self.fields = fields
        self.layout = layout
        self.reading = reading
        self.path = reading.at

    def take(self, convert: Callable[[str, Reading], T | None], index: int) -> T | None:
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

    def minutes(self) -> int | None:
        """How long it is booked for."""
        at = self.layout.start + 3
        amount = self.fields[at]
        unit, path = self.fields[at + 1], self.path
        return duration(amount, unit, f"{path}-{at}", self.reading, f"{path}-{at + 1}") if amount else None

    def participant(self) -> Participant:
        """What all resources have in common: role, length, status, substitution."""
        layout = self.layout
        status = self.take(_status, layout.start + 6)
        return Participant(
            kind="device",
            role=self.take(concept, layout.role),
            status=participation(status) if status else None,
            source_status=status,
            minutes=self.minutes(),
            quantity=self.take(text, layout.quantity) if layout.quantity else None,
            substitution=self.take(text, layout.start + 5),
            group=self.take(text, layout.group),
        )


def _service(ais: Slots) -> list[Booked]:
    """AIS-3, with the codes that supplement it (AIS-11, AIS-12)."""
    code = ais.take(concept, 3)
    if code is None:
        return []
    more = (*(ais.take(concepts, 11) or ()), *(ais.take(concepts, 12) or ()))
    status = ais.take(_status, ais.layout.start + 6)
    supplemental = tuple(dict.fromkeys(more))
    return [Booked("service", Service(code=code, minutes=ais.minutes(), status=status, supplemental=supplemental))]


def _people(aip: Slots) -> list[Booked]:
    """AIP-3: its repetitions are the numbers of one person, or else several people."""
    shared = aip.participant()
    return [
        Booked("provider", replace(shared, kind="provider", identifiers=one.identifiers, display=one.display), one)
        for one in united(aip.take(people, 3) or ())
    ]


def _places(ail: Slots) -> list[Booked]:
    """AIL-3."""
    shared = ail.participant()
    found = ail.take(spots, 3) or ()
    return [Booked("location", replace(shared, kind="location", display=one.display), one) for one in found]


def _things(aig: Slots) -> list[Booked]:
    """AIG-3: a device, unless AIG-4 says that it is a person or a room."""
    thing = aig.take(concept, 3)
    if thing is None:
        return []
    shared = aig.participant()
    kind = resource_kind(shared.role)
    own = f"{aig.reading.dialect.urn}resource"
    numbers = tuple(Identifier(value=one.code, system=one.system or own) for one in thing.codings)
    return [Booked(kind, replace(shared, kind=kind, identifiers=numbers, display=thing.text))]


READERS: Final[dict[str, Callable[[Slots], list[Booked]]]] = {
    "AIS": _service,
    "AIG": _things,
    "AIL": _places,
    "AIP": _people,
}


def resource_kind(role: Concept | None) -> str:
    """What AIG-4 says a general resource is."""
    said = (*codes_of(role), role.text or "") if role else ()
    return next((kind for one in said if (kind := RESOURCE_KINDS.get(one.upper()))), "device")


def participation(status: Concept) -> str | None:
    """The status of one resource (table 0278) as a participation."""
    stands = (APPOINTMENT_STATUSES.get(one.upper()) for one in codes_of(status))
    return next((PARTICIPATIONS[one] for one in stands if one), None)
