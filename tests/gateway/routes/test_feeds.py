"""Feeds: seen, held and let in again; intake as a whole is the first tenant's."""

import pytest

from connectors.mllp.seam import Answer
from tests.gateway.routes.conftest import Gate, micros
from tests.gateway.routes.said import booking
from tests.gateway.routes.test_subscriptions import OURS, subscribe
from transforms.api.cloudevent import instant


def accepted(answer: Answer) -> bool:
    return b"MSA|AA" in (answer.payload or b"")


async def test_a_feed_is_seen(gate: Gate) -> None:
    """Where it listens, whether it is held, what came by it; each tenant sees its own."""
    await gate.hear(booking(1), booking(1))

    (north,), (south,) = (await gate.get("/v1/feeds"))["items"], (await gate.get("/v1/feeds", "stranger"))["items"]

    assert ("north", "open", {"applied": 1, "duplicate": 1}) == (north["name"], north["state"], north["counts"])
    assert ("south", {}) == (south["name"], south["counts"])


async def test_a_silent_feed(gate: Gate) -> None:
    """Silent is what the watch says; what was declined is counted too, and each feed by itself."""
    gate.watch.heard("north", micros())
    gate.watch.silences["north"].memory.silent = True
    await gate.post("/v1/feeds/north/pause")
    await gate.hear(booking(1))
    gate.metrics.messages.child("north", "SIU^S12", "applied").inc()  # of the exposition, and of nothing else

    (north,) = (await gate.get("/v1/feeds"))["items"]

    assert (True, {"declined": 1}) == (north["silent"], north["counts"])


async def test_a_feed_is_held(gate: Gate) -> None:
    """Its senders are told to come back, nothing of theirs is kept, and who held it is known."""
    await gate.post("/v1/feeds/north/pause")
    (held,) = await gate.hear(booking(1))
    switches = (await gate.get("/v1/switches"))["items"]
    await gate.post("/v1/feeds/north/release")
    (let_in,) = await gate.hear(booking(1))

    assert (False, True) == (accepted(held), accepted(let_in))
    assert [("feed:north", "admin")] == [(one["name"], one["by"]) for one in switches]
    assert [] == (await gate.get("/v1/switches"))["items"]
    assert 404 == (await gate.post("/v1/feeds/north/pause", client="stranger")).status_code


async def test_intake_is_held(gate: Gate) -> None:
    """The first tenant holds all feeds of all tenants; no other may."""
    refused = await gate.post("/v1/intake/pause", client="stranger")
    await gate.post("/v1/intake/pause")
    (held,) = await gate.hear(booking(1), feed="south")
    ready = (await gate.http.get("/health/ready")).json()
    await gate.post("/v1/intake/release")

    assert (403, "not_the_operator") == (refused.status_code, refused.json()["code"])
    assert (False, "paused") == (accepted(held), ready["checks"]["intake"])
    assert accepted((await gate.hear(booking(1), feed="south"))[0])


async def test_all_that_is_held_is_listed(gate: Gate) -> None:
    """Intake, feeds and subscriptions, each since when it is held and by whom: whoever held it first."""
    before = micros()
    made = await subscribe(gate)
    await gate.post("/v1/intake/pause")
    await gate.post("/v1/feeds/north/pause")
    paused = await gate.post(f"{OURS}/{made['id']}/pause", client="partner")
    held = (await gate.get("/v1/switches"))["items"]
    for path in ("/v1/intake/pause", "/v1/feeds/north/pause", f"{OURS}/{made['id']}/pause"):
        await gate.post(path)

    assert [("feed:north", "admin"), ("intake", "admin"), (f"subscription:{made['id']}", "partner")] == [
        (one["name"], one["by"]) for one in held
    ]
    assert all(instant(before) <= one["since"] <= instant(micros()) for one in held)
    assert held == (await gate.get("/v1/switches"))["items"]
    assert paused.headers["etag"] == (await gate.ask("GET", f"{OURS}/{made['id']}")).headers["etag"]
    assert [("intake", None)] == [
        (one["name"], one["by"]) for one in (await gate.get("/v1/switches", "stranger"))["items"]
    ]

    await gate.post(f"{OURS}/{made['id']}/release", client="partner")
    await gate.post("/v1/feeds/north/release")
    let_in = (await gate.post("/v1/intake/release")).json()
    assert {"name": "intake", "since": None, "by": None} == let_in
    assert [] == (await gate.get("/v1/switches"))["items"]


@pytest.mark.parametrize("path", ["/v1/feeds/north/pause", "/v1/feeds/north/release", "/v1/intake/pause"])
async def test_a_switch_has_no_version(gate: Gate, path: str) -> None:
    """If-Match with a tag is refused and nothing happens; `*` only asks that the thing is there."""
    tagged = await gate.post(path, headers={"if-match": '"1"'})

    assert (400, "has_no_version") == (tagged.status_code, tagged.json()["code"])
    assert [] == (await gate.get("/v1/switches"))["items"]
    assert 200 == (await gate.post(path, headers={"if-match": "*"})).status_code


async def test_an_unknown_feed(gate: Gate) -> None:
    """It cannot be held, nor let in; a feed of another tenant is unknown."""
    paths = [f"/v1/feeds/{name}/{verb}" for name in ("none", "south", "intake") for verb in ("pause", "release")]

    assert {404} == {(await gate.post(path)).status_code for path in paths}
    assert {} == gate.pipeline.switches


async def test_metrics(gate: Gate) -> None:
    """The exposition counts requests by template, never by path."""
    await gate.hear(booking(1))
    await gate.get(f"/v1/appointments/{(await gate.only('appointment'))['id']}")

    text = (await gate.http.get("/metrics")).text

    assert 'http_route="/v1/appointments/{id}"' in text
    assert "apt_" not in text
