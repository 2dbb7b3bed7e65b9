"""Mapping tables: canonical field <- wire place, converter; declared once, read by everything.

A `Row` names one field of one segment; a `Rule` is an ordinary function beside the table for what a row cannot say, and
names every place it may read. From the same declaration come decoding, field lineage, the reference page and the
coverage report. A field that cannot be read costs itself only: it becomes a problem, and the rest goes on.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from msgspec import UNSET, Struct, UnsetType

from canonical.problems import Problem, Severity
from canonical.records import Record

from .actors import Cast
from .dialect import NULL, dialect
from .er7 import Message, Segment
from .profile import Profile

__all__ = [
    "NULL",
    "BadField",
    "Convert",
    "Home",
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


class BadField(Exception):
    """A converter could not read its text. Never carries the text."""

    def __init__(self, code: str, detail: str, severity: Severity = "error") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.severity = severity


class Used(Struct, frozen=True):
    """Lineage of one canonical field: the place it was read from and the row that read it."""

    field: str
    path: str
    by: str


class Home(NamedTuple):
    """The authority that a number without one is taken to belong to."""

    system: str
    name: str


class Reading:
    """One message being read under one profile: where we are, and what was wrong so far.

    `msh_offset` is the offset of MSH-7 in minutes east, `zone` the one in which local times are read, `received_at`
    our clock in microseconds. The patches that the message comes to are collected in `cast`. With `trace` set, each
    field that gets a value leaves a `Used` there; without it lineage costs nothing.
    """

    __slots__ = (
        *("at", "cast", "delimiters", "dialect", "field", "home", "message", "msh_offset", "noted", "problems"),
        *("profile", "received_at", "trace", "zone"),
    )

    def __init__(
        self,
        message: Message,
        profile: Profile,
        received_at: int,
        msh_offset: int | None = None,
        trace: list[Used] | None = None,
    ) -> None:
        self.message = message
        self.delimiters = message.delimiters
        self.profile = profile
        self.dialect = dialect(profile, message.delimiters, message.charset)
        self.zone = self.dialect.zone
        self.home: Home | None = None  # the authority of MSH-4, once it was needed
        self.cast = Cast()
        self.noted: set[str] = set()
        self.received_at = received_at
        self.msh_offset = msh_offset
        self.problems: list[Problem] = []
        self.trace = trace
        self.at = "MSH"
        self.field: str | None = None

    def complain(self, code: str, detail: str = "", severity: Severity = "warning", at: str | None = None) -> None:
        """Note a problem of the field being read; `at` is a place inside it (`.3`, `[2].1`) or a whole path."""
        path = self.at if at is None else self.at + at if at[0] in ".[" else at
        self.problems.append(Problem(code=code, path=path, detail=detail, severity=severity, field=self.field))

    def remark(self, about: str, code: str, detail: str) -> None:
        """Note something worth knowing about the sender's ways, once a message."""
        if about not in self.noted:
            self.noted.add(about)
            self.complain(code, detail, "information")

    def used(self, field: str, path: str, by: str) -> None:
        """Leave a trace that this field came from there."""
        if self.trace is not None:
            self.trace.append(Used(field, path, by))

    def wrong(self, since: int) -> tuple[Problem, ...]:
        """What a record's segments have wrong: the problems from that number on, without mere remarks."""
        if len(self.problems) == since:
            return ()
        return tuple(problem for problem in self.problems[since:] if problem.severity != "information")

    def number(self, patch: int, since: int) -> None:
        """What was traced from that number on is about this patch: `start` becomes `2.start`."""
        for place in range(since, len(self.trace or ())):
            used = self.trace[place] if self.trace else None
            if used and self.trace and not used.field[0].isdecimal():
                self.trace[place] = Used(f"{patch}.{used.field}", used.path, used.by)


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
    """`Rule("telecoms", ("PID-13", "PID-14"), telecoms)`: a function decides, reading any of these places."""

    field: str
    paths: tuple[str, ...]
    decide: Decide


class Joint(Struct, frozen=True):
    """`Joint(("start", "end"), ("TQ1-7", "TQ1-8"), timing)`: fields that only make sense together; the function gives
    those that were sent."""

    fields: tuple[str, ...]
    paths: tuple[str, ...]
    decide: Callable[[Segment, Reading], dict[str, object]]


class Table:
    """The rows and rules that fill one kind of record from one segment (and what a rule reads beside it)."""

    def __init__(self, segment: str, record: type[Record], *rows: Row | Rule | Joint) -> None:
        self.segment = segment
        self.record = record
        self.rows = tuple(row for row in rows if isinstance(row, Row))
        self.rules = tuple(row for row in rows if isinstance(row, Rule))
        self.joints = tuple(row for row in rows if isinstance(row, Joint))
        self._plan = tuple((row.index, row.field, row.convert) for row in self.rows)
        self._empty = {row.field: getattr(_defaults(record), row.field) for row in self.rows}

    def read(self, segment: Segment, reading: Reading, into: dict[str, object]) -> dict[str, object]:
        """Fill `into` with what the segment says: a value, the field's empty value for `""`, nothing when not sent."""
        fields = segment.fields
        size = len(fields)
        path = segment.path
        for index, field, convert in self._plan:
            if index >= size or not (text := fields[index]):
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
            if reading.trace is not None:
                reading.used(field, f"{path}-{index}", getattr(convert, "__name__", "row"))
        for rule in self.rules:
            self._decide(rule, segment, reading, into)
        for joint in self.joints:
            self._join(joint, segment, reading, into)
        reading.field = None
        return into

    def _decide(self, rule: Rule, segment: Segment, reading: Reading, into: dict[str, object]) -> None:
        reading.at = segment.path
        reading.field = rule.field
        before = len(reading.trace) if reading.trace is not None else 0
        try:
            value = rule.decide(segment, reading)
        except BadField as bad:
            reading.complain(bad.code, bad.detail, bad.severity)
            return
        if value is UNSET:
            return
        into[rule.field] = value
        if reading.trace is not None and len(reading.trace) == before:
            for path in populated(rule.paths, segment, reading.message):
                reading.used(rule.field, path, getattr(rule.decide, "__name__", "rule"))

    def _join(self, joint: Joint, segment: Segment, reading: Reading, into: dict[str, object]) -> None:
        reading.at = segment.path
        reading.field = joint.fields[0]
        before = len(reading.trace) if reading.trace is not None else 0
        said = joint.decide(segment, reading)
        into.update(said)
        if said and reading.trace is not None and len(reading.trace) == before:
            for path in populated(joint.paths, segment, reading.message):
                for field in said:
                    reading.used(field, path, getattr(joint.decide, "__name__", "rule"))


def take(
    convert: Callable[[str, Reading], T | None], segment: Segment, index: int, reading: Reading
) -> T | UnsetType | None:
    """One field for a rule: its value, None for `""`, UNSET where nothing was sent or nothing could be read."""
    raw = segment.get(index)
    if not raw:
        return UNSET
    reading.at = f"{segment.path}-{index}"
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
