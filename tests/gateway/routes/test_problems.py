"""Whatever goes wrong is a problem that says what to do and repeats nothing that was sent."""

import sqlite3
from typing import Any

import pytest

from gateway.problems import refusal_of
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
        ("GET", f"/v1/messages?key={CANARY}", {}, 422, "invalid_value"),
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


async def test_allow(gate: Gate) -> None:
    """405 lists what is there (RFC 9110 section 15.5.6)."""
    problem = await failed(gate, "PUT", "/v1/appointments")

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
