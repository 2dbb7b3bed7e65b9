"""Tasks: seen, taken, completed, and never by two at once."""

from typing import Any

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


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*"])
async def test_tags(gate: Gate, tag: str) -> None:
    """Both forms of a tag are taken."""
    path = f"/v1/tasks/{(await task(gate))['id']}"

    answer = await gate.ask("PATCH", path, json={"owner": "someone"}, headers={"if-match": tag})

    assert (200, "someone") == (answer.status_code, answer.json()["owner"])
