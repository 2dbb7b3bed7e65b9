"""What a route is: a function with its path, its guard and its audit rule beside it, and what it takes and gives.

    @serves("GET", "/v1/tasks", guard="tasks.read", audit="R", gives=Tasks)
    async def list_tasks(call: Call, query: TaskSearch) -> Answer: ...

`serves` refuses a route without a guard or an audit rule; one that needs neither says why. The types of `query` and
`body` are read from the signature: they decode the request and make the OpenAPI document.
"""

import inspect
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Struct

from gateway.clock import MICROS
from gateway.problems import Stop, Wrong, stop
from gateway.refusals import STATUSES
from gateway.routes.reading import from_json, from_query
from policies.audit import Action, AuditOutcome, AuditRecord
from policies.auth import Principal
from policies.call import Receive, Scope, Send
from policies.tracing import Trace

if TYPE_CHECKING:
    from gateway.api import Api

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
JSON = b"application/json"
encode = msgspec.json.Encoder().encode


class Open(Struct, frozen=True):
    """The guard of a route that asks for no token, and why that is right."""

    why: str


class Anyone(Struct, frozen=True):
    """The guard of a route for every client that has a token, and why that is right."""

    why: str


class Unaudited(Struct, frozen=True):
    """The audit rule of a route that leaves no record, and why that is right."""

    why: str


class Answer:
    """A response that is ready to go: an ASGI application of three slots."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, status: int = 200, headers: Headers = (), media: bytes = JSON) -> None:
        self.body = body
        self.status = status
        self.headers = [*headers, (b"content-type", media), (b"content-length", b"%d" % len(body))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.body", "body": body, "more_body": False})


def answer(value: object, status: int = 200, headers: Headers = ()) -> Answer:
    """A value as JSON."""
    return Answer(encode(value), status, headers)


class Empty(Answer):
    """204 or 304: no content, and no content type."""

    __slots__ = ()

    def __init__(self, status: int = 204, headers: Headers = ()) -> None:
        self.body, self.status, self.headers = b"", status, [*headers]


class Seen:
    """What a request showed or changed, for its audit record; a handler fills it in as it goes."""

    __slots__ = ("count", "patients", "query", "records", "route")

    def __init__(self, route: "Route") -> None:
        self.route = route
        self.records: tuple[str, ...] = ()
        self.patients: tuple[str, ...] = ()
        self.count: int | None = None
        self.query: bytes = b""


class Call:
    """One request as a handler sees it."""

    __slots__ = ("api", "scope", "seen", "sent")

    def __init__(self, api: "Api", scope: Scope, route: "Route") -> None:
        self.api = api
        self.scope = scope
        self.seen: Seen = scope["state"].get("seen") or Seen(route)
        self.sent = b""  # the body as it came

    @property
    def principal(self) -> Principal:
        """Who asks."""
        principal: Principal = self.scope["state"]["principal"]
        return principal

    @property
    def tenant(self) -> str:
        """Whose data this request may see."""
        tenant: str = self.scope["state"]["principal"].tenant
        return tenant

    @property
    def id(self) -> str:
        """The id in the path."""
        identity: str = self.scope["path_params"]["id"]
        return identity

    @property
    def trace(self) -> Trace:
        """The request's span: what it causes is of the same trace."""
        trace: Trace = self.scope["state"]["trace"]
        return trace

    @property
    def now(self) -> int:
        """Microseconds since the epoch."""
        now: int = self.api.services.clock()
        return now

    def header(self, name: bytes) -> str | None:
        """The first header of a (lower-case) name."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return None

    def saw(self, *records: str, patient: str | None = None, count: int | None = None) -> None:
        """Say for the audit what is being shown or changed."""
        self.seen.records = records
        self.seen.count = count
        if patient:
            self.seen.patients = (patient,)


Run = Callable[..., Awaitable[Answer]]
Handle = Callable[[Call, bytes], Awaitable[Answer]]


class Route(Struct, frozen=True, kw_only=True):
    """A route as it was declared."""

    method: str
    path: str  # as Litestar writes it: /v1/tasks/{id:str}
    run: Run
    guard: str | Anyone | Open
    audit: Action | Unaudited
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    gives: Any = None
    trial: Any = None  # what a dry run gives
    status: int = 200
    media: str = "application/json"
    also: str = ""  # another media type that it may answer with
    fails: tuple[str, ...] = ()  # the codes of its own refusals; what may happen on every route of its kind is added
    tag: str = ""
    headers: tuple[str, ...] = ()
    name: str = ""
    text: str = ""
    form: type[Struct] | None = None  # takes its body as it comes: the form of an OAuth request

    @property
    def template(self) -> str:
        """The path as documents, spans and audit records write it: /v1/tasks/{id}."""
        return self.path.replace(":str}", "}")

    @property
    def failures(self) -> tuple[str, ...]:
        """The codes of every refusal that may be the answer, by status."""
        found = {*self.fails, "internal_error"}
        if not isinstance(self.guard, Open):
            found |= {"invalid_request", "unauthenticated", "invalid_token", "quota_exceeded", "unavailable"}
        if isinstance(self.guard, str):
            found.add("insufficient_scope")
        if self.query is not None:
            found.add("invalid_request")
        if self.body is not None:
            found |= {"invalid_request", "content_too_large", "unsupported_media_type"}
        if self.form is not None:
            found |= {"content_too_large", "quota_exceeded", "unavailable"}
        if self.refuses_match:
            found.add("has_no_version")
        return tuple(sorted(found, key=lambda code: (STATUSES[code], code)))

    @property
    def refuses_match(self) -> bool:
        """Whether it changes what has no version, so that no tag in If-Match can hold."""
        is_reading = self.method == "GET" or self.audit == "R" or self.form is not None
        return not is_reading and "precondition_failed" not in self.fails

    @property
    def operation(self) -> str:
        """The operationId: `list_tasks` is `listTasks`."""
        first, *rest = (self.name or self.run.__name__).split("_")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def about(self) -> tuple[str, str]:
        """Summary and description: the first line of the docstring, and the rest."""
        text = self.text or inspect.getdoc(self.run) or ""
        summary, _, rest = text.partition("\n")
        return summary.rstrip("."), rest.strip()

    @property
    def handle(self) -> Handle:
        """The function with its query and body decoded; made once, when the app is wired."""
        handle = self._decoding
        if not self.refuses_match:
            return handle

        async def unconditional(call: Call, sent: bytes) -> Answer:
            refuse_match(call)
            return await handle(call, sent)

        return unconditional

    @property
    def _decoding(self) -> Handle:
        run, query, body, is_search = self.run, self.query, self.body, self.audit == "R"
        if self.form is not None:
            return lambda call, sent: run(call, sent)
        if query is None and body is None:
            return lambda call, sent: run(call)

        async def decoded(call: Call, sent: bytes) -> Answer:
            given: dict[str, Struct] = {}
            if query is not None:
                given["query"] = from_query(query, call.scope["query_string"])
                call.seen.query = call.scope["query_string"]
            if body is not None:
                call.sent = sent
                call.seen.query = sent if is_search else b""
                given["body"] = from_json(body, call.header(b"content-type"), sent)
            return await run(call, **given)

        return decoded


def serves(
    method: str, path: str, *, guard: str | Anyone | Open, audit: Action | Unaudited, **rest: Any
) -> Callable[[Run], Route]:
    """Make a function a route."""

    def declare(run: Run) -> Route:
        types = inspect.get_annotations(run, eval_str=False)
        return Route(
            method=method,
            path=path,
            run=run,
            guard=guard,
            audit=audit,
            query=types.get("query"),
            body=types.get("body"),
            **rest,
        )

    return declare


LONGEST_QUERY = 4096


def record_of(scope: Scope, seen: Seen, status: int | None, now: int) -> AuditRecord:
    """The audit record of a request that was answered with this status, or is about to be looked at."""
    principal: Principal = scope["state"]["principal"]
    trace: Trace = scope["state"]["trace"]
    return AuditRecord(
        at=now / MICROS,
        actor=principal.client_id,
        tenant=principal.tenant,
        action=seen.route.audit,  # type: ignore[arg-type]  # only routes with a rule leave a record
        what=seen.route.template,
        outcome=None if status is None else _outcome(status),
        records=seen.records,
        patients=seen.patients,
        source=scope["client"][0] if scope.get("client") else None,
        query=b64encode(seen.query[:LONGEST_QUERY]).decode() if seen.query else None,
        count=seen.count,
        trace=trace.id,
    )


def _outcome(status: int) -> AuditOutcome:
    if status >= 500:
        return 12
    return 0 if status < 400 else 8 if status == 403 else 4


# -- versions


def etag(version: int | str) -> tuple[bytes, bytes]:
    """The strong entity tag of a version (RFC 9110 section 8.8.3)."""
    return (b"etag", f'"{version}"'.encode())


def is_known(call: Call, version: int | str) -> bool:
    """Whether If-None-Match names the version (RFC 9110 section 13.1.2)."""
    given = call.header(b"if-none-match")
    return given is not None and (given.strip() == "*" or str(version) in _versions(given))


def require_match(call: Call, version: int) -> None:
    """Go on only if If-Match is there and names the version (RFC 6585 section 3)."""
    given = call.header(b"if-match")
    if given is None:
        raise stop(428, "precondition_required", "Send the ETag that you read as If-Match.")
    check_match(call, version)


def check_match(call: Call, version: int) -> int | None:
    """For a command: If-Match need not be there, and holds where it is (RFC 9110 section 13.1.1).

    The version that the write must find is given back; None where the caller named none.
    """
    given = call.header(b"if-match")
    if given is None or given.strip() == "*":
        return None
    if str(version) not in _versions(given):
        raise changed()
    return version


def refuse_match(call: Call) -> None:
    """For what has no version: a tag cannot match, and a caller who sends one means a safety that is not there."""
    given = call.header(b"if-match")
    if given is not None and given.strip() != "*":
        wrong = Wrong(code="has_no_version", header="If-Match", detail="Leave it out.")
        raise stop(400, "has_no_version", "This has no version that If-Match could name.", [wrong])


def changed() -> Stop:
    """Someone else changed it since it was read."""
    return stop(412, "precondition_failed", "It was changed since you read it; read it again.")


def _versions(header: str) -> set[str]:
    return {one.strip().removeprefix("W/").strip('"') for one in header.split(",")}


def versioned(call: Call, version: int | str, body: Callable[[], bytes]) -> Answer:
    """A body with its ETag; 304 without asking for the body where the caller has it."""
    tag = etag(version)
    return Empty(304, (tag,)) if is_known(call, version) else Answer(body(), headers=(tag,))
