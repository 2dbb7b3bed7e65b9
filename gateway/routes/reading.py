"""What callers send, as typed structs: all that is wrong is told at once, with its place and never with its value."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args, get_origin
from urllib.parse import unquote_plus

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from gateway.problems import Wrong, invalid, stop, unreadable
from gateway.routes.nested import faults
from transforms.api.v1.commands import Sent

Shape = TypeVar("Shape", bound=Struct)
LARGEST = 2**63 - 1  # what a store can hold
Place: TypeAlias = Literal["parameter", "pointer"]
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=500, description="The most that a page may hold.")]

Cursor: TypeAlias = Annotated[str | None, Meta(description="The `next` of the page before, with the same search.")]
AtMost: TypeAlias = (
    Annotated[int, Meta(ge=1, le=LARGEST, description="At most so many, the oldest first; without it all.")] | None
)

All: TypeAlias = Annotated[bool, Meta(description="Everything that there is: instead of a filter, never beside one.")]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST_PARAMETERS = 100
A_MOMENT = "An RFC 3339 instant or a date is needed"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


class Fault(NamedTuple):
    """What is wrong with a value: what would be right."""

    detail: str
    code: str = "invalid_value"


class Rule(Struct, frozen=True):
    """What each value of a field must be beyond its type; `listed` values may be several, separated by commas."""

    fault: Callable[[str], Fault | None]
    listed: bool = False

    def faults(self, value: object) -> Iterator[tuple[int | None, Fault]]:
        """What is wrong, with its place where there are several values."""
        several = value if isinstance(value, tuple) else ()
        for at, text in enumerate(several) if several else [(None, value)] if isinstance(value, str) else ():
            parts = [part.strip() for part in text.split(",")] if self.listed else [text]
            if found := next(filter(None, map(self.fault, parts)), None):
                yield at, found


class Moment:
    """An RFC 3339 instant or a date, which is a whole day in UTC: its first and its last microsecond."""

    __slots__ = ("first", "last")

    def __init__(self, text: str) -> None:
        if len(text) == 10:
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            self.first = (day - EPOCH) // MICROSECOND
            self.last = self.first + timedelta(days=1) // MICROSECOND - 1
        elif INSTANT.fullmatch(text):
            self.first = self.last = (datetime.fromisoformat(text.upper()) - EPOCH) // MICROSECOND
        else:
            raise ValueError("neither an instant nor a date")


class Query(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of every search: what GET takes as parameters and `_search` as a JSON object."""


class Body(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of every JSON body."""


class Paged(Query, frozen=True):
    """What every list takes."""

    limit: Limit = 50
    cursor: Cursor = None


def decoded(kind: type, value: Any) -> Any:
    """msgspec's hook for the types that it does not know."""
    if kind is Moment and isinstance(value, str):
        with suppress(ValueError, OverflowError):
            return Moment(value)
    raise ValueError(A_MOMENT)


def from_query(shape: type[Shape], text: bytes) -> Shape:
    """A query string as a search; what takes several values may be repeated."""
    given: dict[str, object] = {}
    lists, repeated, empty = lists_of(shape), [], []
    for name, value in pairs(text) if text else ():
        if not value:
            empty.append(name)
        elif name in lists:
            several = given.setdefault(name, [])
            several.append(value)  # type: ignore[attr-defined]  # a list, three lines up
        elif name in given:
            repeated.append(name)
        else:
            given[name] = value
    # A filter without a value is a client's mistake, and must never mean everything.
    if (repeated or empty) and (wrong := _unclear(shape, repeated, empty)):
        raise unreadable(wrong)
    return _read(shape, given, "parameter")


def _unclear(shape: type[Struct], repeated: list[str], empty: list[str]) -> list[Wrong]:
    known = {field.encode_name for field in fields(shape)}
    wrong = [_at("parameter", name, "repeated", "Send it once.") for name in repeated if name in known]
    return wrong + [
        _at("parameter", name, "empty", "Give it a value or leave it out.") for name in empty if name in known
    ]


def pairs(text: bytes) -> list[tuple[str, str]]:
    """The parameters of a query string, in its order."""
    try:
        parts = text.decode("ascii").split("&", MOST_PARAMETERS)
        if len(parts) > MOST_PARAMETERS:
            raise ValueError("too many")
        split_up = [part.partition("=") for part in parts if part]
        return [(_unquoted(name), _unquoted(value)) for name, _, value in split_up]
    except ValueError:
        detail = "The query string is not form-encoded UTF-8, or has too many parameters."
        raise unreadable([Wrong(code="malformed", parameter="*", detail=detail)]) from None


def _unquoted(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def from_json(shape: type[Shape], media: str | None, body: bytes) -> Shape:
    """A JSON object as a struct; one value may stand for a list of one."""
    kind = (media or "").partition(";")[0].strip().lower()
    if not body and not kind:
        return _read(shape, {}, "pointer")
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise stop(415, "unsupported_media_type", "Send application/json.", Accept="application/json")
    try:
        given = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise unreadable([Wrong(code="malformed", pointer="", detail="The body is not JSON.")]) from None
    if not isinstance(given, dict):
        raise unreadable([Wrong(code="invalid_type", pointer="", detail="Send a JSON object.")])
    if issubclass(shape, Sent):
        if wrong := list(faults(shape, given)):
            raise unreadable(wrong)
        return msgspec.convert(given, shape)
    for name in lists_of(shape).intersection(given):
        if isinstance(given[name], str):
            given[name] = [given[name]]
    return _read(shape, given, "pointer")


def _read(shape: type[Shape], given: dict[str, object], place: Place) -> Shape:
    """All at once where nothing is wrong, else field by field, so that everything wrong is told."""
    is_strict = place == "pointer"
    try:
        found = msgspec.convert(given, shape, strict=is_strict, dec_hook=decoded)
    except msgspec.ValidationError:
        raise unreadable(_complaints(shape, given, place, is_strict)) from None
    if not is_strict and (nothing := [name for name in given if getattr(found, _attribute(shape, name)) is None]):
        # msgspec reads the text `null` as nothing, which in a filter would mean everything.
        raise unreadable(_at(place, name, "empty", "Give it a value or leave it out.") for name in nothing)
    wrong = [one for name, field, rule in rules_of(shape) for one in _broken(rule, field, getattr(found, name), place)]
    if wrong:
        raise unreadable(wrong)
    return found


def _broken(rule: Rule, name: str, value: object, place: Place) -> Iterator[Wrong]:
    for at, fault in rule.faults(value):
        yield _at(place, name if at is None or place == "parameter" else f"{name}/{at}", fault.code, fault.detail)


def _complaints(shape: type[Struct], given: dict[str, object], place: Place, is_strict: bool) -> Iterator[Wrong]:
    known = {field.encode_name: field for field in fields(shape)}
    for name, field in known.items():
        if name not in given:
            if field.default is NODEFAULT and field.default_factory is NODEFAULT:
                yield _at(place, name, "required", "This is needed.")
            continue
        try:
            value = msgspec.convert(given[name], field.type, strict=is_strict, dec_hook=decoded)
        except msgspec.ValidationError as error:
            yield _wrong(field, str(error), place)
            continue
        for rule in _rules(field.type):
            yield from _broken(rule, name, value, place)
    if not given.keys() <= known.keys():
        detail = f"Known here: {', '.join(known)}." if known else "Nothing is taken here."
        yield _at(place, "", f"unknown_{'member' if place == 'pointer' else 'parameter'}", detail)


def _wrong(field: FieldInfo, said: str, place: Place) -> Wrong:
    """msgspec's complaint where it is about the type; where it repeats what was sent, what would be right."""
    what, _, inner = said.partition(" - at `$")
    choices = _choices(field.type)
    if choices:
        detail = f"One of: {', '.join(choices)}."
    elif what.startswith(("Expected", "An RFC 3339")):
        detail = what.replace("`", "") + "."
    else:
        detail = "This value is not among those that are taken."
    name = field.encode_name
    if place == "pointer":
        index = re.match(r"\[(\d+)\]", inner)
        name += f"/{index[1]}" if index else ""
    return _at(place, name, "invalid_value", detail)


def require_filter(is_narrowed: bool, is_all: bool) -> None:
    """A bulk command acts on what a filter finds, or on everything where that is said in as many words."""
    if is_narrowed == is_all:
        detail = "Leave it out beside a filter." if is_all else "Give a filter, or true for everything there is."
        raise invalid([Wrong(code="invalid_value" if is_all else "required", pointer="/all", detail=detail)])


def _at(place: Place, name: str, code: str, detail: str) -> Wrong:
    if place == "parameter":
        return Wrong(code=code, parameter=name or "*", detail=detail)
    return Wrong(code=code, pointer=f"/{name}" if name else "", detail=detail)


def _choices(kind: Any) -> list[str]:
    """The values of a Literal, also inside Optional, Annotated and tuple."""
    found: list[str] = []
    for one in get_args(kind):
        if isinstance(one, str) and get_origin(kind) is not Annotated:
            found.append(one)
        elif not isinstance(one, str):
            found += _choices(one)
    return found


def _attribute(shape: type[Struct], name: str) -> str:
    return next(field.name for field in fields(shape) if field.encode_name == name)


@lru_cache(maxsize=256)
def lists_of(shape: type[Struct]) -> frozenset[str]:
    """The names of the fields that take several values."""
    return frozenset(field.encode_name for field in fields(shape) if get_origin(_bare(field.type)) is tuple)


@lru_cache(maxsize=256)
def rules_of(shape: type[Struct]) -> tuple[tuple[str, str, Rule], ...]:
    """The rules of a shape's fields, each with the field's name here and as it is sent."""
    return tuple((field.name, field.encode_name, rule) for field in fields(shape) for rule in _rules(field.type))


def _rules(kind: Any) -> list[Rule]:
    """Those in the annotations of a type, also inside Optional."""
    own = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Rule)]
    return own + [rule for one in get_args(kind) for rule in _rules(one)]


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def split(values: tuple[str, ...]) -> tuple[str, ...]:
    """A repeatable parameter whose values may also be separated by commas."""
    return tuple(part for value in values for one in value.split(",") if (part := one.strip()))
