"""Feeds: seen, held and let in again; intake as a whole is the first tenant's."""

from connectors.mllp.seam import Answer
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking


def accepted(answer: Answer) -> bool:
    return b"MSA|AA" in (answer.payload or b"")


async def test_a_feed_is_seen(gate: Gate) -> None:
    """Where it listens, whether it is held, what came by it; each tenant sees its own."""
    await gate.hear(booking(1), booking(1))

    (north,), (south,) = (await gate.get("/v1/feeds"))["items"], (await gate.get("/v1/feeds", "stranger"))["items"]

    assert ("north", "open", {"applied": 1, "duplicate": 1}) == (north["name"], north["state"], north["counts"])
    assert ("south", {}) == (south["name"], south["counts"])


async def test_a_feed_is_held(gate: Gate) -> None:
    """Its senders are told to come back, nothing of theirs is kept, and who held it is known."""
    await gate.post("/v1/feeds/north/pause")
    (held,) = await gate.hear(booking(1))
    switches = (await gate.get("/v1/switches"))["items"]
    await gate.post("/v1/feeds/north/release")
    (let_in,) = await gate.hear(booking(1))

    assert (False, True) == (accepted(held), accepted(let_in))
    assert [("feed:north", "admin")] == [(one["name"], one["value"].split()[1]) for one in switches]
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


async def test_metrics(gate: Gate) -> None:
    """The exposition counts requests by template, never by path."""
    await gate.hear(booking(1))
    await gate.get(f"/v1/appointments/{(await gate.only('appointment'))['id']}")

    text = (await gate.http.get("/metrics")).text

    assert 'http_route="/v1/appointments/{id}"' in text
    assert "apt_" not in text
