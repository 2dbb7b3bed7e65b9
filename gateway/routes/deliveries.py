"""/v1/deliveries: what was sent to subscriptions, each try, and sending it again one by one or by filter."""

import os
from typing import Annotated, TypeAlias

from msgspec import Meta
from msgspec.structs import replace

from canonical.events import EVENTS
from canonical.ids import ulid
from canonical.meaning import codes, identity, means, pattern_of, when
from gateway.clients import WRITE
from gateway.deliveries.resend import resend, resend_one
from gateway.problems import Wrong, invalid, not_found, stop
from gateway.routes.jobs import Job, accepted
from gateway.routes.messages import Count
from gateway.routes.paging import Page, after, page
from gateway.routes.reading import All, AtMost, Body, Cursor, Limit, Moment, Query, require_filter
from gateway.routes.rules import AN_EVENT_TYPE
from gateway.routes.serving import Answer, Call, answer, serves
from gateway.routes.subscriptions import READ, owned
from gateway.store import protocol
from gateway.store.protocol import DeliveryQuery, DeliveryState
from policies.auth import ADMIN
from transforms.api import v1
from transforms.api.cloudevent import instant

Ours: TypeAlias = (
    Annotated[str, Meta(pattern=pattern_of("subscription"), description="The id of a subscription.")] | None
)


class DeliveryFilter(Query, frozen=True):
    """What deliveries are searched by; all that is given must hold."""

    state: Annotated[DeliveryState | None, Meta(description="How far it has come.")] = None
    type: Annotated[
        str | None,
        Meta(description="The type of its event, in full.", examples=["appointment.rescheduled"]),
        AN_EVENT_TYPE,
    ] = None
    event: Annotated[str, Meta(pattern=pattern_of("event"), description="The id of its event.")] | None = None
    created_from: Annotated[Moment | None, Meta(description="Created at or after this instant or day.")] = None
    created_to: Annotated[
        Moment | None, Meta(description="Created at or before this instant, or on or before this day.")
    ] = None


class DeliveriesOf(DeliveryFilter, frozen=True):
    """Which deliveries of one subscription are wanted, page by page."""

    limit: Limit = 50
    cursor: Cursor = None


class DeliverySearch(DeliveriesOf, frozen=True):
    """Which deliveries are wanted, page by page."""

    subscription: Ours = None


class ResendAll(DeliveryFilter, Body, frozen=True):
    """Which deliveries to send again; a dry run only counts them."""

    subscription: Ours = None
    all: All = False
    limit: AtMost = None
    dry_run: Annotated[bool, Meta(description="Only count what would be sent again.")] = False


class Attempt(v1.Wire, frozen=True):
    """One try. `tookMs` is until the answer; `answer` is how it began."""

    number: Annotated[int, means("Which try it is, from 1.")]
    at: Annotated[str, when("When it began.")]
    took_ms: Annotated[float, means("Milliseconds until the answer, or until there was none.")]
    outcome: Annotated[str, means("How it ended, as `http_200` or `connect_timeout`.")]
    status: Annotated[int | None, means("The status of the answer, where there was one.")] = None
    answer: Annotated[str | None, means("How the answer began.")] = None


class Delivery(v1.Wire, frozen=True, kw_only=True):
    """One event on its way to one subscription.

    It is `pending` until its next try, `claimed` while it is tried, then `delivered`, or `parked` after the last try;
    `cancelled` if it is not to be sent any more.
    """

    id: Annotated[
        str,
        identity(
            "The same through all tries: the webhook-id; an SIU's control id is its last 20 characters.", "delivery"
        ),
    ]
    subscription: Annotated[str, identity("The subscription it is for.", "subscription")]
    event: Annotated[str, identity("The event it is about.", "event")]
    type: Annotated[str, codes("The type of that event.", *EVENTS)]
    state: Annotated[DeliveryState, means("How far it has come.")]
    attempts: Annotated[int, means("How many tries there were.")] = 0
    created_at: Annotated[str, when("When it was made of its event.")]
    updated_at: Annotated[str, when("When it last changed.")]
    due_at: Annotated[str | None, when("When the next try is.")] = None
    outcome: Annotated[str | None, means("How the last try ended, or why it was parked.")] = None
    trace: Annotated[str | None, means("The id of its trace.", pattern="^[0-9a-f]{32}$")] = None
    tries: Annotated[tuple[Attempt, ...], means("Each try; only where one delivery is read.")] = ()


@serves(
    "GET",
    "/v1/deliveries",
    guard=READ,
    audit="R",
    gives=Page[Delivery],
    fails=("not_found", "cursor_expired", "invalid_value"),
    headers=("Link",),
    tag="deliveries",
)
async def list_deliveries(call: Call, query: DeliverySearch) -> Answer:
    """Deliveries, newest first.

    Who is not `admin` names one of its own subscriptions.
    """
    return await _page(call, query, await _allowed(call, query))


@serves(
    "GET",
    "/v1/subscriptions/{id:str}/deliveries",
    guard=READ,
    audit="R",
    gives=Page[Delivery],
    fails=("not_found", "cursor_expired"),
    headers=("Link",),
    tag="deliveries",
)
async def list_deliveries_of_subscription(call: Call, query: DeliveriesOf) -> Answer:
    """The deliveries of one subscription, newest first."""
    subscription = await owned(call, call.id)
    return await _page(call, query, asked_for(call.tenant, query, subscription.id))


@serves("GET", "/v1/deliveries/{id:str}", guard=READ, audit="R", gives=Delivery, fails=("not_found",), tag="deliveries")
async def read_delivery(call: Call) -> Answer:
    """One delivery with its tries."""
    delivery = await _delivery(call)
    tries = await call.api.services.store.attempts(call.tenant, delivery.id)
    return answer(shown(delivery, tries))


@serves(
    "POST",
    "/v1/deliveries/{id:str}/resend",
    guard=WRITE,
    audit="E",
    gives=Delivery,
    status=202,
    fails=("not_found", "still_under_way", "subscription_deleted", "subscription_disabled"),
    tag="deliveries",
)
async def resend_delivery(call: Call) -> Answer:
    """Send one delivery again, with the same webhook-id.

    While its subscription is paused it waits; a subscription that is disabled is released first.
    """
    delivery = await _delivery(call)
    services = call.api.services
    subscription = await services.store.subscription(call.tenant, delivery.subscription)
    if subscription is None:
        raise stop(409, "subscription_deleted", "Its subscription was deleted: there is nobody to send it to.")
    _require_receiver(subscription)
    if not await resend_one(services.store, call.tenant, delivery.id, call.now, call.trace.traceparent):
        raise stop(409, "still_under_way", "It is not finished yet: it will be tried again by itself.")
    services.worker.refresh()
    return answer(shown(await services.store.delivery(call.tenant, delivery.id) or delivery), 202)


@serves(
    "POST",
    "/v1/deliveries/_resend",
    guard=WRITE,
    audit="E",
    gives=Job,
    trial=Count,
    status=202,
    headers=("Location",),
    fails=("not_found", "subscription_disabled", "invalid_value"),
    tag="deliveries",
)
async def resend_deliveries(call: Call, body: ResendAll) -> Answer:
    """Send all finished or parked deliveries that a filter finds again, as a job, oldest first; or count them.

    Give at least one filter, or `"all": true`. What is for a paused subscription waits until that is released; what is
    for one that is disabled or deleted is left out.
    """
    asked = await _allowed(call, body)
    require_filter(asked != DeliveryQuery(tenant=call.tenant), body.all)
    services = call.api.services
    identity = f"job_{ulid(call.now, os.urandom(8).hex())}"
    total, job = await resend(
        services.store,
        asked,
        identity,
        call.now,
        client=call.principal.client_id,
        dry_run=body.dry_run,
        limit=body.limit,
        traceparent=call.trace.traceparent,
    )
    call.saw(count=total)
    if job is None:
        return answer(Count(total=total))
    services.worker.refresh()
    return accepted(job)


async def _page(call: Call, query: DeliveriesOf, asked: DeliveryQuery) -> Answer:
    wanted = replace(asked, after=after(call, query, asked), limit=query.limit)
    found = await call.api.services.store.deliveries(wanted)
    call.saw(*(one.id for one in found.items), count=len(found.items))
    return page(call, [shown(one) for one in found.items], found.next, asked, query)


async def _allowed(call: Call, query: DeliverySearch | ResendAll) -> DeliveryQuery:
    """The query, if it stays within the caller's own subscriptions."""
    if query.subscription:
        subscription = await owned(call, query.subscription)
        if isinstance(query, ResendAll):
            _require_receiver(subscription)
    elif ADMIN not in call.principal.scopes:
        detail = "Name one of your subscriptions."
        if isinstance(query, ResendAll):
            raise invalid([Wrong(code="required", pointer="/subscription", detail=detail)])
        raise invalid([Wrong(code="required", parameter="subscription", detail=detail)])
    return asked_for(call.tenant, query, query.subscription)


def asked_for(tenant: str, query: DeliveryFilter, subscription: str | None) -> DeliveryQuery:
    """A search as the store takes it, from its beginning."""
    return DeliveryQuery(
        tenant=tenant,
        subscription=subscription,
        state=query.state,
        type=query.type,
        event=query.event,
        created_from=query.created_from.first if query.created_from else None,
        created_before=query.created_to.last + 1 if query.created_to else None,
    )


def _require_receiver(subscription: protocol.Subscription) -> None:
    if subscription.state == "disabled":
        raise stop(
            409, "subscription_disabled", "The subscription is disabled: nothing is sent to it. Release it first."
        )


async def _delivery(call: Call) -> protocol.Delivery:
    delivery = await call.api.services.store.delivery(call.tenant, call.id)
    if delivery is None:
        raise not_found()
    if ADMIN not in call.principal.scopes:
        await owned(call, delivery.subscription)
    call.saw(delivery.id, delivery.subscription)
    return delivery


def shown(delivery: protocol.Delivery, tries: list[protocol.Attempt] | None = None) -> Delivery:
    """A delivery as the API shows it."""
    return Delivery(
        id=delivery.id,
        subscription=delivery.subscription,
        event=delivery.event,
        type=delivery.type,
        state=delivery.state,
        attempts=delivery.attempts,
        created_at=instant(delivery.created_at),
        updated_at=instant(delivery.updated_at),
        due_at=instant(delivery.due_at) if delivery.state == "pending" else None,
        outcome=delivery.outcome,
        trace=delivery.traceparent.split("-")[1] if delivery.traceparent else None,
        tries=tuple(
            Attempt(
                number=one.number,
                at=instant(one.at),
                took_ms=one.took / 1000,
                outcome=one.outcome,
                status=one.status,
                answer=one.answer,
            )
            for one in tries or ()
        ),
    )


ROUTES = (list_deliveries, list_deliveries_of_subscription, read_delivery, resend_delivery, resend_deliveries)
