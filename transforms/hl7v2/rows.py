"""Mapping tables: canonical field <- wire place, converter; declared once, read by everything.

A `Row` names one field of one segment; a `Rule` is an ordinary function beside the table for what a row cannot say, and
names every place it may read. From the same declaration come decoding, field lineage, the reference page and the
coverage report. A field that cannot be read costs itself only: it becomes a problem, and the rest goes on.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType

from canonical.records import Record

from .dialect import NULL
from .er7 import Message, Segment
from .reading import BadField, Reading, Used

__all__ = [
    "NULL",
    "BadField",
    "Convert",
    "Joint",
    "Reading",
    "Row",
    "Rule",
    "Table",
    "Used",
    "populated",
    "sent",
    "take",
]

T = TypeVar("T")

LONGEST = 65_536  # characters of a field: no type of the standard has more
TOO_LONG = f"the field has more than {LONGEST} characters; it was left out"

Convert = Callable[[str, Reading], object]  # None: nothing in it
Decide = Callable[[Segment, Reading], object]  # UNSET: not sent


class Row(Struct, frozen=True):
    """`Row("birth_date", "PID-7", birth_date)`: this field comes from that place by this converter."""

    field: str
    path: str
    convert: Convert

    @property
    def index(self) -> int:
        """The field number in the segment."""
        return int(self.path.rpartition("-")[2])


class Rule(Struct, frozen=True):
    """`Rule("telecoms", ("PID-13", "PID-14"), telecoms)`: a function decides, reading any of these places.

    It is asked only where one of them holds something, or, for places in other segments, where there is such a segment.
    """

    field: str
    paths: tuple[str, ...]
    decide: Decide


class Joint(Struct, frozen=True):
    """`Joint(("start", "end"), ("TQ1-7", "TQ1-8"), timing)`: fields that only make sense together; the function, which
    also sees what was read before, gives those that were sent."""

    fields: tuple[str, ...]
    paths: tuple[str, ...]
    decide: Callable[[Segment, Reading, dict[str, object]], dict[str, object]]


class Table:
    """The rows and rules that fill one kind of record from one segment (and what a rule reads beside it)."""

    def __init__(self, segment: str, record: type[Record], *rows: Row | Rule | Joint) -> None:
        self.segment = segment
        self.record = record
        self.rows = tuple(row for row in rows if isinstance(row, Row))
        self.rules = tuple(row for row in rows if isinstance(row, Rule))
        self.joints = tuple(row for row in rows if isinstance(row, Joint))
        self._plan = tuple((row.index, row.field, row.convert) for row in self.rows)
        self._rules = tuple((rule, *_places(rule.paths, segment)) for rule in self.rules)
        self._empty = {row.field: getattr(_defaults(record), row.field) for row in self.rows}

    def read(self, segment: Segment, reading: Reading, into: dict[str, object]) -> dict[str, object]:
        """Fill `into` with what the segment says: a value, the field's empty value for `""`, nothing when not sent."""
        fields = segment.fields
        size = len(fields)
        path = segment.path if segment.repeated else segment.name
        traced = reading.trace is not None
        for index, field, convert in self._plan:
            if index >= size or not (text := fields[index]):
                continue
            if len(text) > LONGEST:
                reading.field = field
                reading.complain("value-too-long", TOO_LONG, "error", f"{path}-{index}")
                continue
            if text == NULL:
                into[field] = self._empty[field]
            else:
                reading.at = f"{path}-{index}"
                reading.field = field
                try:
                    value = convert(text, reading)
                except BadField as bad:
                    reading.complain(bad.code, bad.detail, bad.severity)
                    continue
                if value is None:
                    continue
                into[field] = value
            if traced:
                reading.used(field, f"{path}-{index}", getattr(convert, "__name__", "row"))
        self._decide(segment, path, reading, into)
        reading.field = None
        return into

    def _decide(self, segment: Segment, path: str, reading: Reading, into: dict[str, object]) -> None:
        fields, named, traced = segment.fields, reading.message.named, reading.trace is not None
        size = len(fields)
        for rule, own, others in self._rules:
            for index in own:
                if index < size and fields[index]:
                    break
            else:
                if named.keys().isdisjoint(others):
                    continue
            reading.at = path
            reading.field = rule.field
            before = len(reading.trace) if reading.trace is not None else 0
            try:
                said = rule.decide(segment, reading)
            except BadField as bad:
                reading.complain(bad.code, bad.detail, bad.severity)
                continue
            if said is not UNSET:
                into[rule.field] = said
                if traced:
                    _leave(rule.paths, (rule.field,), rule.decide, segment, reading, before)
        for joint in self.joints:
            reading.at = path
            reading.field = joint.fields[0]
            before = len(reading.trace) if reading.trace is not None else 0
            together = joint.decide(segment, reading, into)
            into.update(together)
            if traced:
                _leave(joint.paths, tuple(together), joint.decide, segment, reading, before)


def _places(paths: Sequence[str], segment: str) -> tuple[tuple[int, ...], frozenset[str]]:
    """The fields of this segment that a rule reads, and the other segments."""
    split = [path.partition("-") for path in paths]
    own = {int(index.partition(".")[0]) for name, _, index in split if name == segment}
    return tuple(sorted(own)), frozenset(name for name, _, _ in split) - {segment}


def _leave(
    paths: Sequence[str], fields: Sequence[str], by: object, segment: Segment, reading: Reading, before: int
) -> None:
    """Lineage of a function that left none itself: every place of it that holds something."""
    if reading.trace is None or len(reading.trace) > before:
        return
    for path in populated(paths, segment, reading.message):
        for field in fields:
            reading.used(field, path, getattr(by, "__name__", "rule"))


def take(
    convert: Callable[[str, Reading], T | None], segment: Segment, index: int, reading: Reading
) -> T | UnsetType | None:
    """One field for a rule: its value, None for `""`, UNSET where nothing was sent or nothing could be read."""
    fields = segment.fields
    if index >= len(fields) or not (raw := fields[index]):
        return UNSET
    reading.at = f"{segment.path}-{index}" if segment.repeated else f"{segment.name}-{index}"
    if len(raw) > LONGEST:
        reading.complain("value-too-long", TOO_LONG, "error")
        return UNSET
    try:
        value = None if raw == NULL else convert(raw, reading)
    except BadField as bad:
        reading.complain(bad.code, bad.detail, bad.severity)
        return UNSET
    if value is None and raw != NULL:
        return UNSET
    if reading.trace is not None and reading.field:
        reading.used(reading.field, reading.at, getattr(convert, "__name__", "rule"))
    return value


def populated(paths: Sequence[str], segment: Segment, message: Message) -> list[str]:
    """The places of a rule that hold something, in this segment or, for other segments, anywhere in the message."""
    found = []
    for path in paths:
        name, _, index = path.partition("-")
        segments = [segment] if name == segment.name else message.all(name)
        for one in segments:
            if not index or one.get(int(index.partition(".")[0])):
                found.append(f"{one.path}-{index}" if index else one.path)
    return found


def _defaults(record: type[Record]) -> Record:
    return record(id="", tenant="")


def sent(value: T | None) -> T | UnsetType:
    """A rule's way to say that nothing was sent."""
    return UNSET if value is None else value
