"""The OpenAPI 3.1 document, made from what the routes declare and from the very types that decode and encode.

Litestar's own generator knows neither the discriminator of a tagged union nor our problems, and its 400 is not ours, so
schemas come from msgspec (schemas.py) and this is the one place where the document is put together.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any, get_args, get_origin

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import fields

from canonical.events import EVENTS
from canonical.ids import PREFIXES
from canonical.meaning import pattern_of
from gateway import examples, response_headers
from gateway.deliveries.webhooks import AGENT
from gateway.problems import MEDIA_TYPE, ProblemDetails
from gateway.refusals import CODES, STATUSES
from gateway.routes import jobs
from gateway.routes.events import STREAM
from gateway.routes.oauth import OAuthError
from gateway.routes.paging import Page
from gateway.routes.serving import Anyone, Open, Route
from gateway.schemas import Schemas, parameter
from gateway.scopes import SCOPES
from transforms.api.cloudevent import CloudEvent

Document = dict[str, Any]
Plain = dict[str, object]  # what a standard describes
ABOUT = """\
Isthmus hears what every system of a health system says and gives it back as one canonical model.

**Begin** with a token: `POST /oauth/token` with your client id and secret, then `Authorization: Bearer` on every call.

**Lists** are pages: `{"items": [...], "next": ...}`. While `next` is not null, send it as `cursor` with the same
search. It is opaque, belongs to its search and lasts a day; then the answer is 410, and you begin again.

**Instants** are RFC 3339 in UTC, with microseconds at most. Where a place matters, `zone` beside them is its IANA zone.

**Lists of codes are open**, also where `x-extensible-enum` lists the known values: tolerate what you do not know.
Fields are only ever added: ignore those that you do not know. What is empty is left out, unless it is required.

**Versions**: `versionId` in the body, and an opaque `ETag`. Send it back as If-None-Match to be spared what you have,
and as If-Match to change only what you have seen.

**Refusals** are `application/problem+json` (RFC 9457). Decide by `status` and `code`; where `retryable` is true, the
same request may succeed later, after `Retry-After` where that is given.

**Ids** are opaque: a prefix and a ULID. Never put a patient's number or name into a URL: each search has a `_search`
that takes the same in its body.
"""
TAGS = {
    "appointments": "Booked, offered, kept and missed visits, as the schedules say.",
    "encounters": "Visits and stays, as registration says.",
    "patients": "People in care. One who was merged goes on to answer, with a link to the survivor.",
    "providers": "Who provides care.",
    "organizations": "Facilities, departments, practices, payers, suppliers.",
    "locations": "Places: beds, rooms, wards, buildings.",
    "referrals": "One provider asks another to see a patient.",
    "coverages": "The insurances of patients.",
    "eligibility-checks": "What payers were asked about an insurance, and what they answered.",
    "authorizations": "The leave of payers to give care, and what they decided.",
    "requisitions": "What departments asked for, and how far it has come.",
    "events": "What changed, in the order of its commits: pages to poll, and a stream (server-sent events).",
    "messages": "What was received, as bytes and as a tree, what became of it, and mapping it again.",
    "tasks": "Work that waits for a person.",
    "subscriptions": "Webhooks: who is told of which events, and where.",
    "deliveries": "Events on their way to a subscription, each try, and sending them again.",
    "jobs": "How far a bulk resend or replay has come.",
    "feeds": "The doors in, and holding them.",
    "holds": "Legal holds: what is kept whatever its days.",
    "oauth": "Tokens, and what a client must know to have one.",
    "system": "For probes, scrapers and tools.",
}
MEANINGS = {
    200: "What was asked for.",
    201: "It was made.",
    202: "It was accepted, and goes on.",
    204: "It is done; there is nothing to say.",
    304: "You have it already.",
}
CONDITIONS: dict[str, Document] = {
    "If-Match": {"description": "The ETag that you read; 412 if it is no longer that one.", "example": '"1"'},
    "If-None-Match": {"description": "The ETag that you have; 304 if it still holds.", "example": '"2-c580ae411f"'},
    "Last-Event-ID": {"description": "The `seq` of the last event of a stream: it goes on after that.", "example": "4"},
}
NAMED = {f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s": kind for kind in PREFIXES} | {
    "eligibility-checks": "eligibility"
}


def document(routes: Sequence[Route], base_url: str) -> bytes:
    """The document as JSON."""
    found = _Document(routes, base_url).whole()
    # A page is called by what it holds, as in the class that a generator makes of it.
    return re.sub(rb"Page[_[](\w+?)[_\]](?=\")", rb"\1Page", msgspec.json.encode(found))


class _Document:
    """The document in the making: schemas and responses are kept once and referred to."""

    def __init__(self, routes: Sequence[Route], base_url: str) -> None:
        self.routes, self.base_url, self.is_https = routes, base_url, base_url.startswith("https:")
        taken = {kind for route in routes for kind in (route.body, route.form) if kind is not None}
        given = [
            kind for route in routes for kind in (route.gives, route.trial) if kind not in (None, str, bytes, Plain)
        ]
        self.schemas = Schemas(
            sorted(taken, key=lambda kind: kind.__name__),
            list(dict.fromkeys([*given, ProblemDetails, OAuthError, CloudEvent])),
        )
        self.responses: Document = {}

    def whole(self) -> Document:
        paths: Document = {}
        for route in self.routes:
            paths.setdefault(route.template, {})[route.method.lower()] = self._operation(route)
        components = self.schemas.components
        components["CloudEvent"]["properties"]["data"] |= components["Versions"]["properties"]["items"]["items"]
        return {
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": "Isthmus",
                "version": "1",
                "summary": "One canonical model of what every system of a health system says.",
                "description": ABOUT,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": self.base_url, "description": "The gateway that served this document."}],
            "tags": [
                {"name": tag, "description": TAGS[tag]} for tag in dict.fromkeys(route.tag for route in self.routes)
            ],
            "paths": paths,
            "webhooks": {"event": _webhook(self.schemas.of(CloudEvent))},
            "components": {
                "schemas": components,
                "responses": self.responses,
                "headers": response_headers.components(),
                "securitySchemes": {"oauth2": _oauth(self.base_url), "client": _client()},
            },
        }

    def _operation(self, route: Route) -> Document:
        summary, description = route.about
        found: Document = {
            "operationId": route.operation,
            "summary": summary,
            "description": description or f"{summary}.",
            "tags": [route.tag],
            "parameters": [*_path(route), *_query(route), *_conditions(route)],
            "responses": self._successes(route) | self._refusals(route),
            "security": _security(route),
        }
        if kind := route.body or route.form:
            media = "application/json" if route.body else "application/x-www-form-urlencoded"
            content = {media: {"schema": self.schemas.of(kind), "example": examples.OF_BODIES[kind]}}
            needed = any(field.required for field in fields(kind))
            found["requestBody"] = {"required": needed, "content": content}
        return found

    def _successes(self, route: Route) -> Document:
        headers = response_headers.of_success(route, self.is_https)
        success: Document = {"description": MEANINGS[route.status], "headers": headers}
        if content := self._content(route):
            success["content"] = content
        found = {str(route.status): success}
        if route.trial is not None:
            kept = {name: one for name, one in headers.items() if name != "Location"}
            content = {"application/json": self._shown(route.trial)}
            found["200"] = {"description": "What a dry run found.", "headers": kept, "content": content}
        if "ETag" in route.headers and route.method == "GET":
            found["304"] = {"description": MEANINGS[304], "headers": headers}
        return found

    def _content(self, route: Route) -> Document:
        found: Document = {}
        if route.operation in examples.OF_OPERATIONS:
            schema = {"type": "object", "description": f"{route.about[0]}."}
            found[route.media] = {"schema": schema, "example": examples.OF_OPERATIONS[route.operation]}
        elif route.gives in (bytes, str):
            found[route.media] = {"schema": {"type": "string"}, "example": examples.OF_MEDIA[route.media]}
        elif route.gives is not None:
            found[route.media] = self._shown(route.gives)
        if route.also:
            shown = {"example": examples.OF_MEDIA[route.also]} if route.also in examples.OF_MEDIA else {}
            found[route.also] = {"schema": {"type": "string"}} | shown
        return found

    def _shown(self, kind: Any) -> Document:
        return {"schema": self.schemas.of(kind), "example": _example(kind)}

    def _refusals(self, route: Route) -> Document:
        found = {
            str(status): self._refusal(route, list(codes)) for status, codes in groupby(route.failures, STATUSES.get)
        }
        if route.form is not None:
            found |= {str(status): self._oauth_error(route, status) for status in (400, 401)}
        return dict(sorted(found.items()))

    def _refusal(self, route: Route, codes: list[str]) -> Document:
        """A reference to the refusal with these codes, which many routes share."""
        name = "Or".join("".join(map(str.capitalize, code.split("_"))) for code in codes)
        name += "WithoutToken" if isinstance(route.guard, Open) else ""
        if name not in self.responses:
            told = {code: CODES[STATUSES[code]][code] for code in codes}
            shown = {code: {"summary": text, "value": examples.of_problem(code)} for code, text in told.items()}
            self.responses[name] = {
                "description": " Or: ".join(told.values()),
                "headers": response_headers.of_refusal(route, codes, self.is_https),
                "content": {MEDIA_TYPE: {"schema": self.schemas.of(ProblemDetails), "examples": shown}},
            }
        return {"$ref": f"#/components/responses/{name}"}

    def _oauth_error(self, route: Route, status: int) -> Document:
        headers = response_headers.of_success(route, self.is_https)
        if status == 401:
            headers |= {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}}
        content = {"application/json": self._shown(OAuthError)}
        return {"description": "RFC 6749 section 5.2.", "headers": headers, "content": content}


def _example(kind: Any) -> object:
    if get_origin(kind) is Page:
        return {"items": [examples.OF_TYPES[get_args(kind)[0]]], "next": None}
    return examples.OF_TYPES[kind]


def _path(route: Route) -> list[Document]:
    before, id_, _ = route.template.partition("/{id}")
    if not id_:
        return []
    collection = before.rpartition("/")[2]
    kind = NAMED.get(collection, collection.removesuffix("s"))
    pattern = jobs.JOB if kind == "job" else pattern_of(kind) if kind in PREFIXES else "^[^/]+$"
    return [
        {
            "in": "path",
            "name": "id",
            "required": True,
            "description": f"The {'id' if kind != 'feed' else 'name'} of the {kind}.",
            "schema": {"type": "string", "pattern": pattern},
            "example": examples.OF_PATHS[kind],
        }
    ]


def _query(route: Route) -> list[Document]:
    if route.query is None:
        return []
    found = []
    for field in fields(route.query):
        schema = parameter(field.type)
        text = schema.pop("description")
        if field.default not in (None, NODEFAULT, ()):
            schema["default"] = field.default
        found.append(
            {
                "in": "query",
                "name": field.encode_name,
                "required": field.required,
                "description": text,
                "schema": schema,
            }
        )
    return found


def _conditions(route: Route) -> list[Document]:
    needed = {
        "If-None-Match": False if "ETag" in route.headers and route.method == "GET" else None,
        "If-Match": "precondition_required" in route.fails if "precondition_failed" in route.fails else None,
        "Last-Event-ID": False if STREAM in (route.media, route.also) else None,
    }
    return [
        {"in": "header", "name": name, "required": required, "schema": {"type": "string"}} | CONDITIONS[name]
        for name, required in needed.items()
        if required is not None
    ]


def _security(route: Route) -> list[Document]:
    if route.form is not None:
        return [{"client": []}, {}]
    if isinstance(route.guard, Open):
        return []
    return [{"oauth2": [] if isinstance(route.guard, Anyone) else [route.guard]}]


def _oauth(base_url: str) -> Document:
    flow = {"tokenUrl": f"{base_url}/oauth/token", "scopes": SCOPES}
    about = "A token for the client itself; ask for no more scopes than you need. `admin` stands for every scope."
    return {"type": "oauth2", "description": about, "flows": {"clientCredentials": flow}}


def _client() -> Document:
    about = "The client's id and secret (client_secret_basic); or both in the form (client_secret_post)."
    return {"type": "http", "scheme": "basic", "description": about}


def _webhook(schema: Document) -> Document:
    """What a subscription receives (Standard Webhooks)."""
    types = "\n".join(f"- `{name}`: {text}" for name, text in EVENTS.items())
    about = (
        "Each event of a subscription is posted to its `url`, in order for each patient, at least once: keep the "
        "`webhook-id` of what you have taken, and take each once. Check `webhook-signature` before all else, and "
        "refuse a `webhook-timestamp` that is more than five minutes off. Answer 2xx within seconds, and then work.\n\n"
        "`data` is there only where the subscription is `full`; else read the `subject`.\n\n"
        f"Types:\n\n{types}\n- `subscription.test`: you asked for it"
    )
    shown = {
        "thin": {"summary": "As by default: something changed.", "value": examples.OF_TYPES[CloudEvent]},
        "full": {"summary": "With its subject as it was then.", "value": examples.FULL_EVENT},
    }
    return {
        "post": {
            "operationId": "receiveEvent",
            "summary": "An event, as a subscription receives it",
            "description": about,
            "tags": ["subscriptions"],
            "parameters": [
                {"in": "header", "name": name, "required": name != "traceparent"} | rest
                for name, rest in WEBHOOK_HEADERS.items()
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "examples": shown}}},
            "responses": WEBHOOK_ANSWERS,
        }
    }


WEBHOOK_HEADERS: dict[str, Document] = {
    "webhook-id": {
        "description": "The id of the delivery, the same through all tries: take each once.",
        "schema": {"type": "string", "pattern": pattern_of("delivery")},
        "example": examples.DELIVERY,
    },
    "webhook-timestamp": {
        "description": "When this try was made, in seconds since 1970.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "1795590991",
    },
    "webhook-signature": {
        "description": "`v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` under the "
        "bytes of the secret (the base64 after `whsec_`); one for each secret that is in use, separated by blanks.",
        "schema": {"type": "string", "pattern": "^v1,"},
        "example": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
    "user-agent": {
        "description": "Who calls.",
        "schema": {"type": "string"},
        "example": AGENT,
    },
    "traceparent": {
        "description": "The trace of this try (W3C Trace Context).",
        "schema": {"type": "string"},
        "example": f"00-{examples.TRACE}-b7ad6b7169203331-01",
    },
}
WEBHOOK_ANSWERS: Document = {
    "2XX": {"description": "You have taken it. What the body says is not looked at."},
    "410": {"description": "Send no more: the subscription is disabled."},
    "429": {
        "description": "Not now: it is tried again, after Retry-After where you send it.",
        "headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
    },
    "4XX": {"description": "You will not take it: it is parked for a person to look at; 408 and 425 are tried again."},
    "5XX": {
        "description": "You could not: it is tried again with growing pauses, after Retry-After where you send it.",
        "headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}},
    },
}
