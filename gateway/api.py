"""The HTTP application, wired on one page: which routes there are, and what every request passes on its way to one.

headed        a fresh state; request id, security headers and what the policies say, on every answer
observe       one span, one count, one duration
Litestar      routing; every failure becomes a problem (problems.py)
authenticate  who asks, by token, and still may          |
continued     the caller's own trace, if it is trusted   |
throttled     how often                                  |  compiled once for each route,
audited       a record of it: also of what is denied     |  absent where a route is open
require       the scope that the route names             |
answering     the handler, with query and body decoded (routes/); its answer or the problem it ended in
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from joserfc.jwk import KeySet
from litestar import Litestar, Request
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from msgspec import Struct

from gateway import problems
from gateway.bell import Bell
from gateway.clients import Clients
from gateway.clock import MICROS, Clock
from gateway.cursors import Cursors
from gateway.entrance import audited, fixed, throttled
from gateway.openapi import document
from gateway.replays import Replays
from gateway.rereading import Rereading
from gateway.revoking import forget_expired, recall
from gateway.routes import (
    appointments,
    authorizations,
    commands,
    coverages,
    deliveries,
    eligibility_checks,
    encounters,
    events,
    feeds,
    holds,
    jobs,
    locations,
    messages,
    oauth,
    organizations,
    patients,
    providers,
    referrals,
    requisitions,
    subscriptions,
    system,
    tasks,
)
from gateway.routes.records import Bodies
from gateway.routes.serving import Answer, Anyone, Call, Open, Route, Unaudited
from gateway.scopes import SCOPES
from gateway.services import Services
from policies.auth import Challenges, Secrets
from policies.call import App, Receive, Scope, Send, compose
from policies.door import Frame, authenticate, continued, headed, observe, require
from policies.throttle import Limit, Throttle
from policies.tokens import Issuer, Revocations, Verifier, generate_key, key_set, load_key

UNROUTED = "unrouted"
TOKEN_LIMIT = Limit(name="token-client", quota=10, window=1, burst=30)
ADDRESS_LIMIT = Limit(name="token-address", quota=20, window=1, burst=100)

ROUTES: tuple[Route, ...] = (
    *appointments.ROUTES,
    *commands.of("appointment"),
    *encounters.ROUTES,
    *patients.ROUTES,
    *providers.ROUTES,
    *organizations.ROUTES,
    *locations.ROUTES,
    *referrals.ROUTES,
    *commands.of("referral"),
    *coverages.ROUTES,
    *eligibility_checks.ROUTES,
    *commands.of("eligibility"),
    *authorizations.ROUTES,
    *commands.of("authorization"),
    *requisitions.ROUTES,
    *commands.of("requisition"),
    *events.ROUTES,
    *messages.ROUTES,
    *tasks.ROUTES,
    *subscriptions.ROUTES,
    *deliveries.ROUTES,
    *jobs.ROUTES,
    *feeds.ROUTES,
    *holds.ROUTES,
    *oauth.ROUTES,
    *system.ROUTES,
)


class Api(Struct, frozen=True, kw_only=True):
    """What handlers may use beside the services."""

    services: Services
    base_url: str
    bell: Bell
    cursors: Cursors
    replays: Replays
    bodies: Bodies
    rereading: Rereading
    keys: KeySet
    issuer: Issuer
    verifier: Verifier
    clients: Clients
    revocations: Revocations
    secrets: Secrets
    token_limits: Throttle
    address_limits: Throttle
    scopes: frozenset[str]
    document: bytes


async def build(services: Services, base_url: str, leaving: asyncio.Event, whole: bool = True) -> App:
    """The application, or only what says how the process is. `base_url` is how callers reach the API, and the issuer of
    its tokens."""
    api = await _api(services, base_url, leaving)
    services.pipeline.on_events.append(api.bell.ring)
    services.watch.chores.append(partial(forget_expired, services.store, api.revocations))
    if whole:
        await api.replays.resume()
        if services.site.main.store.is_shared:
            api.replays.look_after()
    seconds = _seconds(services.clock)
    door = _Door(api, seconds)
    litestar = Litestar(
        [_handler(route, api, door) for route in (ROUTES if whole else system.ROUTES)],
        exception_handlers={Exception: problems.answer},
        request_max_body_size=services.site.main.server.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )

    def template(scope: Scope) -> str:
        found: str = scope.get("path_template", UNROUTED)
        return found

    watched = observe(services.tracer, services.metrics, template, seconds)
    return compose([headed(fixed(base_url.startswith("https:"))), watched], cast(App, litestar))


async def _api(services: Services, base_url: str, leaving: asyncio.Event) -> Api:
    store = services.store
    key = load_key(await store.secret("token-key", generate_key().as_pem(private=True)))
    revocations = services.revocations
    await recall(store, revocations, services.clock() / MICROS)
    keys = key_set(key)
    return Api(
        services=services,
        base_url=base_url,
        bell=Bell(leaving),
        cursors=Cursors(await store.secret("cursor-key", os.urandom(32))),
        replays=services.replays,
        bodies=Bodies(),
        rereading=Rereading(store, services.standing),
        keys=keys,
        issuer=Issuer(base_url, base_url, key, services.site.main.server.token_seconds),
        verifier=Verifier("api", base_url, base_url, keys, revocations),
        revocations=revocations,
        clients=services.clients,
        secrets=Secrets(os.urandom(32)),
        token_limits=services.throttles(TOKEN_LIMIT),
        address_limits=services.throttles(ADDRESS_LIMIT),
        scopes=frozenset(SCOPES),
        document=document(ROUTES, base_url),
    )


def _seconds(clock: Clock) -> Callable[[], float]:
    return lambda: clock() / MICROS


def _handler(route: Route, api: Api, door: "_Door") -> HTTPRouteHandler:
    """A route as Litestar takes it: its frames, the innermost of which answers."""
    methods = [HttpMethod.GET, HttpMethod.HEAD] if route.method == "GET" else [HttpMethod(route.method)]
    frames: list[Any] = [*door.frames(route), answering(route, api)]
    return HTTPRouteHandler(route.path, http_method=methods, middleware=frames, name=route.operation)(_unreached)


async def _unreached() -> None:
    """What Litestar would call inside the frames, if `answering` went on to it."""


def answering(route: Route, api: Api) -> Frame:
    """Calls the handler and sends its answer, or the problem it ended in.

    It goes on to nothing: Litestar has routed, and its own way through a handler costs as much as all policies do.
    """
    handle, takes_body = route.handle, route.body is not None or route.form

    def frame(app: App) -> App:
        async def answered(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                body = await _body(scope, receive) if takes_body else b""
                answer = await handle(Call(api, scope, route), body)
            except Exception as error:
                refusal = problems.refusal_of(error, route.template)
                answer = Answer(
                    problems.encoded(scope, refusal), refusal.status, refusal.headers, problems.MEDIA_TYPE.encode()
                )
            await answer(scope, receive, send)

        return answered

    return frame


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The body, read by Litestar, which keeps to the limit."""
    request: Request[Any, Any, Any] = Request(cast(LitestarScope, scope), cast(LitestarReceive, receive))
    return await request.body()


class _Door:
    """The policies of a route, from what it declares."""

    def __init__(self, api: Api, seconds: Callable[[], float]) -> None:
        services = api.services
        self.trail, self.clock = services.trail, services.clock
        self.challenges = Challenges("isthmus", f"{api.base_url}/.well-known/oauth-protected-resource")
        self.identified = authenticate(api.verifier, api.clients.stands, self.challenges, seconds, problems.reply)
        self.continued = continued(api.clients.continues_trace)
        self.throttled = throttled(services.standing, services.throttles, services.metrics, seconds)

    def frames(self, route: Route) -> list[Frame]:
        """Outermost first."""
        if isinstance(route.guard, Open):
            return []
        found = [self.identified, self.continued, self.throttled]
        if not isinstance(route.audit, Unaudited):
            found.append(audited(route, self.trail, self.clock))
        if not isinstance(route.guard, Anyone):
            found.append(require(route.guard, self.challenges, problems.reply))
        return found
