"""/v1/subscriptions that the site's files declare: shown beside webhooks, held and released, changed in the files."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.deliveries.declared import declare
from gateway.site.outward import Destination, DestinationSettings, RouteSettings, route_of
from gateway.site.settings import Site
from tests.gateway.routes.conftest import Gate, micros, site

PATH = "/v1/subscriptions"


def with_ways_out() -> Site:
    """The usual site, with a destination that gets events and a route that leads there."""
    settings = DestinationSettings(mllp="127.0.0.1:9", events=("appointment.*",))
    profile = site().feeds[0].profile
    lab = Destination(name="lab", tenant="main", settings=settings, profile=profile)
    route = route_of("results", RouteSettings(to=("lab",), types=("ORU",)))
    return replace(site(), destinations=(lab,), routes=(route,))


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """A gateway of that site."""
    made = Gate(tmp_path, with_ways_out())
    await made.open()
    await declare(made.store, made.site, micros())
    yield made
    await made.close()


async def listed(gate: Gate, client: str = "admin") -> list[dict[str, Any]]:
    """The subscriptions that a client sees."""
    items: list[dict[str, Any]] = (await gate.ask("GET", PATH, client=client)).json()["items"]
    return items


async def test_they_are_shown(gate: Gate) -> None:
    """An operator sees them beside webhooks, by kind and file; nobody else does."""
    events, route = sorted(await listed(gate), key=lambda one: one["kind"])

    assert ("hl7v2", "lab", None, None, "mllp://127.0.0.1:9") == tuple(
        events[name] for name in ("kind", "destination", "route", "client", "url")
    )
    assert ("route", "lab", "results", ["message.received"]) == tuple(
        route[name] for name in ("kind", "destination", "route", "types")
    )
    assert [] == await listed(gate, "partner")


@pytest.mark.parametrize(
    ("method", "what", "body"),
    [
        ("PATCH", "", {"url": "https://elsewhere.example/"}),
        ("DELETE", "", None),
        ("POST", "/rotate", {}),
        ("POST", "/test", None),
    ],
)
async def test_files_change_them(gate: Gate, method: str, what: str, body: object) -> None:
    """What a file says is not changed here; the answer names the file."""
    (one,) = [one for one in await listed(gate) if one["kind"] == "route"]
    answer = await gate.ask(method, f"{PATH}/{one['id']}{what}", json=body, headers={"if-match": '"1"'})

    assert (409, "declared_in_files") == (answer.status_code, answer.json()["code"])
    assert "routes/results.toml" in answer.json()["detail"]


async def test_they_are_held_and_released(gate: Gate) -> None:
    """Pause and release work as for webhooks, and the switches list what is held."""
    (one,) = [one for one in await listed(gate) if one["kind"] == "hl7v2"]
    held = await gate.ask("POST", f"{PATH}/{one['id']}/pause")
    switches = (await gate.ask("GET", "/v1/switches")).json()["items"]
    released = await gate.ask("POST", f"{PATH}/{one['id']}/release")

    assert ["paused", "active"] == [held.json()["state"], released.json()["state"]]
    assert [f"subscription:{one['id']}"] == [switch["name"] for switch in switches]


async def test_what_no_file_declares_can_be_deleted(gate: Gate) -> None:
    """Once its file is gone it may go too."""
    await declare(gate.store, site(), micros())
    (one, other) = await listed(gate)
    answer = await gate.ask("DELETE", f"{PATH}/{one['id']}")

    assert {("disabled", "not_declared")} == {(each["state"], each["reason"]) for each in (one, other)}
    assert 204 == answer.status_code
