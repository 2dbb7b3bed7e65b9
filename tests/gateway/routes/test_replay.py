"""A message is mapped again after what was wrong is mended: its task, its answer, its trace, and what stays."""

import asyncio
from typing import Any

from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import admission, booking, merge

BOTH = booking(9).replace(b"PID|1||N0001^^^NORTH^MR", b"PID|1||N0001^^^NORTH^MR~N0002^^^NORTH^MR")
CIRCLE = merge(3, 1).replace(b"PID|1||N0001^^^NORTH^MR", b"PID|1||N0001^^^NORTH^MR~N0002^^^NORTH^MR")
UNMAPPED = b"MSH|^~\\&|LAB|NORTH|||20261121||ORU^R01|U1|T|2.5.1\rPID|1||N0001^^^NORTH^MR\r"


async def parked(gate: Gate, message: bytes = BOTH) -> tuple[Any, Any]:
    """A message that names two patients, and its task."""
    await gate.hear(admission(1, patient=1), admission(2, patient=2), admission(3, patient=3), message)
    (kept,) = (await gate.get("/v1/messages", params={"state": "parked"}))["items"]
    (task,) = (await gate.get("/v1/tasks"))["items"]
    return kept, task


async def replayed(gate: Gate, message: Any, **how: Any) -> Any:
    answer = await gate.post(f"/v1/messages/{message['id']}/replay", how)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def task_events(gate: Gate) -> list[tuple[str, str]]:
    """Type and subject of every event about a task."""
    return [
        (one["type"], one["subject"]) for one in (await gate.get("/v1/events", params={"types": "task.*"}))["items"]
    ]


async def complete(gate: Gate, task: Any) -> Any:
    """As a person does."""
    change = {"status": "completed", "resolution": "corrected at the source"}
    answer = await gate.ask(
        "PATCH", f"/v1/tasks/{task['id']}", json=change, headers={"if-match": f'"{task["versionId"]}"'}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_message_that_is_applied_completes_its_task(gate: Gate) -> None:
    """Once, by itself, and told as an event; nobody has to."""
    message, task = await parked(gate)
    await gate.hear(merge(2, 1))

    again, once_more = await replayed(gate, message), await replayed(gate, message)
    done = await gate.get(f"/v1/tasks/{task['id']}")

    assert ("applied", "applied") == (again["state"], once_more["state"])
    assert ("completed", "auto-resolved", "2") == (done["status"], done["resolution"], done["versionId"])
    assert [("task.created", task["id"]), ("task.completed", task["id"])] == await task_events(gate)


async def test_a_message_that_is_parked_as_before_changes_no_task(gate: Gate) -> None:
    """Its open task stays as it is, and is told of no second time."""
    message, task = await parked(gate)

    assert "parked" == (await replayed(gate, message, emit=True))["state"]
    assert [task] == (await gate.get("/v1/tasks"))["items"]
    assert [("task.created", task["id"])] == await task_events(gate)


async def test_a_replay_leaves_closed_what_a_person_closed(gate: Gate) -> None:
    """Parked again for the same reason, the task stays as the person left it."""
    message, task = await parked(gate)
    done = await complete(gate, task)
    told = await task_events(gate)

    await replayed(gate, message)

    assert [done] == (await gate.get("/v1/tasks"))["items"]
    assert told == await task_events(gate)


async def test_a_new_reason_is_a_new_task(gate: Gate) -> None:
    """Parked for another reason: that is a task of its own, due from now; the one before is over."""
    message, task = await parked(gate, CIRCLE)
    await gate.hear(merge(2, 1, "20261121110000-0500"), merge(1, 3, "20261121120000-0500"))
    asked = await gate.get("/v1/messages")

    await replayed(gate, message)
    before, after = (await gate.get("/v1/tasks"))["items"]

    assert (task["id"], "PAT-MULTI", "completed") == (before["id"], before["code"], before["status"])
    assert ("PAT-MERGE-CONFLICT", "ready") == (after["code"], after["status"])
    assert after["createdAt"] > asked["items"][0]["receivedAt"]
    assert {("task.created", after["id"]), ("task.completed", task["id"])} == set((await task_events(gate))[1:])


async def test_what_belongs_to_the_message_stays(gate: Gate) -> None:
    """Its trace, how often it was sent, and that its control id was used before."""
    await gate.hear(booking(1), booking(2, control="B1S12"), booking(2, control="B1S12"))
    before = (await gate.get("/v1/messages"))["items"][0]

    again = await replayed(gate, before, emit=True)

    assert (1, True) == (before["duplicates"], "DQ-CTRLID-REUSE" in [one["code"] for one in before["problems"]])
    assert before == again == await gate.get(f"/v1/messages/{before['id']}")


async def test_events_of_a_replay_belong_to_its_trace(gate: Gate) -> None:
    """What a replay tells of records and of tasks is of one trace: that of who asked for it."""
    message, _ = await parked(gate)
    await gate.hear(merge(2, 1))
    head = (await gate.get("/v1/events", params={"limit": 500}))["next"]

    asked = await gate.post(f"/v1/messages/{message['id']}/replay", {"emit": True})
    told = (await gate.get("/v1/events", params={"after": head}))["items"]

    assert {"appointment.created", "task.completed"} <= {one["type"] for one in told}
    assert {asked.headers["x-request-id"]} == {one["traceparent"].split("-")[1] for one in told}


async def test_replayed_twice_at_once(gate: Gate) -> None:
    """Both end the same, and nothing takes effect twice."""
    message, task = await parked(gate)
    await gate.hear(merge(2, 1))

    first, second = await asyncio.gather(*(replayed(gate, message, emit=True) for _ in range(2)))
    kinds = [one["type"] for one in (await gate.get("/v1/events", params={"limit": 500}))["items"]]

    assert first == second
    assert (1, 1) == (kinds.count("appointment.created"), kinds.count("task.completed"))
    assert "2" == (await gate.get(f"/v1/tasks/{task['id']}"))["versionId"]


async def test_an_unmapped_message(gate: Gate) -> None:
    """What is outside the model stays so, and makes no task."""
    await gate.hear(UNMAPPED)
    message = (await gate.get("/v1/messages"))["items"][0]

    assert message == await replayed(gate, message)
    assert [] == (await gate.get("/v1/tasks"))["items"]


async def test_an_unknown_message(gate: Gate) -> None:
    """There is nothing to replay, and no way to say which version of it."""
    await gate.hear(booking(1))
    message = (await gate.get("/v1/messages"))["items"][0]

    assert 404 == (await gate.post("/v1/messages/msg_unknown/replay")).status_code
    tagged = await gate.post(f"/v1/messages/{message['id']}/replay", headers={"if-match": '"1"'})
    assert (400, "has_no_version") == (tagged.status_code, tagged.json()["code"])


async def test_the_answer_is_renewed(gate: Gate) -> None:
    """Who sends the same again after it was mended hears that it is taken; what was answered before can be seen."""
    message, _ = await parked(gate)
    (still,) = await gate.hear(BOTH)
    await gate.hear(merge(2, 1))
    (not_yet,) = await gate.hear(BOTH)

    again = await replayed(gate, message)
    await replayed(gate, message)
    (taken,) = await gate.hear(BOTH)
    (kept,) = (await gate.get("/v1/messages", params={"controlId": "B9S12"}))["items"]

    assert [b"AE", b"AE", b"AA"] == [(one.payload or b"").partition(b"MSA|")[2][:2] for one in (still, not_yet, taken)]
    assert b"|B9S12" in (taken.payload or b"").partition(b"MSA|")[2][:10]
    assert (still.payload or b"").split(b"|")[9] != (taken.payload or b"").split(b"|")[9], "an answer of its own"
    assert ("AA", ["AE"]) == (again["ackCode"], [one["code"] for one in again["earlierAcks"]])
    assert (3, again["earlierAcks"]) == (kept["duplicates"], kept["earlierAcks"])
    assert kept["earlierAcks"][0]["until"] > kept["receivedAt"]


async def test_what_was_taken_stays_taken(gate: Gate) -> None:
    """A promise is never taken back: who heard AA hears the same AA, whatever a replay finds."""
    (first,) = await gate.hear(admission(1))
    message = (await gate.get("/v1/messages"))["items"][0]
    await replayed(gate, message)
    (same,) = await gate.hear(admission(1))

    assert first.payload == same.payload
    assert "earlierAcks" not in await gate.get(f"/v1/messages/{message['id']}")
