"""The API over a real store: what senders say goes in by the pipeline, what callers ask comes out by HTTP."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from msgspec.structs import replace

from connectors.mllp.seam import Answer
from gateway.api import build
from gateway.clients import Clients
from gateway.deliveries.worker import Worker
from gateway.pipeline import Pipeline
from gateway.replays import Replays
from gateway.services import Services
from gateway.shared.choice import throttles
from gateway.site.settings import (
    ClientSettings,
    Feed,
    FeedSettings,
    Intake,
    Main,
    Peer,
    Server,
    Site,
    Webhooks,
    feed_of,
)
from gateway.site.standing import Standing
from gateway.store.sqlite import SqliteStore
from gateway.trail import Trail
from gateway.watch import Watch
from policies.audit import AuditRecord, decode
from policies.auth import hash_secret
from policies.call import App
from policies.metrics import Metrics
from policies.tokens import Revocations
from policies.tracing import Tracer
from tests.gateway.routes.said import ZONE

BASE = "http://isthmus.test"
SECRET = "a-secret-of-these-tests"
HASHED = hash_secret(SECRET, b"0" * 16)
SCOPES = {
    "admin": ("admin",),
    "partner": ("appointments.read", "patients.read", "events.read", "subscriptions.read", "subscriptions.write"),
    "rival": ("subscriptions.read", "subscriptions.write"),
    "nobody": (),
    "stranger": ("admin",),  # of another tenant
}


def micros() -> int:
    return time.time_ns() // 1000


def site() -> Site:
    """Two tenants with a feed each, and the clients of SCOPES."""
    clients = {
        name: ClientSettings(
            client_id=name, secret_hash=HASHED, scopes=scopes, tenant="other" if name == "stranger" else "main"
        )
        for name, scopes in SCOPES.items()
    }
    north = feed_of("north", Peer(zone=ZONE, feed=FeedSettings()), {})
    south = feed_of("south", Peer(zone=ZONE, tenant="other", feed=FeedSettings()), {})
    main = Main(
        server=Server(max_body_bytes=100_000),
        tenants=("main", "other"),
        webhooks=Webhooks(allow=("127.0.0.1",), timeout_seconds=1.0),
    )
    return Site(main=main, feeds=(north, south), clients=clients)


class Gate:
    """One gateway without its doors."""

    def __init__(self, folder: Path, at: Site) -> None:
        self.folder, self.site = folder, at
        self.metrics = Metrics()
        self.store = SqliteStore(folder, b"k" * 32)
        self.tracer = Tracer(None, 1.0, time.time_ns, secrets.randbits)
        self.leaving = asyncio.Event()
        self.digest: str | None = None  # of the files that its feeds are read by
        self.clock = micros
        self.app: App
        self.http: httpx.AsyncClient
        self._tokens: dict[str, str] = {}

    async def open(self) -> None:
        await self.store.open()
        self.pipeline = Pipeline(self.store, Intake(), micros, self.tracer, self.metrics)
        await self.pipeline.start()
        self.trail = Trail(self.store, micros, self.metrics)
        self.worker = self.working()
        self.watch = Watch(self.site.feeds, [], self.pipeline, self.store, self.metrics)
        self.services = Services(
            standing=Standing(self.site),
            store=self.store,
            pipeline=self.pipeline,
            worker=self.worker,
            trail=self.trail,
            watch=self.watch,
            metrics=self.metrics,
            revocations=Revocations(),
            replays=self._replays(),
            tracer=self.tracer,
            clock=lambda: self.clock(),
            clients=Clients(self.site.clients, self.store),
            throttles=throttles(None),
        )
        await self.serve()

    def working(self) -> Worker:
        """A worker, as every start makes one."""
        clients = Clients(self.site.clients, self.store)
        settings, pipeline = self.site.main.webhooks, self.pipeline
        return Worker.of(self.store, settings, micros, self.tracer, self.metrics, pipeline, clients=clients)

    async def serve(self) -> None:
        """Wire the API anew, as after a restart."""
        self.services = replace(self.services, replays=self._replays())
        self.app = await build(self.services, BASE, self.leaving)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE)

    async def serve_with(self, **changed: ClientSettings | None) -> None:
        """Wire the API and the worker anew, as after a restart with other clients; None takes one away."""
        clients = {name: one for name, one in (self.site.clients | changed).items() if one}
        self.site = replace(self.site, clients=clients)
        self.worker = self.working()
        self.services = replace(
            self.services, standing=Standing(self.site), clients=Clients(clients, self.store), worker=self.worker
        )
        await self.serve()

    def _replays(self) -> Replays:
        return Replays(self.store, self.pipeline, self.site.feeds, lambda: self.clock(), self.leaving)

    async def close(self) -> None:
        self.leaving.set()
        await self.services.replays.stop(5)
        await self.http.aclose()
        await self.pipeline.stop()
        await self.worker.stop()
        await self.trail.stop()
        await self.store.close()

    def feed(self, name: str = "north") -> Feed:
        found = next(feed for feed in self.site.feeds if feed.name == name)
        return replace(found, site=self.digest)

    async def hear(self, *messages: bytes, feed: str = "north") -> list[Answer]:
        """Each message after the one before was committed."""
        return [await self.pipeline.accept(self.feed(feed), message) for message in messages]

    async def token(self, client: str = "admin") -> str:
        if client not in self._tokens:
            form = {"grant_type": "client_credentials", "client_id": client, "client_secret": SECRET}
            self._tokens[client] = (await self.http.post("/oauth/token", data=form)).json()["access_token"]
        return self._tokens[client]

    async def ask(self, method: str, path: str, client: str = "admin", **more: Any) -> httpx.Response:
        """A request with a client's token."""
        headers = {"authorization": f"Bearer {await self.token(client)}", **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, client: str = "admin", **more: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = await self.ask("GET", path, client, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, client: str = "admin", **more: Any) -> httpx.Response:
        return await self.ask("POST", path, client, json={} if body is None else body, **more)

    async def only(self, kind: str, **query: Any) -> Any:
        """The one record that a search finds."""
        (found,) = (await self.get(f"/v1/{kind}s", params=query))["items"]
        return found

    async def finished(self, job: str, client: str = "admin") -> Any:
        """A job, once it runs no longer."""
        async with asyncio.timeout(20):
            while True:
                found = await self.get(job, client)
                if found["state"] != "running":
                    return found
                await asyncio.sleep(0.01)

    async def audited(self, tenant: str = "main") -> list[AuditRecord]:
        """What the trail says, once all of it is kept."""
        await self.trail.flush()
        return [decode(row.body) for _, row in await self.store.audit_rows(tenant, 0, 1000)]


@pytest_asyncio.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    """An open gateway that has heard nothing."""
    made = Gate(tmp_path, site())
    await made.open()
    yield made
    await made.close()
