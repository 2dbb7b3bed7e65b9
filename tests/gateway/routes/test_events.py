"""The feed of events: pages to poll, long polls, and the stream over a real socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from gateway.addresses import free_port
from tests.gateway.routes.conftest import Gate
from tests.gateway.routes.said import booking

WAITS = 20.0


async def test_pages(gate: Gate) -> None:
    """Oldest first; `next` goes on after the page, and stays fit to poll on at the end."""
    await gate.hear(booking(1), booking(2))
    whole = await gate.get("/v1/events")
    seen: list[Any] = []
    position = "0"
    while len(seen) < len(whole["items"]):
        page = await gate.get("/v1/events", params={"after": position, "limit": 3})
        seen += page["items"]
        position = page["next"]
    end = await gate.get("/v1/events", params={"after": position})

    assert whole["items"] == seen
    assert sorted(one["seq"] for one in seen) == [one["seq"] for one in seen]
    assert ([], position) == (end["items"], end["next"])
    assert {"specversion", "id", "source", "type", "time", "subject", "seq", "version"} <= set(seen[0])


async def test_types(gate: Gate) -> None:
    """Types narrow by pattern, and `next` is past what was not wanted."""
    await gate.hear(booking(1))
    head = (await gate.get("/v1/events"))["next"]

    page = await gate.get("/v1/events", params={"types": "appointment.*,patient.merged"})

    assert ["appointment.created"] == [one["type"] for one in page["items"]]
    assert head == page["next"]


async def test_a_tenant_hears_its_own(gate: Gate) -> None:
    """The feed of one tenant says nothing of another."""
    await gate.hear(booking(1))

    assert [] == (await gate.get("/v1/events", "stranger"))["items"]


async def test_waiting(gate: Gate) -> None:
    """With `wait` an empty page is held back until something happens."""
    asked = asyncio.create_task(gate.get("/v1/events", params={"wait": WAITS}))
    await asyncio.sleep(0.1)
    await gate.hear(booking(1))

    assert (await asked)["items"]


async def test_waiting_ends_when_the_gateway_leaves(gate: Gate) -> None:
    """A held page is given, empty, so that nothing keeps the process."""
    asked = asyncio.create_task(gate.get("/v1/events", params={"wait": WAITS}))
    await asyncio.sleep(0.1)
    gate.leaving.set()

    assert {"items": [], "next": "0"} == await asked


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events?wait=20", "/v1/events/stream"])
async def test_a_place_that_is_gone(gate: Gate, path: str) -> None:
    """After a backup was restored a consumer may be ahead of the feed: it is told so, and skips nothing in silence."""
    await gate.hear(booking(1))
    head = int((await gate.get("/v1/events"))["next"])
    gate.leaving.set()  # a stream that is taken ends at once

    at_the_end = await gate.ask("GET", path, params={"after": str(head)} if "?" not in path else None)
    asked = f"{path}{'&' if '?' in path else '?'}after={head + 1}"
    beyond = [await gate.ask("GET", asked), await gate.ask("GET", asked, headers={"accept": "text/event-stream"})]
    resumed = await gate.ask(
        "GET", path, headers={"last-event-id": str(head + 1), "accept": "text/event-stream"}, params={"after": "0"}
    )

    assert 200 == at_the_end.status_code
    assert [(410, "cursor_gone", False)] * 3 == [
        (one.status_code, one.json()["code"], one.json()["retryable"]) for one in (*beyond, resumed)
    ]


async def test_a_bad_last_event_id(gate: Gate) -> None:
    """What cannot be read is told by its place: the header, where that holds it."""
    by_header = await gate.ask("GET", "/v1/events/stream", headers={"last-event-id": "x"}, params={"after": "0"})
    by_query = await gate.ask("GET", "/v1/events/stream", params={"after": "x"})

    assert [400, 400] == [by_header.status_code, by_query.status_code]
    assert ("invalid_cursor", "Last-Event-ID") == tuple(
        by_header.json()["errors"][0][one] for one in ("code", "header")
    )
    assert "parameter" not in by_header.json()["errors"][0]
    assert "after" == by_query.json()["errors"][0]["parameter"]


@pytest_asyncio.fixture
async def served(gate: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """The gate behind a real server."""
    port = free_port("127.0.0.1")
    server = Server(
        gate.app,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    headers = {"authorization": f"Bearer {await gate.token()}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=WAITS) as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get("/health/live")
                break
            await asyncio.sleep(0.02)
        yield client
    gate.leaving.set()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


class Listener:
    """One who listens to a stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event, as its fields."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            if not line and "data" in fields:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value
        return {}


@contextlib.asynccontextmanager
async def listening(client: httpx.AsyncClient, path: str = "/v1/events/stream", **more: Any) -> AsyncIterator[Listener]:
    async with asyncio.timeout(WAITS), client.stream("GET", path, **more) as answer:
        yield Listener(answer)


async def test_stream(gate: Gate, served: httpx.AsyncClient) -> None:
    """Events come as they are committed, each with its seq; Last-Event-ID goes on after it."""
    async with listening(served, params={"after": "0", "types": "appointment.*"}) as listener:
        await gate.hear(booking(1))
        first = await listener.next()
        await gate.hear(booking(2))
        second = await listener.next()
        headers = listener.answer.headers
    async with listening(served, headers={"last-event-id": first["id"]}, params={"types": "appointment.*"}) as again:
        resumed = await again.next()

    assert ("appointment.created", first["id"]) == (first["event"], str(json.loads(first["data"])["seq"]))
    assert second == resumed | {"retry": "1000"} or second["id"] == resumed["id"]
    assert ("text/event-stream; charset=utf-8", "no", "no-store") == (
        headers["content-type"],
        headers["x-accel-buffering"],
        headers["cache-control"],
    )


async def test_stream_by_accept(gate: Gate, served: httpx.AsyncClient) -> None:
    """/v1/events gives a stream to who asks for one; without a place it begins now."""
    await gate.hear(booking(1))
    async with listening(served, "/v1/events", headers={"accept": "text/event-stream"}) as listener:
        await gate.hear(booking(2))
        heard = await listener.next()

    assert heard["event"].endswith(".created")
    assert int(heard["id"]) > 4


@pytest.mark.parametrize("why", ["leaving", "revoked"])
async def test_a_stream_ends(gate: Gate, served: httpx.AsyncClient, why: str) -> None:
    """A stream ends when the gateway leaves, and when its token was taken back."""
    async with listening(served, params={"after": "0"}) as listener:
        await gate.hear(booking(1))
        while await listener.next() and len(await gate.get("/v1/events")) == 0:
            pass
        if why == "leaving":
            gate.leaving.set()
        else:
            form = {"token": await gate.token(), "client_id": "admin", "client_secret": "a-secret-of-these-tests"}
            assert 200 == (await gate.http.post("/oauth/revoke", data=form)).status_code
            await gate.hear(booking(2))
        while await listener.next():
            pass

        assert listener.answer.is_stream_consumed


async def test_what_a_stream_showed_is_recorded(gate: Gate, served: httpx.AsyncClient) -> None:
    """Each batch leaves a record with whom it was about."""
    async with listening(served, params={"after": "0", "types": "appointment.*"}) as listener:
        await gate.hear(booking(1))
        await listener.next()
    patient = (await gate.only("patient"))["id"]
    shown = [one for one in await gate.audited() if one.what == "/v1/events/stream" and one.count]

    assert [(1, (patient,))] == [(one.count, one.patients) for one in shown]
