"""The worker: derives deliveries from the feed of events, claims those that are due, and has them delivered.

The order of each lane is kept by claiming heads only (the store's part); many lanes go at once, so many of one
subscription, so many in all. On a stop nothing new is claimed and what is under way is finished and kept; after a crash
it is claimed again, and the same webhook-ids go out once more.
"""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from canonical.events import Event
from canonical.outcome import Outcome
from gateway.clients import Clients
from gateway.clock import MICROS, Clock
from gateway.deliveries.carriers import Carriers
from gateway.deliveries.circuits import Circuits
from gateway.deliveries.declared import slowest
from gateway.deliveries.delivery import Courier, Result
from gateway.deliveries.hl7v2 import RouteCarrier, SiuCarrier
from gateway.deliveries.links import Links
from gateway.deliveries.outbound import allow_list, client, outbound
from gateway.deliveries.receivers import Receiver, Receivers
from gateway.deliveries.resend import advance
from gateway.deliveries.webhooks import Present, WebhookCarrier
from gateway.parking import LACKING, disable, raise_task, resume
from gateway.site.settings import Site, Webhooks
from gateway.store.protocol import Delivery, Job, Store, Subscription, Unavailable
from policies.circuit import CircuitConfig
from policies.metrics import Metrics
from policies.redact import log
from policies.tracing import Tracer
from transforms.api import v1

if TYPE_CHECKING:
    from gateway.pipeline import Pipeline

POLL_SECONDS = 0.5  # the net under wake-ups, and what a retry may be late by
ROUND_SECONDS = 0.004  # under load, rounds and conclusions wait for company: each is a commit
LOOK_AROUND = MICROS
LEASE_MARGIN = 20 * MICROS
JOB_LEASE = 30 * MICROS
LONGEST_REST = 3600 * MICROS
FAILING = 120 * 3600 * MICROS
CODES = {"park": "DLV-PARKED", "disable": "DLV-GONE"}


class Worker:
    """One per process. `carriers` send; no attempt takes longer than `slowest` seconds; `dice` gives [0, 1)."""

    def __init__(
        self,
        store: Store,
        carriers: Carriers,
        clock: Clock,
        dice: Callable[[], float],
        settings: Webhooks,
        slowest: float = 0.0,
        *,
        metrics: Metrics | None = None,
        tracer: Tracer | None = None,
        clients: Clients | None = None,
    ) -> None:
        self.store, self.clock, self.settings = store, clock, settings
        self.on_events: list[Callable[[Sequence[Event]], None]] = []
        self._carriers = carriers
        self._courier = Courier(carriers, clock, dice, metrics, tracer)
        self._receivers = Receivers(store, carriers, clients)
        self._allow(slowest)
        self.name = secrets.token_hex(8)
        self.circuits: Circuits | None = None
        self._jobs: list[Job] = []
        self._held: set[str] = set()  # the leases of jobs
        self._looked_at = 0
        self._flights: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._woken, self._landed = asyncio.Event(), asyncio.Event()
        self._stopping = False
        self._running: asyncio.Task[None] | None = None

    @classmethod
    def of(
        cls,
        store: Store,
        settings: Webhooks,
        clock: Clock,
        tracer: Tracer,
        metrics: Metrics,
        pipeline: "Pipeline | None" = None,
        present: Present = v1.present,
        clients: Clients | None = None,
        site: Site | None = None,
    ) -> Self:
        """The worker with its real carriers; whoever hears the pipeline's events hears the worker's too."""

        def seconds() -> float:
            return clock() / MICROS

        webhooks = client(allow_list(settings.allow), settings.timeout_seconds, settings.concurrency, seconds)
        circuits = Circuits(CircuitConfig(), seconds, random.random)
        post = outbound(webhooks, circuits)
        site = site or Site()
        links = Links(site.destinations, clock)
        carriers = Carriers(
            {
                "webhook": WebhookCarrier(store, post, settings, present, webhooks.close),
                "hl7v2": SiuCarrier(store, links),
                "route": RouteCarrier(store, links, site.routes),
            }
        )
        worker = cls(
            store,
            carriers,
            clock,
            random.random,
            settings,
            slowest(site),
            metrics=metrics,
            tracer=tracer,
            clients=clients,
        )
        worker.circuits = circuits
        if pipeline is not None:
            worker.on_events = pipeline.on_events
        return worker

    def _allow(self, slowest: float) -> None:
        """What is claimed is ours for as long as the slowest attempt takes, and a stop waits no longer."""
        slowest = max(slowest, self.settings.timeout_seconds)
        self._patience = slowest + 1
        self._lease = int(slowest * MICROS) + LEASE_MARGIN

    # -- told from outside

    async def become(self, site: Site) -> None:
        """Go by other files from now on; their subscriptions are declared."""
        self._allow(slowest(site))
        self.refresh()
        await self._carriers.become(site)
        self.refresh()

    def wake(self) -> None:
        """There are new events, or something has become due."""
        self._woken.set()

    def refresh(self) -> None:
        """Subscriptions or jobs have changed: look at them before anything else is claimed."""
        self._looked_at = 0
        self._woken.set()

    async def test(self, subscription: Subscription, event: Event) -> Outcome:
        """Send one event now, whatever the subscription's state, and keep nothing of it."""
        return await self._courier.send(subscription, event)

    # -- running

    async def run(self) -> None:
        """Work until stopped; a failure of ours or of the database costs a pause, never the worker."""
        self._running = asyncio.current_task()
        concluding = asyncio.create_task(self._conclude_forever())
        loop = asyncio.get_running_loop()
        while not self._stopping:
            self._woken.clear()
            began = loop.time()
            if await self._safely(self._round):
                await asyncio.sleep(began + ROUND_SECONDS - loop.time())
            else:
                await self._wait(POLL_SECONDS)
        await self._land()
        concluding.cancel()
        await asyncio.gather(concluding, return_exceptions=True)
        await self._safely(self._conclude)
        await self._safely(self._note)
        await self._safely(self._let_go)

    async def _note(self) -> bool:
        await self._receivers.note()
        return True

    async def stop(self, within: float = float("inf")) -> None:
        """Claim nothing more, finish and keep what is under way; what does not end within that time is cut off."""
        self._patience = min(within, self._patience)
        self._stopping = True
        self._woken.set()
        if self._running:
            await asyncio.wait({self._running})
        await self._carriers.close()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _land(self) -> None:
        """Let what is under way end; what does not is cut off, and goes out again."""
        if self._flights:
            _, late = await asyncio.wait(self._flights, timeout=self._patience)
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _safely(self, work: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await work()
        except Unavailable as error:
            log("worker.store_unavailable", level="warning", error=error)
        except Exception as error:  # the worker outlives what it cannot do
            log("worker.failed", level="error", error=error)
        return False

    async def _round(self) -> bool:
        """Look around, derive, claim, go on with jobs; whether there was anything to do."""
        now = self.clock()
        if now - self._looked_at >= LOOK_AROUND:
            await self._look_around(now)
        derived = await self._receivers.derive(now)
        claimed = await self._claim()
        resent = await self._resend()
        return derived or claimed or resent

    async def _look_around(self, now: int) -> None:
        """Read what people decide; what has failed for too long is disabled."""
        self._looked_at = now
        await self._receivers.note()
        self._jobs = [job for job in await self.store.jobs() if job.kind == "resend"]
        for kept, subscription in await self._receivers.refresh():
            if kept.state != subscription.state:
                await self._follow_client(subscription, now)
            since = subscription.failing_since
            if since is not None and now - since > FAILING and subscription.state == "active":
                await self._tell(subscription, "DLV-FAILING", now)
                await self._disable(subscription, "failing", now)

    async def _follow_client(self, subscription: Subscription, now: int) -> None:
        """Keep what became of a subscription whose client is gone, or is back."""
        if subscription.state == "disabled":
            await self._tell(subscription, LACKING, now)
            await disable(self.store, subscription, subscription.reason or "", now)
        else:
            self._hear(await resume(self.store, subscription, now))

    # -- claim and deliver

    async def _claim(self) -> bool:
        """Claim what is due, where there is room."""
        now = self.clock()
        limit = self.settings.concurrency - len(self._flights)
        rooms = self._receivers.rooms(now) if limit > 0 else {}
        claimed = await self.store.claim(now, self._lease, limit, rooms) if rooms else []
        for delivery, event in claimed:
            self._launch(self._receivers[delivery.subscription], delivery, event)
        return bool(claimed)

    def _launch(self, receiver: Receiver, delivery: Delivery, event: Event) -> None:
        receiver.flying += 1
        flight = asyncio.create_task(self._fly(receiver, delivery, event))
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self, receiver: Receiver, delivery: Delivery, event: Event) -> None:
        """Deliver one; a fault of ours is an attempt that was not made, and harms no other delivery."""
        try:
            result = await self._courier.deliver(receiver.subscription, delivery, event)
        except Exception as error:
            log("delivery.failed", level="error", error=error, delivery=delivery.id)
            result = self._courier.not_made(receiver.subscription, delivery)
        except asyncio.CancelledError:  # we are leaving: it is kept how far this came, and the task ends in order
            result = self._courier.cut_off(receiver.subscription, delivery)
        finally:
            receiver.flying -= 1
            if receiver.flying * 2 <= self._carriers.room(receiver.subscription):
                self._woken.set()
        self._heed(receiver, result)
        self._results.append(result)
        self._landed.set()

    def _heed(self, receiver: Receiver, result: Result) -> None:
        """Leave a receiver alone at once where it asked for that, or is gone."""
        wait = result.outcome.retry_after
        if wait and result.decision.verb == "retry":
            receiver.rests_until = self.clock() + min(int(wait * MICROS), LONGEST_REST)
        if result.decision.verb == "disable":
            receiver.subscription = replace(receiver.subscription, state="disabled")

    async def _resend(self) -> bool:
        """Give each job a page, as long as fresh deliveries do not wait for it."""
        due = [job for job in self._jobs if self._receivers.are_at_ease(job.tenant)]
        for known in due:
            self._jobs.remove(known)
            if (job := await self._taken(known)) is not None:
                self._jobs.append(await self._advanced(job))
        return bool(due)

    async def _advanced(self, job: Job) -> Job:
        """The job a page further; one that cannot go on ends as failed, and no other waits for it."""
        try:
            return await advance(self.store, job)
        except Unavailable:
            raise
        except Exception as error:
            log("resend.ended", level="error", error=error)
            failed = replace(job, state="failed")
            await self.store.put_job(failed)
            return failed

    async def _taken(self, known: Job) -> Job | None:
        """A job as it stands, ours for a while; None where another process does it, or it is done."""
        lease = f"job:{known.id}"
        if not await self.store.lease(lease, self.name, self.clock() + JOB_LEASE, self.clock()):
            return None
        self._held.add(lease)
        job = await self.store.job(known.tenant, known.id)
        if job is not None and job.state == "running":
            return job
        await self.store.lease(lease, self.name, 0, self.clock())
        self._held.discard(lease)
        return None

    async def _let_go(self) -> bool:
        """Another process may go on with the jobs at once."""
        for lease in self._held:
            await self.store.lease(lease, self.name, 0, self.clock())
        return True

    # -- conclude

    async def _conclude_forever(self) -> None:
        while True:
            await self._landed.wait()
            if self._flights:
                await asyncio.sleep(ROUND_SECONDS)
            self._landed.clear()
            if not await self._safely(self._conclude):
                self._landed.set()
                await asyncio.sleep(POLL_SECONDS)

    async def _conclude(self) -> bool:
        """Keep what has landed, in one transaction; what a person must hear of goes first, and is harmless twice."""
        results, now = self._results[:], self.clock()
        if not results:
            return True
        ends = {(one.subscription.id, one.decision.verb): one for one in results if one.decision.verb in CODES}
        for (_, verb), result in ends.items():
            await self._tell(result.subscription, CODES[verb], now, result.delivery.traceparent)
        await self.store.conclude([(one.delivery, one.attempt) for one in results])
        del self._results[: len(results)]
        for (_, verb), result in ends.items():
            if verb == "disable":
                await self._disable(result.subscription, "gone", now)
        self.wake()
        return True

    async def _tell(self, subscription: Subscription, code: str, now: int, traceparent: str | None = None) -> None:
        self._hear(await raise_task(self.store, subscription, code, now, traceparent))

    def _hear(self, events: Sequence[Event]) -> None:
        for hear in self.on_events if events else ():
            hear(events)

    async def _disable(self, subscription: Subscription, reason: str, now: int) -> None:
        await disable(self.store, subscription, reason, now)
        self.refresh()
