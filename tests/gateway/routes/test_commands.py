"""Commands: what people ask of the API happens once, as the state machines allow it, or leaves nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from gateway.store.protocol import MessageQuery
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

TIMES = {"start": "2027-06-02T10:00:00-04:00", "end": "2027-06-02T10:45:00-04:00"}
LINES = [{"key": str(n), "item": {"description": "Pad"}, "quantity": {"value": "10", "code": "EA"}} for n in (1, 2)]


async def do(gate: Gate, path: str, body: Any = None, key: str | None = None, **more: Any) -> httpx.Response:
    """A command with an Idempotency-Key, its own unless one is given."""
    headers = {"idempotency-key": key or uuid4().hex} | more.pop("headers", {})
    return await gate.post(f"/v1/{path}", body, headers=headers, **more)


async def patient(gate: Gate) -> str:
    """A patient that a feed told of."""
    await gate.hear(booking(1))
    return str((await gate.only("appointment"))["patient"])


async def booked(gate: Gate) -> Any:
    made = await do(gate, "appointments", {"patient": await patient(gate), **TIMES})
    assert made.status_code == 201, made.text
    return made.json()


async def test_booking(gate: Gate) -> None:
    """What is booked can be read at once where Location says; the command is a message, and its event is told."""
    one = await patient(gate)
    made = await do(gate, "appointments", {"patient": one, **TIMES, "zone": "America/New_York"})
    found = await gate.get(made.headers["location"])
    (event,) = [e for e in (await gate.get("/v1/events"))["items"] if e["subject"] == found["id"]]

    assert (201, '"1"') == (made.status_code, made.headers["etag"])
    assert found == made.json()
    assert ("booked", one, "2027-06-02T14:00:00Z", 45) == (
        *(found["status"], found["patient"], found["start"], found["minutesDuration"]),
    )
    assert ("admin", "book", "booked") == tuple(found["statusHistory"][0][name] for name in ("actor", "event", "to"))
    assert ("appointment.created", 1) == (event["type"], event["version"])
    kept = await gate.get(f"/v1/messages/{found['provenance']['message']}")
    assert ("api", "appointment", "book", "applied") == tuple(
        kept[name] for name in ("protocol", "type", "event", "state")
    )
    assert (await gate.get(f"/v1/appointments/{found['id']}/lineage"))["items"]


async def test_an_appointment_from_booking_to_check_in(gate: Gate) -> None:
    """Each command makes one version; If-Match is checked where it is given."""
    made = await booked(gate)
    path = f"appointments/{made['id']}"
    later = {"start": "2027-06-03T14:00:00Z", "end": "2027-06-03T14:30:00Z", "note": "moved"}
    moved = await do(gate, f"{path}/reschedule", later, headers={"if-match": '"1"'})
    stale = await do(gate, f"{path}/check-in", {}, headers={"if-match": '"1"'})
    arrived = await do(gate, f"{path}/check-in", {}, headers={"if-match": moved.headers["etag"]})
    types = [e["type"] for e in (await gate.get("/v1/events"))["items"] if e["subject"] == made["id"]]

    assert ("2027-06-03T14:00:00Z", "2027-06-02T14:00:00Z", "2") == tuple(
        moved.json()[name] for name in ("start", "previousStart", "versionId")
    )
    assert "admin" == moved.json()["notes"][0]["author"]
    assert (412, "precondition_failed") == (stale.status_code, stale.json()["code"])
    assert (200, "checked-in") == (arrived.status_code, arrived.json()["status"])
    assert ["appointment.created", "appointment.rescheduled", "appointment.checked_in"] == types


async def test_what_the_machine_does_not_know(gate: Gate) -> None:
    """It is refused with what would be allowed, and nothing is kept of it."""
    made = await booked(gate)
    path = f"/v1/appointments/{made['id']}"
    await do(gate, f"appointments/{made['id']}/cancel", {"reason": {"text": "patient asked"}})
    before = len((await gate.store.messages(MessageQuery(tenant="main"))).items)
    answer = await do(gate, f"appointments/{made['id']}/check-in")
    again = await gate.get(path)

    assert (409, "invalid_transition") == (answer.status_code, answer.json()["code"])
    assert ["booked", "entered-in-error", "waitlist"] == answer.json()["allowed"]
    assert ("cancelled", "2", "patient asked") == (again["status"], again["versionId"], again["statusReason"]["text"])
    assert before == len((await gate.store.messages(MessageQuery(tenant="main"))).items)
    assert any(row.what.endswith("/check-in") and row.outcome == 4 for row in await gate.audited())


async def test_what_a_feed_said_before(gate: Gate) -> None:
    """A command counts from when it came: a word of a feed that is older, and comes later, does not undo it."""
    await gate.hear(booking(1))
    path = f"/v1/appointments/{(await gate.only('appointment'))['id']}"
    cancelled = await gate.post(f"{path}/cancel", {})
    await gate.hear(booking(1, "S14", at="20261121093100-0500"))

    assert (200, "cancelled") == (cancelled.status_code, cancelled.json()["status"])
    assert "cancelled" == (await gate.get(path))["status"]


async def test_once(gate: Gate) -> None:
    """The same request under one key takes effect once, also where many come at once; another one is refused."""
    body = {"patient": await patient(gate), **TIMES}
    answers = await asyncio.gather(*(do(gate, "appointments", body, "one") for _ in range(10)))
    other = await do(gate, "appointments", body | {"note": "x"}, '"one"')

    assert {201} == {one.status_code for one in answers}
    assert 1 == len({one.content for one in answers}) == len({one.headers["etag"] for one in answers})
    assert 9 == sum(one.headers.get("idempotency-replayed") == "true" for one in answers)
    assert 2 == len((await gate.get("/v1/appointments"))["items"])
    assert (422, "idempotency_key_reused") == (other.status_code, other.json()["code"])


async def test_a_creating_command_needs_a_key(gate: Gate) -> None:
    """Without it, or with one that is none, nothing is made."""
    body = {"patient": await patient(gate), **TIMES}
    without = await gate.post("/v1/appointments", body)
    bad = await do(gate, "appointments", body, 'a "key')

    assert ([400, 400], {"Idempotency-Key"}) == (
        [one.status_code for one in (without, bad)],
        {one.json()["errors"][0]["header"] for one in (without, bad)},
    )


async def test_everything_wrong_at_once(gate: Gate) -> None:
    """Each place is named, at any depth; then what is missing from the store, and times that cannot be."""
    code = {"codings": [{"code": 1}], "colour": "red"}
    bad = await do(gate, "appointments", {"patient": "me", "reasons": [code], "extra": 1, "start": TIMES["start"]})
    nobody = "pat_01M88RY5ZG9QZ3EJSA53T7BZ3N"
    wrong = {"patient": nobody, "start": TIMES["end"], "end": TIMES["start"], "zone": "Mars/Base"}
    cannot = await do(gate, "appointments", wrong)

    assert (400, ["", "/end", "/patient", "/reasons/0", "/reasons/0/codings/0/code"]) == (
        bad.status_code,
        sorted(one["pointer"] for one in bad.json()["errors"]),
    )
    assert (422, ["/end", "/patient", "/zone"]) == (
        cannot.status_code,
        sorted(one["pointer"] for one in cannot.json()["errors"]),
    )


async def test_tenants(gate: Gate) -> None:
    """What is of another tenant does not exist: neither a record nor a reference."""
    made = await booked(gate)
    theirs = await do(gate, f"appointments/{made['id']}/cancel", client="stranger")
    named = await do(gate, "appointments", {"patient": made["patient"], **TIMES}, client="stranger")

    assert (404, 422) == (theirs.status_code, named.status_code)


async def test_scopes(gate: Gate) -> None:
    """Reading is not writing."""
    made = await booked(gate)
    answer = await do(gate, f"appointments/{made['id']}/cancel", client="partner")

    assert (403, "insufficient_scope") == (answer.status_code, answer.json()["code"])


async def test_a_referral(gate: Gate) -> None:
    """Draft, sent, rejected with a reason, sent again, accepted, completed."""
    one = await patient(gate)
    number = {"system": "urn:x-main:partner", "value": "R1"}
    made = (await do(gate, "referrals", {"patient": one, "identifiers": [number]}, "r1")).json()
    twice = await do(gate, "referrals", {"patient": one, "identifiers": [number]}, "r2")
    path = f"referrals/{made['id']}"
    steps = [await do(gate, f"{path}/{step}", body, f"{n}") for n, (step, body) in enumerate(STEPS)]
    found = await gate.only("referral", patient=one, status="completed")

    assert ("draft", 409, "already_exists") == (made["status"], twice.status_code, twice.json()["code"])
    assert [200, 422, 200, 200, 200, 200, 409] == [one.status_code for one in steps]
    assert ["draft", "requested", "rejected", "requested", "accepted", "completed"] == [
        line["to"] for line in found["statusHistory"]
    ]


STEPS: list[tuple[str, Any]] = [
    ("send", {}),
    ("reject", {}),
    ("reject", {"reason": {"text": "full"}}),
    ("send", {}),
    ("accept", {}),
    ("complete", {}),
    ("cancel", {}),
]


async def test_a_requisition(gate: Gate) -> None:
    """It is asked for and approved; what arrives is counted line by line, and the status follows."""
    await patient(gate)
    made = (await do(gate, "requisitions", {"lines": LINES})).json()
    path = f"requisitions/{made['id']}"
    early = await do(gate, f"{path}/receive", {"lines": [{"key": "1", "quantity": "1"}]})
    for step in ("submit", "approve"):
        assert 200 == (await do(gate, f"{path}/{step}")).status_code
    approved = await gate.get(f"/v1/{path}")

    assert ("draft", 409) == (made["status"], early.status_code)
    assert ("approved", ["approved"]) == (approved["status"], [one["decision"] for one in approved["approvals"]])


async def test_asking_a_payer(gate: Gate) -> None:
    """Without an insurance that is known there is nobody to ask."""
    body = {"patient": await patient(gate), "coverage": "cov_01M88RY5ZG9QZ3EJSA53T7BZ3N"}
    items = [{"key": "1"}, {"key": "1"}]
    check = await do(gate, "eligibility-checks", body)
    leave = await do(gate, "authorizations", body | {"items": items})

    assert (422, ["/coverage"]) == (check.status_code, [one["pointer"] for one in check.json()["errors"]])
    assert ["/coverage", "/items/1/key"] == [one["pointer"] for one in leave.json()["errors"]]


async def test_while_intake_is_held(gate: Gate) -> None:
    """A command is a message: none is taken while none is."""
    made = await booked(gate)
    await gate.pipeline.pause("intake", "test")
    answer = await do(gate, f"appointments/{made['id']}/cancel")

    assert (503, True) == (answer.status_code, answer.json()["retryable"])
