"""Tokens: given for credentials, told about, taken back; every failure as its standard says."""

from base64 import b64encode
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from gateway.clock import MICROS
from gateway.store.protocol import StoredClient
from tests.gateway.routes.conftest import BASE, HASHED, SECRET, Gate

GRANT: dict[str, Any] = {"grant_type": "client_credentials"}


def basic(client: str, secret: str = SECRET) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{client}:{secret}".encode()).decode()}


async def ask(gate: Gate, headers: dict[str, str] | None = None, path: str = "token", **form: Any) -> httpx.Response:
    return await gate.http.post(f"/oauth/{path}", data=form, headers=headers)


async def test_by_basic_and_by_post(gate: Gate) -> None:
    """Both methods give a token that is good; it is never kept by a cache."""
    for answer in (
        await ask(gate, basic("partner"), **GRANT),
        await ask(gate, client_id="partner", client_secret=SECRET, **GRANT),
    ):
        assert (200, "Bearer", 300) == (answer.status_code, answer.json()["token_type"], answer.json()["expires_in"])
        assert "no-store" == answer.headers["cache-control"]
        bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
        assert 200 == (await gate.http.get("/v1/appointments", headers=bearer)).status_code


async def test_scopes(gate: Gate) -> None:
    """A client gets the scopes it asks for if they are its own, an admin any that there is."""
    narrow = await ask(gate, basic("partner"), scope="events.read", **GRANT)
    beyond = await ask(gate, basic("partner"), scope="tasks.read", **GRANT)
    any_one = await ask(gate, basic("admin"), scope="tasks.read", **GRANT)
    unknown = await ask(gate, basic("admin"), scope="everything", **GRANT)

    assert ("events.read", "tasks.read") == (narrow.json()["scope"], any_one.json()["scope"])
    assert [(400, "invalid_scope")] * 2 == [(one.status_code, one.json()["error"]) for one in (beyond, unknown)]


@pytest.mark.parametrize(
    ("headers", "form", "status", "error"),
    [
        ({}, GRANT, 401, "invalid_client"),
        (basic("partner", "wrong"), GRANT, 401, "invalid_client"),
        (basic("unheard-of"), GRANT, 401, "invalid_client"),
        ({"authorization": "Basic ???"}, GRANT, 401, "invalid_client"),
        (basic("partner"), GRANT | {"client_secret": SECRET}, 400, "invalid_request"),
        (basic("partner"), GRANT | {"client_id": "admin"}, 400, "invalid_request"),
        (basic("partner"), {}, 400, "invalid_request"),
        (basic("partner"), {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (basic("partner") | {"content-type": "application/json"}, GRANT, 400, "invalid_request"),
    ],
)
async def test_failures(gate: Gate, headers: dict[str, str], form: dict[str, str], status: int, error: str) -> None:
    """RFC 6749 section 5.2, with a challenge where the Authorization header was used."""
    answer = await ask(gate, headers, **form)

    assert (status, error) == (answer.status_code, answer.json()["error"])
    assert ("www-authenticate" in answer.headers) == (status == 401 and bool(headers))


async def test_twice_is_an_error(gate: Gate) -> None:
    """A parameter that is sent twice (RFC 6749 section 3.2)."""
    answer = await gate.http.post(
        "/oauth/token",
        content="grant_type=client_credentials&grant_type=client_credentials",
        headers=basic("partner") | {"content-type": "application/x-www-form-urlencoded"},
    )

    assert (400, "invalid_request") == (answer.status_code, answer.json()["error"])


async def test_introspection(gate: Gate) -> None:
    """An active token is told about; of any other, and of another tenant's, only that it is not active."""
    token, foreign = await gate.token("partner"), await gate.token("stranger")

    async def told(one: str, client: str = "admin") -> Any:
        return (await ask(gate, basic(client), "introspect", token=one)).json()

    mine = await told(token)

    assert (True, "partner", "Bearer") == (mine["active"], mine["client_id"], mine["token_type"])
    assert [{"active": False}] * 2 == [await told("nonsense"), await told(foreign)]
    assert 401 == (await ask(gate, path="introspect", token=token)).status_code


async def test_revocation(gate: Gate) -> None:
    """A token that was taken back is refused by the next request, also after a restart; twice is fine."""
    token = await gate.token("partner")
    assert 200 == (await gate.ask("GET", "/v1/appointments", "partner")).status_code

    stolen = await ask(gate, basic("rival"), "revoke", token=token)
    still = await gate.ask("GET", "/v1/appointments", "partner")
    answers = [await ask(gate, basic("partner"), "revoke", token=token) for _ in range(2)]
    refused = await gate.ask("GET", "/v1/appointments", "partner")
    await gate.serve()
    again = await gate.ask("GET", "/v1/appointments", "partner")

    assert [200, 200, 200, 200] == [one.status_code for one in (stolen, still, *answers)]
    assert [(401, "invalid_token")] * 2 == [(one.status_code, one.json()["code"]) for one in (refused, again)]


async def test_a_revocation_is_forgotten_in_time(gate: Gate) -> None:
    """It is kept as long as its token could be used, and not until a restart."""
    await ask(gate, basic("partner"), "revoke", token=await gate.token("partner"))
    now = gate.services.clock()

    async def kept() -> int:
        await gate.watch.go_round()
        return sum(name.startswith("token:") for name in await gate.store.switches())

    early = await kept()
    gate.pipeline.clock = lambda: now + 290 * MICROS
    still = await kept(), (await gate.ask("GET", "/v1/appointments", "partner")).status_code
    gate.pipeline.clock = lambda: now + 310 * MICROS

    assert (1, (1, 401), 0) == (early, still, await kept())


async def test_throttled_before_the_secret(gate: Gate) -> None:
    """Who guesses is stopped by count, per client and address."""
    now = gate.services.clock()
    gate.clock = lambda: now

    answers = [await ask(gate, basic("unheard-of", "guess"), **GRANT) for _ in range(31)]

    assert [401] * 30 + [429] == [one.status_code for one in answers]
    assert 200 == (await ask(gate, basic("partner"), **GRANT)).status_code


async def test_metadata(gate: Gate) -> None:
    """RFC 8414 and RFC 9728 name the same issuer; the keys are the public halves."""
    server = (await gate.http.get("/.well-known/oauth-authorization-server")).json()
    resource = (await gate.http.get("/.well-known/oauth-protected-resource")).json()
    keys = (await gate.http.get("/oauth/jwks")).json()["keys"]

    assert (BASE, BASE, [BASE]) == (server["issuer"], resource["resource"], resource["authorization_servers"])
    assert server["scopes_supported"] == resource["scopes_supported"]
    assert ["d" in key for key in keys] == [False]


async def test_attempts_are_recorded(gate: Gate) -> None:
    """What was given and what was refused, and never an id that nobody has."""
    await ask(gate, basic("partner"), **GRANT)
    await ask(gate, basic("partner", "wrong"), **GRANT)
    await ask(gate, basic("unheard-of"), **GRANT)

    assert [("partner", None), ("partner", 0), ("partner", 8), ("unknown", 8)] == [
        (one.actor, one.outcome) for one in await gate.audited()
    ]


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("token", GRANT | {"scope": "admin"}),
        ("token", {"grant_type": "password"}),
        ("token", {"scope": "events.read"}),
        ("introspect", {"token_type_hint": "access_token"}),
        ("revoke", {"token_type_hint": "access_token"}),
    ],
)
async def test_what_a_client_is_refused_is_recorded(gate: Gate, path: str, form: dict[str, str]) -> None:
    """Whoever showed its secret and asks for what it may not have, or for nothing that there is, leaves a record."""
    answer = await ask(gate, basic("partner"), path, **form)

    (found,) = await gate.audited()
    assert (400, "partner", f"/oauth/{path}", 8) == (answer.status_code, found.actor, found.what, found.outcome)


async def test_a_token_does_not_outlive_its_client(gate: Gate) -> None:
    """Nor the scopes that it is good for: not after a restart with other files, and not for introspection."""
    partner, path = gate.site.clients["partner"], "/v1/appointments"
    token = await gate.token("partner")
    await gate.serve_with(partner=None)
    gone = await gate.ask("GET", path, "partner")
    said = await ask(gate, basic("admin"), "introspect", token=token)
    await gate.serve_with(partner=replace(partner, scopes=("events.read",)))
    lesser = await gate.ask("GET", path, "partner")
    await gate.serve_with(partner=replace(partner, tenant="other"))
    moved = await gate.ask("GET", path, "partner")
    await gate.serve_with(partner=partner)
    back = await gate.ask("GET", path, "partner")

    assert [401, 401, 401, 200] == [one.status_code for one in (gone, lesser, moved, back)]
    assert "invalid_token" == gone.json()["code"]
    assert {"active": False} == said.json()


async def test_a_client_that_the_store_keeps(gate: Gate) -> None:
    """It has tokens like any other until it is revoked."""
    kept = StoredClient(client_id="kept", tenant="main", secret_hash=HASHED, scopes=("appointments.read",))
    await gate.store.put_client(kept)
    before = await gate.ask("GET", "/v1/appointments", "kept")
    await gate.store.put_client(replace(kept, revoked_at=1))
    after = await gate.ask("GET", "/v1/appointments", "kept")

    assert [200, 401] == [before.status_code, after.status_code]
