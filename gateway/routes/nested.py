"""All that is wrong with a JSON body, at any depth of it, each with its place (RFC 6901) and never with its value."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from gateway.problems import Wrong


def faults(shape: type[Struct], given: dict[str, Any], place: str = "") -> Iterator[Wrong]:
    """What keeps an object from being one of this shape."""
    known = {field.encode_name: field for field in fields(shape)}
    for name in given:
        if name not in known:
            detail = f"Known here: {', '.join(known)}."
            yield Wrong(code="unknown_member", pointer=place, detail=detail)
            break
    for name, field in known.items():
        if name in given:
            yield from _of_value(field.type, given[name], f"{place}/{name}")
        elif _is_needed(field):
            yield Wrong(code="required", pointer=f"{place}/{name}", detail="This is needed.")


def _is_needed(field: FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _of_value(kind: Any, value: Any, place: str) -> Iterator[Wrong]:
    shape = _inner(kind)
    if isinstance(shape, type) and issubclass(shape, Struct) and isinstance(value, dict):
        yield from faults(shape, value, place)
        return
    if get_origin(shape) is tuple and isinstance(value, list):
        found = [wrong for n, one in enumerate(value) for wrong in _of_value(get_args(shape)[0], one, f"{place}/{n}")]
        if found:
            yield from found
            return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield Wrong(code="invalid_value", pointer=place, detail=_said(shape, str(error)))


def _inner(kind: Any) -> Any:
    """A type without what is said of it, and without null."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            options = [one for one in get_args(kind) if one is not type(None)]
            if len(options) != 1:
                return kind
            kind = options[0]
        else:
            return kind


def _said(shape: Any, said: str) -> str:
    """msgspec's complaint where it is about the type; it never repeats what was sent."""
    if get_origin(shape) is Literal:
        return f"One of: {', '.join(get_args(shape))}."
    what = said.partition(" - at `$")[0]
    return f"{what.replace('`', '')}." if what.startswith("Expected") else "This value is not among those taken."
