"""A table of a settings file as its struct, with everything that is wrong in it instead of the first thing alone.

What cannot be taken is complained of and left at its default, so that the rest can be looked at too.
"""

import re
import types
from collections.abc import Callable, Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import FieldInfo, fields

from gateway.site.forms import Form, worded
from gateway.site.setting import Setting

Table = TypeVar("Table", bound=Setting)
Complain = Callable[[str, str], None]  # the place, what to do

MISSING = msgspec.UNSET
ONE_OF = re.compile(r"\s*\[\[\s*([^\[\]]+?)\s*\]\]")
HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
KEY = re.compile(r"""\s*([\w.-]+|"[^"]*"|'[^']*')\s*=""")


class TableReader:
    """Reads one file; paths in it are taken from `folder`."""

    def __init__(self, folder: Path, complain: Complain) -> None:
        self.folder = folder
        self.complain = complain

    def table(self, said: dict[str, Any], kind: type[Table], at: str = "") -> Table | None:
        """The struct of a table; None where something is missing that has no default."""
        found: dict[str, object] = {}
        hints, known = get_type_hints(kind, include_extras=True), {one.encode_name: one for one in fields(kind)}
        for name in sorted(said.keys() - known.keys()):
            self.complain(_inside(at, name), f"there is no such setting{meant(name, known)}")
        for name, field in known.items():
            if name in said:
                value = self.value(said[name], hints[field.name], _inside(at, name))
                if value is not MISSING:
                    found[field.name] = value
            elif _is_required(field):
                self.complain(_inside(at, name), "is missing")
        if any(_is_required(field) and field.name not in found for field in known.values()):
            return None
        return kind(**found)

    def value(self, said: object, kind: Any, at: str) -> object:
        """A value of this kind; MISSING, with a complaint, where it is none."""
        origin, inner = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            given = [one for one in inner if one is not type(None)]
            return self.value(said, given[0], at) if len(given) == 1 else self._leaf(said, kind, at)
        if origin is Annotated and get_origin(inner[0]) is tuple:
            return self._list(said, inner[0], at, inner[1].min_length or 0)
        if origin is tuple:
            return self._list(said, kind, at)
        if isinstance(said, dict) and origin is dict:
            return self._named(said, inner[0], inner[1], at)
        if isinstance(said, dict) and isinstance(kind, type) and issubclass(kind, Setting):
            found = self.table(said, kind, at)
            return MISSING if found is None else found
        return self._leaf(said, kind, at)

    def _list(self, said: object, kind: Any, at: str, least: int = 0) -> object:
        if not isinstance(said, list) or len(said) < least:
            self.complain(at, f"must be {worded(kind)}{f'; at least {least}' if least else ''}")
            return MISSING
        each = get_args(kind)[0]
        found = [self.value(one, each, f"{at}[{place}]") for place, one in enumerate(said, 1)]
        return tuple(one for one in found if one is not MISSING)

    def _named(self, said: dict[str, Any], key: Any, kind: Any, at: str) -> object:
        for name in said:
            self.value(name, key, _inside(at, name))
        found = {name: self.value(one, kind, _inside(at, name)) for name, one in said.items()}
        return {name: one for name, one in found.items() if one is not MISSING}

    def _leaf(self, said: object, kind: Any, at: str) -> object:
        try:
            value = msgspec.convert(said, kind, dec_hook=self._path)
        except msgspec.ValidationError:
            self.complain(at, f"must be {worded(kind)}{meant(said, _choices(kind))}")
            return MISSING
        for form in _forms(kind):
            if not form.fits(value):
                self.complain(at, f"must be {worded(kind)}{meant(value, form.known())}")
                return MISSING
        return value

    def _path(self, kind: type, value: object) -> object:
        """Paths are the only type of ours that TOML does not know."""
        if not isinstance(value, str) or not value or "\0" in value:
            raise msgspec.ValidationError("a path")
        return self.folder / Path(value).expanduser()


def meant(said: object, known: Collection[str]) -> str:
    """A suggestion for what may be misspelt; nothing where nothing is like it."""
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(str(said).lower().replace("_", "-"), by_lower, n=1)
    near = near or get_close_matches(str(said).lower(), by_lower, n=1)
    return f"; is {by_lower[near[0]]} meant?" if near else ""


def lines(text: str) -> dict[str, int]:
    """The line of each place in a TOML file, as far as its keys stand at the beginning of lines."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if one := ONE_OF.match(line):
            name = _unquoted(one[1])
            table = f"{name}[{sum(place.startswith(f'{name}[') and place.endswith(']') for place in found) + 1}]"
            found[table] = number
        elif header := HEADER.match(line):
            table = _unquoted(header[1])
            found.setdefault(table, number)
        elif key := KEY.match(line):
            found.setdefault(_inside(table, _unquoted(key[1])), number)
    return found


def line_of(place: str, found: dict[str, int]) -> int | None:
    """The line of a place, or else of what it is in."""
    while place:
        if place in found:
            return found[place]
        place = place.rpartition("[" if place.endswith("]") else ".")[0]
    return None


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _unquoted(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _is_required(field: FieldInfo) -> bool:
    return field.required


def _choices(kind: Any) -> Collection[str]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _forms(kind: Any) -> Iterator[Form]:
    if get_origin(kind) is Annotated:
        yield from (one for one in get_args(kind)[1:] if isinstance(one, Form))
