"""/v1/holds: what must be kept whatever the site's retention says, for a court or an inquiry."""

import secrets
from typing import Annotated

from msgspec import Meta

from canonical.ids import new_id
from canonical.meaning import identity, means, pattern_of, when
from canonical.records import RECORDS
from gateway.problems import Wrong, invalid, not_found
from gateway.routes.paging import Page
from gateway.routes.reading import Body, Moment
from gateway.routes.serving import Answer, Call, Empty, answer, serves
from gateway.store import protocol
from policies.auth import ADMIN
from transforms.api import v1
from transforms.api.cloudevent import instant

ANY_RECORD = pattern_of(*RECORDS)
REASON = Annotated[
    str, Meta(min_length=1, max_length=500, description="Why, and for whom: it is seen by all who may see holds.")
]


class Hold(v1.Wire, frozen=True):
    """What must be kept: the messages about a record, one message, or those of a feed, in a time where one is said."""

    id: Annotated[str, identity("Opaque.", "hold")]
    reason: Annotated[str, means("Why.")]
    by: Annotated[str, means("The client that asked for it.")]
    created_at: Annotated[str, when("Since when.")]
    record: Annotated[str | None, identity("The record whose messages are kept.", *RECORDS)] = None
    message: Annotated[str | None, identity("The message that is kept.", "message")] = None
    feed: Annotated[str | None, means("The feed whose messages are kept.")] = None
    received_from: Annotated[str | None, when("Of messages that came at this instant or later.")] = None
    received_before: Annotated[str | None, when("Of messages that came before this instant.")] = None


class NewHold(Body, frozen=True):
    """What to keep: exactly one of `record`, `message` and `feed`."""

    reason: REASON
    record: Annotated[str, Meta(pattern=ANY_RECORD, description="The messages about this record.")] | None = None
    message: Annotated[str, Meta(pattern=pattern_of("message"), description="This message.")] | None = None
    feed: Annotated[str, Meta(min_length=1, description="The messages of this feed.")] | None = None
    received_from: Annotated[Moment | None, Meta(description="Only those that came at this instant or later.")] = None
    received_before: Annotated[Moment | None, Meta(description="Only those that came before this instant.")] = None


@serves("GET", "/v1/holds", guard=ADMIN, audit="R", gives=Page[Hold], tag="holds")
async def list_holds(call: Call) -> Answer:
    """What is kept whatever the site's retention says."""
    found = [one for one in await call.api.services.store.holds() if one.tenant == call.tenant]
    call.saw(*(one.id for one in found), count=len(found))
    return answer({"items": [shown(one) for one in found], "next": None})


@serves("POST", "/v1/holds", guard=ADMIN, audit="C", gives=Hold, status=201, fails=("invalid_value",), tag="holds")
async def create_hold(call: Call, body: NewHold) -> Answer:
    """Keep messages until the hold is released.

    What would go by the site's retention is copied aside first, byte by byte, and is read by its id as before. What is
    gone already does not come back.
    """
    if sum(one is not None for one in (body.record, body.message, body.feed)) != 1:
        raise invalid([Wrong(code="invalid_value", pointer="", detail="Say one of record, message and feed.")])
    hold = protocol.Hold(
        id=new_id("hold", call.now, secrets.token_hex(16)),
        tenant=call.tenant,
        reason=body.reason,
        by=call.principal.client_id,
        created_at=call.now,
        record=body.record,
        message=body.message,
        feed=body.feed,
        received_from=body.received_from.first if body.received_from else None,
        received_before=body.received_before.first if body.received_before else None,
    )
    await call.api.services.store.put_hold(hold)
    call.saw(hold.id)
    return answer(shown(hold), 201)


@serves("POST", "/v1/holds/{id:str}/release", guard=ADMIN, audit="D", status=204, fails=("not_found",), tag="holds")
async def release_hold(call: Call) -> Answer:
    """Keep it no longer: what it kept aside goes now, and all else when its time is over."""
    if not await call.api.services.store.release(call.tenant, call.id):
        raise not_found()
    call.saw(call.id)
    return Empty()


def shown(hold: protocol.Hold) -> Hold:
    """A hold as the API shows it."""
    return Hold(
        id=hold.id,
        reason=hold.reason,
        by=hold.by,
        created_at=instant(hold.created_at),
        record=hold.record,
        message=hold.message,
        feed=hold.feed,
        received_from=instant(hold.received_from) if hold.received_from else None,
        received_before=instant(hold.received_before) if hold.received_before else None,
    )


ROUTES = (list_holds, create_hold, release_hold)
