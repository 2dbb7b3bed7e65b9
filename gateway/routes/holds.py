"""/v1/holds: legal holds, by which messages are kept whatever their days."""

from typing import Annotated

from msgspec import Meta

from canonical.meaning import identity, means, pattern_of, when
from canonical.records import RECORDS
from gateway.problems import Wrong, invalid, not_found
from gateway.retention.holds import hold_of, new_hold, patients_of, released, unknown_of
from gateway.routes.paging import Page
from gateway.routes.reading import Body, Moment
from gateway.routes.serving import Answer, Call, answer, serves
from gateway.store import holding
from policies.auth import ADMIN
from transforms.api import v1
from transforms.api.cloudevent import instant

COVERING = ("record", "message", "feed")


class Hold(v1.Wire, frozen=True):
    """A legal hold, on a record, a message, or what a feed brought in a time. While it stands nothing that it covers
    is purged: past its days a message is still found by its id, though in no list."""

    id: Annotated[str, identity("Opaque, and good for ever.", "hold")]
    name: Annotated[str, means("What it is called, as a matter or a letter.")]
    reason: Annotated[str, means("Why it was made.")]
    created_at: Annotated[str, when("When it was made.")]
    created_by: Annotated[str, means("The client that made it.")]
    record: Annotated[str | None, identity("The record whose messages are kept.", *RECORDS)] = None
    message: Annotated[str | None, identity("The message that is kept.", "message")] = None
    feed: Annotated[str | None, means("The feed whose messages are kept.")] = None
    received_from: Annotated[str | None, when("Of those, the ones received at or after this instant.")] = None
    received_before: Annotated[str | None, when("Of those, the ones received before this instant.")] = None
    released_at: Annotated[str | None, when("When it was released.")] = None
    released_by: Annotated[str | None, means("The client that released it.")] = None


class NewHold(Body, frozen=True):
    """What is to be kept, and why: a record, a message, or a feed with a time."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="What it is called, as a matter or a letter.")]
    reason: Annotated[str, Meta(min_length=1, max_length=4000, description="Why it is made.")]
    record: (
        Annotated[
            str,
            Meta(
                pattern=pattern_of(*RECORDS),
                description="All messages about this record; of a patient, also about whoever is merged with it.",
            ),
        ]
        | None
    ) = None
    message: Annotated[str, Meta(pattern=pattern_of("message"), description="This message.")] | None = None
    feed: Annotated[str, Meta(max_length=200, description="The messages that this feed brings.")] | None = None
    received_from: Annotated[Moment | None, Meta(description="Of a feed: at or after this instant or day.")] = None
    received_to: Annotated[
        Moment | None, Meta(description="Of a feed: at or before this instant, or on or before this day.")
    ] = None


@serves("GET", "/v1/holds", guard=ADMIN, audit="R", gives=Page[Hold], tag="holds")
async def list_holds(call: Call) -> Answer:
    """All legal holds, in the order of their making, the released ones too."""
    found = await call.api.services.store.holds(call.tenant)
    call.saw(*(one.id for one in found), count=len(found))
    call.seen.patients = tuple(patient for one in found for patient in patients_of(one))
    return answer({"items": [shown(one) for one in found], "next": None})


@serves("GET", "/v1/holds/{id:str}", guard=ADMIN, audit="R", gives=Hold, fails=("not_found",), tag="holds")
async def read_hold(call: Call) -> Answer:
    """One legal hold."""
    return answer(shown(await _hold(call)))


@serves("POST", "/v1/holds", guard=ADMIN, audit="C", gives=Hold, status=201, fails=("invalid_value",), tag="holds")
async def create_hold(call: Call, body: NewHold) -> Answer:
    """Keep what is covered from now on, whatever its days.

    Name one: a record, a message, or a feed. What was purged before cannot be brought back. While any hold stands the
    audit is not purged at all.
    """
    _require_one(body)
    made = new_hold(
        call.tenant,
        call.principal.client_id,
        call.now,
        name=body.name,
        reason=body.reason,
        record=body.record,
        message=body.message,
        feed=body.feed,
        received_from=body.received_from.first if body.received_from else None,
        received_before=body.received_to.last + 1 if body.received_to else None,
    )
    services = call.api.services
    if unknown := await unknown_of(services.store, services.site, made):
        detail = f"There is no such {unknown}, or what it was is purged."
        raise invalid([Wrong(code="invalid_value", pointer=f"/{unknown}", detail=detail)])
    await services.store.put_hold(made)
    _saw(call, made)
    return answer(shown(made), 201)


@serves("POST", "/v1/holds/{id:str}/release", guard=ADMIN, audit="U", gives=Hold, fails=("not_found",), tag="holds")
async def release_hold(call: Call) -> Answer:
    """Let go what the hold has kept: what no other covers, and is past its days, goes within the hour.

    A hold has no version: If-Match with a tag is refused. One that is released already stays as it is.
    """
    hold = released(await _hold(call), call.principal.client_id, call.now)
    await call.api.services.store.put_hold(hold)
    return answer(shown(hold))


def _require_one(body: NewHold) -> None:
    named = [name for name in COVERING if getattr(body, name)]
    wrong = [] if len(named) == 1 else [_wrong("", "Name one: a record, a message, or a feed.", "required")]
    for name in ("received_from", "received_to"):
        if getattr(body, name) and not body.feed:
            wrong.append(_wrong(f"/received{name[9:].capitalize()}", "A time is asked for with a feed alone."))
    first, last = body.received_from, body.received_to
    if first and last and last.last < first.first:
        wrong.append(_wrong("/receivedTo", "This is before receivedFrom."))
    if wrong:
        raise invalid(wrong)


def _wrong(pointer: str, detail: str, code: str = "invalid_value") -> Wrong:
    return Wrong(code=code, pointer=pointer, detail=detail)


async def _hold(call: Call) -> holding.Hold:
    found = await hold_of(call.api.services.store, call.tenant, call.id)
    if found is None:
        raise not_found()
    _saw(call, found)
    return found


def _saw(call: Call, hold: holding.Hold) -> None:
    call.saw(hold.id)
    call.seen.patients = patients_of(hold)


def shown(hold: holding.Hold) -> Hold:
    """A hold as the API shows it."""
    return Hold(
        id=hold.id,
        name=hold.name,
        reason=hold.reason,
        created_at=instant(hold.created_at),
        created_by=hold.by,
        record=hold.record,
        message=hold.message,
        feed=hold.feed,
        received_from=None if hold.received_from is None else instant(hold.received_from),
        received_before=None if hold.received_before is None else instant(hold.received_before),
        released_at=None if hold.released_at is None else instant(hold.released_at),
        released_by=hold.released_by,
    )


ROUTES = (list_holds, create_hold, read_hold, release_hold)
