"""/v1/feeds and what is held: pausing and releasing a feed or intake as a whole."""

from typing import Annotated

from msgspec import Struct

from canonical.meaning import codes, means, when
from gateway.problems import not_found, stop
from gateway.routes.paging import Page
from gateway.routes.serving import Answer, Call, answer, serves
from gateway.site.settings import Feed
from policies.auth import ADMIN
from transforms.api import v1
from transforms.api.cloudevent import instant

INTAKE = "intake"


class FeedState(v1.Wire, frozen=True, omit_defaults=False):
    """A feed as it runs. `counts` are messages by outcome since this process began."""

    name: Annotated[str, means("Its name: what stands in the path.")]
    listener: Annotated[str, means("Where it listens, as `host:port`.")]
    zone: Annotated[str | None, means("The zone of its local times; null where none is set.")]
    state: Annotated[str, codes("Whether it is held.", "open", "paused")]
    silent: Annotated[bool, means("Whether it has been quiet for longer than usual.")]
    counts: Annotated[dict[str, int], means("Messages by what became of them, since this process began.")]


class Switch(Struct, frozen=True, kw_only=True):
    """Something that is held: `intake`, `feed:NAME`, `subscription:ID`; since when and by which client.

    `by` is null where the client is not of your tenant. Both are null when it has just been let go.
    """

    name: Annotated[str, means("What is held: `intake`, `feed:NAME` or `subscription:ID`.")]
    since: Annotated[str | None, when("Since when; null where it has just been let go.")] = None
    by: Annotated[
        str | None, means("The client that holds it; null where that is not of your tenant, or nobody does.")
    ] = None


@serves("GET", "/v1/feeds", guard=ADMIN, audit="R", gives=Page[FeedState], tag="feeds")
async def list_feeds(call: Call) -> Answer:
    """The feeds of the tenant: where each listens, whether it is held or silent, what came."""
    feeds = [feed for feed in call.api.services.site.feeds if feed.tenant == call.tenant]
    call.saw(count=len(feeds))
    return answer({"items": [_state(call, feed) for feed in feeds], "next": None})


@serves("GET", "/v1/switches", guard=ADMIN, audit="R", gives=Page[Switch], tag="feeds")
async def list_switches(call: Call) -> Answer:
    """What is held now: intake, feeds and subscriptions."""
    services = call.api.services
    held, ours = await services.store.switches(), await services.store.subscriptions(call.tenant)
    names = {INTAKE, *(f"feed:{feed.name}" for feed in services.site.feeds if feed.tenant == call.tenant)}
    shown = [_switch(call, name, held[name]) for name in sorted(names & held.keys())]
    shown += [
        Switch(name=f"subscription:{one.id}", since=instant(one.paused_at or one.updated_at), by=one.paused_by)
        for one in ours
        if one.state == "paused"
    ]
    call.saw(count=len(shown))
    return answer({"items": shown, "next": None})


def _switch(call: Call, name: str, value: str) -> Switch:
    since, _, by = value.partition(" ")
    return Switch(name=name, since=since, by=by if name != INTAKE or _is_operator(call) else None)


@serves("POST", "/v1/feeds/{id:str}/pause", guard=ADMIN, audit="U", gives=FeedState, fails=("not_found",), tag="feeds")
async def pause_feed(call: Call) -> Answer:
    """Hold a feed: its senders are told to try again, and nothing of theirs is kept.

    A feed has no version: If-Match with a tag is refused.
    """
    feed = _feed(call)
    await call.api.services.pipeline.pause(f"feed:{feed.name}", _by(call))
    return answer(_state(call, feed))


@serves(
    "POST", "/v1/feeds/{id:str}/release", guard=ADMIN, audit="U", gives=FeedState, fails=("not_found",), tag="feeds"
)
async def release_feed(call: Call) -> Answer:
    """Let a feed in again.

    A feed has no version: If-Match with a tag is refused.
    """
    feed = _feed(call)
    await call.api.services.pipeline.release(f"feed:{feed.name}")
    return answer(_state(call, feed))


@serves("POST", "/v1/intake/pause", guard=ADMIN, audit="U", gives=Switch, fails=("not_the_operator",), tag="feeds")
async def pause_intake(call: Call) -> Answer:
    """Hold all feeds of all tenants. Only the first tenant of the site may.

    Intake has no version: If-Match with a tag is refused.
    """
    _require_operator(call)
    return answer(_switch(call, INTAKE, await call.api.services.pipeline.pause(INTAKE, _by(call))))


@serves("POST", "/v1/intake/release", guard=ADMIN, audit="U", gives=Switch, fails=("not_the_operator",), tag="feeds")
async def release_intake(call: Call) -> Answer:
    """Let all feeds in again, but those that are held by themselves.

    Intake has no version: If-Match with a tag is refused.
    """
    _require_operator(call)
    await call.api.services.pipeline.release(INTAKE)
    return answer(Switch(name=INTAKE))


def _is_operator(call: Call) -> bool:
    return call.tenant == call.api.services.site.main.tenants[0]


def _require_operator(call: Call) -> None:
    if not _is_operator(call):
        raise stop(403, "not_the_operator", "Intake as a whole belongs to the first tenant of the site.")


def _feed(call: Call) -> Feed:
    found = call.api.services.site.feed(call.id, call.tenant)
    if found is None:
        raise not_found()
    call.saw(found.name)
    return found


def _by(call: Call) -> str:
    return f"{instant(call.now)} {call.principal.client_id}"


def _state(call: Call, feed: Feed) -> FeedState:
    services = call.api.services
    held = services.pipeline.switches
    return FeedState(
        name=feed.name,
        listener=feed.settings.mllp,
        zone=feed.profile.zone,
        state="paused" if INTAKE in held or f"feed:{feed.name}" in held else "open",
        silent=services.watch.is_silent(feed.name),
        counts=dict(services.pipeline.counts[feed.name]),
    )


ROUTES = (list_feeds, list_switches, pause_feed, release_feed, pause_intake, release_intake)
