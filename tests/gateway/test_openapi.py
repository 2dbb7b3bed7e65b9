"""The OpenAPI document: complete, and true of what the routes do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from jsonschema_rs import Draft202012Validator

from gateway.api import ROUTES
from gateway.openapi import document
from gateway.problems import ProblemDetails
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.conftest import gate as gate
from tests.gateway.routes.said import admission, booking
from tests.isthmus import Isthmus
from tests.mllp import Line

DOCUMENT: dict[str, Any] = json.loads(document(ROUTES, "http://isthmus.test"))
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
        assert not guarded or {"401", "403", "429", "503"} <= set(one["responses"])
    for response in DOCUMENT["components"]["responses"].values():
        assert ["application/problem+json"] == list(response["content"])
        assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith(ProblemDetails.__name__)


def test_unions_have_discriminators() -> None:
    """A caller can tell the five resources apart by `resourceType`."""
    items = DOCUMENT["components"]["schemas"]["Versions"]["properties"]["items"]["items"]

    assert ("resourceType", 5) == (items["discriminator"]["propertyName"], len(items["discriminator"]["mapping"]))


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
    for message in (booking(1), booking(2), admission(1)):
        line.say(message)
    line.close()
    yield isthmus
    isthmus.stop()


@schema.parametrize()
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent(case: schemathesis.Case[Any], running: Isthmus) -> None:
    """Whatever is sent, the answer is one that the document knows: its status, its type, its form."""
    if isinstance(case.query, dict):
        case.query.pop("wait", None)  # the only parameter that makes an answer late on purpose
    headers = {"Authorization": f"Bearer {running.token()}", "Accept": "application/json"}
    case.call_and_validate(base_url=running.url, headers=headers, excluded_checks=EXCLUDED, timeout=20)
