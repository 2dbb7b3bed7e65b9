"""A message read as a feed would read it, without keeping anything: what it says, and what would be answered."""

import time

from msgspec import Struct

from canonical.problems import Problem
from canonical.settle import Refused, Working, settle
from gateway.answers import code_for, codes_in, reply
from gateway.intake import Intent, read
from gateway.site.settings import Feed
from transforms.api.v1 import Resource, named, present

STATES = {"mapped": "applied", "failed": "parked"}


class Translation(Struct, frozen=True, kw_only=True, rename="camel"):
    """One message as canonical records in the form of API v1, as if nothing had been heard before it.

    `ack` is the code that its sender hears first; empty where it hears none.
    """

    type: str
    control_id: str
    state: str
    ack: str
    records: list[Resource] = []
    events: list[str] = []
    problems: list[Problem] = []


def translate(raw: bytes, feed: Feed, received_at: int | None = None) -> Translation:
    """Map a message and settle it alone."""
    return translation(read(feed, raw, received_at or time.time_ns() // 1000))


def translation(intent: Intent) -> Translation:
    """What a message that was read comes to."""
    head, problems = intent.header, list(intent.mapped.problems)
    records: list[Resource] = []
    events: list[str] = []
    if intent.verdict == "mapped":
        try:
            settled = settle(Working(), intent.mapped, intent.cause)
        except Refused as refused:
            intent.verdict, intent.problem = "parked", refused.problem
        else:
            records = [present(record, whole=True) for record in settled.after.values()]
            events = [event.type for event in settled.events]
    if intent.problem and intent.problem not in problems:
        problems.append(intent.problem)
    code = code_for(intent.verdict, intent.feed.settings, problems)
    return Translation(
        type=f"{head.message_type}^{head.event}".rstrip("^") if head else "",
        control_id=head.control_id if head else "",
        state=STATES.get(intent.verdict, intent.verdict),
        ack=next(codes_in(reply(intent, code, problems)), ""),
        records=records,
        events=events,
        problems=[named(problem) for problem in problems],
    )
