"""Every route has a guard and an audit rule, and they hold."""

import pytest

from gateway.api import ROUTES
from gateway.routes.serving import Anyone, Open, Route, Unaudited
from gateway.scopes import SCOPES
from tests.gateway.routes.conftest import Gate

GUARDED = [route for route in ROUTES if not isinstance(route.guard, Open)]
SCOPED = [route for route in GUARDED if not isinstance(route.guard, Anyone)]
NOBODY = "apt_01M806K0ENW0TXF3D1N02WTW05"


def named(route: Route) -> str:
    return route.operation


def path(route: Route) -> str:
    return route.template.replace("{id}", NOBODY)


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_each_has_both(route: Route) -> None:
    """A guard is a known scope or says why there is none; so is the audit rule; and each says what it is."""
    assert isinstance(route.guard, Open | Anyone) or route.guard in SCOPES
    assert isinstance(route.audit, Unaudited) or route.audit in {"C", "R", "U", "D", "E"}
    assert all(len(one.why) > 10 for one in (route.guard, route.audit) if isinstance(one, Open | Anyone | Unaudited))
    assert route.about[0]
    assert route.tag


def test_the_open_ones_are_these() -> None:
    """A route becomes open by being listed here, and by nothing else."""
    expected = {
        *("issueToken", "introspectToken", "revokeToken", "authorizationServer", "protectedResource", "readJwks"),
        *("live", "ready", "metrics", "openapi"),
    }

    assert expected == {route.operation for route in ROUTES if isinstance(route.guard, Open)}
    assert expected == {route.operation for route in ROUTES if isinstance(route.audit, Unaudited)}


def test_every_scope_is_of_use() -> None:
    """No scope is offered that opens nothing."""
    used = {route.guard for route in SCOPED} | {"passthrough.read", "patients.identifiers"}

    assert set(SCOPES) == used


@pytest.mark.parametrize("route", GUARDED, ids=named)
async def test_without_a_token(gate: Gate, route: Route) -> None:
    """Without a token each answers 401, with a challenge that says where tokens come from."""
    answer = await gate.http.request(route.method, path(route))

    assert (401, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "/.well-known/oauth-protected-resource" in answer.headers["www-authenticate"]
    assert "no-store" == answer.headers["cache-control"]


@pytest.mark.parametrize("route", SCOPED, ids=named)
async def test_without_the_scope(gate: Gate, route: Route) -> None:
    """Without its scope each answers 403, names the scope, and leaves a record of the attempt."""
    answer = await gate.ask(route.method, path(route), "nobody")
    recorded = [one for one in await gate.audited() if one.actor == "nobody" and one.what == route.template]

    assert (403, "insufficient_scope") == (answer.status_code, answer.json()["code"])
    assert f'scope="{route.guard}"' in answer.headers["www-authenticate"]
    assert (route.audit, 8) == (recorded[-1].action, recorded[-1].outcome)
    assert ([] if route.audit == "R" else [None]) == [one.outcome for one in recorded[:-1]]


@pytest.mark.parametrize("route", GUARDED, ids=named)
async def test_each_leaves_a_record(gate: Gate, route: Route) -> None:
    """Whatever comes of a request, its record has the client, the action and the template of the route."""
    gate.leaving.set()  # streams end at once
    answer = await gate.ask(route.method, path(route), json={} if route.body else None)
    record = next(one for one in reversed(await gate.audited()) if one.what == route.template)

    assert ("admin", route.audit, 0 if answer.status_code < 400 else 4) == (record.actor, record.action, record.outcome)
    assert answer.headers["x-request-id"] == record.trace


async def test_a_route_needs_both() -> None:
    """A route that is declared without a guard or an audit rule is no route."""
    with pytest.raises(TypeError):
        Route(method="GET", path="/x", run=test_a_route_needs_both, guard=Open("of a test"))  # type: ignore[call-arg,arg-type]
    with pytest.raises(TypeError):
        Route(method="GET", path="/x", run=test_a_route_needs_both, audit="R")  # type: ignore[call-arg,arg-type]
