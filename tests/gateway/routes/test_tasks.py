"""Tasks: seen, taken, completed, and never by two at once."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

NO_ANCHOR = booking(1).replace(b"SCH|P1^SCHED|F1^SCHED", b"SCH||")


async def task(gate: Gate) -> Any:
    """The one task of a message that could not be applied."""
    await gate.hear(NO_ANCHOR)
    (found,) = (await gate.get("/v1/tasks"))["items"]
    return found


async def test_a_parked_message_makes_a_task(gate: Gate) -> None:
    """It names the message, and nothing of what it said."""
    found = await task(gate)

    assert ("ready", "integration-errors", "1") == (found["status"], found["queue"], found["versionId"])
    assert "parked" == (await gate.get(f"/v1/messages/{found['subject']}"))["state"]
    assert found == await gate.get(f"/v1/tasks/{found['id']}")
    assert [] == (await gate.get("/v1/tasks", params={"status": "completed"}))["items"]
    assert [] == (await gate.get("/v1/tasks", "stranger"))["items"]


async def test_completing(gate: Gate) -> None:
    """It needs the version that was read and a resolution, and is told as an event."""
    path = f"/v1/tasks/{(await task(gate))['id']}"

    without = await gate.ask("PATCH", path, json={"status": "completed"})
    stale = await gate.ask("PATCH", path, json={"status": "completed"}, headers={"if-match": '"7"'})
    silent = await gate.ask("PATCH", path, json={"status": "completed"}, headers={"if-match": '"1"'})
    done = await gate.ask(
        "PATCH", path, json={"status": "completed", "resolution": "resent"}, headers={"if-match": '"1"'}
    )
    again = await gate.ask("PATCH", path, json={"status": "ready"}, headers={"if-match": '"2"'})
    events = (await gate.get("/v1/events", params={"types": "task.completed"}))["items"]

    assert [428, 412, 422, 200, 409] == [one.status_code for one in (without, stale, silent, done, again)]
    assert ('"2"', "completed", "resent") == (done.headers["etag"], done.json()["status"], done.json()["resolution"])
    assert [path.rpartition("/")[2]] == [one["subject"] for one in events]


async def events(gate: Gate) -> list[tuple[str, str, int]]:
    """Type, subject and version of what was told about tasks."""
    found = (await gate.get("/v1/events", params={"types": "task.*"}))["items"]
    return [(one["type"], one["subject"], one["version"]) for one in found]


async def change(gate: Gate, identity: str, tag: str, client: str = "admin", **body: Any) -> httpx.Response:
    return await gate.ask("PATCH", f"/v1/tasks/{identity}", client, json=body, headers={"if-match": tag})


async def test_every_change_is_told(gate: Gate) -> None:
    """Opened, taken, noted, given back, cancelled: one event each, with the version; none where nothing changes."""
    identity = (await task(gate))["id"]

    taken = await change(gate, identity, '"1"', status="in-progress")
    noted = await change(gate, identity, '"2"', note="called the ward")
    same = await change(gate, identity, '"3"', note="called the ward")
    given_back = await change(gate, identity, '"3"', status="ready")
    over = await change(gate, identity, '"4"', status="cancelled")

    assert ["admin", "admin", "admin", None, None] == [
        one.json().get("owner") for one in (taken, noted, same, given_back, over)
    ]
    assert ['"2"', '"3"', '"3"', '"4"', '"5"'] == [
        one.headers["etag"] for one in (taken, noted, same, given_back, over)
    ]
    whats = ("created", "updated", "updated", "updated", "cancelled")
    assert [(f"task.{what}", identity, version) for version, what in enumerate(whats, 1)] == await events(gate)


async def test_the_opening_of_a_task_belongs_to_its_message(gate: Gate) -> None:
    """Its event comes with the commit of the message, by the same feed, in the same trace; a repeat tells nothing."""
    found = await task(gate)
    await gate.hear(NO_ANCHOR)
    message = await gate.get(f"/v1/messages/{found['subject']}")
    (event,) = await gate.store.events("main", 0, 10)

    assert ("task.created", found["id"], message["id"]) == (event.type, event.subject, event.message)
    assert (message["feed"], message["trace"]) == (event.feed, (event.traceparent or "").split("-")[1])


@pytest.mark.parametrize("status", ["completed", "cancelled"])
async def test_what_is_closed_stays_so(gate: Gate, status: str) -> None:
    """Nothing of it changes any more, and the answer says that it can become nothing else."""
    identity = (await task(gate))["id"]
    done = (await change(gate, identity, '"1"', status=status, resolution="resent")).json()
    tries: list[dict[str, str]] = [
        {"status": "completed", "resolution": "again"},
        {"status": "ready"},
        {"status": "in-progress", "owner": "bob"},
        {"note": "afterthought"},
    ]

    answers = [await change(gate, identity, "*", **one) for one in tries]

    assert {(409, "invalid_transition")} == {(one.status_code, one.json()["code"]) for one in answers}
    assert [[]] * 4 == [one.json()["allowed"] for one in answers]
    assert done == await gate.get(f"/v1/tasks/{identity}")


async def test_two_take_it(gate: Gate) -> None:
    """At once, or one after the other with `*`: one has it, the other hears so, and what can be done instead."""
    identity = (await task(gate))["id"]
    both = await asyncio.gather(
        *(change(gate, identity, tag, status="in-progress", owner=who) for tag, who in (("*", "ann"), ("*", "bob")))
    )
    (winner,) = [one.json()["owner"] for one in both if one.status_code == 200]
    late = await change(gate, identity, "*", status="in-progress", owner="carl")
    nameless = await change(gate, identity, "*", status="in-progress")
    again = await change(gate, identity, "*", status="in-progress", owner=winner)

    assert (409, "already_taken") == (nameless.status_code, nameless.json()["code"])
    assert sorted(one.status_code for one in both) in ([200, 409], [200, 412])
    assert (409, "already_taken", ["ready", "completed", "cancelled"]) == (
        late.status_code,
        late.json()["code"],
        late.json()["allowed"],
    )
    assert (200, winner, "2") == (again.status_code, again.json()["owner"], again.json()["versionId"])
    assert ["task.created", "task.updated"] == [kind for kind, *_ in await events(gate)]


@pytest.mark.parametrize("owner", ["", "Doe John 1985-06-12", "ann\n", "a" * 201])
async def test_an_owner_is_a_name_to_log_in_with(gate: Gate, owner: str) -> None:
    """It is kept in the clear, so that it takes no free text."""
    identity = (await task(gate))["id"]

    refused = await change(gate, identity, '"1"', owner=owner)
    taken = await change(gate, identity, '"1"', owner="ann.o'neil@ward-3.example")

    assert (400, ["/owner"]) == (refused.status_code, [one["pointer"] for one in refused.json()["errors"]])
    assert (200, "ann.o'neil@ward-3.example") == (taken.status_code, taken.json()["owner"])


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*"])
async def test_tags(gate: Gate, tag: str) -> None:
    """Both forms of a tag are taken."""
    path = f"/v1/tasks/{(await task(gate))['id']}"

    answer = await gate.ask("PATCH", path, json={"owner": "someone"}, headers={"if-match": tag})

    assert (200, "someone") == (answer.status_code, answer.json()["owner"])
