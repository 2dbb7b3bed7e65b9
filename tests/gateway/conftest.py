"""A store, a partner in a process of its own, and a worker between them."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from canonical.events import Event
from canonical.ids import new_id
from gateway.deliveries.fanout import wants
from gateway.deliveries.worker import Worker
from gateway.site.settings import Webhooks
from gateway.store.protocol import Batch, Subscription
from gateway.store.sqlite import SqliteStore
from policies.metrics import Metrics
from policies.signing import new_secret
from policies.tracing import Tracer

PARTNER = Path(__file__).parents[1] / "simulators" / "partner.py"
SECRETS = (new_secret(b"n" * 32), new_secret(b"o" * 32))
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEY = bytes(range(32))
WAITS = 30.0
QUICK = Webhooks(allow=("127.0.0.1",), timeout_seconds=1.0, retry_seconds=(0, 0.02, 0.02, 0.02))


def micros() -> int:
    return time.time_ns() // 1000


class Partner:
    """A partner's process, and what can be asked of it."""

    def __init__(self, *secrets: str) -> None:
        given = [word for secret in secrets for word in ("--secret", secret)]
        self.process = subprocess.Popen([sys.executable, str(PARTNER), *given, "--silent"], stdout=subprocess.PIPE)
        assert self.process.stdout
        self.base = f"http://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        self.url = f"{self.base}/hook"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def behaves(self, **rule: object) -> None:
        """Misbehave as told, or no longer."""
        self._ask("POST", "/behave", json.dumps(rule).encode() if rule else b"")

    def received(self) -> list[dict[str, Any]]:
        return list(json.loads(self._ask("GET", "/received")))

    def attempts(self) -> list[dict[str, Any]]:
        return list(json.loads(self._ask("GET", "/attempts")))

    def counts(self) -> dict[str, int]:
        return dict(json.loads(self._ask("GET", "/counts")))

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        request = urllib.request.Request(self.base + path, body, method=method)
        with urllib.request.urlopen(request, timeout=WAITS) as answer:
            return bytes(answer.read())


@pytest.fixture
def partner() -> Iterator[Partner]:
    """A partner who knows the newer of the two secrets."""
    running = Partner(SECRETS[0])
    yield running
    running.stop()


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store."""
    opened = SqliteStore(tmp_path, KEY)
    await opened.open()
    yield opened
    await opened.close()


class House:
    """A worker that runs, with what a test wants to do beside it."""

    def __init__(self, store: SqliteStore, settings: Webhooks = QUICK) -> None:
        self.store = store
        self.metrics = Metrics()
        self.spans: list[Any] = []
        tracer = Tracer(self.spans.append, 1.0, time.time_ns, lambda bits: time.time_ns() % (1 << bits))
        self.worker = Worker.of(store, settings, micros, tracer, self.metrics)
        self._run: asyncio.Task[None] | None = None
        self._made = 0

    def start(self) -> None:
        self._run = asyncio.create_task(self.worker.run())

    async def stop(self) -> None:
        await self.worker.stop()

    async def subscribe(self, url: str, **given: object) -> Subscription:
        """A subscription to everything from now on."""
        self._made += 1
        made = Subscription(
            id=new_id("subscription", micros(), self._made),
            tenant="main",
            client="partner",
            url=url,
            secrets=SECRETS[:1],
            cursor=await self.store.head(),
            created_at=micros(),
        )
        made = replace(made, **given)
        await self.store.put_subscription(made, None)
        self.worker.refresh()
        return made

    async def happen(self, *lanes: str, kind: str = "appointment.created") -> Sequence[Event]:
        """Events, one in each lane that is named, and the worker told of them."""
        now, events = micros(), []
        for lane in lanes:
            self._made += 1
            subject = new_id("appointment", now, self._made)
            identity = new_id("event", now, self._made)
            events.append(
                Event(
                    id=identity,
                    type=kind,
                    tenant="main",
                    subject=subject,
                    at=now,
                    patient=lane,
                    version=1,
                    traceparent=TRACEPARENT,
                )
            )
        async with self.store.unit() as unit:
            kept = await unit.commit(Batch(events=events))
        self.worker.wake()
        return kept

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait for a fact, at most so long that it will never be."""
        async with asyncio.timeout(WAITS):
            while True:
                found = fact()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Wait until nothing is pending or under way."""

        async def is_idle() -> bool:
            for one in await self.store.subscriptions():
                events = await self.store.events("main", one.cursor, 1000)
                if one.state == "active" and any(wants(one, event) for event in events):
                    return False
            backlog = await self.store.backlog()
            return backlog.pending + backlog.claimed == 0

        await self.until(is_idle)


@pytest_asyncio.fixture
async def house(store: SqliteStore) -> AsyncIterator[House]:
    """A running worker."""
    made = House(store)
    made.start()
    yield made
    await made.stop()
