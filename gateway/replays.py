"""Replays of many messages as a job: oldest first, with progress, going on after a restart where it was.

The order matters only where two messages have one clock: the one received later wins, as it did at first. A replay is
safe to repeat (the same ids, nothing newer undone), so after a crash the last few are taken once more.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from canonical.ids import ulid
from gateway.clock import MICROS, Clock
from gateway.pipeline import Pipeline
from gateway.replaying import replay
from gateway.settings import Feed
from gateway.store.protocol import Job, MessageQuery, Store, Unavailable
from policies.redact import log

Place = tuple[int, str]  # when a message was received, and its id
PAGE = 500
LOOK_SECONDS = 10.0
LEASE = 60 * MICROS
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
        self.feeds = {(feed.tenant, feed.name): feed for feed in feeds}
        self.clock = clock
        self.leaving = leaving
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self.name = secrets.token_hex(8)

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
            await asyncio.sleep(LOOK_SECONDS)
            await self._once_it_can(self.resume)

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
                    await self._work(await self.store.job(job.tenant, job.id) or job)
        finally:
            self._under_way.discard(job.id)

    async def _hold(self, job: Job) -> bool:
        """Have the job to ourselves; False while another process does it."""
        now = self.clock()
        return await self.store.lease(f"job:{job.id}", self.name, now + LEASE, now)

    async def _work(self, job: Job) -> None:
        """Do what is left of a job; one that cannot go on ends as failed, with what it had done."""
        try:
            wanted = msgspec.json.decode(job.body, type=Wanted)
            upto = wanted.upto or (job.created_at, "")
            places = await self._once_it_can(partial(self._places, wanted.query)) or []
            left = [place for place in places if wanted.reached < place <= upto]
            for number, place in enumerate(left, 1):
                ok = await self._once_it_can(partial(self._replay, job.tenant, place[1], wanted))
                if ok is None:
                    return
                job = replace(job, done=job.done + ok, failed=job.failed + (not ok))
                if number % NOTED_EVERY == 0:
                    job = replace(job, body=msgspec.json.encode(replace(wanted, reached=place)))
                    await self._once_it_can(partial(self.store.put_job, job))
                    await self._once_it_can(partial(self._hold, job))
            job = replace(job, state="completed")
        except Exception as error:
            if self.leaving.is_set():  # nothing is wrong with it: the next process goes on
                return
            log("replay.ended", level="error", error=error)
            job = replace(job, state="failed")
        await self._once_it_can(partial(self.store.put_job, job))

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
