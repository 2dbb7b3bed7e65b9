"""Every answer that is not a success: RFC 9457 problems, made here and nowhere else.

A problem says what to do and where (`/url`, `dateFrom`), never what was sent; its `requestId` finds the trace.
Handlers raise `Stop`, policies hand over a `Refusal`, and what nobody expected becomes a 500 that says nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

from canonical.meaning import codes, means
from gateway.refusals import STATUSES, WRONGS
from gateway.store.protocol import Conflict, Unavailable
from policies.call import Refusal, Scope, Send
from policies.redact import log
from policies.tracing import Trace

MEDIA_TYPE = "application/problem+json"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
    500: "internal_error",
}
DETAILS = {
    400: "The request cannot be read.",
    404: "There is nothing here, or nothing that you may see.",
    405: "This resource does not have that method; Allow lists those it has.",
    413: "The body is larger than this server takes.",
    500: "Something went wrong on our side. Nothing of it is known to be your fault; the requestId finds it.",
}


class Wrong(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing wrong with a request, and its place: a body's JSON pointer, a parameter, or a header."""

    code: Annotated[str, codes("What is wrong with it.", *WRONGS)]
    detail: Annotated[str, means("What to do, for people.")]
    pointer: Annotated[str | None, means("A place in the body (RFC 6901).", format="json-pointer")] = None
    parameter: Annotated[str | None, means("A query parameter; `*` is all of them.")] = None
    header: Annotated[str | None, means("A header.")] = None


class ProblemDetails(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """RFC 9457, with the members that this house adds. Consumers must ignore members that they do not know."""

    type: Annotated[
        str, means("The kind as a URI; `about:blank` where the status says it all.", format="uri-reference")
    ]
    status: Annotated[int, means("The status of the answer.")]
    title: Annotated[str, means("The kind in words.")]
    detail: Annotated[str, means("What to do, for people: never read it by program.")]
    instance: Annotated[str, means("This very occurrence, by the id of the request.", format="uri")]
    code: Annotated[str, codes("What it is, for programs: decide by this.", *STATUSES)]
    request_id: Annotated[str, means("Finds the request in the operator's traces; also the header X-Request-Id.")]
    retryable: Annotated[bool, means("Whether the same request may succeed later.")]
    errors: Annotated[list[Wrong], means("All that is wrong with the request, each with its place.")] = []
    allowed: Annotated[list[str], means("What the thing can become instead; only where it cannot become this.")] = []


class Stop(Exception):
    """Ends a request with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def stop(
    status: int,
    code: str,
    detail: str,
    errors: Iterable[Wrong] = (),
    *,
    allowed: Sequence[str] | None = None,
    **headers: str,
) -> Stop:
    """`raise stop(409, "already_completed", "...", Retry_After="3")`."""
    listed = list(errors)
    members: dict[str, object] = {"errors": listed} if listed else {}
    return Stop(
        Refusal(
            status=status,
            code=code,
            detail=detail,
            headers=tuple((name.replace("_", "-").lower().encode(), text.encode()) for name, text in headers.items()),
            members=members if allowed is None else {**members, "allowed": list(allowed)},
        )
    )


def not_found() -> Stop:
    """What does not exist, and what belongs to someone else: the two look the same."""
    return stop(404, CODES[404], DETAILS[404])


def unreadable(errors: Iterable[Wrong]) -> Stop:
    """What cannot be parsed, all of it at once."""
    return stop(400, "invalid_request", "The request cannot be read; `errors` lists every place.", errors)


def invalid(errors: Iterable[Wrong]) -> Stop:
    """What can be parsed but cannot be, all of it at once."""
    return stop(422, "invalid_value", "The request holds values that cannot be; `errors` lists every place.", errors)


def unavailable(detail: str = "The store cannot be reached now; try again shortly.", **members: object) -> Stop:
    """A 503 of the IANA registry's kind."""
    refusal = Refusal(
        status=503,
        code="unavailable",
        detail=detail,
        headers=((b"retry-after", b"2"),),
        type=REDUCED_CAPACITY,
        members={"violated-policies": ["capacity"], **members},
    )
    return Stop(refusal)


def unkept() -> Stop:
    """A change that is not made because the trail cannot take its record."""
    return unavailable("What is done here cannot be recorded now, so it is not done; try again shortly.")


def encoded(scope: Scope, refusal: Refusal) -> bytes:
    """The body of a refusal."""
    trace: Trace | None = scope.get("state", {}).get("trace")
    identity = trace.id if trace else ""
    members: Mapping[str, Any] = refusal.members
    problem = {
        "type": refusal.type,
        "status": refusal.status,
        "title": _title(refusal),
        "detail": refusal.detail,
        "instance": f"urn:request:{identity}",
        "code": refusal.code,
        "requestId": identity,
        "retryable": refusal.status in RETRYABLE,
        **members,
    }
    return _encode(problem)


_encode = msgspec.json.Encoder().encode


def _title(refusal: Refusal) -> str:
    if refusal.type == "about:blank":
        return HTTPStatus(refusal.status).phrase
    return refusal.type.rpartition("#")[2].replace("-", " ").capitalize()


async def reply(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Send a refusal: what the policies at the door are given as their `Reply`."""
    body = encoded(scope, refusal)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        *refusal.headers,
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})


def refusal_of(error: Exception, route: str | None = None) -> Refusal:
    """What an exception means to a caller. Of Litestar's own only the status is taken: their text repeats input."""
    if isinstance(error, Stop):
        return error.refusal
    if isinstance(error, Unavailable):
        return unavailable().refusal
    if isinstance(error, Conflict):
        return stop(409, "conflict", "Someone else changed it at the same moment; read it and try again.").refusal
    if isinstance(error, HTTPException) and error.status_code < 500:
        status = error.status_code
        allow = (error.headers or {}).get("allow")
        return Refusal(
            status=status,
            code=CODES.get(status, "bad_request"),
            detail=DETAILS.get(status, DETAILS[400]),
            headers=((b"allow", allow.encode()),) if allow else (),
        )
    log("http.failed", level="error", error=error, route=route)
    return Refusal(status=500, code=CODES[500], detail=DETAILS[500])


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler for everything: what happens before a handler is reached."""
    refusal = refusal_of(error, request.scope.get("path_template"))
    return Response(
        content=encoded(cast(Scope, request.scope), refusal),
        status_code=refusal.status,
        media_type=MEDIA_TYPE,
        headers={name.decode(): text.decode() for name, text in refusal.headers},
    )
