"""The reference page of the API: every call with its scope, its audit rule, what it takes and gives; scopes; problems.

It is written from the routes as they are declared, so it cannot name a call that is not served or leave one out.
"""

import inspect
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import FieldInfo, fields

from canonical.meaning import OPEN
from gateway.api import ROUTES
from gateway.problems import ProblemDetails
from gateway.refusals import CODES, WRONGS
from gateway.routes.oauth import OAuthError
from gateway.routes.paging import Page
from gateway.routes.reading import LARGEST, Moment
from gateway.routes.serving import Anyone, Open, Route, Unaudited
from gateway.schemas import SHOWN, structs
from gateway.scopes import SCOPES

PATH = "docs/reference/api.md"
HEAD = """\
# The API

Every call there is, from the routes as they are declared. How to use them is in [the guide](../guides/api.md); a
running Isthmus serves the same as OpenAPI 3.1 at `/schema/openapi.json`, with the types of all that it gives.

A call that needs a scope is refused without it, and the refusal is audited as well. `admin` stands for every scope.
This page is written by `make docs` from the code.
"""
AUDIT = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "execute"}
WORDS: dict[object, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    Moment: "instant or date",
    object: "anything",
    Any: "anything",
    type(None): "null",
}
NOTHING = (None, type(None), UnsetType)


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *_calls(), *_taken(), *_given(), *_scopes(), *_problems()])


def _calls() -> Iterator[str]:
    for tag in dict.fromkeys(route.tag for route in ROUTES):
        yield f"## {tag.capitalize().replace('Oauth', 'OAuth')}\n"
        yield "| call | what it does | scope | audit | takes | gives |"
        yield "|---|---|---|---|---|---|"
        yield from (_call(route) for route in ROUTES if route.tag == tag)
        yield ""


def _call(route: Route) -> str:
    summary, _ = route.about
    call = f"`{route.method} {route.template}`"
    return f"| {call} | {_cell(summary)}. | {_scope(route)} | {_audit(route)} | {_takes(route)} | {_gives(route)} |"


def _scope(route: Route) -> str:
    match route.guard:
        case Open(why):
            return f"open: {why}"
        case Anyone(why):
            return f"any: {why}"
        case scope:
            return f"`{scope}`"


def _audit(route: Route) -> str:
    return f"none: {route.audit.why}" if isinstance(route.audit, Unaudited) else AUDIT[route.audit]


def _takes(route: Route) -> str:
    parts = [f"{where} {_linked(kind)}" for where, kind in (("query", route.query), ("body", route.body)) if kind]
    if route.form:
        parts.append(f"form {_linked(route.form)}")
    if "precondition_failed" in route.fails:
        parts.append("If-Match" if "precondition_required" in route.fails else "If-Match, where given")
    return ", ".join(parts)


def _gives(route: Route) -> str:
    found = _given_as(route)
    if route.status != 200:
        found = f"{route.status} {found}".strip()
    if route.trial:
        found += f", or {_linked(route.trial)} of a dry run"
    return ", ".join([found, *route.headers])


def _given_as(route: Route) -> str:
    if route.gives is None:
        return ""
    if route.gives in (bytes, str):
        return f"`{route.media}`"
    if get_origin(route.gives) is dict:
        return "JSON"
    (inner,) = get_args(route.gives) or (route.gives,)
    return f"a page of {_linked(inner)}" if get_origin(route.gives) is Page else _linked(inner)


def _linked(kind: type) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def sent() -> list[type[Struct]]:
    """The searches and bodies of all routes and what these consist of, each once; what is given as well comes later."""
    kinds = list(dict.fromkeys(kind for route in ROUTES for kind in (route.query, route.body, route.form) if kind))
    known = set(given())
    return [*kinds, *(one for one in structs(kinds) if one not in known and one not in kinds)]


def given() -> list[type[Struct]]:
    """What the routes give and what that consists of, each once."""
    kinds = [kind for route in ROUTES for kind in (route.gives, route.trial) if kind not in (None, str, bytes)]
    return [kind for kind in structs([*kinds, ProblemDetails, OAuthError]) if get_origin(kind) is not Page]


def _taken() -> Iterator[str]:
    yield "## What is taken\n"
    yield "A field that is not listed is refused. A list is repeated in a query; in a body one text may stand for it.\n"
    for kind in sent():
        yield f"### {kind.__name__}\n"
        yield f"{_sentence(kind)}\n"
        yield "| field | type | default | |"
        yield "|---|---|---|---|"
        hints = get_type_hints(kind, include_extras=True)
        yield from (_field(field, hints[field.name]) for field in fields(kind))
        yield ""


def _field(field: FieldInfo, hint: object) -> str:
    said = " ".join(one.description for one in metas(hint) if one.description)
    return f"| `{field.encode_name}` | {_cell(wanted(hint))} | {_default(field)} | {_cell(said)} |"


def _default(field: FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default in (None, UNSET, (), msgspec.NODEFAULT):
        return ""
    return f"`{msgspec.json.encode(field.default).decode()}`"


def metas(hint: object) -> Iterator[Meta]:
    """What is said about a type, at any depth of it."""
    for one in get_args(hint):
        if isinstance(one, Meta):
            yield one
        elif get_origin(hint) is not Literal:
            yield from metas(one)


def wanted(hint: Any) -> str:
    """A type in a reader's words, with its bounds."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return wanted(inner[0]) + "".join(_bounds(one) for one in inner[1:] if isinstance(one, Meta))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(wanted(one) for one in inner if one not in NOTHING)
    if origin in (tuple, list):
        return f"list of {wanted(inner[0])}"
    if origin is dict:
        return f"{wanted(inner[1])} by name"
    return _linked(hint) if isinstance(hint, type) and issubclass(hint, Struct) else WORDS[hint]


def _bounds(meta: Meta) -> str:
    least, most = (meta.ge, meta.le) if meta.ge is not None else (meta.min_length, meta.max_length)
    if least is not None:
        return f", {least} to {most}" if most is not None and most < LARGEST else f", {least} or more"
    return f", up to {most}" if most is not None else ""


def _given() -> Iterator[str]:
    yield "## What is given\n"
    yield "What is empty is left out, unless a type says of a field that it is null. Lists of codes are open: tolerate"
    yield "what you do not know.\n"
    for kind in given():
        yield f"### {kind.__name__}\n"
        yield f"{_sentence(kind)}\n"
        yield "| field | type | |"
        yield "|---|---|---|"
        hints = get_type_hints(kind, include_extras=True)
        yield from (_given_field(field, hints[field.name]) for field in fields(kind))
        yield ""


def _given_field(field: FieldInfo, hint: object) -> str:
    said: list[str] = []
    form: dict[str, Any] = {}
    for one in metas(hint):
        said += [one.description] if one.description else []
        form |= one.extra_json_schema or {}
    known = form.get(OPEN, ())
    if known and len(known) <= SHOWN:
        said.append(f"Known: {', '.join(f'`{one}`' for one in known)}.")
    kind = "instant" if form.get("format") == "date-time" else wanted(hint)
    return f"| `{field.encode_name}` | {_cell(kind)} | {_cell(' '.join(said))} |"


def _sentence(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _scopes() -> Iterator[str]:
    yield "## Scopes\n"
    yield "| scope | what it allows |"
    yield "|---|---|"
    yield from (f"| `{scope}` | {says} |" for scope, says in SCOPES.items())
    yield ""


def _problems() -> Iterator[str]:
    yield "## Problems\n"
    yield f"A refusal is {_linked(ProblemDetails)}; its codes are only ever added. Under OAuth 400 and 401 are"
    yield f"{_linked(OAuthError)} instead, as RFC 6749 section 5.2 has it.\n"
    yield "| status | code | what it says |"
    yield "|---|---|---|"
    yield from (f"| {status} | `{code}` | {says} |" for status, codes in CODES.items() for code, says in codes.items())
    yield ""
    yield "And the `code` of each of its `errors`:\n"
    yield "| code | what it says |"
    yield "|---|---|"
    yield from (f"| `{code}` | {says} |" for code, says in WRONGS.items())
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
