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

from gateway.api import ROUTES
from gateway.routes.paging import Page
from gateway.routes.reading import Moment
from gateway.routes.serving import Anyone, Open, Route, Unaudited
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
}
NOTHING = (None, type(None), UnsetType)

# The codes that a problem of the API can have, by status. A test finds them in the code.
CODES: dict[int, dict[str, str]] = {
    400: {
        "bad_request": "The request cannot be read.",
        "has_no_version": "What the request is about has no version, so that If-Match cannot hold; leave it out.",
        "invalid_request": "Parameters, body or token cannot be read; `errors` lists every place of the first two.",
    },
    401: {
        "unauthenticated": "There is no access token.",
        "invalid_token": "The token is expired, revoked, or not one of ours; ask for a new one.",
    },
    403: {
        "insufficient_scope": "The token lacks the scope that WWW-Authenticate names.",
        "not_the_operator": "Only a client of the site's first tenant may do that.",
    },
    404: {"not_found": "There is nothing here, or nothing that you may see."},
    405: {"method_not_allowed": "Allow lists the methods there are."},
    409: {
        "already_taken": "Somebody else works on the task; it must be given back first.",
        "conflict": "Someone else changed it at the same moment; read it and try again.",
        "feed_unknown": "The feed that the message came by is no longer in the site.",
        "invalid_transition": "A task of this status cannot be changed so; `allowed` lists what it can become.",
        "not_decodable": "The message cannot be decoded; it can be read as raw bytes.",
        "still_under_way": "The delivery is not finished yet, so there is nothing to send again.",
        "subscription_deleted": "The subscription of the delivery is deleted, so there is nobody to send it to.",
        "too_many": "The client has as many subscriptions as it may.",
    },
    410: {"cursor_expired": "The cursor is too old; begin the search again."},
    412: {"precondition_failed": "It was changed since you read it; read it again."},
    413: {"content_too_large": "The body is larger than this server takes."},
    415: {"unsupported_media_type": "The body must be JSON and say so."},
    422: {"invalid_value": "The request can be read, but holds values that cannot be; `errors` lists every place."},
    428: {"precondition_required": "Send the ETag that you read as If-Match."},
    429: {"quota_exceeded": "Wait for the seconds of Retry-After."},
    500: {"internal_error": "A fault of ours; the `requestId` finds it."},
    503: {"unavailable": "It cannot be done now; wait for the seconds of Retry-After."},
}


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
        parts.append("a form, as its standard says")
    if 412 in route.fails:
        parts.append("If-Match" if 428 in route.fails else "If-Match, where given")
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
    """The searches and bodies of all routes, each once."""
    return list(dict.fromkeys(kind for route in ROUTES for kind in (route.query, route.body) if kind))


def given() -> list[type[Struct]]:
    """What the routes give, each once."""
    kinds = [kind for route in ROUTES for kind in (*(get_args(route.gives) or (route.gives,)), route.trial)]
    return [kind for kind in dict.fromkeys(kinds) if isinstance(kind, type) and issubclass(kind, Struct)]


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
        return wanted(inner[0]) + "".join(map(_bounds, inner[1:]))
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(wanted(one) for one in inner if one not in NOTHING)
    return f"list of {wanted(inner[0])}" if origin is tuple else WORDS[hint]


def _bounds(meta: Meta) -> str:
    least, most = (meta.ge, meta.le) if meta.ge is not None else (meta.min_length, meta.max_length)
    if least is not None:
        return f", {least} to {most}" if most is not None else f", {least} or more"
    return f", up to {most}" if most is not None else ""


def _given() -> Iterator[str]:
    yield "## What is given\n"
    for kind in given():
        yield f"### {kind.__name__}\n"
        yield f"{_sentence(kind)}\n"
        yield ", ".join(f"`{field.encode_name.rstrip('_')}`" for field in fields(kind)) + "\n"


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
    yield "The `code` of a refusal; codes are only ever added. Of the calls under OAuth only a 429 is one of these:"
    yield "their other errors are those of RFC 6749 section 5.2.\n"
    yield "| status | code | what it says |"
    yield "|---|---|---|"
    yield from (f"| {status} | `{code}` | {says} |" for status, codes in CODES.items() for code, says in codes.items())
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
