"""Field edits of a message that is otherwise sent on byte for byte: set, copy and drop by place (2.5.1 ch. 2.5).

Only what an edit names is written anew; segment ends, unknown segments and trailing separators stay as they came. A
segment that is not there is not made.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from msgspec import Struct

from . import charset as charsets
from .delimiters import Delimiters
from .er7 import HEADERS, Place, parse, place
from .escapes import escape
from .header import header
from .names import SEGMENTS

PLACES: Final = [f"{segment}-{index}" for segment in SEGMENTS for index in range(1, 51)]  # to guess what was meant
FIXED: Final = frozenset({1, 2, 10, 18})  # of MSH: how it is cut and read, and what its answer names
_ENDS: Final = re.compile(r"(\r\n|\r|\n)")


class Edit(Struct, frozen=True, kw_only=True):
    """One edit: `set` puts `value` at a place, `copy` what stands at `source`, `drop` empties it.

    A segment or repetition without an index means each that there is; of a source it means the first.
    """

    verb: Literal["set", "copy", "drop"]
    at: str
    value: str = ""
    source: str = ""


def is_editable(text: str) -> bool:
    """Whether this is a place that may be edited."""
    try:
        at = place(text)
    except ValueError:
        return False
    if at.segment not in HEADERS:
        return at.segment != "?"
    return at.field is not None and at.field not in FIXED


def edited(raw: bytes, edits: Sequence[Edit]) -> bytes:
    """The message with these edits, in their order; without any the very bytes."""
    head = header(raw)
    if not edits or head is None:
        return raw
    codec = _codec(raw)
    message = _Lines(_ENDS.split(raw.decode(codec)), head.delimiters)
    for edit in edits:
        message.apply(edit, codec)
    return message.text().encode(codec)


def _codec(raw: bytes) -> str:
    """The message's own charset where its bytes come back from it unchanged; else one character for each byte."""
    codec = parse(raw).charset
    try:
        whole = raw.decode(codec).encode(codec) == raw
    except (LookupError, UnicodeError):
        whole = False
    return codec if whole else "latin-1"


class _Lines:
    """A message as lines and what ends them, in turn."""

    def __init__(self, parts: list[str], delimiters: Delimiters) -> None:
        self.parts = parts
        self.delimiters = delimiters

    def text(self) -> str:
        return "".join(self.parts)

    def apply(self, edit: Edit, codec: str) -> None:
        at, every = place(edit.at), "[" not in edit.at.partition("-")[0]
        if at.field is None:
            self._leave_out(self._named(at, every))
            return
        value = self._value(edit, codec)
        for index in self._named(at, every):
            source = self._source(edit, at, index) if edit.verb == "copy" else value
            self.parts[index] = _put(self.parts[index], at, source, self.delimiters)

    def _value(self, edit: Edit, codec: str) -> str:
        """What `set` puts there, escaped, in characters that the message can carry."""
        text = escape(edit.value, self.delimiters)
        return text.encode().decode("latin-1") if codec == "latin-1" else charsets.encode(text, codec).decode(codec)

    def _source(self, edit: Edit, at: Place, index: int) -> str:
        """What stands at the source: in the same segment where it is of that name, else in the first."""
        source, is_first = place(edit.source), "[" not in edit.source.partition("-")[0]
        if not (source.segment == at.segment and is_first):
            index = next(iter(self._named(source, every=False)), -1)
        return _get(self.parts[index], source, self.delimiters) if index >= 0 else ""

    def _named(self, at: Place, every: bool) -> list[int]:
        """Where the segments of a name stand: all of them, or the one that is meant."""
        begins = at.segment + self.delimiters.field
        found = [n for n in range(0, len(self.parts), 2) if self.parts[n].startswith(begins)]
        return found if every else found[at.occurrence - 1 : at.occurrence]

    def _leave_out(self, lines: Iterable[int]) -> None:
        for index in sorted(lines, reverse=True):
            del self.parts[index : index + 2]


def _put(line: str, at: Place, value: str, d: Delimiters) -> str:
    fields = _fields(line, at, d)
    field = at.field or 0
    text = fields[field] if field < len(fields) else ""
    if text or value:
        new = _in_repetitions(text, at, value, d)
        if field >= len(fields):
            fields += [""] * (field + 1 - len(fields))
        fields[field] = new
    return _line(fields, at, d)


def _in_repetitions(text: str, at: Place, value: str, d: Delimiters) -> str:
    """A field with the value in it: in one repetition or each, whole or in a component."""
    if at.component is None and at.repetition is None:
        return value
    parts = _split(text, d.repetition)
    wanted = range(len(parts)) if at.repetition is None else (at.repetition - 1,)
    for n in wanted:
        parts += [""] * (n + 1 - len(parts))
        parts[n] = _nested(parts[n], ((d.component, at.component), (d.subcomponent, at.subcomponent)), value)
    return d.repetition.join(parts)


def _nested(text: str, levels: Sequence[tuple[str, int | None]], value: str) -> str:
    (separator, index), inner = levels[0], levels[1:]
    if index is None:
        return value
    parts = _split(text, separator)
    parts += [""] * (index - len(parts))
    parts[index - 1] = _nested(parts[index - 1], inner, value) if inner else value
    return separator.join(parts)


def _get(line: str, at: Place, d: Delimiters) -> str:
    """What stands at a place, still escaped."""
    fields = _fields(line, at, d)
    text = fields[at.field] if at.field is not None and at.field < len(fields) else ""
    if at.repetition or at.component:
        text = _nth(_split(text, d.repetition), at.repetition or 1)
    for separator, index in ((d.component, at.component), (d.subcomponent, at.subcomponent)):
        text = text if index is None else _nth(_split(text, separator), index)
    return text


def _fields(line: str, at: Place, d: Delimiters) -> list[str]:
    """The fields as the standard numbers them: of MSH the first is the separator itself."""
    fields = line.split(d.field)
    return [fields[0], d.field, *fields[1:]] if at.segment in HEADERS else fields


def _line(fields: Sequence[str], at: Place, d: Delimiters) -> str:
    return d.field.join([fields[0], *fields[2:]] if at.segment in HEADERS else fields)


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else [text]


def _nth(parts: Sequence[str], n: int) -> str:
    return parts[n - 1] if n <= len(parts) else ""
