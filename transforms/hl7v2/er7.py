"""ER7, HL7v2's delimited text (2.5.1 ch. 2.5): a message as segments of fields, numbered as the standard does.

Fields stay as sent, escapes and all; components are cut when asked for. Whatever arrives between two separators is
kept in its place, known segment or not. The only refusals are `Unparseable`: nothing here could be trusted.
"""

import re
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from canonical.problems import Problem

from . import charset as charsets
from .delimiters import Delimiters, component, components, read, repetitions, subcomponents
from .escapes import CONTROLS, audible, rewrite, unescape
from .header import Header, header, unwrapped

__all__ = [
    "Delimiters",
    "Header",
    "Message",
    "Place",
    "Segment",
    "Unparseable",
    "component",
    "components",
    "encode",
    "header",
    "parse",
    "place",
    "repetitions",
    "silenced",
    "subcomponents",
]

HEADERS = ("MSH", "BHS", "FHS")
UNNAMED = "?"
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_PLACE = re.compile(
    r"([A-Z][A-Z0-9]{2}|\?)(?:\[([1-9]\d*)\])?(?:-([1-9]\d*)(?:\[([1-9]\d*)\])?(?:\.([1-9]\d*)(?:\.([1-9]\d*))?)?)?",
    re.ASCII,
)
_NOT_CR = Problem(
    code="DQ-MSGSTRUCT",
    path="MSH",
    severity="information",
    detail="segments are not ended by CR alone, as they should be",
)


_SILENCED = "control characters were left out; the message is kept as received"


class Unparseable(Exception):
    """The bytes cannot be read as one HL7 message; `problem` says why without quoting them."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code} at {problem.path}: {problem.detail}")
        self.problem = problem


class Segment(Struct, gc=False):
    """One segment. `fields[n]` is field n; of MSH, BHS and FHS field 1 is the separator itself."""

    name: str
    fields: list[str]
    number: int
    occurrence: int = 1
    repeated: bool = False

    @property
    def path(self) -> str:
        """`PID`, or `AIP[2]` where the message has several."""
        return f"{self.name}[{self.occurrence}]" if self.repeated else self.name

    def get(self, n: int) -> str:
        """Field n as sent, empty when it was not."""
        fields = self.fields
        return fields[n] if n < len(fields) else ""


class Message(Struct, gc=False):
    """A message in the order it came, decoded but still escaped. `charset` is a name of `charset.codec`.

    `has_controls` where its bytes hold control characters, which may be those of the charset.
    """

    delimiters: Delimiters
    segments: list[Segment]
    charset: str
    problems: list[Problem]
    text: str
    named: dict[str, list[Segment]]
    has_controls: bool = False

    def first(self, name: str) -> Segment | None:
        found = self.named.get(name)
        return found[0] if found else None

    def all(self, name: str) -> list[Segment]:
        return self.named.get(name, [])

    def segment(self, path: str) -> Segment | None:
        """The segment that a place is in."""
        at = place(path)
        found = self.all(at.segment)
        return found[at.occurrence - 1] if at.occurrence <= len(found) else None

    def value(self, path: str) -> str:
        """What stands at `PID-3[2].4.2`, unescaped; the first repetition where a component is asked for."""
        at, d = place(path), self.delimiters
        segment = self.segment(path)
        if at.field is None or segment is None:
            return ""
        text = segment.get(at.field)
        if at.segment in HEADERS and at.field <= 2:
            return text
        if at.repetition or at.component:
            text = _nth(repetitions(text, d), at.repetition or 1)
        if at.component:
            text = component(text, at.component, d)
        if at.subcomponent:
            text = _nth(subcomponents(text, d), at.subcomponent)
        return unescape(text, d, self.charset)[0]


class Place(Struct, frozen=True):
    """A path such as `AIP[2]-3.1` taken apart; what it does not say is None."""

    segment: str
    occurrence: int = 1
    field: int | None = None
    repetition: int | None = None
    component: int | None = None
    subcomponent: int | None = None


@lru_cache(maxsize=1024)
def place(path: str) -> Place:
    """Read a path; ValueError when it is not one."""
    match = _PLACE.fullmatch(path)
    if not match:
        raise ValueError("not a place in a message: write it as PID-3 or PID-3[2].4.2")
    segment, occurrence, *rest = match.groups()
    return Place(segment, int(occurrence or 1), *(int(part) if part else None for part in rest))


def parse(raw: bytes, default_charset: str | None = None) -> Message:
    """Decode the whole message, then cut it into fields. CR ends a segment; LF and CRLF are taken, and flagged."""
    raw = unwrapped(raw)
    d, declared = _opening(raw)
    text, codec, problem = charsets.decode(raw, declared, d.repetition, default_charset)
    problems = [problem] if problem else []
    if "\n" in text:
        problems.append(_NOT_CR)
        lines = text.replace("\r\n", "\r").replace("\n", "\r").split("\r")
    else:
        lines = text.split("\r")
    segments, named = _segments(lines, d.field, problems)
    if len(named["MSH"]) > 1:
        raise _refusal("MSH[2]", "a frame holds one message; this one has another MSH")
    for name in HEADERS:
        for segment in named.get(name, ()):
            segment.fields.insert(1, d.field)
    return Message(d, segments, codec, problems, text, named, len(raw.translate(None, CONTROLS)) < len(raw))


def encode(message: Message) -> bytes:
    """The message as ER7 again: CR after every segment, and no control character inside one."""
    d, charset = message.delimiters, message.charset
    lines = []
    for segment in message.segments:
        fixed = 3 if segment.name in HEADERS else 1  # MSH-1 and MSH-2 are not text
        head, body = "".join(segment.fields[:fixed]), segment.fields[fixed:]
        lines.append(d.field.join([head, *([rewrite(d.field.join(body), d, charset)] if body else [])]))
    return charsets.encode("".join(f"{line}\r" for line in lines), charset)


def _opening(raw: bytes) -> tuple[Delimiters, str]:
    """The delimiters and MSH-18, from bytes: up to there MSH is ASCII in every charset of table 0211."""
    if not raw.startswith(b"MSH"):
        wide = charsets.is_wide(raw)
        raise _refusal("MSH", "UTF-16 and UTF-32 cannot be framed" if wide else "the message does not begin with MSH")
    head = raw.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    separator = head[3:4]
    msh = head.split(separator, 18) if separator else []
    try:
        d = read(separator, msh[1] if msh else "")
    except ValueError as error:
        raise _refusal("MSH-2", str(error)) from None
    declared = msh[17] if len(msh) > 17 else ""
    if declared and charsets.is_wide(raw, declared):
        raise _refusal("MSH-18", "UTF-16 and UTF-32 cannot be framed")
    return d, declared


def _segments(
    lines: list[str], separator: str, problems: list[Problem]
) -> tuple[list[Segment], dict[str, list[Segment]]]:
    segments: list[Segment] = []
    named: dict[str, list[Segment]] = {}
    broken: dict[int, list[str]] = {}
    for line in lines:
        fields = line.split(separator)
        name = fields[0]
        found = named.get(name)
        if found is None:
            if len(name) != 3 or not _is_name(name):
                if not line.strip():
                    continue
                if _continues(segments[-1], fields):
                    broken.setdefault(len(segments) - 1, []).append(line)
                    continue
                name = UNNAMED
            found = named.setdefault(name, [])
        segment = Segment(name, fields, len(segments) + 1, len(found) + 1)
        if found:
            segment.repeated = found[0].repeated = True
        found.append(segment)
        segments.append(segment)
    if UNNAMED in named:
        problems.append(_odd(UNNAMED, "a line is not a segment: it was kept, and nothing reads it"))
    for index, rest in broken.items():
        segment = segments[index]
        segment.fields = "\n".join([separator.join(segment.fields), *rest]).split(separator)
        problems.append(_odd(segment.path, "a line break inside this segment: it was kept as text"))
    return segments, named


def silenced(message: Message) -> Message:
    """The message without control characters, which are no text, and with a problem for each field that had any."""
    segments, problems = [], list(message.problems)
    for segment in message.segments:
        fields = [audible(text) for text in segment.fields]
        for index, (text, was) in enumerate(zip(fields, segment.fields, strict=True)):
            if text != was:
                place = f"{segment.path}-{index}" if index else segment.path
                problems.append(Problem(code="DQ-CHARSET", path=place, detail=_SILENCED))
        segments.append(replace(segment, fields=fields))
    named: dict[str, list[Segment]] = {}
    for segment in segments:
        named.setdefault(segment.name, []).append(segment)
    return Message(message.delimiters, segments, message.charset, problems, message.text, named)


def _continues(before: Segment, fields: list[str]) -> bool:
    """A line that is no segment is the rest of a text that a line break was left in, so it goes back there.

    Not behind MSH, which has no such text, and not where it has the shape of a segment under a bad name: those
    stay by themselves, unnamed, for their name could be anything.
    """
    return before.name != "MSH" and (len(fields) == 1 or len(fields[0]) != 3)


def _odd(path: str, detail: str) -> Problem:
    return Problem(code="DQ-MSGSTRUCT", path=path, detail=detail)


def _refusal(path: str, detail: str) -> Unparseable:
    return Unparseable(Problem(code="DQ-MSGSTRUCT", path=path, detail=detail, severity="error"))


@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def _nth(parts: list[str], n: int) -> str:
    return parts[n - 1] if n <= len(parts) else ""
