"""The frames of a request that belong to this house: how often each client, a record of each request, and what every
answer has. Made once for each route; the general ones are in policies/door.py.
"""

import re
from collections.abc import Callable
from typing import Any

from canonical.meaning import ULID
from gateway import problems
from gateway.clock import Clock
from gateway.routes.serving import Route, Seen, record_of
from gateway.shared.choice import Throttles
from gateway.site.settings import Site
from gateway.site.standing import Standing
from gateway.store.protocol import Unavailable
from gateway.trail import Trail
from policies.call import App, Receive, Scope, Send
from policies.door import Frame, Headers, throttle
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle

ID = re.compile(f"[a-z]{{3}}_{ULID}", re.ASCII)


def throttled(standing: Standing, made_of: Throttles, metrics: Metrics, seconds: Callable[[], float]) -> Frame:
    """One limit for every client, and its own for those whose file says so, also one that is read later."""
    server = standing.site.main.server
    usual, special = made_of(_limit(server.requests_per_second, server.burst)), _special(standing.site, made_of)

    def become(site: Site) -> None:
        now = _special(site, made_of)
        for name in special.keys() | now.keys():
            if name not in now:
                del special[name]
            elif name not in special or special[name].limits != now[name].limits:
                special[name] = now[name]

    standing.hear(become)

    def key(scope: Scope) -> tuple[str, str]:
        principal = scope["state"]["principal"]
        return principal.client_id, principal.tenant

    def frame(app: App) -> App:
        made: dict[Throttle, App] = {}

        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            limits = special.get(scope["state"]["principal"].client_id, usual)
            if limits not in made:
                made[limits] = throttle(limits, key, metrics, seconds, problems.reply)(app)
            await made[limits](scope, receive, send)

        return chosen

    return frame


def _special(site: Site, made_of: Throttles) -> dict[str, Throttle]:
    server = site.main.server
    return {
        name: made_of(_limit(client.requests_per_second or server.requests_per_second, client.burst or server.burst))
        for name, client in site.clients.items()
        if client.requests_per_second or client.burst
    }


def _limit(rate: float, burst: int) -> Limit:
    return Limit(name="client", quota=max(1, round(rate)), window=1.0 if rate >= 1 else 1 / rate, burst=burst)


def audited(route: Route, trail: Trail, clock: Clock) -> Frame:
    """A record of every request that has a name; a change is not begun before a record of it is kept."""

    def frame(app: App) -> App:
        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            if trail.is_full:
                return await problems.reply(scope, send, problems.unkept().refusal)
            seen = scope["state"]["seen"] = Seen(route)

            async def watched(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    trail.note(record_of(scope, seen, message["status"], clock()))
                await send(message)

            return await app(scope, receive, watched)

        async def begun(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await trail.begin(record_of(scope, _aim(scope, route), None, clock()))
            except Unavailable:
                return await problems.reply(scope, send, problems.unkept().refusal)
            return await noted(scope, receive, send)

        return noted if route.audit == "R" else begun

    return frame


def _aim(scope: Scope, route: Route) -> Seen:
    """What a request is about before it is looked at: the id in its path, where that is an id."""
    seen, named = Seen(route), scope.get("path_params", {}).get("id", "")
    if ID.fullmatch(named):
        seen.records = (named,)
    return seen


def fixed(is_https: bool) -> Headers:
    """What a browser must know of every answer."""
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        *(((b"strict-transport-security", b"max-age=31536000"),) if is_https else ()),
    )
