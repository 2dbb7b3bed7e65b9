"""A gateway's inside on each store, and a receiving EHR in a process of its own, with a worker between them."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.deliveries.declared import declare
from gateway.deliveries.worker import Worker
from gateway.pipeline import Pipeline
from gateway.site.outward import Destination, DestinationSettings, Route, RouteSettings, route_of
from gateway.site.settings import Feed, FeedSettings, Intake, Peer, Site, Webhooks, feed_of
from gateway.store.protocol import Delivery, DeliveryQuery, Kept, MessageQuery, Store, Subscription
from policies.metrics import Metrics
from policies.tracing import Tracer
from tests.connectors.mllp.conftest import papers
from tests.gateway.conftest import micros
from tests.store_contract.conftest import backend, store

__all__ = ["backend", "papers", "store"]

EHR = Path(__file__).parents[2] / "simulators" / "ehr.py"
WAITS = 30.0
WEBHOOKS = Webhooks(allow=("127.0.0.1",), timeout_seconds=1.0)


class Ehr:
    """The EHR's process, and what it can be asked and told."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen([sys.executable, str(EHR), *arguments], stdout=subprocess.PIPE)
        assert self.process.stdout
        ports = json.loads(self.process.stdout.readline())
        self.port, self._control = ports["port"], f"http://127.0.0.1:{ports['control']}"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def behaves(self, **rule: object) -> None:
        """Misbehave as told, or no longer."""
        self._ask("POST", "/behave", json.dumps(rule).encode() if rule else b"")

    def received(self) -> list[bytes]:
        """What it took, each once, in order."""
        return [one["raw"].encode("latin-1") for one in json.loads(self._ask("GET", "/received"))]

    def attempts(self) -> list[str]:
        """The control ids of all that came."""
        return list(json.loads(self._ask("GET", "/attempts")))

    def counts(self) -> dict[str, int]:
        return dict(json.loads(self._ask("GET", "/counts")))

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        request = urllib.request.Request(self._control + path, body or None, method=method)
        with urllib.request.urlopen(request, timeout=WAITS) as answer:
            return bytes(answer.read())


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    """A receiving EHR."""
    running = Ehr()
    yield running
    running.stop()


class House:
    """A pipeline and a worker on one store, for a site of destinations and routes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.feed = self.named("east")
        self.site = Site()
        self.worker: Worker
        self.pipeline: Pipeline

    def named(self, name: str) -> Feed:
        """A feed of this name."""
        return feed_of(name, Peer(zone="America/New_York", feed=FeedSettings()), {})

    def destination(self, name: str = "lab", **given: Any) -> None:
        """Declare a destination."""
        settings: Any = {"retry_seconds": (0, 0.02, 0.02, 0.02), "timeout_seconds": 1.0, **given}
        one = Destination(
            name=name,
            tenant="main",
            settings=DestinationSettings(**settings),
            profile=replace(self.feed.profile, feed=name),
        )
        self.site = replace(self.site, destinations=(*self.site.destinations, one))

    def route(self, name: str = "results", **given: Any) -> None:
        """Declare a route."""
        made: Route = route_of(name, RouteSettings(**given))
        self.site = replace(self.site, routes=(*self.site.routes, made))

    async def start(self) -> None:
        """Start with what is declared now."""
        tracer = Tracer(None, 0.0, lambda: micros() * 1000, lambda bits: micros() % (1 << bits))
        metrics = Metrics()
        await declare(self.store, self.site, micros())
        self.pipeline = Pipeline(self.store, Intake(), micros, tracer, metrics, routes=self.site.routes)
        self.worker = Worker.of(self.store, WEBHOOKS, micros, tracer, metrics, self.pipeline, site=self.site)
        self.pipeline.on_events.append(lambda _: self.worker.wake())
        await self.pipeline.start()
        self._run = asyncio.create_task(self.worker.run())

    async def stop(self) -> None:
        await self.worker.stop()
        await self.pipeline.stop()

    async def restart(self) -> None:
        """Stop, and start with what is declared now."""
        await self.stop()
        await self.start()

    async def hear(self, *messages: bytes, feed: Feed | None = None) -> None:
        """Messages that come in one after the other."""
        for raw in messages:
            await self.pipeline.accept(feed or self.feed, raw)

    async def until(self, fact: Callable[[], Awaitable[object] | object]) -> None:
        """Wait for a fact, at most so long that it will never be."""
        async with asyncio.timeout(WAITS):
            while True:
                found = fact()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Wait until everything was derived and nothing is pending or under way."""

        async def is_idle() -> bool:
            head = await self.store.head()
            known = self.worker._receivers._by_id
            active = [one.id for one in await self.store.subscriptions() if one.state == "active"]
            at_end = all(one in known and known[one].position >= head for one in active)
            backlog = await self.store.backlog()
            return at_end and backlog.pending + backlog.claimed == 0

        await self.until(is_idle)

    async def subscriptions(self) -> list[Subscription]:
        return await self.store.subscriptions()

    async def messages(self) -> list[Kept]:
        return (await self.store.messages(MessageQuery(tenant="main", limit=500))).items

    async def deliveries(self, **given: Any) -> list[Delivery]:
        """All of them, the oldest first."""
        page = await self.store.deliveries(DeliveryQuery(tenant="main", oldest_first=True, limit=500, **given))
        return page.items


@pytest_asyncio.fixture
async def house(store: Store) -> AsyncIterator[House]:
    """A house that is started by the test, once it has declared what there is."""
    made = House(store)
    yield made
    await made.stop()
