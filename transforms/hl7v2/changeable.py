"""Which fields of the mapping a site may change, and how a change that it declares is made ready.

What decides who or what a record is (its numbers, its status, whose it is) is no field that can be changed, nor are
lists whose entries messages change one by one. Names, addresses and the like can only be left out.
"""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from canonical.datatypes import Coding, Concept, Identifier
from canonical.records import RECORDS, Record

from . import appointment, encounter, patient
from .changes import Change, Value
from .converters import concept, concepts, flag, integer, text
from .identity import identifier, identifiers
from .instants import date_time_or_date, instant, partial_date
from .rows import Convert, Table


class When:
    """What a field holds that is a date or an instant, written as text."""


TABLES: Final[Mapping[str, Sequence[Table]]] = {
    "patient": patient.TABLES,
    "appointment": (appointment.SCH, appointment.PV1, appointment.REASON),
    "encounter": encounter.TABLES,
}
READERS: Final[Mapping[str, tuple[Convert, object]]] = {
    "text": (text, str),
    "code": (concept, Concept),
    "codes": (concepts, tuple[Concept, ...]),
    "flag": (flag, bool),
    "number": (integer, int),
    "identifier": (identifier, Identifier),
    "identifiers": (identifiers, tuple[Identifier, ...]),
    "date-time": (date_time_or_date, When),
    "date": (partial_date, When),
    "instant": (instant, When),
}
TIMES: Final = frozenset(
    (
        *("start", "end", "planned_start", "planned_end", "leave_expected_return"),
        *("birth_date", "birth_time", "deceased_at"),
    )
)
ENTRIES: Final = frozenset(("participants", "services", "placements", "starts", "named", "links"))
FOUND: Final = frozenset(("patient", "zone", "replaces", "previous_start", "duration_source", "gender"))
FIXED: Final = frozenset(get_type_hints(Record)) - {"security_labels"} | ENTRIES | FOUND


class BadChange(Exception):
    """A change that cannot be made; the text says why."""


def changeable(record: str) -> dict[str, object]:
    """The fields of a kind of record that a site may change, with what they hold."""
    hints = get_type_hints(RECORDS[record])
    return {name: When if name in TIMES else _bare(hint) for name, hint in hints.items() if name not in FIXED}


def read_from(record: str, field: str, path: str, by: str | None) -> Change:
    """A field that is read from another place, as its own row reads or `by` one of the READERS."""
    kind = changeable(record)[field]
    fitting = [name for name, (_, gives) in READERS.items() if gives == kind]
    if not fitting or (by and by not in fitting):
        raise BadChange(
            f"this field is read as {' or '.join(fitting)}" if fitting else "this field can only be dropped"
        )
    convert = READERS[by][0] if by else _own(record, field, READERS[fitting[0]][0])
    return Change(field=field, path=path, convert=convert, empty=_empty(record, field))


def fixed(record: str, field: str, value: object, system: str | None) -> Change:
    """A field that is always the same; a code has the `system` that it is of."""
    return Change(field=field, value=_value(changeable(record)[field], value, system))


def left_out(field: str) -> Change:
    """A field that no message of the feed says anything of."""
    return Change(field=field)


def _value(kind: object, value: object, system: str | None) -> Value:
    if kind in (Concept, tuple[Concept, ...]) and isinstance(value, str):
        one = Concept(codings=(Coding(code=value, system=system),))
        return one if kind is Concept else (one,)
    if system is not None:
        raise BadChange("only a code has a system")
    if kind in (str, bool, int) and type(value) is kind:
        return value
    raise BadChange(f"must be {_worded(kind)}")


def _worded(kind: object) -> str:
    words: dict[object, str] = {str: "text", bool: "true or false", int: "a whole number", Concept: "a code, as text"}
    return words.get(kind, "read from a place: it is another in each message")


def _own(record: str, field: str, other: Convert) -> Convert:
    """How the field's row reads it, or the other where it has none."""
    return next((row.convert for table in TABLES[record] for row in table.rows if row.field == field), other)


def _empty(record: str, field: str) -> object:
    return getattr(RECORDS[record](id="", tenant=""), field)


def _bare(hint: Any) -> object:
    """A type without None."""
    kinds = [one for one in get_args(hint) if one is not NoneType]
    return kinds[0] if len(kinds) == 1 and NoneType in get_args(hint) else hint
