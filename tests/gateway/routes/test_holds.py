"""What is held over the API, and what a message says whose contents are gone."""

from gateway.retention import Keeper
from gateway.site.settings import RetentionClass, RetentionSettings
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

YEAR = 365 * 86_400_000_000


async def emptied(gate: Gate) -> None:
    """A year later, all contents are over."""
    settings = RetentionSettings(classes=(RetentionClass(days=1),))
    await Keeper(gate.store, settings, ("main",), lambda: gate.clock() + YEAR, gate.metrics).go_round()


async def test_a_message_whose_contents_are_gone(gate: Gate) -> None:
    """It says when they went; its bytes are gone, its record's lineage is not exact, and it is not replayed."""
    await gate.hear(booking(1))
    await emptied(gate)
    message = await gate.only("message")
    record = await gate.only("appointment")

    assert "purgedAt" in message
    for method, path in (("GET", "raw"), ("GET", "tree"), ("POST", "replay")):
        refused = await gate.ask(method, f"/v1/messages/{message['id']}/{path}", json={} if method == "POST" else None)
        assert (410, "message_purged") == (refused.status_code, refused.json()["code"])
    lines = (await gate.get(f"/v1/appointments/{record['id']}/lineage"))["items"]
    assert {False} == {line["exact"] for line in lines if line.get("message")}


async def test_a_hold_keeps_what_it_covers(gate: Gate) -> None:
    """Held, its bytes are there a year later; released, they are gone."""
    await gate.hear(booking(1))
    patient, message = await gate.only("patient"), await gate.only("message")
    made = await gate.ask("POST", "/v1/holds", json={"reason": "a court", "record": patient["id"]})
    assert 201 == made.status_code
    await emptied(gate)

    raw = await gate.ask("GET", f"/v1/messages/{message['id']}/raw")
    assert booking(1) == raw.content
    assert [made.json()] == (await gate.get("/v1/holds"))["items"]
    assert 204 == (await gate.ask("POST", f"/v1/holds/{made.json()['id']}/release")).status_code
    assert 410 == (await gate.ask("GET", f"/v1/messages/{message['id']}/raw")).status_code
    assert 404 == (await gate.ask("POST", f"/v1/holds/{made.json()['id']}/release")).status_code


async def test_a_hold_says_what_it_holds(gate: Gate) -> None:
    """Of a record, a message and a feed exactly one."""
    for body in ({"reason": "x"}, {"reason": "x", "feed": "north", "message": "msg_" + "0" * 26}):
        assert 422 == (await gate.ask("POST", "/v1/holds", json=body)).status_code
