"""/v1/messages: what was received, as bytes and as a tree, what became of it, and replay."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from canonical.meaning import codes, identity, means, pattern_of, when
from canonical.problems import Problem
from canonical.records import RECORDS
from gateway.problems import Stop, not_found, stop
from gateway.replaying import replay
from gateway.replays import Wanted
from gateway.routes.jobs import Job, accepted
from gateway.routes.paging import Page, after, page
from gateway.routes.reading import All, AtMost, Body, Cursor, Limit, Moment, Query, require_filter
from gateway.routes.rules import A_KEY, A_NUMBER, KINDS
from gateway.routes.serving import Answer, Call, answer, encode, serves
from gateway.store.protocol import Kept, Key, MessageQuery, MessageState, Tombstone
from transforms.api import v1
from transforms.api.cloudevent import instant
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.tree import SegmentNode, nodes

READ, REPLAY = "messages.read", "messages.replay"
HL7, OCTETS = "application/hl7-v2", "application/octet-stream"
PAGE_SIZE = 1 << 20  # bytes of a tree, after which no further segment is begun
ACKS = ("AA", "AE", "AR", "CA", "CE", "CR")
CALLED = {name: called for names in v1.CALLED.values() for name, called in names.items()}
Keys = Annotated[
    tuple[str, ...],
    Meta(
        description="`kind=value`; repeat it for several, all of which must hold. Kinds: "
        + "; ".join(f"`{kind}`, {finds}" for kind, finds in KINDS.items())
        + ".",
        examples=[["order=ORD-7781"], ["name=lena archer", "birthdate=1971-03-05"]],
    ),
    A_KEY,
]
Text = str | None


class MessageFilter(Query, frozen=True):
    """What messages are searched by; all that is given must hold."""

    identifier: Annotated[
        tuple[str, ...],
        Meta(
            description="`value` or `system|value`, exactly, of anything it names; all of several.",
            examples=[["N0001"]],
        ),
        A_NUMBER,
    ] = ()
    key: Keys = ()
    control_id: Annotated[Text, Meta(description="MSH-10, exactly.", examples=["B1"])] = None
    record: (
        Annotated[str, Meta(pattern=pattern_of(*RECORDS), description="The id of a record that it was about.")] | None
    ) = None
    feed: Annotated[Text, Meta(description="The name of the feed that it came by.", examples=["east"])] = None
    type: Annotated[Text, Meta(description="MSH-9.1.", examples=["SIU"])] = None
    event: Annotated[Text, Meta(description="MSH-9.2.", examples=["S12"])] = None
    state: Annotated[MessageState | None, Meta(description="What became of it.")] = None
    received_from: Annotated[Moment | None, Meta(description="Received at or after this instant or day.")] = None
    received_to: Annotated[
        Moment | None, Meta(description="Received at or before this instant, or on or before this day.")
    ] = None


class MessageSearch(MessageFilter, frozen=True):
    """Which messages are wanted, page by page."""

    limit: Limit = 50
    cursor: Cursor = None


class EarlierAck(v1.Wire, frozen=True):
    """What a sender heard for a message until a replay renewed the answer."""

    code: Annotated[str, codes("MSA-1.", *ACKS)]
    until: Annotated[str, when("When a replay renewed it.")]


class Message(v1.Wire, frozen=True):
    """A message without its bytes. `clock` is the sender's time, `receivedAt` ours.

    It was `applied` to records, is a `duplicate` of one before, `unmapped` where its type is outside the model,
    `parked` where a person is to look at it, or `refused` where it cannot be read.

    `ackCode` is what its sender hears, also when it sends the same again; `earlierAcks` are those before a replay that
    mended it.
    """

    id: Annotated[str, identity("Opaque, and good for ever.", "message")]
    feed: Annotated[str, means("The feed that it came by.")]
    received_at: Annotated[str, when("When it was received.")]
    state: Annotated[MessageState, means("What became of it.")]
    protocol: Annotated[str, codes("What it is written in; `api` is a command of a client.", "hl7v2", "api")]
    type: Annotated[str, means("MSH-9.1, as `SIU`.")] = ""
    event: Annotated[str, means("MSH-9.2, as `S12`.")] = ""
    version: Annotated[str, means("MSH-12, as `2.5.1`.")] = ""
    control_id: Annotated[str, means("MSH-10: the sender's number of it.")] = ""
    sender: Annotated[str, means("MSH-3 and MSH-4, as `SCHED|NORTH`.")] = ""
    ack_code: Annotated[str, codes("MSA-1 of what its sender hears.", *ACKS)] = ""
    earlier_acks: Annotated[tuple[EarlierAck, ...], means("What its sender heard before, the oldest first.")] = ()
    clock: Annotated[str | None, when("The sender's time of what it says.")] = None
    duplicates: Annotated[int, means("How often it was sent again.")] = 0
    problems: Annotated[tuple[Problem, ...], means("What in it could not be read or believed.")] = ()
    records: Annotated[
        tuple[str, ...],
        means("The ids of the records that it was about.", items={"type": "string", "pattern": pattern_of(*RECORDS)}),
    ] = ()
    site: Annotated[str | None, means("The site files that it was mapped with, by their hash.")] = None
    trace: Annotated[str | None, means("The id of its trace.", pattern="^[0-9a-f]{32}$")] = None


class TreePages(Query, frozen=True):
    """Which segments of a message are wanted."""

    limit: Limit = 500
    cursor: Cursor = None


class Tree(Struct, frozen=True, kw_only=True):
    """The segments of a message in their order, named as the standard names them."""

    items: Annotated[list[SegmentNode], means("The segments, in their order.")]
    next: Annotated[
        str | None, means("Send it as `cursor` for the segments after these; null at the end of the message.")
    ] = None


class Replay(Body, frozen=True):
    """How to replay: without `emit` records are put right and nobody is told."""

    emit: Annotated[
        bool, Meta(description="Tell subscribers of what changes; without it records are put right and nobody is told.")
    ] = False


class ReplayAll(MessageFilter, Body, frozen=True):
    """Which messages to replay, and how; a dry run only counts them."""

    all: All = False
    limit: AtMost = None
    emit: Annotated[
        bool, Meta(description="Tell subscribers of what changes; without it records are put right and nobody is told.")
    ] = False
    dry_run: Annotated[bool, Meta(description="Only count what would be replayed.")] = False


class Count(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a dry run found."""

    total: Annotated[int, means("How many there are.")]
    dry_run: Annotated[bool, means("Always true: nothing was done.")] = True


@serves(
    "GET",
    "/v1/messages",
    guard=READ,
    audit="R",
    gives=Page[Message],
    fails=("cursor_expired",),
    headers=("Link",),
    tag="messages",
)
async def search_messages(call: Call, query: MessageSearch) -> Answer:
    """Search messages, newest first.

    Search by identifier or key with `_search`, which keeps them out of URLs.
    """
    return await _page(call, query, None if query.identifier or query.key or query.control_id else query)


@serves(
    "POST",
    "/v1/messages/_search",
    guard=READ,
    audit="R",
    gives=Page[Message],
    fails=("cursor_expired",),
    tag="messages",
)
async def find_messages(call: Call, body: MessageSearch) -> Answer:
    """Search messages, with what is searched for in the body."""
    return await _page(call, body, None)


async def _page(call: Call, query: MessageSearch, in_url: MessageSearch | None) -> Answer:
    asked = asked_for(call.tenant, query)
    wanted = replace(asked, after=after(call, query, asked), limit=query.limit)
    found = await call.api.services.store.messages(wanted)
    call.saw(*(kept.id for kept in found.items), count=len(found.items))
    return page(call, [shown(kept) for kept in found.items], found.next, asked, in_url)


@serves(
    "GET", "/v1/messages/{id:str}", guard=READ, audit="R", gives=Message, fails=("not_found", "purged"), tag="messages"
)
async def read_message(call: Call) -> Answer:
    """What became of one message."""
    return answer(shown(await _kept(call)))


@serves(
    "GET",
    "/v1/messages/{id:str}/raw",
    guard=READ,
    audit="R",
    gives=bytes,
    media=HL7,
    also=OCTETS,
    fails=("not_found", "purged"),
    tag="messages",
)
async def read_raw_message(call: Call) -> Answer:
    """The bytes of one message as they were received."""
    kept = await _kept(call)
    media = HL7 if kept.protocol == "hl7v2" and kept.state != "refused" else OCTETS
    return Answer(kept.raw, media=media.encode())


@serves(
    "GET",
    "/v1/messages/{id:str}/tree",
    guard=READ,
    audit="R",
    gives=Tree,
    fails=("not_found", "not_decodable", "cursor_expired", "purged"),
    headers=("Link",),
    tag="messages",
)
async def read_message_tree(call: Call, query: TreePages) -> Answer:
    """One message decoded: every field that was sent, named, cut down to its leaves.

    A long message is several pages of segments; a page may hold fewer than `limit` where they are large.
    """
    kept = await _kept(call)
    feed = call.api.services.site.feed(kept.feed, kept.tenant)
    charset, asked = feed.profile.charset if feed else None, ("tree", kept.id)
    skipped, _ = after(call, query, asked) or (0, "")
    loop = asyncio.get_running_loop()
    try:
        segments, end = await loop.run_in_executor(_aside, _segments, kept.raw, charset, skipped, query.limit)
    except Unparseable:
        raise stop(409, "not_decodable", "This message cannot be decoded; read it as raw bytes.") from None
    return page(call, segments, (end, "") if end else None, asked, query)


# A message may be megabytes long: it is decoded beside the loop, on which senders wait for their acknowledgements. One
# at a time, since several would only take turns, and the loop would wait for each.
_aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="isthmus-tree")


def _segments(raw: bytes, charset: str | None, skipped: int, limit: int) -> tuple[list[Raw], int]:
    """The segments of a page as JSON, and where the next one begins; 0 at the end."""
    message = parse(raw, charset)
    found, size = [], 0
    for node in nodes(message, skipped):
        found.append(Raw(encode(node)))
        size += len(found[-1])
        if len(found) == limit or size > PAGE_SIZE:
            break
    end = skipped + len(found)
    return found, end if end < len(message.segments) else 0


@serves(
    "POST",
    "/v1/messages/{id:str}/replay",
    guard=REPLAY,
    audit="E",
    gives=Message,
    fails=("not_found", "conflict", "feed_unknown", "purged"),
    tag="messages",
)
async def replay_message(call: Call, body: Replay) -> Answer:
    """Map one message again, as of when it came.

    The ids stay the same, nothing newer is undone, and the sender hears nothing. Where a message that was refused or
    parked is taken now, its tasks are completed, and its sender hears AA or CA when it sends the same again.
    """
    kept = await _kept(call)
    feed = call.api.services.site.feed(kept.feed, kept.tenant)
    if feed is None:
        raise stop(409, "feed_unknown", "The feed that it came by is not among this site's feeds.")
    again = await replay(call.api.services.pipeline, kept, feed, body.emit, call.trace.traceparent)
    return answer(shown(again))


@serves(
    "POST",
    "/v1/messages/_replay",
    guard=REPLAY,
    audit="E",
    gives=Job,
    trial=Count,
    status=202,
    headers=("Location",),
    fails=("invalid_value",),
    tag="messages",
)
async def replay_messages(call: Call, body: ReplayAll) -> Answer:
    """Replay all messages that a filter finds, as a job, oldest first; or count them.

    Give at least one filter, or `"all": true`.
    """
    asked = asked_for(call.tenant, body)
    require_filter(asked != MessageQuery(tenant=call.tenant), body.all)
    if body.dry_run:
        total = await call.api.replays.count(asked, body.limit)
        call.saw(count=total)
        return answer(Count(total=total))
    wanted = Wanted(query=asked, emit=body.emit, traceparent=call.trace.traceparent)
    job = await call.api.replays.begin(wanted, call.principal.client_id, body.limit)
    call.saw(count=job.total)
    return accepted(job)


def asked_for(tenant: str, query: MessageFilter) -> MessageQuery:
    """A search as the store takes it, from its beginning."""
    wanted: list[Key] = [("identifier", one.strip()) for one in query.identifier]
    wanted += [(kind, value) for kind, _, value in (one.partition("=") for one in query.key)]
    if query.control_id:
        wanted.append(("control_id", query.control_id))
    return MessageQuery(
        tenant=tenant,
        keys=tuple(wanted),
        feed=query.feed,
        state=query.state,
        type=query.type,
        event=query.event,
        record=query.record,
        received_from=query.received_from.first if query.received_from else None,
        received_before=query.received_to.last + 1 if query.received_to else None,
    )


async def _kept(call: Call) -> Kept:
    store = call.api.services.store
    kept = await store.message(call.tenant, call.id)
    if kept is None:
        raise _purged(call, left) if (left := await store.tombstone(call.tenant, call.id)) else not_found()
    call.saw(kept.id, *(identity for identity in kept.records if identity))
    call.seen.patients = tuple(identity for identity in kept.records if identity.startswith("pat_"))
    return kept


def _purged(call: Call, left: Tombstone) -> Stop:
    call.saw(left.id)
    return stop(
        410, "purged", f"It came by the feed {left.feed} at {instant(left.received_at)}; its content is no more."
    )


def shown(kept: Kept) -> Message:
    """A message as the API shows it."""
    return Message(
        id=kept.id,
        feed=kept.feed,
        received_at=instant(kept.received_at),
        state=kept.state,
        protocol=kept.protocol,
        type=kept.type,
        event=kept.event,
        version=kept.version,
        control_id=kept.control_id,
        sender=kept.sender,
        ack_code=kept.ack_code,
        earlier_acks=tuple(EarlierAck(code=one.code, until=instant(one.until)) for one in kept.answers),
        clock=instant(kept.clock) if kept.clock else None,
        duplicates=kept.duplicates,
        problems=tuple(replace(one, field=CALLED.get(one.field or "", one.field)) for one in kept.problems),
        records=tuple(identity for identity in kept.records if identity),
        site=kept.site,
        trace=kept.traceparent.split("-")[1] if kept.traceparent else None,
    )


ROUTES = (
    search_messages,
    find_messages,
    read_message,
    read_raw_message,
    read_message_tree,
    replay_message,
    replay_messages,
)
