"""What the API says of what was purged, and of what a legal hold keeps."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.retention.keeper import Keeper
from gateway.site.settings import Main, RetentionSettings
from gateway.store.protocol import Batch
from tests.gateway.routes.conftest import Gate, micros
from tests.gateway.routes.said import admission, booking

DAY = 86_400_000_000
NAMED = {"name": "Archer v. North", "reason": "a letter of counsel"}


async def years_later(gate: Gate) -> None:
    """A round of retention a hundred days from now, of a site that keeps messages and events for ninety."""
    main = Main(retention=RetentionSettings(messages=90, events=90), tenants=("main", "other"))
    await Keeper(gate.store, main, lambda: micros() + 100 * DAY, gate.metrics, gate.leaving).go_round()


async def only_message(gate: Gate) -> Any:
    (found,) = (await gate.get("/v1/messages"))["items"]
    return found


@pytest_asyncio.fixture
async def gone(gate: Gate) -> AsyncIterator[tuple[Gate, str]]:
    """A gateway that heard of a booking, and the id of that message, which is purged."""
    await gate.hear(booking(1))
    message = (await only_message(gate))["id"]
    await years_later(gate)
    yield gate, message


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/raw"), ("GET", "/tree"), ("POST", "/replay")])
async def test_a_purged_message_is_gone(gone: tuple[Gate, str], method: str, path: str) -> None:
    """It is said when it came and by which feed; one that never was is not found, and so is another tenant's."""
    gate, message = gone
    answer = await gate.ask(method, f"/v1/messages/{message}{path}", json={} if method == "POST" else None)

    assert (410, "purged") == (answer.status_code, answer.json()["code"])
    assert "by the feed north at 2" in answer.json()["detail"]
    stranger = await gate.ask(method, f"/v1/messages/{message}{path}", "stranger")
    assert 404 == stranger.status_code


async def test_what_came_of_a_purged_message_goes_on(gone: tuple[Gate, str]) -> None:
    """Its records name it, their lineage says that it is no more exact, lists go on without it."""
    gate, message = gone
    record = await gate.only("appointment")
    person = await gate.only("patient")
    lines = (await gate.get(f"/v1/appointments/{record['id']}/lineage"))["items"]
    lines += (await gate.get(f"/v1/patients/{person['id']}/lineage"))["items"]
    paths = {line["field"]: line["path"] for line in lines}

    assert {(message, False)} == {(line["message"], line["exact"]) for line in lines}
    assert ("PID-7", "PID-8", None) == (paths["birthDate"], paths["gender"], paths["start"])
    assert [] == (await gate.get("/v1/messages"))["items"]
    assert [] == (await gate.get("/v1/messages", params={"record": record["id"]}))["items"]
    assert 1 == len((await gate.get(f"/v1/appointments/{record['id']}/history"))["items"])


async def test_a_purged_message_that_comes_again(gone: tuple[Gate, str]) -> None:
    """Its sender hears that it is kept, and nothing takes effect twice."""
    gate, _ = gone
    before = await gate.only("appointment")
    (again,) = await gate.hear(booking(1))

    assert b"\rMSA|AA|B1S12" in (again.payload or b"")
    assert before == await gate.only("appointment")
    assert [] == (await gate.get("/v1/messages"))["items"]
    assert [] == (await gate.get("/v1/events"))["items"]


async def test_a_bulk_replay_leaves_out_what_is_gone(gone: tuple[Gate, str]) -> None:
    """It counts what there is."""
    gate, _ = gone
    await gate.hear(admission(2))

    assert {"total": 1, "dryRun": True} == (
        await gate.post("/v1/messages/_replay", {"all": True, "dryRun": True})
    ).json()


@pytest.mark.parametrize("path", ["/v1/events?after=1", "/v1/events/stream?after=1"])
async def test_a_place_before_what_is_kept(gate: Gate, path: str) -> None:
    """Nobody passes over purged events without being told; the beginning is where the feed now begins."""
    await gate.hear(booking(1))
    last = int((await gate.get("/v1/events"))["next"])
    await years_later(gate)
    await gate.hear(booking(2))
    answer = await gate.ask("GET", path)

    assert (410, "cursor_expired") == (answer.status_code, answer.json()["code"])
    assert f"The oldest is {last + 1}" in answer.json()["detail"]
    for place in ("0", str(last)):
        first = (await gate.get("/v1/events", params={"after": place}))["items"][0]
        assert last + 1 == first["seq"]


# -- holds


async def made(gate: Gate, **covers: str) -> Any:
    answer = await gate.post("/v1/holds", {**NAMED, **covers})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("covers", ["record", "message", "feed"])
async def test_a_hold_keeps_a_message_until_it_is_released(gate: Gate, covers: str) -> None:
    """Its bytes and what became of it, by its id; then it is gone."""
    await gate.hear(booking(1))
    message = await only_message(gate)
    raw = (await gate.ask("GET", f"/v1/messages/{message['id']}/raw")).content
    patient = (await gate.only("patient"))["id"]
    hold = await made(gate, **{covers: {"record": patient, "message": message["id"], "feed": "north"}[covers]})
    await years_later(gate)

    assert raw == booking(1) == (await gate.ask("GET", f"/v1/messages/{message['id']}/raw")).content
    assert message == await gate.get(f"/v1/messages/{message['id']}")
    assert [] == (await gate.get("/v1/messages"))["items"]
    record = await gate.only("appointment")
    assert all(line["exact"] for line in (await gate.get(f"/v1/appointments/{record['id']}/lineage"))["items"])
    released = (await gate.post(f"/v1/holds/{hold['id']}/release")).json()
    again = (await gate.post(f"/v1/holds/{hold['id']}/release")).json()
    assert released == again == await gate.get(f"/v1/holds/{hold['id']}")
    assert "admin" == released["releasedBy"]
    await years_later(gate)
    assert 410 == (await gate.ask("GET", f"/v1/messages/{message['id']}")).status_code


async def test_holds_are_listed_and_recorded(gate: Gate) -> None:
    """To an admin of the tenant alone; the audit says who made and who released which."""
    await gate.hear(booking(1))
    patient = (await gate.only("patient"))["id"]
    hold = await made(gate, record=patient)
    await gate.post(f"/v1/holds/{hold['id']}/release")

    assert [hold["id"]] == [one["id"] for one in (await gate.get("/v1/holds"))["items"]]
    assert [] == (await gate.get("/v1/holds", "stranger"))["items"]
    assert 404 == (await gate.ask("GET", f"/v1/holds/{hold['id']}", "stranger")).status_code
    assert 403 == (await gate.ask("GET", "/v1/holds", "partner")).status_code
    changes = [one for one in await gate.audited() if one.what.startswith("/v1/holds") and one.action in "CU"]
    done = [(one.action, one.records, one.patients) for one in changes if one.outcome == 0]
    assert [("C", (hold["id"],), (patient,)), ("U", (hold["id"],), (patient,))] == done


@pytest.mark.parametrize(
    ("covers", "pointer"),
    [
        ({}, ""),
        ({"feed": "north", "message": "msg_01M88RY5ZQBJNMGNAJAVZNXCF6"}, ""),
        ({"feed": "nowhere"}, "/feed"),
        ({"feed": "south"}, "/feed"),
        ({"message": "msg_01M88RY5ZQBJNMGNAJAVZNXCF6"}, "/message"),
        ({"record": "pat_01M88RY5ZG9QZ3EJSA53T7BZ3N"}, "/record"),
        ({"feed": "north", "receivedFrom": "2027-01-02", "receivedTo": "2027-01-01"}, "/receivedTo"),
        ({"message": "msg_01M88RY5ZQBJNMGNAJAVZNXCF6", "receivedFrom": "2027-01-02"}, "/receivedFrom"),
    ],
)
async def test_a_mistake_is_no_hold(gate: Gate, covers: dict[str, str], pointer: str) -> None:
    """Who names nothing, too much, or what is not there hears so."""
    answer = await gate.post("/v1/holds", {**NAMED, **covers})

    assert 422 == answer.status_code
    assert [pointer] == [one["pointer"] for one in answer.json()["errors"]]
    assert [] == (await gate.get("/v1/holds"))["items"]


async def test_a_hold_on_a_feed_that_is_no_more(gate: Gate) -> None:
    """What it brought is there still."""
    await gate.hear(booking(1))
    one = await gate.store.message("main", (await only_message(gate))["id"])
    assert one
    left = replace(one, id=f"{one.id[:-1]}0", feed="closed", dedup="x")
    async with gate.store.unit() as unit:
        await unit.commit(Batch(messages=[left]))

    assert "closed" == (await made(gate, feed="closed", receivedFrom="2020-01-01"))["feed"]
