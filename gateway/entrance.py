"""The frames of a request that belong to this house: how often each client, a record of each request, and what every
answer has. Made once for each route; the general ones are in policies/door.py.
"""

from collections.abc import Callable
from typing import Any

from gateway import problems
from gateway.clock import Clock
from gateway.routes.serving import Route, Seen, record_of
from gateway.settings import Site
from gateway.store.protocol import Unavailable
from gateway.trail import Trail
from policies.call import App, Receive, Scope, Send
from policies.door import Frame, Headers, throttle
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle

UNKEPT = "What is done here cannot be recorded now, so it is not done; try again shortly."


def throttled(site: Site, metrics: Metrics, seconds: Callable[[], float]) -> Frame:
    """One limit for every client, and its own for those whose file says so."""
    server, clients, reply = site.main.server, site.clients, problems.reply
    usual = Throttle([_limit(server.requests_per_second, server.burst)])
    special = {
        name: Throttle([_limit(client.requests_per_second or server.requests_per_second, client.burst or server.burst)])
        for name, client in clients.items()
        if client.requests_per_second or client.burst
    }

    def key(scope: Scope) -> tuple[str, str]:
        principal = scope["state"]["principal"]
        return principal.client_id, principal.tenant

    def frame(app: App) -> App:
        common = throttle(usual, key, metrics, seconds, reply)(app)
        own = {name: throttle(limits, key, metrics, seconds, reply)(app) for name, limits in special.items()}

        async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
            await own.get(scope["state"]["principal"].client_id, common)(scope, receive, send)

        return chosen if own else common

    return frame


def _limit(rate: float, burst: int) -> Limit:
    return Limit(name="client", quota=max(1, round(rate)), window=1.0 if rate >= 1 else 1 / rate, burst=burst)


def audited(route: Route, trail: Trail, clock: Clock) -> Frame:
    """A record of every request that has a name; a change is not answered before its record is kept."""

    def frame(app: App) -> App:
        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            if trail.is_full:
                return await problems.reply(scope, send, problems.unavailable(UNKEPT).refusal)
            seen = scope["state"]["seen"] = Seen(route)

            async def watched(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    trail.note(record_of(scope, seen, message["status"], clock()))
                await send(message)

            return await app(scope, receive, watched)

        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            if trail.is_full or trail.is_failing:
                return await problems.reply(scope, send, problems.unavailable(UNKEPT).refusal)
            seen = scope["state"]["seen"] = Seen(route)
            is_lost = False

            async def watched(message: dict[str, Any]) -> None:
                nonlocal is_lost
                if message["type"] == "http.response.start":
                    try:
                        await trail.write(record_of(scope, seen, message["status"], clock()))
                    except Unavailable:
                        is_lost = True
                        await problems.reply(scope, send, problems.unavailable(UNKEPT).refusal)
                if not is_lost:
                    await send(message)

            return await app(scope, receive, watched)

        return noted if route.audit == "R" else recorded

    return frame


def fixed(is_https: bool) -> Headers:
    """What a browser must know of every answer."""
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        *(((b"strict-transport-security", b"max-age=31536000"),) if is_https else ()),
    )
