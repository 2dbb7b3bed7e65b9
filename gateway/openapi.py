"""The OpenAPI 3.1 document, made from what the routes declare and from the very types that decode and encode.

Litestar's own generator knows neither the discriminator of a tagged union nor our problems, and its 400 is not ours, so
schemas come from msgspec (JSON Schema 2020-12) and this is the one place where the document is put together.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from canonical.events import EVENTS
from gateway.problems import ProblemDetails
from gateway.routes.oauth import OAuthError
from gateway.routes.reading import Moment, lists_of
from gateway.routes.serving import Anyone, Open, Route
from gateway.scopes import SCOPES
from transforms.api.cloudevent import CloudEvent

Document = dict[str, Any]
REF = "#/components/schemas/{name}"
MEANINGS = {
    200: "What was asked for.",
    201: "It was made.",
    202: "It was accepted, and goes on.",
    204: "It is done; there is nothing to say.",
    304: "You have it already.",
    400: "The request cannot be read.",
    401: "There is no token, or it is not valid.",
    403: "The token lacks a scope.",
    404: "There is nothing here, or nothing that you may see.",
    409: "It cannot be done as things stand.",
    410: "The cursor is too old; begin the search again.",
    412: "It was changed since you read it.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The request holds values that cannot be.",
    428: "If-Match is required.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "It cannot be done now.",
}
HEADERS: dict[str, Document] = {
    "ETag": {"description": "The version, to send as If-Match or If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where what was made can be read.", "schema": {"type": "string"}},
}
CONDITIONS: dict[str, Document] = {
    "If-Match": {"in": "header", "name": "If-Match", "schema": {"type": "string"}, "description": "The ETag you read."},
    "If-None-Match": {
        "in": "header",
        "name": "If-None-Match",
        "schema": {"type": "string"},
        "description": "The ETag you have; 304 if it still holds.",
    },
}


def document(routes: Sequence[Route], base_url: str) -> bytes:
    """The document as JSON."""
    types = list(dict.fromkeys([one for route in routes for one in _types(route)]))
    types += [ProblemDetails, OAuthError, CloudEvent]
    schemas, components = _components(types)
    known = dict(zip(types, schemas, strict=True))
    for body in {route.body for route in routes if route.body}:
        _allow_one(components[body.__name__]["properties"], body)
    paths: Document = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, known)
    found = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Isthmus",
            "version": "1",
            "summary": "One canonical model of what every system of a health system says.",
            "description": "Instants are RFC 3339 in UTC. Every list of codes is open: tolerate what you do not know.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "webhooks": {"event": _webhook(known[CloudEvent])},
        "components": {
            "schemas": components,
            "responses": {str(status): _problem(status, known[ProblemDetails]) for status in MEANINGS if status >= 400},
            "securitySchemes": {"oauth2": _oauth(base_url), "client": _client()},
        },
    }
    return msgspec.json.encode(found)


def _types(route: Route) -> Iterable[Any]:
    yield from (one for one in (route.body, route.gives, route.trial) if one is not None)


def _components(types: Sequence[Any]) -> tuple[tuple[Document, ...], Document]:
    return msgspec.json.schema_components(types, schema_hook=_hook, ref_template=REF)


def _hook(kind: type) -> Document:
    if kind is Moment:
        return {"type": "string", "description": "An RFC 3339 instant, or a date: a whole day in UTC."}
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def _allow_one(properties: Document, body: type[Struct]) -> None:
    """Where several values are taken, one may stand alone (reading.py)."""
    for name in lists_of(body):
        properties[name] = {"anyOf": [properties[name], {"type": "string"}]}


def _operation(route: Route, known: dict[Any, Document]) -> Document:
    summary, description = route.about
    found: Document = {
        "operationId": route.operation,
        "summary": summary,
        "tags": [route.tag],
        "parameters": [*_path(route), *_query(route), *_conditions(route)],
        "responses": _responses(route, known),
        "security": _security(route),
    }
    if description:
        found["description"] = description
    if route.body is not None:
        needed = any(field.required for field in fields(route.body))
        found["requestBody"] = {"required": needed, "content": {"application/json": {"schema": known[route.body]}}}
    if route.form:
        schema = {"type": "object", "additionalProperties": {"type": "string"}}
        found["requestBody"] = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}
    return found


def _path(route: Route) -> list[Document]:
    if "{id}" not in route.template:
        return []
    return [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}]


def _query(route: Route) -> list[Document]:
    if route.query is None:
        return []
    found = []
    for field in fields(route.query):
        (schema,), _ = _components([field.type])
        text = schema.pop("description", None)
        parameter: Document = {"in": "query", "name": field.encode_name, "required": field.required, "schema": schema}
        if field.default not in (None, msgspec.NODEFAULT, ()):
            schema["default"] = field.default
        found.append(parameter | ({"description": text} if text else {}))
    return found


def _conditions(route: Route) -> list[Document]:
    found = []
    if "ETag" in route.headers and route.method == "GET":
        found.append(CONDITIONS["If-None-Match"])
    if 412 in route.fails:
        found.append(CONDITIONS["If-Match"] | {"required": 428 in route.fails})
    return found


def _responses(route: Route, known: dict[Any, Document]) -> Document:
    success: Document = {"description": MEANINGS[route.status]}
    if route.gives is bytes or route.gives is str:
        success["content"] = {route.media: {"schema": {"type": "string"}}}
    elif route.gives is not None:
        success["content"] = {"application/json": {"schema": known[route.gives]}}
    if route.headers:
        success["headers"] = {name: HEADERS[name] for name in route.headers}
    found: Document = {str(route.status): success}
    if route.trial is not None:
        content = {"application/json": {"schema": known[route.trial]}}
        found["200"] = {"description": "What a dry run found.", "content": content}
    if "ETag" in route.headers and route.method == "GET":
        found["304"] = {"description": MEANINGS[304]}
    for status in sorted({*route.fails, *_common(route)}):
        is_oauth = route.form and status in (400, 401)
        found[str(status)] = _oauth_error(known) if is_oauth else {"$ref": f"#/components/responses/{status}"}
    return found


def _oauth_error(known: dict[Any, Document]) -> Document:
    return {"description": "RFC 6749 section 5.2.", "content": {"application/json": {"schema": known[OAuthError]}}}


def _common(route: Route) -> set[int]:
    """What may happen on every route of its kind."""
    found = {503}
    if not isinstance(route.guard, Open):
        found |= {400, 401, 403, 429}
    if route.body is not None:
        found |= {400, 413, 415}
    if route.query is not None:
        found.add(400)
    return found


def _security(route: Route) -> list[Document]:
    if route.form:
        return [{"client": []}, {}]
    if isinstance(route.guard, Open):
        return []
    return [{"oauth2": [] if isinstance(route.guard, Anyone) else [route.guard]}]


def _problem(status: int, schema: Document) -> Document:
    return {"description": MEANINGS[status], "content": {"application/problem+json": {"schema": schema}}}


def _oauth(base_url: str) -> Document:
    flow = {"tokenUrl": f"{base_url}/oauth/token", "scopes": SCOPES}
    return {"type": "oauth2", "flows": {"clientCredentials": flow}}


def _client() -> Document:
    return {"type": "http", "scheme": "basic", "description": "The client's id and secret (client_secret_basic)."}


def _webhook(schema: Document) -> Document:
    """What a subscription receives (Standard Webhooks)."""
    headers = {
        "webhook-id": "The same through all tries of a delivery: take each once.",
        "webhook-timestamp": "When this try was made, in seconds since 1970.",
        "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`, one for each secret.",
    }
    types = "\n".join(f"- `{name}`: {text}" for name, text in EVENTS.items())
    return {
        "post": {
            "operationId": "receiveEvent",
            "summary": "An event, as a subscription receives it",
            "description": f"Answer 2xx within seconds. 410 ends the subscription. Types:\n\n{types}",
            "parameters": [
                {"in": "header", "name": name, "required": True, "schema": {"type": "string"}, "description": text}
                for name, text in headers.items()
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"200": {"description": "It was received."}, "410": {"description": "Send no more."}},
        }
    }
