"""Mapping tables: canonical field <-> element of a segment, declared once and read in both directions.

A `Row` is one field in one element; a `Join` is fields that only make sense together, or an element that holds several.
From the same declaration come reading, writing, field lineage and the reference page. An element that cannot be read
costs itself only: it becomes a problem, and the rest goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from canonical.problems import Problem, Severity

from .delimiters import Delimiters
from .loops import Found
from .profile import Payer
from .writer import Element, Line


class BadValue(Exception):
    """A converter could not read its text. Never carries the text."""

    def __init__(self, code: str, detail: str, severity: Severity = "error") -> None:
        super().__init__(code)
        self.code, self.detail, self.severity = code, detail, severity


class Used(Struct, frozen=True):
    """Lineage of one canonical field: `benefits/3/amount` came from `2110C[3]/EB-07` by the converter `money`."""

    field: str
    path: str
    by: str


class Reading:
    """One transaction being read under what is agreed with the payer; with `trace` set every field leaves a `Used`."""

    __slots__ = ("delimiters", "element", "field", "found", "payer", "problems", "trace")

    def __init__(self, payer: Payer, delimiters: Delimiters, trace: list[Used] | None = None) -> None:
        self.payer, self.delimiters, self.trace = payer, delimiters, trace
        self.problems: list[Problem] = []
        self.found: Found | None = None
        self.element = 0
        self.field = ""

    def complain(self, code: str, detail: str, severity: Severity = "warning") -> None:
        """Note a problem of the element being read."""
        path = f"{self.found.path}-{self.element:02d}" if self.found else "ST"
        field = self.field.partition("/")[0] or None
        self.problems.append(Problem(code=code, path=path, detail=detail, severity=severity, field=field))


# What a converter gives and takes is as various as the fields are: the table's struct checks nothing at run time.
Read = Callable[[str, Reading], Any]  # None: nothing in it
Write = Callable[[Any, Payer], Element]


class Codec(Struct, frozen=True):
    """A converter in both directions; `name` stands in lineage, `says` in the reference page."""

    name: str
    says: str
    read: Read
    write: Write


class Row(Struct, frozen=True):
    """`Row("amount", 7, money)`: this field is that element."""

    field: str
    element: int
    codec: Codec


class Join(Struct, frozen=True):
    """`Join(("start", "end"), (2, 3), ...)`: `read` gets these elements and gives these fields, `write` the reverse."""

    fields: tuple[str, ...]
    elements: tuple[int, ...]
    name: str
    says: str
    read: Callable[[Sequence[str], Reading], Sequence[Any]]
    write: Callable[[Sequence[Any], Payer], Sequence[Element]]


class Table:
    """The rows that one kind of segment is read and written by. `fixed` are elements that are always the same."""

    def __init__(self, segment: str, *rows: Row | Join, fixed: Mapping[int, str] | None = None) -> None:
        self.segment = segment
        self.rows: Final = rows
        self.fixed = dict(fixed or {})
        self._plan = tuple((one.element, one.field, one.codec.read) for one in rows if isinstance(one, Row))
        self._joins = tuple(one for one in rows if isinstance(one, Join))

    def read(self, found: Found, reading: Reading, at: str = "") -> dict[str, Any]:
        """The fields that the segment fills; `at` is where in the record they go (`benefits/2/`)."""
        into: dict[str, Any] = {}
        elements, size = found.elements, len(found.elements)
        reading.found = found
        for n, field, convert in self._plan:
            if n >= size or not (text := elements[n]):
                continue
            reading.element, reading.field = n, at + field
            try:
                value = convert(text, reading)
            except BadValue as bad:
                reading.complain(bad.code, bad.detail, bad.severity)
                continue
            if value is not None:
                into[field] = value
        for join in self._joins:
            self._join(join, found, reading, at, into)
        if reading.trace is not None:
            self._leave(found, reading.trace, at, into)
        return into

    def _join(self, join: Join, found: Found, reading: Reading, at: str, into: dict[str, Any]) -> None:
        texts = [found.get(n) for n in join.elements]
        if not any(texts):
            return
        reading.element, reading.field = join.elements[-1], at + join.fields[0]
        try:
            values = join.read(texts, reading)
        except BadValue as bad:
            reading.complain(bad.code, bad.detail, bad.severity)
            return
        into.update((field, value) for field, value in zip(join.fields, values, strict=True) if value is not None)

    def _leave(self, found: Found, trace: list[Used], at: str, into: Mapping[str, Any]) -> None:
        for row in self.rows:
            places = (row.element,) if isinstance(row, Row) else row.elements
            fields = (row.field,) if isinstance(row, Row) else row.fields
            name = row.codec.name if isinstance(row, Row) else row.name
            for field in fields:
                if field in into:
                    trace += [Used(at + field, f"{found.path}-{n:02d}", name) for n in places if found.get(n)]

    def write(self, values: Mapping[str, Any], payer: Payer) -> Line:
        """The segment that says so; a field that is not among the values leaves its element empty."""
        parts: dict[int, Element] = dict(self.fixed)
        for row in self.rows:
            if isinstance(row, Row):
                if (value := values.get(row.field)) is not None:
                    parts[row.element] = row.codec.write(value, payer)
            elif any(values.get(field) is not None for field in row.fields):
                written = row.write([values.get(field) for field in row.fields], payer)
                parts.update(zip(row.elements, written, strict=True))
        return (self.segment, *(parts.get(n, "") for n in range(1, max(parts, default=0) + 1)))
