"""/v1/messages: what was received, as bytes and as a tree, what became of it, and replay."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from canonical.problems import Problem
from gateway.problems import Wrong, invalid, not_found, stop
from gateway.replaying import replay
from gateway.replays import Wanted
from gateway.routes.jobs import Job, accepted
from gateway.routes.paging import Page, after, page
from gateway.routes.reading import AtMost, Body, Cursor, Limit, Moment, Query
from gateway.routes.serving import Answer, Call, answer, serves
from gateway.settings import Feed
from gateway.store.protocol import Kept, Key, MessageQuery, MessageState
from transforms.api import v1
from transforms.api.cloudevent import instant
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.tree import SegmentNode, tree

READ, REPLAY = "messages.read", "messages.replay"
HL7 = "application/hl7-v2"
CALLED = {name: called for names in v1.CALLED.values() for name, called in names.items()}
Keys = Annotated[
    tuple[str, ...], Meta(description="`kind=value`, any key that was parsed: `account=123`. All must hold.")
]
Text = str | None


class MessageFilter(Query, frozen=True):
    """What messages are searched by; all that is given must hold."""

    identifier: Annotated[tuple[str, ...], Meta(description="`value` or `system|value` of anything it names.")] = ()
    key: Keys = ()
    control_id: Annotated[Text, Meta(description="MSH-10.")] = None
    record: Annotated[Text, Meta(description="The id of a record that it was about.")] = None
    feed: Text = None
    type: Annotated[Text, Meta(description="MSH-9.1: SIU.")] = None
    event: Annotated[Text, Meta(description="MSH-9.2: S12.")] = None
    state: MessageState | None = None
    received_from: Moment | None = None
    received_to: Moment | None = None


class MessageSearch(MessageFilter, frozen=True):
    """Which messages are wanted, page by page."""

    limit: Limit = 50
    cursor: Cursor = None


class EarlierAck(v1.Wire, frozen=True):
    """What a sender heard for a message until a replay renewed the answer."""

    code: str
    until: str


class Message(v1.Wire, frozen=True):
    """A message without its bytes. `clock` is the sender's time, `receivedAt` ours.

    `ackCode` is what its sender hears, also when it sends the same again; `earlierAcks` are those before a replay that
    mended it.
    """

    id: str
    feed: str
    received_at: str
    state: MessageState
    protocol: str
    type: str = ""
    event: str = ""
    version: str = ""
    control_id: str = ""
    sender: str = ""
    ack_code: str = ""
    earlier_acks: tuple[EarlierAck, ...] = ()
    clock: str | None = None
    duplicates: int = 0
    problems: tuple[Problem, ...] = ()
    records: tuple[str, ...] = ()
    site: str | None = None
    trace: str | None = None


class Tree(Struct, frozen=True, kw_only=True):
    """The segments of a message in their order, named as the standard names them."""

    items: list[SegmentNode]
    next: None = None


class Replay(Body, frozen=True):
    """How to replay: without `emit` records are put right and nobody is told."""

    emit: bool = False


class ReplayAll(MessageFilter, Body, frozen=True):
    """Which messages to replay, and how; a dry run only counts them."""

    limit: AtMost = None
    emit: bool = False
    dry_run: bool = False


class Count(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a dry run found."""

    total: int
    dry_run: bool = True


@serves("GET", "/v1/messages", guard=READ, audit="R", gives=Page[Message], fails=(400, 410, 422), tag="messages")
async def search_messages(call: Call, query: MessageSearch) -> Answer:
    """Search messages, newest first.

    Search by identifier or key with `_search`, which keeps them out of URLs.
    """
    return await _page(call, query, None if query.identifier or query.key or query.control_id else query)


@serves(
    "POST", "/v1/messages/_search", guard=READ, audit="R", gives=Page[Message], fails=(400, 410, 422), tag="messages"
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


@serves("GET", "/v1/messages/{id:str}", guard=READ, audit="R", gives=Message, fails=(404,), tag="messages")
async def read_message(call: Call) -> Answer:
    """What became of one message."""
    return answer(shown(await _kept(call)))


@serves("GET", "/v1/messages/{id:str}/raw", guard=READ, audit="R", gives=bytes, media=HL7, fails=(404,), tag="messages")
async def read_raw_message(call: Call) -> Answer:
    """The bytes of one message as they were received."""
    kept = await _kept(call)
    media = HL7 if kept.protocol == "hl7v2" and kept.state != "refused" else "application/octet-stream"
    return Answer(kept.raw, media=media.encode())


@serves("GET", "/v1/messages/{id:str}/tree", guard=READ, audit="R", gives=Tree, fails=(404, 409), tag="messages")
async def read_message_tree(call: Call) -> Answer:
    """One message decoded: every field that was sent, named, cut down to its leaves."""
    kept = await _kept(call)
    feed = _feed(call, kept)
    try:
        message = parse(kept.raw, feed.profile.charset if feed else None)
    except Unparseable:
        raise stop(409, "not_decodable", "This message cannot be decoded; read it as raw bytes.") from None
    return answer({"items": tree(message), "next": None})


@serves(
    "POST", "/v1/messages/{id:str}/replay", guard=REPLAY, audit="E", gives=Message, fails=(404, 409), tag="messages"
)
async def replay_message(call: Call, body: Replay) -> Answer:
    """Map one message again, as of when it came.

    The ids stay the same, nothing newer is undone, and the sender hears nothing. Where a message that was refused or
    parked is taken now, its tasks are completed, and its sender hears AA or CA when it sends the same again.
    """
    kept = await _kept(call)
    feed = _feed(call, kept)
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
    fails=(400, 422),
    tag="messages",
)
async def replay_messages(call: Call, body: ReplayAll) -> Answer:
    """Replay all messages that a filter finds, as a job, oldest first; or count them."""
    asked = asked_for(call.tenant, body)
    if body.dry_run:
        total = await call.api.replays.count(asked, body.limit)
        call.saw(count=total)
        return answer(Count(total=total))
    job = await call.api.replays.begin(
        Wanted(query=asked, emit=body.emit, traceparent=call.trace.traceparent), body.limit
    )
    call.saw(count=job.total)
    return accepted(job)


def asked_for(tenant: str, query: MessageFilter) -> MessageQuery:
    """A search as the store takes it, from its beginning."""
    keys: list[Key] = [("identifier", one.strip()) for one in query.identifier]
    wrong = [one for one in query.key if "=" not in one]
    if wrong:
        raise invalid([Wrong(code="invalid_value", parameter="key", detail="Write it as kind=value.")])
    keys += [(kind, value) for kind, _, value in (one.partition("=") for one in query.key)]
    if query.control_id:
        keys.append(("control_id", query.control_id))
    return MessageQuery(
        tenant=tenant,
        keys=tuple(keys),
        feed=query.feed,
        state=query.state,
        type=query.type,
        event=query.event,
        record=query.record,
        received_from=query.received_from.first if query.received_from else None,
        received_before=query.received_to.last + 1 if query.received_to else None,
    )


async def _kept(call: Call) -> Kept:
    kept = await call.api.services.store.message(call.tenant, call.id)
    if kept is None:
        raise not_found()
    call.saw(kept.id, *(identity for identity in kept.records if identity))
    call.seen.patients = tuple(identity for identity in kept.records if identity.startswith("pat_"))
    return kept


def _feed(call: Call, kept: Kept) -> Feed | None:
    feeds = call.api.services.site.feeds
    return next((feed for feed in feeds if (feed.name, feed.tenant) == (kept.feed, kept.tenant)), None)


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
