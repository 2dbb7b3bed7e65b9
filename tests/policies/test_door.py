"""The ASGI frames, composed as the app composes them."""

import random
from typing import Any

import pytest

from policies.auth import Challenges, Principal
from policies.call import App, Receive, Refusal, Scope, Send, compose
from policies.door import authenticate, continued, headed, observe, require, throttle
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle
from policies.tokens import Issuer, Revocations, Verifier, generate_key, key_set
from policies.tracing import Span, Tracer, parse

KEY = generate_key()
ROUTE = "/v1/appointments/{id}"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/boom":
        raise RuntimeError
    await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b'"1"')]})
    await send({"type": "http.response.body", "body": b"{}"})


innermost: App = answer


async def reply(scope: Scope, send: Send, refusal: Refusal) -> None:
    await send({"type": "http.response.start", "status": refusal.status, "headers": list(refusal.headers)})
    await send({"type": "http.response.body", "body": refusal.code.encode()})


class House:
    """An app behind every frame, with what they need."""

    def __init__(self) -> None:
        self.metrics, self.spans, self.gone = Metrics(), list[Span](), set[str]()
        self.tracer = Tracer(self.spans.append, 1.0, lambda: 0, random.Random(1).getrandbits)
        verifier = Verifier("api", "https://i", "aud", key_set(KEY), Revocations())
        challenges = Challenges("api")
        self.app: App = compose(
            [
                headed([(b"server", b"house")]),
                observe(self.tracer, self.metrics, lambda scope: ROUTE, lambda: 0.0),
                authenticate(verifier, self.stands, challenges, lambda: 1000.0, reply),
                throttle(
                    Throttle([Limit(name="burst", quota=2, window=60)]), client_of, self.metrics, lambda: 0.0, reply
                ),
                require("appointments.read", challenges, reply),
            ],
            innermost,
        )

    async def stands(self, principal: Principal) -> bool:
        return principal.client_id not in self.gone

    async def get(self, *headers: tuple[bytes, bytes], path: str = "/", kind: str = "http") -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        scope: Scope = {"type": kind, "method": "GET", "path": path, "headers": list(headers), "state": {}}
        await self.app(scope, receive, send)
        self.state = scope["state"]
        return sent


def client_of(scope: Scope) -> tuple[str, str]:
    principal: Principal = scope["state"]["principal"]
    return principal.client_id, principal.tenant


def bearer(*scopes: str) -> tuple[bytes, bytes]:
    token = Issuer("https://i", "aud", KEY).issue("partner", "north", frozenset(scopes), 1000.0, "t1")
    return b"authorization", b"Bearer " + token.encode()


async def test_answer_passes_with_its_headers() -> None:
    """A good request reaches the app, and the answer says what is left and is kept by no cache."""
    house = House()
    start, _ = await house.get(bearer("appointments.read"))
    headers = dict(start["headers"])

    assert (start["status"], headers[b"etag"]) == (200, b'"1"')
    assert headers[b"ratelimit"] == b'"burst";r=1;t=30'
    assert [value for name, value in start["headers"] if name == b"cache-control"] == [b"no-store"]
    assert (headers[b"server"], headers[b"x-request-id"]) == (b"house", house.state["trace"].id.encode())
    assert house.state["principal"].client_id == "partner"


@pytest.mark.parametrize(
    ("status", "code", "headers"),
    [
        (401, b"unauthenticated", []),
        (401, b"unauthenticated", [(b"authorization", b"Basic x")]),
        (400, b"invalid_request", [(b"authorization", b"Bearer")]),
        (401, b"invalid_token", [(b"authorization", b"Bearer nonsense")]),
        (403, b"insufficient_scope", [bearer("patients.read")]),
    ],
)
async def test_refusals(status: int, code: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Who has no token, an unclear one, a bad one or too small a one is told so with a challenge."""
    start, body = await House().get(*headers)

    assert (start["status"], body["body"]) == (status, code)
    assert dict(start["headers"])[b"www-authenticate"].startswith(b'Bearer realm="api"')


async def test_a_client_that_is_gone() -> None:
    """A token that was good and is remembered is refused once its client may no longer have it."""
    house = House()
    before, _ = await house.get(bearer("appointments.read"))
    house.gone.add("partner")
    after, body = await house.get(bearer("appointments.read"))

    assert (200, 401, b"invalid_token") == (before["status"], after["status"], body["body"])


async def test_limit() -> None:
    """The third request of two is refused, counted, and told when to come back."""
    house = House()
    for _ in range(2):
        await house.get(bearer("admin"))
    start, body = await house.get(bearer("admin"))

    assert (start["status"], body["body"], dict(start["headers"])[b"retry-after"]) == (429, b"quota_exceeded", b"30")
    assert house.metrics.registry.get_sample_value("isthmus_throttled_total", {"limit": "burst"}) == 1


async def test_every_request_is_observed() -> None:
    """Answered, refused and failed requests each leave one span and one duration, by template."""
    house = House()
    theirs = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await house.get(bearer("admin"), (b"traceparent", theirs))
    await house.get()
    with pytest.raises(RuntimeError):
        await house.get(bearer("admin"), path="/boom")

    assert [(span.attributes["status"], span.is_error) for span in house.spans] == [
        (200, False),
        (401, False),
        (500, True),
    ]
    assert [None, None, "http_500"] == [span.attributes.get("code") for span in house.spans]
    assert house.spans[0].attributes["route"] == ROUTE
    assert len(house.spans[0].trace.links) == 1
    assert b'http_response_status_code="500",http_route="/v1/appointments/{id}"' in house.metrics.render()


async def asked_by(client: str, trusted: set[str], traceparent: str) -> list[Span]:
    """The spans of a request of a known client."""
    spans: list[Span] = []
    tracer = Tracer(spans.append, 1.0, lambda: 0, random.Random(1).getrandbits)
    who = Principal(client_id=client, tenant="main", scopes=frozenset(), token_id="t")
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"traceparent", traceparent.encode())]}

    async def nothing(message: Any = None) -> None: ...

    def known(app: App) -> App:
        async def identified(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"]["principal"] = who
            await app(scope, receive, send)

        return identified

    observed = observe(tracer, Metrics(), lambda scope: ROUTE, lambda: 0.0)
    await compose([headed([]), observed, known, continued(trusted.__contains__)], innermost)(scope, nothing, nothing)
    return spans


async def test_a_trusted_client_goes_on_in_its_trace() -> None:
    """The request of a trusted client is a child of its span, and sampled as that is; of another it is linked."""
    theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    context = parse(theirs)
    assert context
    ((ours, *_),) = await asked_by("inside", {"inside"}, theirs)
    ((restarted, *_),) = await asked_by("partner", {"inside"}, theirs)

    assert (context.trace_id, context.span_id, ()) == (ours.trace_id, ours.parent_id, ours.links)
    assert (None, (context,)) == (restarted.parent_id, restarted.links)
    assert restarted.trace_id != context.trace_id
    assert [] == await asked_by("inside", {"inside"}, theirs[:-1] + "0"), "its caller does not sample"
    assert 1 == len(await asked_by("inside", {"inside"}, theirs.upper())), "not a traceparent: a trace of ours"


async def test_other_protocols_are_not_observed() -> None:
    """Lifespan and websockets pass the observer untouched."""
    house = House()
    passed = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    async def nothing(message: Any = None) -> None: ...

    await observe(house.tracer, house.metrics, lambda scope: ROUTE, lambda: 0.0)(app)(
        {"type": "lifespan"}, nothing, nothing
    )

    assert (passed, house.spans) == (["lifespan"], [])
