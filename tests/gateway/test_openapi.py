"""The OpenAPI document: complete, and true of what the routes do."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema_rs import Draft202012Validator

from canonical.meaning import OPEN
from gateway import examples
from gateway.api import ROUTES
from gateway.openapi import document
from gateway.problems import ProblemDetails
from gateway.reference.api import given
from gateway.routes.reading import Body, Query, from_json
from gateway.routes.serving import Route
from gateway.schemas import structs
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.conftest import gate as gate
from tests.gateway.routes.said import admission, booking
from tests.isthmus import SECRET, Isthmus
from tests.mllp import Line

DOCUMENT: dict[str, Any] = json.loads(document(ROUTES, "http://isthmus.test"))
GOLDEN = Path(__file__).parents[1] / "golden" / "hl7v2"
GARBLED = b"not HL7 at all"
NOBODY = "apt_01M806K0ENW0TXF3D1N02WTW05"
SENT = [kind for route in ROUTES for kind in (route.body, route.form) if kind]
TAKEN = {kind.__name__ for kind in structs(SENT)} - {kind.__name__ for kind in given()}
OPERATIONS = [(path, method, one) for path, item in DOCUMENT["paths"].items() for method, one in item.items()]
schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(operation_id="streamEvents")  # it has no end
EXCLUDED = [
    schemathesis.checks.ignored_auth,  # test_guards.py asks every route
    schemathesis.checks.allow_header_conformance,
    schemathesis.checks.unsupported_method,  # HEAD and OPTIONS are there without being described
    schemathesis.checks.positive_data_acceptance,  # what fits the form may still name nothing that exists
]


def references(part: Any) -> list[str]:
    """Every $ref in a part of the document."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [ref for value in part.values() for ref in references(value)]
    return [ref for value in part for ref in references(value)] if isinstance(part, list) else []


def test_every_route_is_in_it() -> None:
    """Each route is there once, under an operationId of its own."""
    names = [one["operationId"] for _, _, one in OPERATIONS]

    assert {(route.template, route.method.lower()) for route in ROUTES} == {
        (path, method) for path, method, _ in OPERATIONS
    }
    assert len(names) == len(set(names))


def test_every_reference_is_to_something() -> None:
    """Nothing points nowhere, and no component is there for nothing."""
    found = set(references(DOCUMENT))

    for one in found:
        _, room, kind, name = one.split("/", 3)
        assert name in DOCUMENT[room][kind]


def test_each_operation_says_how_it_fails() -> None:
    """Guarded operations document 401, 403 and 429; every failure is a problem."""
    for _, _, one in OPERATIONS:
        guarded = any("oauth2" in scheme for scheme in one["security"])
        assert not guarded or {"400", "401", "429", "503"} <= set(one["responses"])
        assert any(scheme.get("oauth2") for scheme in one["security"]) == ("403" in one["responses"])
    for response in DOCUMENT["components"]["responses"].values():
        assert ["application/problem+json"] == list(response["content"])
        assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith(ProblemDetails.__name__)


def test_unions_have_discriminators() -> None:
    """A caller can tell all resources apart by `resourceType`."""
    items = DOCUMENT["components"]["schemas"]["Versions"]["properties"]["items"]["items"]

    assert ("resourceType", 11) == (items["discriminator"]["propertyName"], len(items["discriminator"]["mapping"]))


def test_webhooks_and_scopes_are_described() -> None:
    """The event that a subscription receives, and what each scope allows."""
    flow = DOCUMENT["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    needed = {scope for _, _, one in OPERATIONS for each in one["security"] for scope in each.get("oauth2", [])}

    assert "event" in DOCUMENT["webhooks"]
    assert needed <= set(flow["scopes"])


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A schema that stands by itself."""
    return part | {"components": DOCUMENT["components"]}


@pytest.mark.parametrize("kind", ["appointments", "encounters", "patients", "providers", "locations"])
async def test_answers_are_as_described(gate: Gate, kind: str) -> None:
    """What is read, searched, its history and its lineage fit their schemas."""
    await gate.hear(booking(1), admission(1))
    one = (await gate.get(f"/v1/{kind}"))["items"][0]["id"]
    for end in ("", "/{id}", "/{id}/history", "/{id}/lineage"):
        answer = await gate.get(f"/v1/{kind}{end}".replace("{id}", one))
        described = DOCUMENT["paths"][f"/v1/{kind}{end}"]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]

        Draft202012Validator(resolved(described)).validate(answer)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """A gateway in a process of its own, that has heard a few messages."""
    isthmus = Isthmus(tmp_path_factory.mktemp("isthmus"))
    isthmus.start()
    line = Line(isthmus.mllp)
    line.send(GARBLED)  # nobody answers to that
    for message in (booking(1), booking(2), admission(1)):
        line.say(message)
    line.close()
    yield isthmus
    isthmus.stop()


IDS = {"appointments", "encounters", "patients", "providers", "locations", "messages", "tasks", "subscriptions"}
UNDECLARED = {"content-type", "content-length", "date", "server", "connection", "transfer-encoding"}  # of HTTP itself


class Told(NamedTuple):
    """What came back, without its body."""

    status: int
    media: str
    headers: set[str]


def tell(running: Isthmus, method: str, path: str, body: bytes = b"", **headers: str) -> Told:
    """Ask, and look no further than the head of the answer: a stream has no end."""
    connection = http.client.HTTPConnection("127.0.0.1", running.http, timeout=20)
    connection.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    connection.close()
    names = {name.lower() for name, _ in answer.getheaders()}
    return Told(answer.status, answer.headers.get_content_type(), names)


def named(running: Isthmus, job: str, route: Route) -> set[str]:
    """The path of a route with the newest and the oldest of what it may name, where there is any."""
    collection = route.template.split("/")[2] if route.template.startswith("/v1/") else ""
    ids = [one["id"] for one in running.all(f"/v1/{collection}")] if collection in IDS else []
    ids = {"feeds": ["soak"], "jobs": [job]}.get(collection, ids or [NOBODY])
    return {route.template.replace("{id}", one) for one in (ids[0], ids[-1])}


def ways(route: Route, token: str) -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Ways to ask for a route: a query, a body and headers; as one should, and as one should not."""
    body = json.dumps(examples.OF_BODIES.get(route.body, {})).encode() if route.body else b""
    known, media = {"Authorization": f"Bearer {token}"}, {"Content_Type": "application/json"}
    yield "", body, known | media
    yield "", body, known | media | {"If_Match": "*", "If_None_Match": "*"}
    yield "", body, known | media | {"If_Match": '"9"', "Accept": "text/event-stream"}
    yield "", body, media
    yield "", body, media | {"Authorization": "Bearer not.a.token"}
    yield "", body, media | {"Authorization": "Bearer"}
    yield "?limit=nothing", body, known | media
    yield "?limit=1", body, known | media
    if route.body:
        yield "", b"{}", known | media
        yield "", b'{"all": true}', known | media
        yield "", b'{"url": "http://127.0.0.1:9/"}', known | media
        yield "", b"<a/>", known | {"Content_Type": "text/xml"}
        yield "", b"{", known | media
        yield "", b" " * 2_000_000, known | media
    if route.form:
        right = f"grant_type=client_credentials&client_id=admin&client_secret={SECRET}&token=x".encode()
        yield "", right, {"Content_Type": "application/x-www-form-urlencoded"}
        yield "", b"client_id=a&client_secret=b", {"Content_Type": "application/x-www-form-urlencoded"}


def test_what_is_sent_is_declared(running: Isthmus) -> None:
    """Every route, asked rightly and wrongly: its status, media type and headers are in the document."""
    job = running.ask("POST", "/v1/messages/_replay", {"all": True}).json["id"]
    running.ask("POST", "/v1/subscriptions", {"url": "http://127.0.0.1:9/"})
    wrong, seen = [], Counter[int]()
    for route in sorted(ROUTES, key=lambda route: (route.method == "DELETE", route.operation == "pauseIntake")):
        asked = product(named(running, job, route), ways(route, running.token()))
        declared = responses_of(route)
        for path, (query, body, headers) in asked:
            told = tell(running, route.method, path + query, body, **headers)
            seen[told.status] += 1
            wrong += [f"{route.operation}: {one}" for one in undeclared(told, declared.get(str(told.status)))]

    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert {200, 201, 202, 204, 304, 400, 401, 404, 409, 412, 413, 415, 422, 428} <= seen.keys()


def responses_of(route: Route) -> dict[str, Any]:
    """The answers of a route as the document has them, with what they refer to."""
    found = DOCUMENT["paths"][route.template][route.method.lower()]["responses"]
    shared = DOCUMENT["components"]["responses"]
    return {status: shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one for status, one in found.items()}


def undeclared(told: Told, response: dict[str, Any] | None) -> Iterator[str]:
    """What of an answer the document does not know, and what it promised and did not keep."""
    if response is None:
        yield f"answers {told.status}"
        return
    if "content" in response and told.media not in response["content"]:
        yield f"answers {told.status} as {told.media}"
    known = {name.lower() for name in response["headers"]}
    yield from (f"{told.status} has {name}" for name in told.headers - known - UNDECLARED)
    headers = DOCUMENT["components"]["headers"]
    needed = {name.lower() for name in response["headers"] if headers[name].get("required")}
    yield from (f"{told.status} lacks {name}" for name in needed - told.headers)


def test_each_operation_is_complete() -> None:
    """Each says what it is and shows an example of what it takes and gives."""
    tags = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    for path, method, one in [*OPERATIONS, ("event", "post", DOCUMENT["webhooks"]["event"]["post"])]:
        where = f"{method} {path}"
        assert all(one[name] for name in ("summary", "description", "operationId")), where
        assert all(tags[tag] for tag in one["tags"]), where
        assert all(given["description"] for given in one["parameters"]), where
        assert all("example" in given for given in one["parameters"] if given["in"] != "query"), where
        contents = [one["requestBody"]["content"]] if "requestBody" in one else []
        contents += [answer["content"] for answer in one["responses"].values() if "content" in answer]
        for media in (media for content in contents for media in content.items()):
            assert media[1].keys() & {"example", "examples"} or media[0] == "application/octet-stream", where
    for name, answer in DOCUMENT["components"]["responses"].items():
        assert answer["content"]["application/problem+json"]["examples"], name


def test_each_property_says_what_it_is() -> None:
    """There is a sentence for each type and each of its properties, and none speaks of our own papers."""
    for name, one in DOCUMENT["components"]["schemas"].items():
        assert one["description"], name
        for field, value in one["properties"].items():
            assert value["description"].endswith((".", "?")), f"{name}.{field}"
    assert b"DOMAIN" not in json.dumps(DOCUMENT).encode()


def test_what_is_given_is_open() -> None:
    """No answer has a closed list of codes, and nothing that may be left out may be null as well."""
    given = [schema for name, schema in DOCUMENT["components"]["schemas"].items() if name not in TAKEN]
    properties = [value for schema in given for value in schema["properties"].values()]
    optional = [one["properties"].keys() - set(one.get("required", ())) for one in given]
    left_out = [one["properties"][name] for one, names in zip(given, optional, strict=True) for name in names]

    assert len(given) > 40
    assert not [value for value in properties if "enum" in value]
    assert not [value for value in left_out if {"type": "null"} in value.get("anyOf", ())]
    assert "entered-in-error" in DOCUMENT["components"]["schemas"]["Appointment"]["properties"]["status"][OPEN]


def strict(part: Any) -> Any:
    """A schema that knows no codes but those that it lists."""
    if isinstance(part, dict):
        found = {name: strict(value) for name, value in part.items()}
        return found | {"enum": found[OPEN]} if isinstance(found.get(OPEN), list) else found
    return [strict(one) for one in part] if isinstance(part, list) else part


def checker(described: dict[str, Any]) -> Draft202012Validator:
    """What tells whether something is as described, its formats and its lists of codes as well."""
    return Draft202012Validator(strict(resolved(described)), validate_formats=True)


def test_examples_are_as_described() -> None:
    """Every example of a body fits the schema beside it, and every one that is sent is taken."""
    count = 0
    for part in parts(DOCUMENT):
        if "schema" in part and part.keys() & {"example", "examples"}:
            shown = [part["example"]] if "example" in part else [one["value"] for one in part["examples"].values()]
            for one in shown:
                checker(part["schema"]).validate(one)
                count += 1
    for kind, body in examples.OF_BODIES.items():
        if issubclass(kind, Body | Query):
            from_json(kind, "application/json", json.dumps(body).encode())

    assert count > 150


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document that is no example itself."""
    if isinstance(part, dict):
        yield part
        for name, value in part.items():
            yield from parts(value) if name not in ("example", "examples") else ()
    elif isinstance(part, list):
        for one in part:
            yield from parts(one)


async def test_records_are_as_described(gate: Gate) -> None:
    """What becomes of real messages has the forms that the document tells of, and no code that it does not know."""
    await gate.hear(*[path.read_bytes() for path in sorted(GOLDEN.glob("*/in.hl7"))])
    count = 0
    for kind in ("Appointment", "Encounter", "Patient", "Provider", "Location"):
        check = checker({"$ref": f"#/components/schemas/{kind}"})
        for one in (await gate.get(f"/v1/{kind.lower()}s", params={"limit": 500}))["items"]:
            check.validate(one)
            count += 1
    for path, kind in (("messages", "MessagePage"), ("events", "Events"), ("tasks", "TaskPage")):
        checker({"$ref": f"#/components/schemas/{kind}"}).validate(await gate.get(f"/v1/{path}", params={"limit": 500}))

    assert count > 30


def take_up(running: Isthmus) -> None:
    """What another call has paused goes on: a command is refused (503) while intake is held."""
    assert 200 == running.ask("POST", "/v1/intake/release").status


def hurry(case: schemathesis.Case[Any]) -> None:
    """`wait` makes an answer late on purpose; where it is wrong it stays, to be refused."""
    if isinstance(case.query, dict):
        with suppress(TypeError, ValueError):
            case.query |= {"wait": 0} if 0 <= float(case.query.get("wait")) <= 60 else {}  # type: ignore[arg-type]


@schema.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent(case: schemathesis.Case[Any], running: Isthmus) -> None:
    """Whatever is sent, the answer is one that the document knows: its status, its type, its form."""
    hurry(case)
    take_up(running)
    headers = {"Authorization": f"Bearer {running.token()}", "Accept": "application/json"}
    case.call_and_validate(base_url=running.url, headers=headers, excluded_checks=EXCLUDED, timeout=20)


def test_one_call_after_another(running: Isthmus) -> None:
    """What one answer names is asked for next: made, read, changed, deleted and asked for again, all as described."""

    class Story(schema.as_state_machine()):  # type: ignore[misc]  # a class that is made of the document
        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {running.token()}", "Accept": "application/json"}
            return {"base_url": running.url, "headers": headers, "timeout": 20}

        def validate_response(self, response: Any, case: schemathesis.Case[Any], **more: Any) -> None:
            case.validate_response(response, excluded_checks=EXCLUDED)

        def before_call(self, case: schemathesis.Case[Any]) -> None:
            hurry(case)
            take_up(running)

    limits = settings(max_examples=100, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck))
    Story.run(settings=limits)
