"""The story of a message: accepted, mapped, committed with others, and only then acknowledged.

    accept   header -> decode -> map                       pure, in memory, while the last commit runs
    commit   load the records it speaks about, settle      one transaction for everything that has arrived
             message, records, events and tasks, kept
    answer   the acknowledgement, after the commit

Nothing acknowledged is lost and nothing takes effect twice: the answer waits for the commit, and the commit knows what
was kept before.
"""

import asyncio
import re
from collections.abc import Callable, Sequence

from canonical.apply import identifiers_of
from canonical.datatypes import Identifier
from canonical.events import Event
from canonical.ids import new_id
from canonical.problems import Problem
from canonical.settle import Refused, Settled, Working, settle, task_for
from connectors.mllp.seam import Answer
from gateway.answers import code_for, refusal, reply
from gateway.clock import Clock
from gateway.intake import OUR_FAULT, Intent, Verdict, read
from gateway.settings import Feed, Intake
from gateway.store.protocol import Batch, Conflict, Kept, MessageState, Seen, Store, Unavailable, Unit, Written
from gateway.witness import group_rows
from policies.metrics import Metrics
from policies.redact import log
from policies.tracing import Tracer

DAY = 86_400_000_000
PROBE = "." * (1 << 16)  # as much as a large message: a few bytes find room on a disk that is full
REUSED = Problem(code="DQ-CTRLID-REUSE", path="MSH-10", detail="this control id was used before for another message")
CODE = re.compile("[A-Z][A-Z0-9]{2}", re.ASCII)
STATES: dict[str, MessageState] = {
    "mapped": "applied",
    "unmapped": "unmapped",
    "parked": "parked",
    "failed": "parked",
    "refused": "refused",
}


class Pipeline:
    """Takes messages from the doors and commits them in groups; one per process."""

    def __init__(
        self,
        store: Store,
        settings: Intake,
        clock: Clock,
        tracer: Tracer,
        metrics: Metrics,
        site: str | None = None,
        dedup_days: int = 7,
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.tracer = tracer
        self.metrics = metrics
        self.site = site
        self.window = dedup_days * DAY
        self.switches: dict[str, str] = {}
        self.is_failing = False
        self.on_events: list[Callable[[Sequence[Event]], None]] = []
        self.on_message: list[Callable[[str, int], None]] = []
        self._queue: list[Intent] = []
        self._awake = asyncio.Event()
        self._last = 0
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Remember what is paused and begin to commit."""
        self.switches = await self.store.switches()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Commit what was accepted, then end."""
        self._stopping = True
        self._awake.set()
        if self._task:
            await self._task

    # -- the door

    def accept(self, feed: Feed, raw: bytes, parent: str | None = None) -> asyncio.Future[Answer]:
        """Map a frame and queue it for the next commit; the future is its answer."""
        trace = self.tracer.start("message", parent, kind="consumer")
        intent = read(feed, raw, self._received(), trace)
        intent.answer = asyncio.get_running_loop().create_future()
        for heard in self.on_message:
            heard(feed.name, intent.cause.received_at)
        if self._stopping or self._is_held(feed) or len(self._queue) >= self.settings.queue:
            self._decline(intent, "held")
        else:
            self._queue.append(intent)
            self._awake.set()
        return intent.answer

    def _received(self) -> int:
        """Our clock, never the same twice: the order of receipt can be read from it."""
        self._last = max(self.clock(), self._last + 1)
        return self._last

    def _is_held(self, feed: Feed) -> bool:
        return bool(self.switches) and ("intake" in self.switches or f"feed:{feed.name}" in self.switches)

    async def pause(self, name: str, by: str) -> None:
        """Hold `intake` or `feed:NAME`: its senders are told to try again, and nothing of theirs is kept."""
        await self.store.set_switch(name, by)
        self.switches[name] = by

    async def release(self, name: str) -> None:
        """Take up again what was held."""
        await self.store.set_switch(name, None)
        self.switches.pop(name, None)

    @property
    def waiting(self) -> int:
        """How many messages wait for the next commit."""
        return len(self._queue)

    async def can_keep(self) -> bool:
        """Whether what comes now would be kept: after a commit that the store refused, a write must succeed again."""
        if self.is_failing:
            try:
                await self.store.set_switch("probe", PROBE)
                await self.store.set_switch("probe", None)
            except Exception:  # whatever it is, nothing can be kept
                return False
            self.is_failing = False
        return True

    # -- the commit

    async def _run(self) -> None:
        while not self._stopping or self._queue:
            await self._awake.wait()
            self._awake.clear()
            while self._queue:
                group = self._queue[: self.settings.group]
                del self._queue[: self.settings.group]
                await self._commit(group)

    async def _commit(self, group: list[Intent]) -> None:
        """Commit a group; one that fails is repeated message by message, so that a bad one harms only itself."""
        try:
            await self._together(group)
        except Unavailable as error:
            self.is_failing = True
            log("commit.unavailable", level="error", error=error, count=len(group))
            for intent in group:
                self._decline(intent, "unavailable")
        except Exception as error:
            if len(group) > 1 or isinstance(error, Conflict):
                await self._one_by_one(group)
            else:
                log("commit.failed", level="error", error=error, message=group[0].cause.message)
                self._decline(group[0], "failed")

    async def _one_by_one(self, group: list[Intent]) -> None:
        for intent in group:
            try:
                await self._together([intent])
            except Exception as error:  # each answers for itself
                self.is_failing = self.is_failing or isinstance(error, Unavailable)
                log("commit.failed", level="error", error=error, message=intent.cause.message)
                self._decline(intent, "failed")

    async def _together(self, group: list[Intent]) -> None:
        began = self.clock()
        async with self.store.unit() as unit:
            working = await self._load(unit, group)
            seen = await self._seen(unit, group)
            batch = Batch()
            answers = [self._settle(intent, working[intent.cause.tenant], seen, batch) for intent in group]
            batch.audit = group_rows(batch.messages, began)
            events = await unit.commit(batch)
        self.is_failing = False
        self.metrics.commit_group.observe(len(group))
        self.metrics.commit_seconds.observe((self.clock() - began) / 1_000_000)
        for intent, (payload, state, code) in zip(group, answers, strict=True):
            self._answer(intent, payload, state, code)
        if events:
            for hear in self.on_events:
                hear(events)

    async def _load(self, unit: Unit, group: list[Intent]) -> dict[str, Working]:
        """A working set for each tenant: none ever meets another's records. Tenants have an order, for what is loaded
        may be locked, and two processes must not wait for each other."""
        working: dict[str, Working] = {}
        for tenant in sorted({intent.cause.tenant for intent in group}):
            working[tenant] = Working()
            wanted = lookups([intent for intent in group if intent.cause.tenant == tenant])
            await unit.load(tenant, working[tenant], wanted)
        return working

    async def _seen(self, unit: Unit, group: list[Intent]) -> dict[str, list[Seen]]:
        since = group[0].cause.received_at - self.window
        seen: dict[str, list[Seen]] = {}
        for tenant in {intent.feed.tenant for intent in group}:
            sent = [(intent.dedup, intent.hash) for intent in group if intent.feed.tenant == tenant]
            seen |= await unit.seen(tenant, sent, since)
        return seen

    def _settle(
        self, intent: Intent, working: Working, seen: dict[str, list[Seen]], batch: Batch
    ) -> tuple[bytes, MessageState, str]:
        """What one message adds to the batch, and what its sender will hear."""
        before = seen.setdefault(intent.dedup, [])
        for known in before:
            if known.hash == intent.hash:
                batch.repeats.append(known.id)
                return known.ack, "duplicate", ""
        problems = [*intent.mapped.problems, REUSED] if before else list(intent.mapped.problems)
        verdict, settled = self._apply(intent, working, batch, problems)
        code = code_for(verdict, intent.feed.settings, problems)
        payload = reply(intent, code, problems)
        batch.messages.append(self._kept(intent, verdict, settled, problems, payload, code))
        cause = intent.cause
        before.append(Seen(id=cause.message, hash=intent.hash, received_at=cause.received_at, ack=payload))
        return payload, STATES[verdict], code

    def _apply(
        self, intent: Intent, working: Working, batch: Batch, problems: list[Problem]
    ) -> tuple[Verdict, Settled | None]:
        """Settle a mapped message into the batch; a message that cannot be is parked, and a task says so.

        What it finds is of this try alone: a group that fails is tried again, and then others may stand beside it.
        """
        verdict, problem = intent.verdict, intent.problem
        if verdict == "mapped":
            try:
                settled = settle(working, intent.mapped, intent.cause)
            except Refused as refused:
                verdict, problem = "parked", refused.problem
            except Exception as error:
                log("message.settling_failed", level="error", error=error, message=intent.cause.message)
                verdict, problem = "failed", OUR_FAULT
            else:
                batch.records += written(settled)
                batch.events += settled.events
                batch.tasks += settled.tasks
                problems += settled.problems[len(intent.mapped.problems) :]
                return verdict, settled
        if problem and problem not in problems:
            problems.append(problem)
        if verdict in ("parked", "failed") and problem:
            queue = "patient-identity" if problem.code.startswith("PAT-") else "integration-errors"
            batch.tasks.append(task_for(intent.cause, queue, problem.code, "A message could not be applied"))
        return verdict, None

    def _kept(
        self,
        intent: Intent,
        verdict: Verdict,
        settled: Settled | None,
        problems: Sequence[Problem],
        payload: bytes,
        code: str,
    ) -> Kept:
        head, cause = intent.header, intent.cause
        return Kept(
            id=cause.message,
            tenant=cause.tenant,
            feed=cause.feed,
            received_at=cause.received_at,
            state=STATES[verdict],
            raw=intent.raw,
            hash=intent.hash,
            dedup=intent.dedup,
            type=_code(head.message_type) if head else "",
            event=_code(cause.event),
            version=head.version if head else "",
            control_id=head.control_id if head else "",
            sender=f"{head.sending_application}|{head.sending_facility}" if head else "",
            ack=payload,
            ack_code=code,
            clock=cause.clock,
            problems=tuple(problems),
            records=tuple(settled.records) if settled else (),
            keys=tuple(intent.mapped.keys),
            traceparent=cause.traceparent,
            site=self.site,
        )

    # -- the answer

    def _answer(self, intent: Intent, payload: bytes, state: MessageState, code: str) -> None:
        kind = intent.header.message_type if intent.header else ""
        self.metrics.messages.child(intent.feed.name, kind, state).inc()
        if code:
            self.metrics.acks.child(intent.feed.name, code).inc()
        if intent.trace:
            message = intent.cause.message
            self.tracer.finish(intent.trace, feed=intent.feed.name, message=message, type=kind, state=state)
        if intent.answer and not intent.answer.done():
            intent.answer.set_result(Answer(payload or None))

    def _decline(self, intent: Intent, why: str) -> None:
        """Nothing of it was kept, and the sender is told so."""
        kind = intent.header.message_type if intent.header else ""
        self.metrics.messages.child(intent.feed.name, kind, "declined").inc()
        if intent.trace:
            self.tracer.finish(intent.trace, "error", feed=intent.feed.name, code=why)
        if intent.answer and not intent.answer.done():
            intent.answer.set_result(refusal(intent))

    # -- again

    async def replay(self, kept: Kept, feed: Feed, emit: bool = False) -> Kept:
        """Map a kept message again, as of when it came: same ids, no acknowledgement, events only when asked for."""
        intent = read(feed, kept.raw, kept.received_at, identity=kept.id)
        batch = Batch()
        async with self.store.unit() as unit:
            working = Working()
            await unit.load(feed.tenant, working, lookups([intent]))
            problems = list(intent.mapped.problems)
            verdict, settled = self._apply(intent, working, batch, problems)
            again = self._kept(intent, verdict, settled, problems, kept.ack, kept.ack_code)
            batch.replayed.append(again)
            batch.events = batch.events if emit else []
            events = await unit.commit(batch)
        for hear in self.on_events:
            hear(events)
        return again

    async def announce(self, events: Sequence[Event]) -> None:
        """Put events of the gateway's own into the feed (a silent feed, a finished task)."""
        async with self.store.unit() as unit:
            kept = await unit.commit(Batch(events=list(events)))
        for hear in self.on_events:
            hear(kept)

    def event(self, kind: str, tenant: str, subject: str, feed: str | None = None) -> Event:
        """An event of the gateway's own, now."""
        at = self._received()
        identity = new_id("event", at, kind, subject)
        return Event(id=identity, type=kind, tenant=tenant, subject=subject, at=at, feed=feed)


def _code(text: str) -> str:
    """A message code or trigger event. What does not look like one may be anything, and these are kept in the clear."""
    return text if CODE.fullmatch(text) else ""


def lookups(group: Sequence[Intent]) -> list[tuple[str, Identifier]]:
    """Every record that a group may speak about, as the store finds it."""
    wanted: list[tuple[str, Identifier]] = []
    for intent in group:
        if intent.verdict == "mapped":
            wanted += identifiers_of(intent.mapped.patches, intent.mapped.merges)
    return wanted


def written(settled: Settled) -> list[Written]:
    """The records of a settled message as the store takes them."""
    return [
        Written(
            kind=settled.kinds[identity],
            before=settled.before.get(identity),
            after=record,
            fresh=identity in settled.fresh,
        )
        for identity, record in settled.after.items()
    ]
