"""What one message adds to a commit: its records, events and tasks, the message itself, and what its sender hears.

No database is asked here: the working set was loaded, and what else is kept under the same control id is known.
"""

import re
from collections.abc import Sequence

from canonical.apply import Cause, identifiers_of
from canonical.datatypes import Identifier
from canonical.events import Event
from canonical.problems import Problem
from canonical.settle import Refused, Settled, Working, settle, task_for
from canonical.tasks import Task, task_event
from gateway.answers import code_for, reply
from gateway.intake import OUR_FAULT, Intent, Verdict
from gateway.store.protocol import Batch, Kept, MessageState, Seen, Written
from policies.redact import log

REUSED = Problem(code="DQ-CTRLID-REUSE", path="MSH-10", detail="this control id was used before for another message")
CODE = re.compile("[A-Z][A-Z0-9]{2}", re.ASCII)
STATES: dict[str, MessageState] = {
    "mapped": "applied",
    "unmapped": "unmapped",
    "parked": "parked",
    "failed": "parked",
    "refused": "refused",
}


def lookups(group: Sequence[Intent]) -> list[tuple[str, Identifier]]:
    """Every record that a group may speak about, as the store finds it."""
    wanted: list[tuple[str, Identifier]] = []
    for intent in group:
        if intent.verdict == "mapped":
            wanted += identifiers_of(intent.mapped.patches, intent.mapped.merges)
    return wanted


def settled_into(
    batch: Batch, intent: Intent, working: Working, seen: dict[str, list[Seen]]
) -> tuple[bytes, MessageState]:
    """Add a message to the batch, unless it is known; its acknowledgement and its state."""
    before = seen.setdefault(intent.dedup, [])
    for known in before:
        if known.hash == intent.hash:
            batch.repeats.append(known.id)
            return _first_answer(known, intent), "duplicate"
    problems = [*intent.mapped.problems, REUSED] if before else list(intent.mapped.problems)
    cause = intent.cause
    verdict, settled = applied(batch, intent, working, problems, cause.received_at)
    code = code_for(verdict, intent.feed.settings, problems)
    payload = reply(intent, code, problems)
    batch.messages.append(kept_of(intent, verdict, settled, problems, payload, code))
    before.append(Seen(id=cause.message, hash=intent.hash, received_at=cause.received_at, ack=payload))
    return payload, STATES[verdict]


def _first_answer(known: Seen, intent: Intent) -> bytes:
    """What the sender heard before; of a message that was purged, what it would hear now."""
    if known.ack is not None:
        return known.ack
    problems = intent.mapped.problems
    return reply(intent, code_for(intent.verdict, intent.feed.settings, problems), problems)


def applied(
    batch: Batch, intent: Intent, working: Working, problems: list[Problem], at: int
) -> tuple[Verdict, Settled | None]:
    """Settle a mapped message into the batch; a message that cannot be is parked, and a task says so from then on.

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
            for task in settled.tasks:
                _raise(batch, task, intent.cause)
            problems += settled.problems[len(intent.mapped.problems) :]
            return verdict, settled
    if problem and problem not in problems:
        problems.append(problem)
    if verdict in ("parked", "failed") and problem:
        queue = "patient-identity" if problem.code.startswith("PAT-") else "integration-errors"
        task = task_for(intent.cause, queue, problem.code, "A message could not be applied", at)
        _raise(batch, task, intent.cause)
    return verdict, None


def kept_of(
    intent: Intent,
    verdict: Verdict,
    settled: Settled | None,
    problems: Sequence[Problem],
    payload: bytes,
    code: str,
) -> Kept:
    """The message as it is kept."""
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
        site=intent.feed.site,
    )


def told(task: Task, what: str, cause: Cause, at: int) -> Event:
    """The event that a task about a message was created or completed."""
    return task_event(task, what, at, message=cause.message, feed=cause.feed, traceparent=cause.traceparent)


def _raise(batch: Batch, task: Task, cause: Cause) -> None:
    batch.tasks.append(task)
    batch.events.append(told(task, "created", cause, task.created_at))


def _code(text: str) -> str:
    """A message code or trigger event. What does not look like one may be anything, and these are kept in the clear."""
    return text if CODE.fullmatch(text) else ""


def written(settled: Settled) -> list[Written]:
    """The records of a message as they are to be kept."""
    return [
        Written(
            kind=settled.kinds[identity],
            before=settled.before.get(identity),
            after=record,
            fresh=identity in settled.fresh,
        )
        for identity, record in settled.after.items()
    ]
