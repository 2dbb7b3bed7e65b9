"""/v1/events: what changed, as pages to poll and as a stream (WHATWG server-sent events); both go by `seq`.

`next` of a page is always fit to go on from, also when the page is empty. A stream ends with its token, or when the
gateway leaves; a client goes on with Last-Event-ID.
"""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from canonical.events import Event
from canonical.meaning import means
from gateway.clock import MICROS
from gateway.problems import Wrong, stop, unreadable
from gateway.routes.reading import Limit, Query, split
from gateway.routes.rules import EVENT_TYPES
from gateway.routes.serving import Answer, Call, answer, record_of, serves
from policies.auth import bearer_token
from policies.call import Receive, Scope, Send
from policies.tokens import TokenRefused
from transforms.api.cloudevent import CloudEvent, cloud_event

PLACE: dict[str, object] = {"pattern": r"^[0-9]{1,18}$"}  # checked by `_place`, which says more
HEARTBEAT = 12.0
STREAM = "text/event-stream"
STREAM_PAGE = 200
LONGEST_WAIT = 60
_encode = msgspec.json.Encoder().encode
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]
Types = Annotated[
    tuple[str, ...],
    Meta(
        description="`appointment.*` or types in full; repeat or separate by commas.",
        examples=[["appointment.*", "patient.merged"]],
    ),
    EVENT_TYPES,
]


class EventSearch(Query, frozen=True):
    """Where to go on, and which types are wanted."""

    after: Annotated[
        str | None,
        Meta(description="The `next` of the page before, or a `seq`; 0 is the beginning.", extra_json_schema=PLACE),
    ] = None
    types: Types = ()
    limit: Limit = 100
    wait: Annotated[
        float, Meta(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event when there is none.")
    ] = 0


class StreamSearch(Query, frozen=True):
    """Where to go on (Last-Event-ID comes first), and which types are wanted."""

    after: Annotated[
        str | None,
        Meta(description="A `seq`; without it and Last-Event-ID the stream begins now.", extra_json_schema=PLACE),
    ] = None
    types: Types = ()


class Events(Struct, frozen=True, kw_only=True):
    """A page of the feed."""

    items: Annotated[list[CloudEvent], means("Events, oldest first.")]
    next: Annotated[str, means("Where to go on: send it as `after`. It is there also where the page is empty.")]


@serves(
    "GET",
    "/v1/events",
    guard="events.read",
    audit="R",
    gives=Events,
    also=STREAM,
    fails=("cursor_gone", "cursor_expired"),
    tag="events",
)
async def list_events(call: Call, query: EventSearch) -> Answer:
    """What changed since a place in the feed.

    Oldest first, in commit order, without gaps. With `wait` an empty page is only given when nothing came in that time.
    Ask for `text/event-stream` to be given a stream instead.
    """
    if STREAM in (call.header(b"accept") or ""):
        return await _stream(call, query.after, split(query.types))
    position, types = await _place(call, query.after) or 0, split(query.types)
    loop = asyncio.get_running_loop()
    until = loop.time() + query.wait
    while True:
        rung = call.api.bell.listen()
        items, upto = await _since(call, position, query.limit, types)
        left = until - loop.time()
        if items or left <= 0 or call.api.bell.leaving.is_set():
            break
        position = upto
        await asyncio.wait((rung,), timeout=left)
    call.saw(count=len(items))
    call.seen.patients = _patients(items)
    return answer(Events(items=[cloud_event(event) for event in items], next=str(upto)))


@serves(
    "GET",
    "/v1/events/stream",
    guard="events.read",
    audit="R",
    gives=str,
    media=STREAM,
    fails=("cursor_gone", "cursor_expired"),
    tag="events",
)
async def stream_events(call: Call, query: StreamSearch) -> Answer:
    """What changes, as it happens.

    Each event's `id` is its `seq`: send the last as Last-Event-ID to go on after it. A comment comes every few seconds
    when nothing else does. The stream ends when its token does.
    """
    return await _stream(call, query.after, split(query.types))


async def _stream(call: Call, after: str | None, types: tuple[str, ...]) -> Answer:
    place = await _place(call, after, call.header(b"last-event-id"))
    position = await call.api.services.store.head() if place is None else place
    return Stream(call, position, types)


class Stream(Answer):
    """Sends events as they are committed, until the client, its token or the gateway leaves."""

    __slots__ = ("call", "position", "token", "types")

    def __init__(self, call: Call, position: int, types: tuple[str, ...]) -> None:
        self.call, self.position, self.types = call, position, types
        self.token = bearer_token(call.scope["headers"]) or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        if scope["method"] == "HEAD":
            return await send({"type": "http.response.body", "body": b"", "more_body": False})
        await send({"type": "http.response.body", "body": b"retry: 1000\n\n", "more_body": True})
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            while not gone.done() and not self.call.api.bell.leaving.is_set() and self._is_welcome():
                await self._turn(send, gone)
        finally:
            gone.cancel()
        return await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _turn(self, send: Send, gone: asyncio.Future[None]) -> None:
        """Send what there is, else wait for more and send a sign of life."""
        rung = self.call.api.bell.listen()
        items, self.position = await _since(self.call, self.position, STREAM_PAGE, self.types)
        if items:
            self._note(items)
            return await send({"type": "http.response.body", "body": b"".join(map(sse, items)), "more_body": True})
        done, _ = await asyncio.wait((rung, gone), timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        return None

    def _note(self, items: list[Event]) -> None:
        """A stream has no end to be recorded at: each batch leaves a record."""
        self.call.saw(count=len(items))
        self.call.seen.patients = _patients(items)
        self.call.api.services.trail.note(record_of(self.call.scope, self.call.seen, 200, self.call.now))

    def _is_welcome(self) -> bool:
        try:
            self.call.api.verifier.verify(self.token, self.call.now / MICROS)
        except TokenRefused:
            return False
        return True


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def sse(event: Event) -> bytes:
    """One event in the stream's form."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, event.type.encode(), _encode(cloud_event(event)))


async def _since(call: Call, position: int, limit: int, types: tuple[str, ...]) -> tuple[list[Event], int]:
    """A page, and the place to go on from: past what was not wanted, never past what was not yet committed."""
    store = call.api.services.store
    head = await store.head()
    items = await store.events(call.tenant, position, limit, types)
    if len(items) >= limit:
        return items, items[-1].seq
    return items, max(head, position, items[-1].seq if items else 0)


async def _place(call: Call, after: str | None, last: str | None = None) -> int | None:
    """Where to go on: after the Last-Event-ID, else after the parameter.

    A place beyond the newest event is of a feed that a restored backup does not know: to wait there would skip, in
    silence, all that happens until the feed has come so far again. Nor may anybody pass in silence over what was
    purged; `0` is the beginning, wherever that is now.
    """
    given = last or after
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 19):
        wrong = Wrong(code="invalid_cursor", parameter="after", detail="Use `next` or a `seq`.")
        if last:
            wrong = Wrong(code="invalid_cursor", header="Last-Event-ID", detail="Send the `id` of an event, its `seq`.")
        raise unreadable([wrong])
    store = call.api.services.store
    if 0 < int(given) < (oldest := await store.oldest_event()) - 1:
        raise stop(
            410, "cursor_expired", f"Events after this place are kept no more. The oldest is {oldest}: `after=0`."
        )
    if int(given) > await store.head():
        raise stop(410, "cursor_gone", "The feed ends before this place: it was restored. Begin again, by `after=0`.")
    return int(given)


def _patients(events: list[Event]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.patient for event in events if event.patient))


ROUTES = (list_events, stream_events)
