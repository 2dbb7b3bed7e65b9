"""Destinations and routes of the site's files as subscriptions: kept beside those of the API, by ids that stay.

A new one begins now. One that no file declares any more is disabled and stays where it is: when its file is back it
goes on from there, and nothing is lost by a slip in a deployment.
"""

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from canonical.ids import new_id
from gateway.deliveries.fanout import RECEIVED
from gateway.site.outward import Destination, Route
from gateway.site.settings import Site
from gateway.store.protocol import Store, Subscription
from policies.redact import log

UNDECLARED = "not_declared"
OURS = ("kind", "destination", "route", "url", "types", "feeds", "other_feeds", "lane", "deduplicates")


async def declare(store: Store, site: Site, now: int) -> None:
    """Keep what the files say, and only that."""
    head = await store.head()
    known = {one.id: one for one in await store.subscriptions() if one.is_declared}
    for wanted in declared(site):
        kept = known.pop(wanted.id, None)
        if kept is None:
            new = replace(wanted, cursor=head, created_at=now, updated_at=now)
            if await store.put_subscription(new, None):
                log("subscription.declared", subscription=wanted.id)
        elif (again := _again(kept, wanted)) != kept:
            await store.put_subscription(_changed(again, kept, now), kept.version)
    for kept in known.values():
        if kept.state != "disabled":
            gone = replace(kept, state="disabled", reason=UNDECLARED)
            await store.put_subscription(_changed(gone, kept, now), kept.version)
            log("subscription.disabled", level="warning", subscription=kept.id, why=UNDECLARED)


def declared(site: Site) -> Iterator[Subscription]:
    """The subscriptions that a site's files stand for: one for a destination that gets events, one for each way of a
    route.
    """
    by_name = {(one.tenant, one.name): one for one in site.destinations}
    for one in site.destinations:
        if one.settings.events:
            yield _of_events(one)
    for route in site.routes:
        for name in route.settings.to:
            yield _of_route(route, by_name[route.tenant, name])


def slowest(site: Site) -> float:
    """The longest that an attempt at a destination may take, in seconds: all that goes there takes turns on one
    connection, and has to be connected and acknowledged.
    """
    waiting = Counter((one.tenant, one.destination) for one in declared(site))
    return max(
        (2 * one.settings.timeout_seconds * waiting[one.tenant, one.name] for one in site.destinations), default=0
    )


def _of_events(one: Destination) -> Subscription:
    asked = one.settings
    return Subscription(
        id=new_id("subscription", 0, "destination", one.tenant, one.name),
        tenant=one.tenant,
        client="",
        url=asked.url,
        kind="hl7v2",
        destination=one.name,
        types=asked.events,
        feeds=asked.feeds,
        other_feeds=() if asked.echo else (one.name,),
        lane=asked.order,
        deduplicates=asked.is_forgiving,
    )


def _of_route(route: Route, to: Destination) -> Subscription:
    return Subscription(
        id=new_id("subscription", 0, "route", route.tenant, route.name, to.name),
        tenant=route.tenant,
        client="",
        url=to.settings.url,
        kind="route",
        destination=to.name,
        route=route.name,
        types=(RECEIVED,),
        feeds=route.settings.feeds,
        lane=route.settings.order,
        deduplicates=to.settings.is_forgiving,
    )


def _again(kept: Subscription, wanted: Subscription) -> Subscription:
    """What is kept, as the files say it now; what people and receivers decided stays."""
    same = replace(kept, **{name: getattr(wanted, name) for name in OURS})
    if kept.reason != UNDECLARED:
        return same
    return replace(same, state="paused" if kept.paused_at else "active", reason=None)


def _changed(after: Subscription, before: Subscription, now: int) -> Subscription:
    return replace(after, version=before.version + 1, updated_at=now)
