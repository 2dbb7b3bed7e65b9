"""What a site changes of the mapping of one feed: a field is read from another place, set, or left out (DESIGN 4).

A change takes the place of what fills a field, or fills one that nothing did. It is made after the tables have read the
segment that the record is about (PID, SCH, PV1), and reads that segment, or the first one of another name (beside a
PID: the first that belongs to the same patient). An empty place says nothing and `""` empties the field, as everywhere.
`changeable.py` says what may be changed.
"""

from msgspec import UNSET, Struct, UnsetType

from canonical.datatypes import Concept

from .belonging import about
from .delimiters import component
from .er7 import Segment
from .reading import BadField, Reading
from .rows import NULL, Convert

Value = str | bool | int | Concept | tuple[Concept, ...]
BY_SITE = "site"  # how lineage names a change


class Change(Struct, frozen=True, kw_only=True):
    """One field: read from `path` by `convert`, else `value`, else left out. `empty` is what it is without a value."""

    field: str
    path: str = ""
    convert: Convert | None = None
    value: Value | UnsetType = UNSET
    empty: object = None

    def make(self, segment: Segment, reading: Reading, fields: dict[str, object]) -> None:
        """Put into the fields what the change says, and nothing of what the tables said."""
        fields.pop(self.field, None)
        reading.untraced(self.field)
        found = self._segment(segment, reading)
        said = self.value if self.convert is None else self._read(found, reading)
        if said is not UNSET:
            fields[self.field] = said
            reading.used(self.field, self._place(found or segment), BY_SITE)

    def _segment(self, segment: Segment, reading: Reading) -> Segment | None:
        name = self.path.partition("-")[0]
        if not name or name == segment.name:
            return segment
        return next(iter(about(reading, segment, name)), None) if segment.name == "PID" else reading.message.first(name)

    def _read(self, segment: Segment | None, reading: Reading) -> object:
        text = self._text(segment, reading) if segment else ""
        if not segment or not text or self.convert is None:
            return UNSET
        if text == NULL:
            return self.empty
        reading.at, reading.field = self._place(segment), self.field
        try:
            value = self.convert(text, reading)
        except BadField as bad:
            reading.complain(bad.code, bad.detail, bad.severity)
            value = None
        reading.field = None
        return UNSET if value is None else value

    def _text(self, segment: Segment, reading: Reading) -> str:
        """The field as it was sent, or one component of its first repetition."""
        index, _, part = self.path.partition("-")[2].partition(".")
        text = segment.get(int(index))
        if not part:
            return text
        return component(text.partition(reading.dialect.repetition)[0], int(part), reading.delimiters)

    def _place(self, segment: Segment) -> str:
        return f"{segment.path}-{self.path.partition('-')[2]}" if self.path else segment.path


def changed(record: str, segment: Segment, reading: Reading, fields: dict[str, object]) -> None:
    """Make the feed's changes in what was read of a record from its segment."""
    for one in reading.profile.changes.get(record, ()):
        one.make(segment, reading, fields)
