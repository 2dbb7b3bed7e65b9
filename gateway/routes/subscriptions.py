"""/v1/subscriptions: a partner's webhooks, made and kept by the partner. A secret is shown once, when it is made.

Beside them stand the destinations and routes that the site's files declare: they are held and released here, and
changed where they are at home.
"""

import os
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from canonical.events import EVENTS, Event
from canonical.ids import new_id
from canonical.meaning import identity, means, pattern_of, when
from gateway.clients import WRITE, needed_for
from gateway.deliveries.declared import UNDECLARED
from gateway.deliveries.fanout import speaks_of
from gateway.deliveries.outbound import allow_list, receiver_refusal
from gateway.deliveries.receivers import caught_up
from gateway.problems import Wrong, invalid, not_found, stop
from gateway.refusals import WRONGS
from gateway.routes.paging import Page
from gateway.routes.reading import LARGEST, Body
from gateway.routes.serving import (
    Answer,
    Call,
    Empty,
    answer,
    changed,
    check_match,
    encode,
    etag,
    require_match,
    serves,
    versioned,
)
from gateway.store import protocol
from gateway.store.protocol import SubscriptionKind
from policies.auth import ADMIN, allows
from policies.signing import new_secret
from transforms.api import v1
from transforms.api.cloudevent import instant

READ = "subscriptions.read"
MOST_OF_A_CLIENT = 100
EVERY = ("*",)
Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2000,
        description="Where events are posted: https, public.",
        examples=["https://partner.example/isthmus"],
    ),
]
Types = Annotated[
    tuple[str, ...],
    Meta(
        max_length=100,
        description="`appointment.*` or types in full; `*`, or an empty list, is all but `message.received`.",
    ),
]
Feeds = Annotated[tuple[str, ...], Meta(max_length=1000, description="Only what came by these feeds; empty is all.")]
Patient = Annotated[str, Meta(pattern=pattern_of("patient"), examples=["pat_01M88RY5ZG9QZ3EJSA53T7BZ3N"])]
Patients = Annotated[
    tuple[Patient, ...], Meta(max_length=1000, description="Only what concerns these patients; empty is all.")
]
Full = Annotated[bool, Meta(description="Send the subject along, in `data`; thin events only name it.")]
Text = Annotated[str, Meta(max_length=500, description="What it is for, in your words.")]
After = Annotated[
    int,
    Meta(ge=0, le=LARGEST, description="The `seq` to begin after: 0 is the beginning; without it, it begins now."),
]


class NewSubscription(Body, frozen=True):
    """A receiver of events."""

    url: Url
    types: Types = EVERY
    feeds: Feeds = ()
    patients: Patients = ()
    full: Full = False
    description: Text | None = None
    after: After | None = None


class SubscriptionChange(Body, frozen=True):
    """What is to change; what is left out stays."""

    url: Url | UnsetType = UNSET
    types: Types | UnsetType = UNSET
    feeds: Feeds | UnsetType = UNSET
    patients: Patients | UnsetType = UNSET
    full: Full | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


class Rotation(Body, frozen=True):
    """With `overlap` the secret before signs too, for 24 hours; without it, it is void at once."""

    overlap: Annotated[bool, Meta(description="Whether the secret before signs too, for 24 hours.")] = True


class Subscription(v1.Wire, frozen=True, omit_defaults=False):
    """A subscription. `reason` says why it is disabled; `cursor` is the `seq` it has reached."""

    id: Annotated[str, identity("Opaque, and good for ever.", "subscription")]
    version_id: Annotated[str, means("The number of the version, from `1`; it is the ETag.", pattern=r"^[1-9]\d*$")]
    kind: Annotated[
        SubscriptionKind,
        means("`webhook`; `hl7v2`: events as SIU messages; `route`: messages as they came."),
    ]
    url: Annotated[str, means("Where events are posted, or messages are sent.", format="uri")]
    types: Annotated[tuple[str, ...], means("Types or patterns of types; `*` is all but `message.received`.")]
    feeds: Annotated[tuple[str, ...], means("Only what came by these; empty is all.")]
    patients: Annotated[tuple[str, ...], means("Only what concerns these; empty is all.")]
    full: Annotated[bool, means("Whether events carry their subject.")]
    state: Annotated[
        Literal["active", "paused", "disabled"],
        means(
            "`active`; `paused` by a person; `disabled` by a 410 of the receiver, by failing too long, while its "
            "client may not receive it, or while no file declares it."
        ),
    ]
    client: Annotated[str | None, means("The client it belongs to; null where the site's files declare it.")]
    destination: Annotated[str | None, means("The peer whose file declares where it goes; null for a webhook.")]
    route: Annotated[str | None, means("The route whose file declares it; null where there is none.")]
    cursor: Annotated[int, means("The `seq` it has reached.")]
    created_at: Annotated[str, when("When it was made.")]
    updated_at: Annotated[str, when("When it last changed.")]
    reason: Annotated[
        str | None,
        means(
            "Why it is disabled: `gone`, `failing`, `client_unknown`, `scope_missing` or `not_declared`; null where it "
            "is not."
        ),
    ] = None
    description: Annotated[str | None, means("What it is for.")] = None
    secret: Annotated[
        str | UnsetType, means("What deliveries are signed with; only in the answer that makes it.", pattern="^whsec_")
    ] = UNSET


class Outcome(Struct, frozen=True, kw_only=True, rename="camel"):
    """How a test event was received."""

    outcome: Annotated[str, means("How it ended, as `http_200` or `connect_timeout`.")]
    status: Annotated[int | None, means("The status of the receiver's answer; null where there was none.")] = None
    delivered: Annotated[bool, means("Whether the receiver took it.")]


@serves("GET", "/v1/subscriptions", guard=READ, audit="R", gives=Page[Subscription], tag="subscriptions")
async def list_subscriptions(call: Call) -> Answer:
    """Your subscriptions; with `admin`, all of the tenant, those that files declare among them."""
    every = await call.api.services.store.subscriptions(call.tenant)
    mine = [one for one in every if is_mine(call, one)]
    call.saw(*(one.id for one in mine), count=len(mine))
    return answer({"items": [shown(one) for one in mine], "next": None})


@serves(
    "POST",
    "/v1/subscriptions",
    guard=WRITE,
    audit="C",
    gives=Subscription,
    status=201,
    fails=("too_many", "invalid_value"),
    tag="subscriptions",
    headers=("ETag", "Location"),
)
async def create_subscription(call: Call, body: NewSubscription) -> Answer:
    """Subscribe to events.

    The answer holds the secret that deliveries are signed with (Standard Webhooks); it is never shown again. Full
    events need the read scope of every resource that they are about.
    """
    store = call.api.services.store
    await _check(call, body.url, body.types, body.feeds, body.full, body.after)
    now = call.now
    secret = new_secret(os.urandom(32))
    subscription = protocol.Subscription(
        id=new_id("subscription", now, call.principal.client_id, os.urandom(16).hex()),
        tenant=call.tenant,
        client=call.principal.client_id,
        url=body.url,
        types=body.types or EVERY,
        feeds=body.feeds,
        patients=body.patients,
        full=body.full,
        secrets=(secret,),
        cursor=await store.head() if body.after is None else body.after,
        created_at=now,
        updated_at=now,
        description=body.description,
    )
    if not await store.put_subscription(subscription, None, most=MOST_OF_A_CLIENT):
        raise stop(409, "too_many", f"A client has at most {MOST_OF_A_CLIENT} subscriptions.")
    call.api.services.worker.refresh()
    call.saw(subscription.id)
    location = (b"location", f"/v1/subscriptions/{subscription.id}".encode())
    return answer(shown(subscription, secret), 201, (etag(subscription.version), location))


@serves(
    "GET",
    "/v1/subscriptions/{id:str}",
    guard=READ,
    audit="R",
    gives=Subscription,
    fails=("not_found",),
    tag="subscriptions",
    headers=("ETag",),
)
async def read_subscription(call: Call) -> Answer:
    """One subscription."""
    subscription = await owned(call, call.id)
    return versioned(call, subscription.version, lambda: encode(shown(subscription)))


@serves(
    "PATCH",
    "/v1/subscriptions/{id:str}",
    guard=WRITE,
    audit="U",
    gives=Subscription,
    fails=("not_found", "declared_in_files", "precondition_failed", "invalid_value", "precondition_required"),
    tag="subscriptions",
    headers=("ETag",),
)
async def change_subscription(call: Call, body: SubscriptionChange) -> Answer:
    """Change a subscription. If-Match is required; what is left out stays.

    What happened before is sent as it was asked for then, what happens from now on as it is asked for now.
    """
    before = await owned(call, call.id)
    _require_ours(before)
    require_match(call, before.version)
    given = {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET}
    after = replace(before, **given)
    after = replace(after, types=after.types or EVERY)
    await _check(call, after.url, after.types, after.feeds, after.full)
    if before.state != "disabled":
        after = replace(after, cursor=(await caught_up(call.api.services.store, before, call.now)).cursor)
    return await _put(call, before, after)


@serves(
    "DELETE",
    "/v1/subscriptions/{id:str}",
    guard=WRITE,
    audit="D",
    status=204,
    fails=("not_found", "declared_in_files", "precondition_failed"),
    tag="subscriptions",
)
async def delete_subscription(call: Call) -> Answer:
    """Delete a subscription. What is still on its way to it is dropped.

    One that a file declares goes with the file; once it is disabled as `not_declared` it can be deleted.
    """
    subscription = await owned(call, call.id)
    if subscription.reason != UNDECLARED:
        _require_ours(subscription)
    expected = check_match(call, subscription.version)
    if not await call.api.services.store.delete_subscription(call.tenant, subscription.id, expected):
        raise changed() if expected is not None else not_found()
    call.api.services.worker.refresh()
    return Empty()


@serves(
    "POST",
    "/v1/subscriptions/{id:str}/rotate",
    guard=WRITE,
    audit="U",
    gives=Subscription,
    fails=("not_found", "declared_in_files", "precondition_failed"),
    tag="subscriptions",
    headers=("ETag",),
)
async def rotate_secret(call: Call, body: Rotation) -> Answer:
    """Make a new secret, shown in the answer and never again."""
    before = await _matched(call)
    _require_ours(before)
    secret = new_secret(os.urandom(32))
    kept = before.secrets[:1] if body.overlap else ()
    return await _put(call, before, replace(before, secrets=(secret, *kept), rotated_at=call.now), secret)


@serves(
    "POST",
    "/v1/subscriptions/{id:str}/pause",
    guard=WRITE,
    audit="U",
    gives=Subscription,
    fails=("not_found", "precondition_failed"),
    tag="subscriptions",
    headers=("ETag",),
)
async def pause_subscription(call: Call) -> Answer:
    """Hold deliveries. Events wait, in order, until it is released."""
    before = await _matched(call)
    by = call.principal.client_id
    return await _move(call, before, replace(before, state="paused", reason=None, paused_at=call.now, paused_by=by))


@serves(
    "POST",
    "/v1/subscriptions/{id:str}/release",
    guard=WRITE,
    audit="U",
    gives=Subscription,
    fails=("not_found", "precondition_failed"),
    tag="subscriptions",
    headers=("ETag",),
)
async def release_subscription(call: Call) -> Answer:
    """Go on with deliveries, also after the subscription was disabled."""
    before = await _matched(call)
    return await _move(call, before, replace(before, state="active", reason=None, paused_at=None, paused_by=None))


@serves(
    "POST",
    "/v1/subscriptions/{id:str}/test",
    guard=WRITE,
    audit="E",
    gives=Outcome,
    fails=("not_found", "declared_in_files", "precondition_failed"),
    tag="subscriptions",
)
async def test_subscription(call: Call) -> Answer:
    """Send one signed event of the type `subscription.test` now, and say how it was received."""
    subscription = await _matched(call)
    _require_ours(subscription)
    now = call.now
    event = Event(
        id=new_id("event", now, subscription.id, "test", os.urandom(8).hex()),
        type="subscription.test",
        tenant=call.tenant,
        subject=subscription.id,
        at=now,
        version=subscription.version,
        traceparent=call.trace.traceparent,
    )
    outcome = await call.api.services.worker.test(subscription, event)
    return answer(Outcome(outcome=outcome.code, status=outcome.status, delivered=outcome.kind == "delivered"))


def is_mine(call: Call, subscription: protocol.Subscription) -> bool:
    """A client sees its own subscriptions, an admin all of the tenant."""
    return subscription.client == call.principal.client_id or ADMIN in call.principal.scopes


async def owned(call: Call, identity: str) -> protocol.Subscription:
    """A subscription that the caller may see."""
    subscription = await call.api.services.store.subscription(call.tenant, identity)
    if subscription is None or not is_mine(call, subscription):
        raise not_found()
    call.saw(subscription.id)
    return subscription


def _require_ours(subscription: protocol.Subscription) -> None:
    """What a file declares is changed there: else the next start would take the change back."""
    if subscription.is_declared:
        file = f"routes/{subscription.route}.toml" if subscription.route else f"peers/{subscription.destination}.toml"
        raise stop(409, "declared_in_files", f"The site declares it in {file}; change it there.")


async def _matched(call: Call) -> protocol.Subscription:
    """The subscription that a command is about, in the version that the caller knows, if it says one."""
    subscription = await owned(call, call.id)
    check_match(call, subscription.version)
    return subscription


async def _move(call: Call, before: protocol.Subscription, after: protocol.Subscription) -> Answer:
    """Hold it or let it go; what is so already stays as it is, and since when."""
    if before.state == after.state:
        return answer(shown(before), headers=(etag(before.version),))
    return await _put(call, before, after)


async def _put(
    call: Call, before: protocol.Subscription, after: protocol.Subscription, secret: str | None = None
) -> Answer:
    again = replace(after, version=before.version + 1, updated_at=call.now)
    if not await call.api.services.store.put_subscription(again, before.version):
        raise changed()
    call.api.services.worker.refresh()
    return answer(shown(again, secret), headers=(etag(again.version),))


async def _check(
    call: Call, url: str, types: tuple[str, ...], feeds: tuple[str, ...], full: bool, after: int | None = None
) -> None:
    """Everything that is wrong with a subscription, at once."""
    site = call.api.services.site
    wrong = []
    if after is not None and after > await call.api.services.store.head():
        detail = "The feed ends before this place. Use 0, or the `seq` of an event."
        wrong.append(Wrong(code="invalid_cursor", pointer="/after", detail=detail))
    refusal = await receiver_refusal(url, allow_list(site.main.webhooks.allow))
    if refusal:
        detail = WRONGS.get(refusal, "This URL is not taken.")
        wrong.append(Wrong(code=refusal, pointer="/url", detail=detail))
    unknown = [n for n, one in enumerate(types) if not any(speaks_of((one,), kind) for kind in EVENTS)]
    wrong += [Wrong(code="unknown_type", pointer=f"/types/{n}", detail="No event has this type.") for n in unknown]
    known = {feed.name for feed in site.feeds if feed.tenant == call.tenant}
    wrong += [
        Wrong(code="unknown_feed", pointer=f"/feeds/{n}", detail="There is no such feed.")
        for n, one in enumerate(feeds)
        if one not in known
    ]
    needed = needed_for(types or EVERY) if full else ()
    missing = sorted(scope for scope in needed if not allows(call.principal, scope))
    if missing:
        wrong.append(Wrong(code="scope_missing", pointer="/full", detail=f"Full events need {', '.join(missing)}."))
    if wrong:
        raise invalid(wrong)


def shown(subscription: protocol.Subscription, secret: str | None = None) -> Subscription:
    """A subscription as the API shows it; its secret only where it was made just now."""
    return Subscription(
        id=subscription.id,
        version_id=str(subscription.version),
        kind=subscription.kind,
        url=subscription.url,
        types=subscription.types,
        feeds=subscription.feeds,
        patients=subscription.patients,
        full=subscription.full,
        state=subscription.state,
        client=subscription.client or None,
        destination=subscription.destination,
        route=subscription.route,
        cursor=subscription.cursor,
        created_at=instant(subscription.created_at),
        updated_at=instant(subscription.updated_at),
        reason=subscription.reason,
        description=subscription.description,
        secret=secret if secret is not None else UNSET,
    )


ROUTES = (
    list_subscriptions,
    create_subscription,
    read_subscription,
    change_subscription,
    delete_subscription,
    rotate_secret,
    pause_subscription,
    release_subscription,
    test_subscription,
)
