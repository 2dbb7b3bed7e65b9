"""The simulated partner: subscribes, verifies the webhooks it gets, and reads the API as a careful consumer does.

It answers a webhook before it works on it, takes each webhook-id once, follows the event feed by cursor, and reads
what changed.
"""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from datetime import datetime
from statistics import median

import httpx
from msgspec import Struct

from gateway.demo.child import Orders, run
from policies.signing import Checker, checker, verify

REMEMBERED = 10_000
POLL_SECONDS = 1.0
READS_A_POLL = 5
EARLY = 30.0
LETTING_IN = 0.01  # whoever was at the door when it closed comes in until then
LONGEST_BODY = 1_000_000
WORDS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 413: "Content Too Large", 503: "Service Unavailable"}
GONE = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, asyncio.CancelledError)


class Counters(Struct):
    """What the partner can say about itself."""

    verified: int = 0
    refused: int = 0
    duplicates: int = 0
    polls: int = 0
    events: int = 0
    reads: int = 0
    errors: int = 0
    milliseconds: float = 0.0  # from the event to its webhook, the median of late
    last: str = ""


counters = Counters()


class Inbox:
    """A webhook endpoint: raw bytes are verified before anything else is done with them."""

    def __init__(self) -> None:
        self.checkers: list[Checker] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._latest: deque[float] = deque(maxlen=50)

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """The status for one request: 401 unless its signature is right, 200 for what is known already."""
        if not self.checkers:
            return 503  # our secret is still on its way
        refused = verify(self.checkers, headers, body, time.time())
        if refused:
            counters.refused += 1
            return 400 if refused == "malformed" else 401
        name = headers["webhook-id"]
        if name in self._known:
            counters.duplicates += 1
            return 200
        self._known[name] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        self._note(json.loads(body))
        return 200

    def _note(self, event: dict[str, str]) -> None:
        counters.verified += 1
        counters.last = event["type"]
        self._latest.append(time.time() - datetime.fromisoformat(event["time"]).timestamp())
        counters.milliseconds = median(self._latest) * 1000

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Listen at a port while this lasts; nobody is let in, and nobody left, after it."""
        server = await asyncio.start_server(self._welcome, "127.0.0.1", 0)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            await asyncio.sleep(LETTING_IN)
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self.serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """HTTP/1.1 with as much as a sender of webhooks needs."""
        with contextlib.suppress(*GONE):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value.strip() for name, _, value in lines}
                size = int(headers.get("content-length", "0"))
                status = 413 if size > LONGEST_BODY else self.take(headers, await reader.readexactly(size))
                writer.write(f"HTTP/1.1 {status} {WORDS[status]}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


class Api:
    """The partner's side of the API: a token while it lasts, then the next."""

    def __init__(self, client: httpx.AsyncClient, orders: Orders) -> None:
        self._client = client
        self._credentials = {"client_id": orders.client_id, "client_secret": orders.client_secret}
        self._token = ""
        self._until = 0.0

    async def call(
        self, method: str, path: str, params: dict[str, str] | None = None, body: object = None
    ) -> httpx.Response:
        """One request under a token; errors are raised."""
        if time.monotonic() >= self._until:
            await self._renew()
        headers = {"authorization": f"Bearer {self._token}"}
        answer = await self._client.request(method, path, headers=headers, params=params, json=body)
        answer.raise_for_status()
        return answer

    async def _renew(self) -> None:
        form = {"grant_type": "client_credentials", **self._credentials}
        answer = await self._client.post("/oauth/token", data=form)
        answer.raise_for_status()
        found = answer.json()
        self._token, self._until = found["access_token"], time.monotonic() + found["expires_in"] - EARLY


async def subscribe(api: Api, url: str) -> tuple[list[Checker], str]:
    """One subscription of our own, and where in the feed it begins; those of an earlier run lead to a closed port."""
    known = (await api.call("GET", "/v1/subscriptions")).json()["items"]
    for one in known:
        await api.call("DELETE", f"/v1/subscriptions/{one['id']}")
    made = (await api.call("POST", "/v1/subscriptions", body={"url": url, "types": ["*"]})).json()
    return [checker(made["secret"])], str(made["cursor"])


async def follow(api: Api, cursor: str) -> None:
    """Poll the event feed from there on, and read some of what changed."""
    while True:
        try:
            cursor = await poll(api, cursor)
        except httpx.HTTPError:
            counters.errors += 1
        await asyncio.sleep(POLL_SECONDS)


async def poll(api: Api, cursor: str) -> str:
    """One page of events and the appointments in it; where to go on."""
    page = (await api.call("GET", "/v1/events", {"after": cursor})).json()
    counters.polls += 1
    counters.events += len(page["items"])
    changed = dict.fromkeys(one["subject"] for one in page["items"] if one["type"].startswith("appointment."))
    for subject in list(changed)[-READS_A_POLL:]:
        await api.call("GET", f"/v1/appointments/{subject}")
        counters.reads += 1
    return str(page["next"])


async def work(orders: Orders) -> None:
    """Open the door, say where it is, and begin to read."""
    inbox = Inbox()
    async with inbox.open() as port, httpx.AsyncClient(base_url=orders.http, timeout=10) as client:
        api = Api(client, orders)
        checkers, cursor = await subscribe(api, f"http://127.0.0.1:{port}/webhooks")
        inbox.checkers += checkers
        await follow(api, cursor)


if __name__ == "__main__":
    run(work, lambda: counters)
