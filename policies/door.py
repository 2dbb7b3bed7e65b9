"""The policies as ASGI frames: each is a closure made once when the app is wired, and asks a pure neighbour.

They know no route and write no body: a refusal goes to the app's one `reply`. Litestar takes each as a
middleware (`app` is the keyword it uses), and `compose` takes them round any other ASGI app. What a frame says in the
headers of the answer it lays down in `scope["state"]["headers"]`; `headed`, the outermost, sends them: one look at
what is sent instead of one for each frame.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from policies.auth import Challenges, Principal, allows, bearer_token
from policies.call import App, Receive, Reply, Scope, Send
from policies.metrics import Metrics
from policies.throttle import Throttle
from policies.tokens import TokenRefused, Verifier
from policies.tracing import Trace, Tracer

Clock = Callable[[], float]
Stands = Callable[[Principal], Awaitable[bool]]
Frame = Callable[[App], App]
Headers = Sequence[tuple[bytes, bytes]]
PRIVATE = ((b"cache-control", b"no-store"), (b"vary", b"Authorization"))


def headed(fixed: Headers) -> Frame:
    """A state of its own for every request, and on every answer what is fixed, its id and what the frames laid down.

    An answer that says nothing of caches is kept by none.
    """

    def frame(app: App) -> App:
        async def dressed(scope: Scope, receive: Receive, send: Send) -> None:
            headers = [*fixed]
            state = scope["state"] = {"headers": headers}

            async def sending(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    state["status"] = message["status"]
                    if trace := state.get("trace"):
                        headers.append((b"x-request-id", trace.id.encode()))
                    headers.extend(message["headers"])
                    if PRIVATE[0] not in headers and not any(name == b"cache-control" for name, _ in headers):
                        headers.append(PRIVATE[0])
                    message["headers"] = headers
                await send(message)

            await app(scope, receive, sending)

        return dressed

    return frame


def authenticate(verifier: Verifier, stands: Stands, challenges: Challenges, clock: Clock, reply: Reply) -> Frame:
    """Let in who bears a valid token, as `scope["state"]["principal"]`; answers are never kept by a cache.

    `stands` says whether its client may still have it: a token does not outlive the client or its scopes.
    """

    def frame(app: App) -> App:
        async def authenticated(scope: Scope, receive: Receive, send: Send) -> None:
            state = scope["state"]
            try:
                token = bearer_token(scope["headers"])
            except ValueError:
                return await reply(scope, send, challenges.malformed())
            if token is None:
                return await reply(scope, send, challenges.missing())
            try:
                principal = verifier.verify(token, clock())
                if not await stands(principal):
                    raise TokenRefused("The access token's client may no longer have it.")
            except TokenRefused as refused:
                return await reply(scope, send, challenges.invalid(refused.reason))
            state["principal"] = principal
            state["headers"] += PRIVATE
            return await app(scope, receive, send)

        return authenticated

    return frame


def continued(is_trusted: Callable[[str], bool]) -> Frame:
    """Let the requests of these clients go on in the trace that they came with; stands inside `authenticate`."""

    def frame(app: App) -> App:
        async def continuing(scope: Scope, receive: Receive, send: Send) -> None:
            state = scope["state"]
            trace: Trace = state["trace"]
            if trace.links and is_trusted(state["principal"].client_id):
                trace.go_on_from(trace.links[0])
            return await app(scope, receive, send)

        return continuing

    return frame


def require(needed: str, challenges: Challenges, reply: Reply) -> Frame:
    """Let in whose principal may do what needs this scope; stands inside `authenticate`."""

    def frame(app: App) -> App:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            principal: Principal = scope["state"]["principal"]
            if not allows(principal, needed):
                return await reply(scope, send, challenges.insufficient([needed]))
            return await app(scope, receive, send)

        return guarded

    return frame


def throttle(
    limits: Throttle, key: Callable[[Scope], tuple[str, str]], metrics: Metrics, clock: Clock, reply: Reply
) -> Frame:
    """Let in as often as the limits allow the `(client, tenant or route class)` of a request, and say what is left."""

    def frame(app: App) -> App:
        async def throttled(scope: Scope, receive: Receive, send: Send) -> None:
            verdict = await limits.decide(*key(scope), clock())
            if not verdict.allowed:
                metrics.throttled.child(verdict.limit).inc()
                return await reply(scope, send, limits.refusal(verdict))
            scope["state"]["headers"] += limits.headers(verdict)
            return await app(scope, receive, send)

        return throttled

    return frame


def observe(tracer: Tracer, metrics: Metrics, route: Callable[[Scope], str], clock: Clock) -> Frame:
    """One span, one count and one duration a request; its trace is `scope["state"]["trace"]`, for logs and problems.

    The caller is unknown yet, so its own trace is kept as a link only (W3C Trace Context, section on restarts); who
    turns out to be trusted with that goes on in it (`continued`).
    `route` gives the template, never the path, once the app has routed. Stands inside `headed`.
    """

    def frame(app: App) -> App:
        async def observed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return await app(scope, receive, send)
            started = clock()
            theirs = tracer.link(scope["headers"])
            trace = scope["state"]["trace"] = tracer.start("http.request", kind="server", links=theirs)
            try:
                return await app(scope, receive, send)
            finally:
                template, method, status = route(scope), scope["method"], scope["state"].get("status", 500)
                metrics.request(template, method, status, clock() - started)
                outcome = "error" if status >= 500 else "ok"
                code = f"http_{status}" if status >= 500 else None
                tracer.finish(trace, outcome, route=template, method=method, status=status, code=code)

        return observed

    return frame
