"""What a request causes carries on in the request's trace."""

import pytest
from msgspec.structs import replace

from gateway.site.settings import FeedSettings
from tests.gateway.conftest import Partner
from tests.gateway.conftest import partner as partner
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking
from tests.gateway.routes.test_subscriptions import OURS, known_to, subscribe
from tests.gateway.routes.test_tasks import task


def trace_of(traceparent: str) -> str:
    """The trace id of a traceparent."""
    return traceparent.split("-")[1]


async def test_a_finished_task(gate: Gate) -> None:
    """The event of a task that a person completes is of the trace of that request."""
    path = f"/v1/tasks/{(await task(gate))['id']}"
    done = await gate.ask("PATCH", path, json={"status": "completed", "resolution": "x"}, headers={"if-match": '"1"'})
    (event,) = (await gate.get("/v1/events", params={"types": "task.completed"}))["items"]

    assert done.headers["x-request-id"] == trace_of(event["traceparent"])


@pytest.mark.parametrize("in_bulk", [False, True])
async def test_a_replay(gate: Gate, in_bulk: bool) -> None:
    """Events of a replay are of the trace of who asked for it; the message stays of its own trace."""
    feed = gate.feed()
    closed = replace(feed, settings=FeedSettings(senders=("NOBODY|ELSE",)))
    await gate.pipeline.accept(closed, booking(1))
    (kept,) = (await gate.get("/v1/messages"))["items"]
    path = "_replay" if in_bulk else f"{kept['id']}/replay"
    asked = await gate.post(f"/v1/messages/{path}", {"emit": True} | ({"all": True} if in_bulk else {}))
    if in_bulk:
        await gate.finished(asked.headers["location"])
    again = await gate.get(f"/v1/messages/{kept['id']}")
    events = (await gate.get("/v1/events", params={"types": "appointment.created"}))["items"]

    assert ("refused", "applied") == (kept["state"], again["state"])
    assert kept["trace"] == again["trace"]
    assert [asked.headers["x-request-id"]] == [trace_of(event["traceparent"]) for event in events]


async def test_a_test_of_a_subscription(gate: Gate, partner: Partner) -> None:
    """The webhook that tries a receiver out leads back to the request."""
    made = await subscribe(gate, partner.url)
    await known_to(partner, gate, made)
    asked = await gate.post(f"{OURS}/{made['id']}/test", client="partner")
    (taken,) = partner.received()

    assert asked.headers["x-request-id"] == trace_of(taken["headers"]["traceparent"])
    assert asked.headers["x-request-id"] == trace_of(taken["event"]["traceparent"])
