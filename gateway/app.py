"""The wiring, on one page: which real things stand behind each seam, and in what order they start and stop.

On SIGTERM intake stops on MLLP and HTTP together, event streams end, what is in flight is finished, and only then does
the process leave (DESIGN 7).
"""

import asyncio
import contextlib
import gc
import os
import random
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from gateway.addresses import free_port, numeric, split
from gateway.api import build
from gateway.clients import Clients
from gateway.clock import micros
from gateway.deliveries.declared import declare
from gateway.deliveries.worker import Worker
from gateway.doors import Doors
from gateway.neighbours import Neighbours
from gateway.pipeline import Pipeline
from gateway.replays import Replays
from gateway.retention.keeper import Keeper
from gateway.services import Services
from gateway.shared.choice import link_of, throttles, words
from gateway.site.folder import BadSite
from gateway.site.settings import ROLES, Role, Site
from gateway.site.standing import Standing
from gateway.store.choice import store_of
from gateway.store.protocol import Unavailable
from gateway.trail import Trail
from gateway.watch import Watch
from policies.metrics import Metrics
from policies.redact import log, setup
from policies.tokens import Revocations
from policies.tracing import Tracer

if TYPE_CHECKING:
    from policies.otel import Export


class Gateway:
    """One process of Isthmus: doors, pipeline, store, worker and API; where several share a store, some of these.

    Every process answers probes, also one without the API; `http` is where, if not where the site says.
    """

    def __init__(self, site: Site, roles: Collection[Role] = ROLES, http: str | None = None) -> None:
        self.standing, self.roles = Standing(site), frozenset(roles)
        main = site.main
        self.address = http or main.server.http
        self.metrics = Metrics()
        self._export = _exporter(main.tracing.otlp)
        # Trace ids are no secrets; asking the system for each would let the interpreter go in the middle of a request.
        dice = random.Random(secrets.randbits(256))  # noqa: S311 - see above
        self.tracer = Tracer(self._export, main.tracing.ratio, time.time_ns, dice.getrandbits)
        self.store = store_of(main.store, os.environ, self.roles)
        self.link = link_of(main.redis, os.environ, self.metrics)
        self.pipeline = Pipeline(
            self.store, main.intake, micros, self.tracer, self.metrics, main.store.dedup_days, site.routes
        )
        self.trail = Trail(self.store, micros, self.metrics)
        self.clients = Clients(site.clients, self.store)
        self.worker = Worker.of(
            self.store, main.webhooks, micros, self.tracer, self.metrics, self.pipeline, clients=self.clients, site=site
        )
        self.revocations = Revocations()
        self.neighbours = Neighbours(self.store, self.pipeline, self.revocations)
        if self.link:
            words(self.link, self.neighbours, self.worker.circuits, main.webhooks.timeout_seconds + 1)
        self.doors = Doors(site.feeds if "feeds" in self.roles else (), self.pipeline, main.store.is_shared)
        self.watch = Watch(site.feeds, self.doors.open, self.pipeline, self.store, self.metrics, main.store.is_shared)
        self.leaving = asyncio.Event()
        self.replays = Replays(self.store, self.pipeline, site.feeds, micros, self.leaving)
        self.standing.hear(lambda now: self.clients.become(now.clients))
        self.standing.hear(lambda now: self.replays.become(now.feeds))
        self.keeper = Keeper(self.store, main, micros, self.metrics, self.leaving)
        self.keeper.on_events = self.pipeline.on_events
        self.on_failure: list[Callable[[], object]] = []
        self.has_failed = False
        self._reloading = asyncio.Lock()
        self.http = ""
        self._server: Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._looking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the data, which one process alone may have."""
        await self.store.open()

    async def start(self) -> None:
        """Start what works on the data, then the doors: nobody is let in before all can be kept."""
        if self.site.digest:
            await self.store.keep_site(self.site.digest, self.site.files)
        await declare(self.store, self.site, micros())
        await self.pipeline.start()
        if self.link:
            self.link.start(await self.store.secret("redis-names", os.urandom(32)))
        self.pipeline.on_events.append(lambda events: self.worker.wake())
        if "worker" in self.roles:
            self._keep(self.worker.run())
            self._keep(self.keeper.run())
        if self.site.main.store.is_shared:
            self._looking = asyncio.create_task(self.neighbours.run())
        await self.watch.start()
        await self._serve_http()
        await self.doors.start()
        settle_memory()
        log("gateway.started", count=len(self.doors.open))

    async def _serve_http(self) -> None:
        server = self.site.main.server
        host, port = split(self.address)
        at = numeric(host)  # the server takes no names
        port = port or free_port(at)
        self.http = self._url(f"{host}:{port}")
        # Every process of a site issues tokens by one name, or none would take another's.
        base = server.public_url or (self.http if server.http.endswith(":0") else self._url(server.http))
        app = await build(self.services, base, self.leaving, whole="api" in self.roles)
        self._server = Server(
            app,
            address=at,
            port=port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.auto,
            websockets=False,
            log_enabled=False,
            backlog=1024,
            ssl_cert=server.certificate,
            ssl_key=server.private_key,
        )
        serving = self._keep(self._server.serve())
        await asyncio.sleep(0)  # its first step is to listen
        if serving.done():
            self._ended(serving)  # before we leave on that account
            raise _refused(serving.exception(), self.address)

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """What works for as long as the process does: one that lacks it must not look alive."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.leaving.is_set() or task.cancelled():
            return
        self.has_failed = True
        log("gateway.failed", level="error", error=task.exception())
        for tell in self.on_failure:
            tell()

    def _url(self, address: str) -> str:
        host, port = split(address)
        shown = f"[{host}]" if ":" in host else host
        return f"http{'s' if self.site.main.server.certificate else ''}://{shown}:{port}"

    @property
    def site(self) -> Site:
        """What the site's files say now."""
        return self.standing.site

    @property
    def services(self) -> Services:
        """What the routes may use."""
        return Services(
            standing=self.standing,
            store=self.store,
            pipeline=self.pipeline,
            worker=self.worker,
            trail=self.trail,
            watch=self.watch,
            metrics=self.metrics,
            revocations=self.revocations,
            replays=self.replays,
            tracer=self.tracer,
            clock=micros,
            clients=self.clients,
            throttles=throttles(self.link),
        )

    async def reload(self, read: Callable[[], Site]) -> None:
        """Go by the site's files as they are now, without letting go of a connection; bad ones change nothing."""
        try:
            async with self._reloading:
                site = await asyncio.to_thread(read)
                await self._become(site)
        except BadSite as bad:
            log("site.refused", level="error", problems=len(bad.problems))  # `isthmus check` says which
        except (OSError, Unavailable) as error:
            log("site.refused", level="error", error=error)
        else:
            log("site.reloaded", count=len(site.feeds), digest=site.digest)

    async def _become(self, site: Site) -> None:
        await self.store.keep_site(site.digest, site.files)
        feeds = site.feeds if "feeds" in self.roles else ()
        await self.watch.become(site.feeds)
        await self.doors.become(feeds, self.site.main.server.drain_seconds)
        await declare(self.store, site, micros())
        self.pipeline.routes = site.routes
        for name in self.standing.ignored(site):
            log("site.needs_restart", level="warning", kind=name)
        self.standing.becomes(site)
        await self.worker.become(self.site)

    async def stop(self) -> None:
        """Leave within the drain time: all doors at once, then what is in flight, then the store."""
        loop = asyncio.get_running_loop()
        drain = self.site.main.server.drain_seconds
        until = loop.time() + drain
        self.leaving.set()
        if self._server:
            self._server.stop()  # type: ignore[no-untyped-call] # Granian's own; it ends `serve`
        await asyncio.gather(self.doors.drain(drain), self.worker.stop(drain))
        await self.watch.stop()
        if self._looking:
            self._looking.cancel()
        await self.replays.stop(max(0.0, until - loop.time()))
        await self.pipeline.stop()
        timeout = max(0.0, until - loop.time())
        _, late = await asyncio.wait(self._tasks, timeout=timeout) if self._tasks else (set(), set())
        for task in late:
            task.cancel()
        await self.trail.stop()
        if self.link:
            await self.link.stop()
        self.neighbours.stop()
        await self.store.close()
        if self._export:
            self._export.close()
        log("gateway.stopped")


def _exporter(endpoint: str | None) -> "Export | None":
    """Where spans go; OpenTelemetry is only imported where export is on."""
    if not endpoint:
        return None
    from policies.otel import otlp

    return otlp(endpoint)


def _refused(failure: BaseException | None, address: str) -> OSError:
    """Why the server does not listen, as the system says it; it says so in a text that goes on with our own calls."""
    found = re.search(r"\(os error (\d+)\)", str(failure))
    number = int(found[1]) if found else 0
    return OSError(number, os.strerror(number) if number else "the HTTP server did not start", address)


def settle_memory() -> None:
    """What is loaded stays; messages and requests come and go without cycles, so the collector may look rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


Read = Callable[[], Site]


async def serve(site: Site, roles: Collection[Role] = ROLES, http: str | None = None, read: Read | None = None) -> int:
    """Run one gateway until it is told to stop, or cannot go on: then the status is not 0.

    On SIGHUP the site is read anew, and from then on gone by.
    """
    gateway = Gateway(site, roles, http)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    reloads = set[asyncio.Task[None]]()
    if read:
        loop.add_signal_handler(signal.SIGHUP, lambda: _start(gateway.reload(read), reloads))
    gateway.on_failure.append(told.set)
    await gateway.open()
    try:
        await gateway.start()
        await told.wait()
    finally:
        with contextlib.suppress(asyncio.CancelledError):
            await gateway.stop()
    return int(gateway.has_failed)


def _start(work: Coroutine[Any, Any, None], kept: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    kept.add(task)
    task.add_done_callback(kept.discard)


def run(site: Site, roles: Collection[Role] = ROLES, http: str | None = None, read: Read | None = None) -> int:
    """`isthmus serve`: logs go to standard error, one JSON line each."""
    setup(sys.stderr)
    return uvloop.run(serve(site, roles, http, read))
