"""Whatever goes wrong is a problem that says what to do and repeats nothing that was sent."""

import re
import sqlite3
from typing import Any

import pytest
from msgspec.structs import fields

from gateway.api import ROUTES
from gateway.problems import refusal_of
from gateway.routes.serving import Route
from gateway.store.protocol import Conflict, Unavailable
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

CANARY = "Canarywharf"
TEXT, JSON = {"content-type": "text/plain"}, {"content-type": "application/json"}
FIND = "/v1/appointments/_search"


async def failed(gate: Gate, method: str, path: str, **more: Any) -> dict[str, Any]:
    """The problem of an answer that must be one."""
    answer = await gate.ask(method, path, **more)
    problem: dict[str, Any] = answer.json()
    assert "application/problem+json" == answer.headers["content-type"]
    assert answer.status_code == problem["status"]
    assert {"type", "status", "title", "detail", "instance", "code", "requestId", "retryable"} <= set(problem)
    assert f"urn:request:{answer.headers['x-request-id']}" == problem["instance"]
    assert ("no-store", "nosniff") == (answer.headers["cache-control"], answer.headers["x-content-type-options"])
    assert CANARY not in answer.text + str(answer.headers)
    return problem | {"headers": answer.headers}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", f"/v1/{CANARY}", {}, 404, "not_found"),
        ("GET", f"/v1/appointments/{CANARY}", {}, 404, "not_found"),
        ("DELETE", f"/v1/appointments/{CANARY}", {}, 405, "method_not_allowed"),
        ("POST", FIND, {"content": b"x" * 100_001}, 413, "content_too_large"),
        ("POST", FIND, {"content": CANARY, "headers": TEXT}, 415, "unsupported_media_type"),
        ("POST", FIND, {"content": f"{{{CANARY}", "headers": JSON}, 400, "invalid_request"),
        ("POST", FIND, {"json": [CANARY]}, 400, "invalid_request"),
        ("POST", FIND, {"json": {"limit": CANARY}}, 400, "invalid_request"),
        ("GET", f"/v1/appointments?{CANARY}=1", {}, 400, "invalid_request"),
        ("GET", f"/v1/appointments?limit={CANARY}", {}, 400, "invalid_request"),
        ("GET", f"/v1/appointments?order={CANARY}&dateFrom={CANARY}", {}, 400, "invalid_request"),
        ("GET", f"/v1/appointments?cursor={CANARY}", {}, 400, "invalid_request"),
        ("GET", "/v1/patients?name=%ff", {}, 400, "invalid_request"),
        ("GET", f"/v1/events?after={CANARY}", {}, 400, "invalid_request"),
        ("GET", f"/v1/messages?key={CANARY}", {}, 400, "invalid_request"),
        ("PATCH", f"/v1/tasks/{CANARY}", {"json": {"status": "completed"}}, 404, "not_found"),
        ("POST", f"/v1/feeds/{CANARY}/pause", {}, 404, "not_found"),
    ],
)  # fmt: skip
async def test_problems(gate: Gate, method: str, path: str, more: dict[str, Any], status: int, code: str) -> None:
    """Each way to be wrong has its status and code."""
    problem = await failed(gate, method, path, **more)

    assert (status, code) == (problem["status"], problem["code"])


async def test_everything_wrong_is_told(gate: Gate) -> None:
    """All that is wrong with a query or a body is listed at once, each with its place."""
    query = await failed(gate, "GET", "/v1/appointments?limit=0&order=up&dateFrom=x&other=1")
    twice = await failed(gate, "GET", "/v1/appointments?patient=a&patient=b")
    body = await failed(gate, "POST", "/v1/appointments/_search", json={"limit": "9", "status": [1], "other": 1})

    assert ["limit", "dateFrom", "order", "*"] == [one["parameter"] for one in query["errors"]]
    assert [("patient", "repeated")] == [(one["parameter"], one["code"]) for one in twice["errors"]]
    assert ["/limit", "/status/0", ""] == [one["pointer"] for one in body["errors"]]


def whole_numbers() -> list[Any]:
    """Every whole number that a route takes: the route, where it is sent, its name and its type."""
    return [
        pytest.param(route, place, field, id=f"{route.operation}-{field.encode_name}")
        for route in ROUTES
        for place, shape in (("query", route.query), ("body", route.body))
        for field in (fields(shape) if shape else ())
        if "int" in re.findall(r"\w+", str(field.type)) or field.type is int
    ]


@pytest.mark.parametrize(("route", "place", "field"), whole_numbers())
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30], ids=["2^63", "-2^63-1", "10^30"])
async def test_a_number_that_no_store_can_hold(gate: Gate, route: Route, place: str, field: Any, number: int) -> None:
    """Whole numbers beyond 64 bits are refused by their place, on every route that takes one."""
    needed = {"url": "http://127.0.0.1:9/hook"} if route.operation == "createSubscription" else {}
    path = route.template.replace("{id}", (await subscription(gate))["id"])
    sent = {field.encode_name: number}
    more = {"params": sent} if place == "query" else {"json": needed | sent}

    problem = await failed(gate, route.method, path, **more)

    assert (400, "invalid_request") == (problem["status"], problem["code"])
    said = [one.get("parameter") or one["pointer"].removeprefix("/") for one in problem["errors"]]
    assert [field.encode_name] == said


async def subscription(gate: Gate) -> dict[str, Any]:
    made: dict[str, Any] = (await gate.post("/v1/subscriptions", {"url": "http://127.0.0.1:9/hook"})).json()
    return made


async def test_the_largest_numbers(gate: Gate) -> None:
    """What just fits is no fault of ours, whatever else may be wrong with it."""
    hook = {"url": "http://127.0.0.1:9/hook"}
    for body in (hook | {"after": 2**63 - 1}, hook | {"after": 0}):
        assert (await gate.post("/v1/subscriptions", body)).status_code in (201, 422)
    for path in ("/v1/messages/_replay", "/v1/deliveries/_resend"):
        assert 200 == (await gate.post(path, {"state": "parked", "limit": 2**63 - 1, "dryRun": True})).status_code
    for wait in ("nan", "inf", "-1"):
        assert 400 == (await gate.ask("GET", f"/v1/events?wait={wait}")).status_code
    assert 400 == (await gate.ask("GET", f"/v1/events?after={2**64}")).status_code


@pytest.mark.parametrize(
    ("path", "query", "code", "said"),
    [
        ("/v1/patients", {"birthDate": "1985-13-01"}, "invalid_value", "1985-06-30"),
        ("/v1/patients", {"birthDate": "1985-02-29"}, "invalid_value", "1985-06-30"),
        ("/v1/patients", {"identifier": "a|"}, "invalid_value", "system|value"),
        ("/v1/patients", {"identifier": " "}, "invalid_value", "system|value"),
        ("/v1/patients", {"account": "a|"}, "invalid_value", "system|value"),
        ("/v1/patients", {"name": "-"}, "invalid_value", "word"),
        ("/v1/patients", {"status": "odd"}, "invalid_value", "merged"),
        ("/v1/appointments", {"status": "BOOKED"}, "invalid_value", "booked"),
        ("/v1/appointments", {"status": "booked,odd"}, "invalid_value", "booked"),
        ("/v1/appointments", {"status": ","}, "invalid_value", "booked"),
        ("/v1/encounters", {"status": "booked"}, "invalid_value", "onleave"),
        ("/v1/messages", {"key": "name="}, "invalid_value", "kind=value"),
        ("/v1/messages", {"key": "birthdate=1970-13-01"}, "invalid_value", "1985-06-30"),
        ("/v1/messages", {"key": "record=odd"}, "invalid_value", "id"),
        ("/v1/messages", {"key": "account=a|"}, "invalid_value", "system|value"),
        ("/v1/messages", {"key": "colour=red"}, "unknown_key", "birthdate"),
        ("/v1/messages", {"key": "name"}, "invalid_value", "kind=value"),
        ("/v1/messages", {"identifier": "a|"}, "invalid_value", "system|value"),
        ("/v1/tasks", {"queue": "odd"}, "invalid_value", "patient-identity"),
        ("/v1/deliveries", {"type": "odd"}, "unknown_type", "full"),
        ("/v1/events", {"types": "odd.*"}, "unknown_type", "appointment.*"),
        ("/v1/events", {"types": "patient.merged,odd"}, "unknown_type", "appointment.*"),
        ("/v1/events/stream", {"types": "odd"}, "unknown_type", "appointment.*"),
    ],
)
async def test_what_could_find_nothing(gate: Gate, path: str, query: dict[str, str], code: str, said: str) -> None:
    """A value that no record can have is refused with what is allowed, in a URL and in a body; never an empty list."""
    gate.leaving.set()  # a stream that is taken ends at once
    ((name, value),) = query.items()
    problem = await failed(gate, "GET", path, params=query | {"limit": "0"} if "stream" not in path else query)
    (wrong,) = [one for one in problem["errors"] if one["parameter"] != "limit"]

    alone = await failed(gate, "GET", path, params=query)
    assert [wrong] == alone["errors"]
    assert (400, name, code) == (problem["status"], wrong["parameter"], wrong["code"])
    assert said in wrong["detail"]
    if path in ("/v1/patients", "/v1/appointments", "/v1/encounters", "/v1/messages"):
        several = name in ("status", "identifier", "key")
        body = await failed(gate, "POST", f"{path}/_search", json=query)
        listed = await failed(gate, "POST", f"{path}/_search", json={name: [value] if several else value})
        assert [f"/{name}/0" if several else f"/{name}"] == [one["pointer"] for one in body["errors"]]
        assert (400, body["errors"]) == (listed["status"], listed["errors"])


async def test_what_is_rare_but_right(gate: Gate) -> None:
    """What may be there is searched for, as odd as it looks."""
    for path in (
        *("patients?birthDate=1984-02-29", "patients?birthDate=1984-02", "patients?birthDate=1984"),
        *("patients?identifier=urn:x|a|b", "patients?name=%C3%89", "appointments?status=booked,%20noshow"),
        *("appointments?status=entered-in-error", "events?types=*", "events?types=task.*,feed.silent"),
        *("messages?key=name=o%27brien", "messages?key=order=a=b", "tasks?queue=delivery"),
    ):
        assert 200 == (await gate.ask("GET", f"/v1/{path}")).status_code, path


async def test_allow(gate: Gate) -> None:
    """405 lists what is there (RFC 9110 section 15.5.6)."""
    problem = await failed(gate, "PUT", "/v1/patients")

    assert {"GET", "HEAD", "OPTIONS"} == set(problem["headers"]["allow"].split(", "))


async def test_head(gate: Gate) -> None:
    """HEAD answers as GET does, without the body (RFC 9110 section 9.3.2)."""
    get, head = await gate.ask("GET", "/v1/appointments"), await gate.ask("HEAD", "/v1/appointments")

    assert (200, b"", get.headers["content-length"]) == (head.status_code, head.content, head.headers["content-length"])


async def test_a_fault_of_ours(gate: Gate) -> None:
    """What nobody expected (here a body that was changed on the disk) says nothing of itself."""
    await gate.hear(booking(1))
    message = (await gate.get("/v1/messages"))["items"][0]["id"]
    with sqlite3.connect(gate.folder / "isthmus.db") as database:
        database.execute("UPDATE messages SET raw = ?", (CANARY.encode(),))

    problem = await failed(gate, "GET", f"/v1/messages/{message}/raw")

    assert (500, "internal_error", True) == (problem["status"], problem["code"], problem["retryable"])


def test_a_store_that_cannot_take_it() -> None:
    """503 says when to come back, in the registry's own type; a lost race is 409."""
    refusal = refusal_of(Unavailable("disk"))

    assert (503, ((b"retry-after", b"2"),)) == (refusal.status, refusal.headers)
    assert refusal.type.endswith("#temporary-reduced-capacity")
    assert 409 == refusal_of(Conflict("version")).status


async def test_not_ready(gate: Gate) -> None:
    """Without its store the gateway is alive and not ready."""
    gate.store._reader.close()

    ready, live = [await gate.http.get(f"/health/{one}") for one in ("ready", "live")]

    assert (503, "unreachable") == (ready.status_code, ready.json()["checks"]["store"])
    assert (200, "alive") == (live.status_code, live.json()["status"])


async def test_throttled(gate: Gate) -> None:
    """Who asks too often is told when to come back, and is let in again then."""
    gate._tokens["admin"] = await gate.token("partner")
    now = gate.services.clock()
    gate.clock = lambda: now
    first = await gate.ask("GET", "/v1/events")
    answers = [await gate.ask("GET", "/v1/events") for _ in range(410)]

    assert '"client";q=200;w=1' == first.headers["ratelimit-policy"]
    assert 429 == answers[-1].status_code
    assert (["client"], "1") == (answers[-1].json()["violated-policies"], answers[-1].headers["retry-after"])
    gate.clock = lambda: now + 1_000_000
    assert 200 == (await gate.ask("GET", "/v1/events")).status_code
