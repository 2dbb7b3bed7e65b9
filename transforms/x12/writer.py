"""Segments become bytes. X12 has no escape, so what holds a delimiter is refused, with its place, and never cut in two.

An element to be written is a text, a composite (a tuple of texts), or repetitions of either (a list). Empty ends are
left out, as the standard wants them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from canonical.problems import Problem

from .delimiters import Delimiters, components, repetitions
from .guides import GROUPS, VERSIONS
from .interchange import Interchange, Segment

Composite = tuple[str, ...]
Element = str | Composite | Sequence[str | Composite]
Line = Sequence[Element]  # the name, then the elements

SEPARATOR = "X12-SEP"


class Unwritable(Exception):
    """Something to be written holds a delimiter; `problems` say where, and never what."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(f"{one.code} at {one.path}" for one in problems))
        self.problems = tuple(problems)


class Ends(Struct, frozen=True, kw_only=True):
    """Who sends to whom, and in what environment: ISA05 to ISA08, GS02, GS03, ISA14, ISA15."""

    sender: str
    receiver: str
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    group_sender: str = ""
    group_receiver: str = ""
    wants_ack: bool = False
    usage: str = "T"


class Numbers(Struct, frozen=True, kw_only=True):
    """Control numbers from the sender's durable counters: ISA13 (nine digits), GS06, ST02 of the first transaction."""

    interchange: int
    group: int = 1
    transaction: int = 1


def segment(line: Line, d: Delimiters) -> str:
    """One segment without its terminator; Unwritable where a text holds a delimiter."""
    problems: list[Problem] = []
    parts = [str(line[0]), *(_element(one, d, f"{line[0]}-{n:02d}", problems) for n, one in enumerate(line[1:], 1))]
    if problems:
        raise Unwritable(problems)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return d.element.join(parts)


def _element(one: Element, d: Delimiters, path: str, problems: list[Problem]) -> str:
    if isinstance(one, str):
        return _leaf(one, d, path, problems)
    if isinstance(one, tuple):
        parts = [_leaf(part, d, f"{path}.{n}", problems) for n, part in enumerate(one, 1)]
        return d.component.join(parts).rstrip(d.component)
    if len(one) > 1 and not d.repetition:
        problems.append(Problem(code=SEPARATOR, path=path, severity="error", detail="nothing can repeat before 00402"))
    return d.repetition.join(_element(part, d, f"{path}[{n}]", problems) for n, part in enumerate(one, 1))


def _leaf(text: str, d: Delimiters, path: str, problems: list[Problem]) -> str:
    if any(char in text for char in d.every) or "\r" in text or "\n" in text:
        detail = "it holds a delimiter or a line end, for which X12 has no escape"
        problems.append(Problem(code=SEPARATOR, path=path, severity="error", detail=detail))
    return text


def read_element(text: str, d: Delimiters) -> Element:
    """An element as it was sent, taken apart into what writes it again."""
    parts: list[str | Composite] = [
        tuple(components(part, d)) if d.component in part else part for part in repetitions(text, d)
    ]
    return parts[0] if len(parts) == 1 else parts


def transaction(kind: str, lines: Sequence[Line], control: str, guide: str | None = None) -> list[Line]:
    """ST to SE around the segments of a transaction, counted."""
    name = VERSIONS[kind][0] if guide is None else guide
    return [("ST", kind, control, name), *lines, ("SE", str(len(lines) + 2), control)]


def interchange(
    kind: str,
    transactions: Sequence[Sequence[Line]],
    ends: Ends,
    numbers: Numbers,
    at: datetime,
    d: Delimiters,
    *,
    line_ends: str = "",
) -> bytes:
    """One group of transactions of one kind, whole; `at` is the local time that goes into ISA and GS."""
    guide = VERSIONS[kind][0]
    bodies = [transaction(kind, lines, f"{numbers.transaction + n:04d}", guide) for n, lines in enumerate(transactions)]
    group = str(numbers.group)
    gs = ("GS", GROUPS[kind], ends.group_sender or ends.sender, ends.group_receiver or ends.receiver)
    lines: list[Line] = [
        (*gs, f"{at:%Y%m%d}", f"{at:%H%M}", group, "X", guide),
        *(line for body in bodies for line in body),
        ("GE", str(len(bodies)), group),
        ("IEA", "1", f"{numbers.interchange:09d}"),
    ]
    return _bytes([isa(ends, numbers, at, d), *(segment(line, d) for line in lines)], d, line_ends)


def bare(lines: Sequence[Line], ends: Ends, numbers: Numbers, at: datetime, d: Delimiters) -> bytes:
    """Segments that travel between ISA and IEA without a group: TA1."""
    iea: Line = ("IEA", "0", f"{numbers.interchange:09d}")
    return _bytes([isa(ends, numbers, at, d), *(segment(line, d) for line in (*lines, iea))], d, "")


def isa(ends: Ends, numbers: Numbers, at: datetime, d: Delimiters) -> str:
    """The one segment whose elements are padded; ids longer than 15 characters cannot stand in it."""
    _check_ids(ends, d)
    parts = (
        *("ISA", "00", " " * 10, "00", " " * 10),
        *(f"{ends.sender_qualifier:<2}", f"{ends.sender:<15}", f"{ends.receiver_qualifier:<2}"),
        *(f"{ends.receiver:<15}", f"{at:%y%m%d}", f"{at:%H%M}", d.repetition or "U"),
        *("00501" if d.repetition else "00401", f"{numbers.interchange:09d}", "1" if ends.wants_ack else "0"),
        *(ends.usage, d.component),
    )
    return d.element.join(parts)


def _check_ids(ends: Ends, d: Delimiters) -> None:
    problems: list[Problem] = []
    widths = ((5, ends.sender_qualifier, 2), (6, ends.sender, 15), (7, ends.receiver_qualifier, 2))
    for n, text, width in (*widths, (8, ends.receiver, 15)):
        _leaf(text, d, f"ISA-{n:02d}", problems)
        if len(text) > width:
            detail = f"it has more than {width} characters"
            problems.append(Problem(code="value-too-long", path=f"ISA-{n:02d}", severity="error", detail=detail))
    if problems:
        raise Unwritable(problems)


def write(found: Interchange, d: Delimiters | None = None) -> bytes:
    """An interchange as it was read, again, with its own delimiters or with others."""
    own = found.delimiters
    if d is None or d == own:
        return _bytes([own.element.join(one) for one in _segments(found)], own, "")
    isa, *rest = _segments(found)
    head = d.element.join((*isa[:11], d.repetition or "U", *isa[12:16], d.component))
    lines = [[one[0], *(read_element(text, own) for text in one[1:])] for one in rest]
    return _bytes([head, *(segment(line, d) for line in lines)], d, "")


def _segments(found: Interchange) -> Iterator[Segment]:
    yield found.isa
    yield from found.ta1
    yield from found.strays
    for group in found.groups:
        yield group.gs
        for one in group.transactions:
            yield from one.segments
        if group.ge:
            yield group.ge
    if found.iea:
        yield found.iea


def _bytes(segments: Sequence[str], d: Delimiters, line_ends: str) -> bytes:
    end = d.segment + line_ends
    return "".join(f"{one}{end}" for one in segments).encode()
