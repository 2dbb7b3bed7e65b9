"""What stands in a frame, before anything is asked of the store: header, decoded, mapped. Pure.

Every frame becomes an `Intent`: mapped, outside the model, without an anchor, unreadable, or ours to answer for.
"""

import asyncio
from hashlib import sha256
from typing import Literal

from msgspec import Struct

from canonical.apply import Cause
from canonical.ids import new_id
from canonical.patches import Mapped
from canonical.problems import Problem
from connectors.mllp.seam import Answer
from gateway.site.settings import Feed
from policies.redact import log
from policies.tracing import Trace
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.header import Header, header
from transforms.hl7v2.mapping import EVENTS, map_message

Verdict = Literal["mapped", "unmapped", "parked", "failed", "refused"]
OUR_FAULT = Problem(code="INT-MAP", path="MSH", severity="error", detail="mapping failed; the message is kept")
NOT_HL7 = Problem(code="INT-PARSE", path="MSH", severity="error", detail="this is not an HL7 version 2 message")
NO_TYPE = Problem(code="unsupported-message-type", path="MSH-9.1", severity="error", detail="not applied; it is kept")
NO_EVENT = Problem(code="unsupported-event-code", path="MSH-9.2", severity="error", detail="not applied; it is kept")
UNTYPED = Problem(code="required-field-missing", path="MSH-9", severity="error", detail="the message has no type")
NOT_PROCESSED = Problem(
    code="unsupported-processing-id", path="MSH-11.1", severity="error", detail="the feed does not take such messages"
)
NO_ROUTE = Problem(code="ROUTE", path="MSH-3", severity="error", detail="this door is not open to this sender")


class Intent(Struct, kw_only=True, gc=False):
    """One message on its way to the commit."""

    feed: Feed
    raw: bytes
    hash: bytes
    header: Header | None
    verdict: Verdict
    cause: Cause
    dedup: str
    mapped: Mapped
    problem: Problem | None = None
    answer: asyncio.Future[Answer] | None = None
    trace: Trace | None = None


def read(feed: Feed, raw: bytes, received_at: int, trace: Trace | None = None, identity: str = "") -> Intent:
    """Decode and map one frame. `identity` is given when a kept message is read again."""
    head = header(raw)
    verdict, mapped, problem = _map(feed, raw, head, received_at)
    content = content_hash(raw)
    control = f"{head.sending_application}|{head.sending_facility}|{head.control_id}" if head else ""
    return Intent(
        feed=feed,
        raw=raw,
        hash=content,
        header=head,
        verdict=verdict,
        cause=Cause(
            message=identity or new_id("message", received_at, feed.name, content.hex()),
            tenant=feed.tenant,
            feed=feed.name,
            clock=mapped.clock or received_at,
            received_at=received_at,
            event=mapped.event or (head.event if head else ""),
            rank=feed.profile.ranks.get(head.message_type, 0) if head else 0,
            traceparent=trace.traceparent if trace else None,
        ),
        dedup=f"{feed.name}|{control}" if head and head.control_id else f"{feed.name}|{content.hex()}",
        mapped=mapped,
        problem=problem,
        trace=trace,
    )


def _map(feed: Feed, raw: bytes, head: Header | None, received_at: int) -> tuple[Verdict, Mapped, Problem | None]:
    nothing = Mapped(clock=received_at)
    if head is None:
        return "refused", nothing, NOT_HL7
    if not welcome(feed, head):
        return "refused", nothing, NO_ROUTE
    if not head.message_type.strip():
        return "refused", nothing, UNTYPED
    if not processed(feed, head):
        return "refused", nothing, NOT_PROCESSED
    try:
        message = parse(raw, feed.profile.charset)
        mapped = map_message(message, head, feed.profile, received_at)
    except Unparseable as error:
        return "refused", nothing, error.problem
    except Exception as error:  # a fault of ours must not cost the sender its message
        log("message.mapping_failed", level="error", error=error, feed=feed.name)
        return "failed", nothing, OUR_FAULT
    if not mapped.known:
        return "unmapped", mapped, _unsupported(feed, head)
    return ("parked" if mapped.anchor_missing else "mapped"), mapped, mapped.anchor_missing


def _unsupported(feed: Feed, head: Header) -> Problem | None:
    """What a sender is told whose feed refuses what is outside the model (table 0357: 200, 201)."""
    if feed.settings.unmapped != "AR":
        return None
    return NO_EVENT if any(head.message_type == known for known, _ in EVENTS) else NO_TYPE


def welcome(feed: Feed, head: Header) -> bool:
    """Whether MSH-3|MSH-4 may come through this door; a feed without a list is open to all."""
    senders = feed.settings.senders
    return not senders or f"{head.sending_application}|{head.sending_facility}" in senders


def processed(feed: Feed, head: Header) -> bool:
    """Whether the feed takes production (P), test (T) or debugging (D) messages; without a list it takes all."""
    wanted = feed.settings.processing_ids
    return not wanted or head.processing_id.strip().upper() in wanted


def content_hash(raw: bytes) -> bytes:
    """sha256 of the message with CR alone between segments and nothing after the last (DOMAIN 2.10 dedup)."""
    if b"\n" in raw:
        raw = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    return sha256(raw.rstrip(b"\r")).digest()
