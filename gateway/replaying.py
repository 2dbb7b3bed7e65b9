"""A kept message once more: mapped as of when it came, with the same ids, after a site or a mapping was mended.

Its tasks follow what became of it. Where it was refused and is taken now, its sender hears so when it sends it again
(docs/decisions/replay-renews-the-answer.md).
"""

from collections.abc import Sequence

from msgspec.structs import replace

from canonical.events import Event
from canonical.settle import Working
from canonical.tasks import AUTO_RESOLVED
from gateway.answers import code_for, reply
from gateway.intake import Intent, Verdict, read
from gateway.pipeline import Pipeline
from gateway.settling import REUSED, applied, kept_of, lookups, told
from gateway.site.settings import Feed
from gateway.store.protocol import Answered, Batch, Kept, Unit
from policies.tracing import Trace, parse


async def replay(pipeline: Pipeline, kept: Kept, feed: Feed, emit: bool = False, parent: str | None = None) -> Kept:
    """Map a message again; nothing is sent, and its records' events are told only when asked for.

    What follows is of the trace of who asked; the message stays of its own, which is linked.
    """
    tracer, first = pipeline.tracer, parse(kept.traceparent or "")
    trace = tracer.start("replay", parent, links=(first,) if first else ())
    try:
        again, events = await _again(pipeline, kept, feed, emit, trace)
    except BaseException:
        tracer.finish(trace, "error", feed=feed.name, message=kept.id, code="replay_failed")
        raise
    tracer.finish(trace, feed=feed.name, message=kept.id, type=again.type, state=again.state)
    for hear in pipeline.on_events:
        hear(events)
    return again


async def _again(pipeline: Pipeline, kept: Kept, feed: Feed, emit: bool, trace: Trace) -> tuple[Kept, Sequence[Event]]:
    intent = read(feed, kept.raw, kept.received_at, trace, kept.id)
    pipeline.note_mapping(intent, trace)
    batch, now = Batch(), pipeline.now()
    with pipeline.timed([intent]):
        async with pipeline.store.unit() as unit:
            kept = await pipeline.store.message(kept.tenant, kept.id) or kept  # another replay may have come between
            working = Working()
            await unit.load(feed.tenant, working, lookups([intent]))
            problems = [*intent.mapped.problems, *(one for one in kept.problems if one == REUSED)]
            verdict, settled = applied(batch, intent, working, problems, now)
            batch.events = [one for one in batch.events if emit or one.type == "task.created"]
            await _review(pipeline, unit, intent, verdict, batch, now)
            again = kept_of(intent, verdict, settled, problems, kept.ack, kept.ack_code)
            own = {"traceparent": kept.traceparent, "duplicates": kept.duplicates, "answers": kept.answers}
            batch.replayed.append(_renewed(replace(again, **own), intent, verdict, now))
            return batch.replayed[0], await unit.commit(batch)


async def _review(pipeline: Pipeline, unit: Unit, intent: Intent, verdict: Verdict, batch: Batch, now: int) -> None:
    """The tasks about the message: one that was raised before for the same reason stays as it is, also where a person
    closed it; one whose reason is gone is completed.
    """
    cause, raised = intent.cause, {task.id for task in batch.tasks}
    known = {identity for identity in raised if await pipeline.store.task(cause.tenant, identity)}
    batch.tasks = [one for one in batch.tasks if one.id not in known]
    batch.events = [one for one in batch.events if one.subject not in known]
    for task in await unit.open_tasks(cause.tenant, cause.message) if verdict != "refused" else ():
        if task.id not in raised:
            done = replace(task, status="completed", resolution=AUTO_RESOLVED, version=task.version + 1)
            batch.changed_tasks.append(replace(done, updated_at=now))
            batch.events.append(told(done, "completed", cause, now))


def _renewed(again: Kept, intent: Intent, verdict: Verdict, now: int) -> Kept:
    """The message with the answer that it deserves now, if it was refused before and is taken; a promise stays."""
    code = code_for(verdict, intent.feed.settings, again.problems)
    if again.state == "parked" or code != "AA" or again.ack_code == "AA":
        return again
    before = Answered(until=now, code=again.ack_code, ack=again.ack)
    payload = reply(intent, code, again.problems, renewed_at=now)
    return replace(again, ack=payload, ack_code=code, answers=(*again.answers, before))
