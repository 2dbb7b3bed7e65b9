"""The story of a message: accepted, mapped, committed with others, and only then acknowledged.

    accept   header -> decode -> map                       pure, in memory, while the last commit runs
    commit   load the records it speaks about, settle      one transaction for everything that has arrived
             message, records, events and tasks, kept
    answer   the acknowledgement, after the commit

Nothing acknowledged is lost and nothing takes effect twice: the answer waits for the commit, and the commit knows what
was kept before.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from canonical.events import Event
from canonical.ids import new_id
from canonical.settle import Working
from canonical.tasks import Task
from connectors.mllp.seam import Answer
from gateway.answers import codes_in, refusal
from gateway.clock import MICROS, Clock
from gateway.intake import Intent, read
from gateway.journal import Journal
from gateway.routing import received
from gateway.settling import lookups, settled_into
from gateway.site.outward import Route
from gateway.site.settings import Feed, Intake
from gateway.store.protocol import Batch, Conflict, MessageState, Seen, Store, Unavailable, Unit
from gateway.witness import group_rows
from policies.metrics import Metrics
from policies.redact import log
from policies.tracing import Trace, Tracer

DAY = 86_400_000_000
PROBE = "." * (1 << 16)  # as much as a large message: a few bytes find room on a disk that is full


class Pipeline:
    """Takes messages from the doors and commits them in groups; one per process."""

    def __init__(
        self,
        store: Store,
        settings: Intake,
        clock: Clock,
        tracer: Tracer,
        metrics: Metrics,
        dedup_days: int = 7,
        routes: Sequence[Route] = (),
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.tracer = tracer
        self.metrics = metrics
        self.journal = Journal(clock)
        self.routes = routes
        self.window = dedup_days * DAY
        self.switches: dict[str, str] = {}
        self.changes = 0  # of the switches, by this process
        self.is_failing = False
        self._tried_at = 0
        self.on_events: list[Callable[[Sequence[Event]], None]] = []
        self.on_message: list[Callable[[str, int], None]] = []
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # messages of each feed, by outcome
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
        intent = read(feed, raw, self.now(), trace)
        self.note_mapping(intent, trace)
        intent.answer = asyncio.get_running_loop().create_future()
        for heard in self.on_message:
            heard(feed.name, intent.cause.received_at)
        if refused := self._refuses(feed):
            self._decline(intent, refused)
        else:
            self._queue.append(intent)
            self._awake.set()
        return intent.answer

    def now(self) -> int:
        """Our clock, never the same twice: the order of receipt can be read from it."""
        self._last = max(self.clock(), self._last + 1)
        return self._last

    def note_mapping(self, intent: Intent, trace: Trace) -> None:
        """The span of the mapping, which began with its message's."""
        if not trace.sampled and intent.verdict != "failed":
            return
        code = "mapping_failed" if intent.verdict == "failed" else None
        kind, problems = intent.header.message_type if intent.header else None, len(intent.mapped.problems)
        end = "error" if code else "ok"
        self.tracer.record("map", trace, trace.start, self.tracer.now(), end, type=kind, problems=problems, code=code)

    def _refuses(self, feed: Feed) -> str | None:
        """Why nothing of this feed is taken now, if so."""
        if self._stopping:
            return "leaving"
        if self._is_held(feed):
            return "held"
        return "full" if len(self._queue) >= self.settings.queue else None

    def _is_held(self, feed: Feed) -> bool:
        return bool(self.switches) and ("intake" in self.switches or f"feed:{feed.name}" in self.switches)

    async def pause(self, name: str, by: str) -> str:
        """Hold `intake` or `feed:NAME`: its senders are told to try again, and nothing of theirs is kept.

        The answer is since when and by whom it is held: what was held before stays in the name of who did it.
        """
        self._learn(await self.store.switches())  # another process may have held or released it just now
        if name not in self.switches:
            await self.store.set_switch(name, by)
            self._learn(self.switches | {name: by})
            _log_switch("held", name, by)
        return self.switches[name]

    async def release(self, name: str) -> None:
        """Take up again what was held."""
        await self.store.set_switch(name, None)
        was_held = name in self.switches
        self._learn({held: by for held, by in self.switches.items() if held != name})
        if was_held:
            _log_switch("released", name)

    def _learn(self, switches: dict[str, str]) -> None:
        self.switches = switches
        self.changes += 1

    @property
    def waiting(self) -> int:
        """How many messages wait for the next commit."""
        return len(self._queue)

    async def can_keep(self) -> bool:
        """Whether what comes now would be kept: after a commit that the store refused, a write must succeed again.

        However many ask, and nobody knows who, one write a second is tried.
        """
        now = self.clock()
        if self.is_failing and now - self._tried_at < MICROS:
            return False
        if self.is_failing:
            self._tried_at = now
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
        with self.timed(group):
            async with self.store.unit() as unit:
                seen = await self._seen(unit, group)
                working = await self._load(unit, group)
                batch = Batch()
                answers = [settled_into(batch, intent, working[intent.cause.tenant], seen) for intent in group]
                batch.audit = group_rows(batch.messages, began)
                if self.routes:
                    batch.events += received(self.routes, batch.messages, batch.events)
                events = await unit.commit(batch)
        self.is_failing = False
        ended = self.clock()
        self.metrics.commit_group.observe(len(group))
        self.metrics.commit_seconds.observe((ended - began) / MICROS)
        self.journal.slow((ended - began) / MICROS, len(group))
        for message in batch.messages:
            if message.state != "applied":
                self.journal.kept(message)
        for intent, (payload, state) in zip(group, answers, strict=True):
            self._answer(intent, payload, state, ended)
        if events:
            for hear in self.on_events:
                hear(events)

    @contextmanager
    def timed(self, group: Sequence[Intent]) -> Iterator[None]:
        """A commit as each sampled message of the group sees it: a span of its own, with the begin and end of all."""
        traces = [intent.trace for intent in group if intent.trace and intent.trace.sampled]
        start = self.tracer.now() if traces else 0
        code: str | None = "commit_failed"
        try:
            yield
            code = None
        finally:
            end = self.tracer.now() if traces else 0
            for trace in traces:
                how = "error" if code else "ok"
                self.tracer.record("commit", trace, start, end, how, group=len(group), code=code)

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
        for tenant in sorted({intent.feed.tenant for intent in group}):
            sent = [(intent.dedup, intent.hash) for intent in group if intent.feed.tenant == tenant]
            seen |= await unit.seen(tenant, sent, since)
        return seen

    # -- the answer

    def answered(self, feed: str, payload: bytes | None) -> None:
        """Count an answer that goes out, by each code in it."""
        for code in codes_in(payload or b""):
            self.metrics.acks.child(feed, code).inc()

    def _answer(self, intent: Intent, payload: bytes, state: MessageState, at: int) -> None:
        kind = intent.header.message_type if intent.header else ""
        took = max(0, at - intent.cause.received_at) / MICROS
        self.metrics.ack_latency.child(intent.feed.name).observe(took)
        self.count(intent.feed.name, kind, state)
        self.answered(intent.feed.name, payload)
        if intent.trace:
            message = intent.cause.message
            self.tracer.finish(intent.trace, feed=intent.feed.name, message=message, type=kind, state=state)
        if intent.answer and not intent.answer.done():
            intent.answer.set_result(Answer(payload or None))

    def _decline(self, intent: Intent, why: str) -> None:
        """Nothing of it was kept, and the sender is told so."""
        kind = intent.header.message_type if intent.header else ""
        self.count(intent.feed.name, kind, "declined")
        self.metrics.declined.child(intent.feed.name, why).inc()
        self.journal.declined(intent, why)
        if intent.trace:
            self.tracer.finish(intent.trace, "error", feed=intent.feed.name, code=why)
        answer = refusal(intent)
        self.answered(intent.feed.name, answer.payload)
        if intent.answer and not intent.answer.done():
            intent.answer.set_result(answer)

    def count(self, feed: str, kind: str, outcome: str) -> None:
        """One more message of a feed, and what became of it."""
        self.counts[feed][outcome] += 1
        self.metrics.messages.child(feed, kind, outcome).inc()

    # -- what is the gateway's own

    async def announce(self, events: Sequence[Event], tasks: Sequence[Task] = ()) -> None:
        """Put events of the gateway's own into the feed (a silent feed), and with them tasks that people changed.

        Conflict means that someone else was faster with one of the tasks.
        """
        async with self.store.unit() as unit:
            kept = await unit.commit(Batch(events=list(events), changed_tasks=list(tasks)))
        for hear in self.on_events:
            hear(kept)

    def event(
        self, kind: str, tenant: str, subject: str, feed: str | None = None, traceparent: str | None = None
    ) -> Event:
        """An event of the gateway's own, now."""
        at = self.now()
        identity = new_id("event", at, kind, subject)
        return Event(id=identity, type=kind, tenant=tenant, subject=subject, at=at, feed=feed, traceparent=traceparent)


def _log_switch(what: str, name: str, by: str | None = None) -> None:
    """`intake.held`, `feed.released`."""
    kind, _, feed = name.partition(":")
    log(f"{kind}.{what}", feed=feed or None, client=by.rpartition(" ")[2] if by else None)
