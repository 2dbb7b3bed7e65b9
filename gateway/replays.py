"""Replays of many messages as a job: oldest first, with progress, going on after a restart where it was.

The order matters only where two messages have one clock: the one received later wins, as it did at first. A replay is
safe to repeat (the same ids, nothing newer undone), so after a crash the last few are taken once more.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from canonical.ids import ulid
from gateway.clock import MICROS, Clock
from gateway.pipeline import Pipeline
from gateway.replaying import replay
from gateway.site.settings import Feed
from gateway.store.protocol import Job, MessageQuery, Store, Unavailable
from policies.redact import log

Place = tuple[int, str]  # when a message was received, and its id
PAGE = 500
LOOK_SECONDS = 5.0
LEASE = 15 * MICROS
RENEWED_EVERY = 4.0
NOTED_EVERY = 50
PAUSE_SECONDS = 1.0  # while the database cannot take a write
Done = TypeVar("Done")


class Wanted(Struct, frozen=True, kw_only=True):
    """What a job keeps: which messages, whether to tell of changes, the last done and the last of all, its trace."""

    query: MessageQuery
    emit: bool = False
    reached: Place = (0, "")
    upto: Place | None = None
    traceparent: str | None = None


class Replays:
    """Runs replay jobs of this process, one after another."""

    def __init__(
        self, store: Store, pipeline: Pipeline, feeds: tuple[Feed, ...], clock: Clock, leaving: asyncio.Event
    ) -> None:
        self.store = store
        self.pipeline = pipeline
        self.become(feeds)
        self.clock = clock
        self.leaving = leaving
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self.name = secrets.token_hex(8)

    def become(self, feeds: tuple[Feed, ...]) -> None:
        """Read by these feeds from now on."""
        self.feeds = {(feed.tenant, feed.name): feed for feed in feeds}

    async def resume(self) -> None:
        """Take up what a restart interrupted, or what a process left that is gone."""
        for job in await self.store.jobs():
            if job.kind == "replay" and job.id not in self._under_way:
                self._launch(job)

    def look_after(self) -> None:
        """Where other processes run jobs too: take up what one of them leaves."""
        self._keep(asyncio.get_running_loop().create_task(self._look_after()))

    async def _look_after(self) -> None:
        while not self.leaving.is_set():
            await self._rest(LOOK_SECONDS)
            await self._once_it_can(self.resume)

    async def _rest(self, seconds: float) -> None:
        """So long, unless we leave before."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.leaving.wait(), seconds)

    async def stop(self, within: float) -> None:
        """Note how far each job is, and let it go; a job that does not get there in time is left where it was noted."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=within)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def count(self, query: MessageQuery, limit: int | None = None) -> int:
        """How many messages a job would replay."""
        return len((await self._places(query))[:limit])

    async def begin(self, wanted: Wanted, client: str, limit: int | None = None) -> Job:
        """Start a client's job for at most so many; messages that come in after now are none of its business."""
        now = self.clock()
        before = min(wanted.query.received_before or now, now)
        query = replace(wanted.query, received_before=before)
        places = (await self._places(query))[:limit]
        wanted = replace(wanted, query=query, upto=places[-1] if places else (0, ""))
        job = Job(
            id=f"job_{ulid(now, os.urandom(8).hex())}",
            tenant=wanted.query.tenant,
            client=client,
            kind="replay",
            created_at=now,
            total=len(places),
            body=msgspec.json.encode(wanted),
        )
        await self.store.put_job(job)
        self._launch(job)
        return job

    def _launch(self, job: Job) -> None:
        self._keep(asyncio.get_running_loop().create_task(self._run(job)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        self._under_way.add(job.id)
        try:
            async with self._turn:
                if await self._once_it_can(partial(self._hold, job)):
                    await self._as_its_holder(job)
        finally:
            self._under_way.discard(job.id)

    async def _as_its_holder(self, job: Job) -> None:
        """Work on a job as it stands now, while the lease is renewed beside that; then let it go."""
        holding = asyncio.get_running_loop().create_task(self._keep_holding(job))
        try:
            now = await self._once_it_can(partial(self.store.job, job.tenant, job.id))
            if now and now.state == "running":
                await self._work(now, holding)
        finally:
            holding.cancel()
            with suppress(Unavailable):
                await self.store.lease(_lease(job), self.name, 0, self.clock())

    async def _hold(self, job: Job) -> bool:
        """Have the job to ourselves; False while another process does it."""
        now = self.clock()
        return await self.store.lease(_lease(job), self.name, now + LEASE, now)

    async def _keep_holding(self, job: Job) -> None:
        """Ends when another process has taken the job, because we could not renew the lease in time."""
        while not self.leaving.is_set() and await self._once_it_can(partial(self._hold, job)):
            await self._rest(RENEWED_EVERY)

    async def _work(self, job: Job, holding: asyncio.Task[None]) -> None:
        """Do what is left of a job; one that cannot go on ends as failed, with what it had done."""
        try:
            done = await self._worked(job, holding)
        except Exception as error:
            if self.leaving.is_set():  # nothing is wrong with it: the next process goes on
                return
            log("replay.ended", level="error", error=error)
            done = replace(await self.store.job(job.tenant, job.id) or job, state="failed")
        if done is None:
            return
        if self.leaving.is_set():
            with suppress(Unavailable):
                await self.store.put_job(done)
        else:
            await self._once_it_can(partial(self.store.put_job, done))

    async def _worked(self, job: Job, holding: asyncio.Task[None]) -> Job | None:
        """The job as far as it came; None where another process has it now."""
        wanted = msgspec.json.decode(job.body, type=Wanted)
        upto = wanted.upto or (job.created_at, "")
        places = await self._once_it_can(partial(self._places, wanted.query)) or []
        for number, place in enumerate([place for place in places if wanted.reached < place <= upto], 1):
            ok = await self._once_it_can(partial(self._replay, job.tenant, place[1], wanted))
            if holding.done() and not self.leaving.is_set():
                return None  # it is another's
            if ok is None:
                return job
            reached = msgspec.json.encode(replace(wanted, reached=place))
            job = replace(job, done=job.done + ok, failed=job.failed + (not ok), body=reached)
            if number % NOTED_EVERY == 0:
                await self._once_it_can(partial(self.store.put_job, job))
        return job if self.leaving.is_set() else replace(job, state="completed")

    async def _once_it_can(self, work: Callable[[], Awaitable[Done]]) -> Done | None:
        """Do it, as often as the database cannot take it; None when we are leaving, and the next process goes on."""
        while not self.leaving.is_set():
            try:
                return await work()
            except Unavailable as error:
                log("replay.waits", level="warning", error=error)
                await asyncio.sleep(PAUSE_SECONDS)
        return None

    async def _places(self, query: MessageQuery) -> list[Place]:
        """Receipt and id of every message that a query finds, oldest first."""
        found: list[Place] = []
        query = replace(query, limit=PAGE)
        while True:
            page = await self.store.messages(query)
            found += [(kept.received_at, kept.id) for kept in page.items]
            if page.next is None:
                return sorted(found)
            query = replace(query, after=page.next)

    async def _replay(self, tenant: str, identity: str, wanted: Wanted) -> bool:
        """Replay one; what goes wrong with it is counted and said, and the job goes on."""
        try:
            kept = await self.store.message(tenant, identity)
            feed = self.feeds.get((tenant, kept.feed)) if kept else None
            if kept is None or feed is None:
                return False
            await replay(self.pipeline, kept, feed, wanted.emit, wanted.traceparent)
        except Unavailable:
            raise
        except Exception as error:
            if self.leaving.is_set():
                raise
            log("replay.failed", level="error", error=error, message=identity)
            return False
        return True


def _lease(job: Job) -> str:
    return f"job:{job.id}"
