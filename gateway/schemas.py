"""The types of the API as JSON Schema 2020-12, told apart by who sends them.

msgspec writes what it would decode. That is right for what callers send. Of what the gateway sends more is known: which
fields are always there, that what is empty is left out and never null, and that every list of codes is open.
"""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec import inspect as types
from msgspec.structs import fields

from canonical.meaning import OPEN
from gateway.routes.reading import Moment, lists_of
from transforms.api.v1.commands import Sent

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"
NULL = {"type": "null"}
MOMENT = [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
SHOWN = 20  # codes of a list that fit into a sentence


class Schemas:
    """The schema of each type, and the components that these refer to."""

    def __init__(self, taken: Sequence[type[Struct]], given: Sequence[Any]) -> None:
        inner = [one for one in structs(given) if one not in given]
        everything = [*taken, *given, *inner]
        found, self.components = _of(everything)
        self._known = list(zip(everything, found, strict=True))
        for kind in taken:
            _take(self._component(kind), kind)
        for kind in [one for one in [*given, *inner] if "$ref" in self.of(one)]:
            _give(self._component(kind), kind)
        for one in self.components.values():
            one["description"] = inspect.cleandoc(one.get("description", ""))

    def of(self, kind: Any) -> Schema:
        """The schema of a type: a reference, where it is a component."""
        return next(schema for known, schema in self._known if known == kind)

    def _component(self, kind: Any) -> Schema:
        component: Schema = self.components[self.of(kind)["$ref"].rpartition("/")[2]]
        return component


def parameter(kind: Any) -> Schema:
    """The schema of one query parameter, which is never null."""
    (schema,), _ = _of([kind])
    schema = _without_null(schema)
    return {"type": "string"} | schema if "enum" in schema else schema


def _of(kinds: Sequence[Any]) -> tuple[tuple[Schema, ...], Schema]:
    return msgspec.json.schema_components(kinds, schema_hook=_hook, ref_template=REF)


def _hook(kind: type) -> Schema:
    if kind is Moment:
        return {"anyOf": MOMENT}
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError  # as msgspec wants it of a hook, for what the hook does not know


def structs(kinds: Iterable[Any]) -> list[Any]:
    """Every struct in these types, each once, the outer before the inner."""
    found: dict[Any, None] = {}
    for one in types.multi_type_info(kinds):
        _collect(one, found)
    return list(found)


def _collect(one: Any, found: dict[Any, None]) -> None:
    if isinstance(one, types.StructType):
        if one.cls in found:
            return
        found[one.cls] = None
    for inner in _parts(one):
        _collect(inner, found)


def _parts(one: Any) -> Iterator[types.Type]:
    match one:
        case types.StructType():
            yield from (field.type for field in one.fields)
        case types.Metadata():
            yield one.type
        case types.CollectionType():
            yield one.item_type
        case types.UnionType():
            yield from one.types
        case types.DictType():
            yield one.value_type


def _take(schema: Schema, kind: type[Struct]) -> None:
    """Where several values are taken, one may stand alone (reading.py); what is said of a field stands on its top."""
    for schema_of in schema["properties"].values():
        for option in schema_of.get("anyOf", ()):
            schema_of |= {"description": option.pop("description")} if "description" in option else {}
    for name in lists_of(kind) if not issubclass(kind, Sent) else ():
        several = schema["properties"][name]
        text = several.pop("description", "")
        schema["properties"][name] = {"description": text, "anyOf": [several, {"type": "string"}]}


def _give(schema: Schema, kind: Any) -> None:
    """What is always there is required, what may be left out is never null, and lists of codes are open."""
    origin = getattr(kind, "__origin__", kind)
    config, properties = origin.__struct_config__, schema["properties"]
    required = [config.tag_field] if config.tag_field else []
    for field in fields(origin):
        name, given = field.encode_name, properties[field.encode_name]
        if config.omit_defaults and not _is_always_there(field):
            given = _without_null(given)
        else:
            given.pop("default", None)
            required += [name] if field.default is not msgspec.UNSET else []
        properties[name] = _opened(given)
    if config.tag_field:
        properties[config.tag_field] = {"const": config.tag, "type": "string", "description": "What it is."}
    if required:
        schema["required"] = required


def _is_always_there(field: msgspec.structs.FieldInfo) -> bool:
    """With `omit_defaults` a field is left out where it is as by default, unless a function makes that."""
    made = field.default_factory
    return field.required or (made is not NODEFAULT and made not in (list, dict, set))


def _without_null(schema: Schema) -> Schema:
    if schema.get("default", 0) is None:
        del schema["default"]
    options = [one for one in schema.get("anyOf", ()) if one != NULL]
    if options and len(options) < len(schema["anyOf"]):
        schema = {name: value for name, value in schema.items() if name != "anyOf"}
        schema = options[0] | schema if len(options) == 1 else schema | {"anyOf": options}
    return schema


def _opened(schema: Schema) -> Schema:
    """A list of codes as an open one: a client made from this must not fail at a code that it does not know."""
    if codes := schema.pop("enum", None):
        schema |= {"type": "string", OPEN: codes}
    if codes := schema.get(OPEN):
        known = ", ".join(f"`{one}`" for one in codes) if len(codes) <= SHOWN else f"those of `{OPEN}`"
        schema["description"] = f"{schema['description']} Known: {known}; tolerate others."
    return schema
