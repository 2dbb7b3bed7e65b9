"""The headers of answers beside their content, and which answers have which: as the frames at the door set them."""

from typing import Any

from gateway.routes.serving import Open, Route

TEXT = {"type": "string"}
SECONDS = {"type": "integer", "minimum": 0}
# Each header with what it says, its form and an example.
HEADERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "Accept": ("The media type that is taken here.", TEXT, "application/json"),
    "Cache-Control": (
        "`no-store` for all that concerns people; what is published may be kept for a while.",
        TEXT,
        "no-store",
    ),
    "Content-Security-Policy": ("For browsers: nothing in an answer is to be run.", TEXT, "default-src 'none'"),
    "ETag": ("The version, to send as If-Match or If-None-Match. Opaque.", TEXT, '"2-c580ae411f"'),
    "Link": (
        "The next page (RFC 8288), where the search is fit for a URL.",
        TEXT,
        '</v1/tasks?cursor=pZQb>; rel="next"',
    ),
    "Location": (
        "Where what was made can be read.",
        TEXT | {"format": "uri-reference"},
        "/v1/jobs/job_01M88S3Q1RZ7D2C5B8A1F4E6G9",
    ),
    "Pragma": ("For caches of old (RFC 6749 section 5.1).", TEXT, "no-cache"),
    "RateLimit": (
        "What is left now: `r` requests; `t` seconds until there is room for one more.",
        TEXT,
        '"client";r=399;t=1',
    ),
    "RateLimit-Policy": ("How much there is: `q` requests in `w` seconds.", TEXT, '"client";q=200;w=1'),
    "Referrer-Policy": ("For browsers: addresses are told to nobody.", TEXT, "no-referrer"),
    "Retry-After": ("Seconds to wait before the same request is sent again.", SECONDS, "2"),
    "Strict-Transport-Security": ("For browsers: come by https alone.", TEXT, "max-age=31536000"),
    "Vary": ("Answers depend on who asks.", TEXT, "Authorization"),
    "WWW-Authenticate": (
        "What kind of token is needed, what is wrong with this one, and the scope that is missing (RFC 6750).",
        TEXT,
        'Bearer realm="isthmus", error="insufficient_scope", scope="appointments.read"',
    ),
    "X-Accel-Buffering": ("For proxies: pass it on as it comes.", TEXT, "no"),
    "X-Content-Type-Options": ("For browsers: believe the content type.", TEXT, "nosniff"),
    "X-Request-Id": (
        "The id of this request: it finds the trace.",
        TEXT | {"pattern": "^[0-9a-f]{32}$"},
        "9f3c1c497dc127fe5aa262729028806a",
    ),
}
ALWAYS = ("X-Request-Id", "Cache-Control", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy")
THROTTLED = ("RateLimit", "RateLimit-Policy", "Vary")
OF_REFUSALS = {
    "invalid_request": ("WWW-Authenticate",),  # of a token that cannot be read
    "unauthenticated": ("WWW-Authenticate",),
    "invalid_token": ("WWW-Authenticate",),
    "insufficient_scope": ("WWW-Authenticate",),
    "quota_exceeded": ("Retry-After", "RateLimit", "RateLimit-Policy"),
    "unavailable": ("Retry-After",),
    "unsupported_media_type": ("Accept",),
}


def components() -> dict[str, Any]:
    """All of them, to be referred to."""
    return {
        name: {"description": text, "schema": schema, "example": int(shown) if schema is SECONDS else shown}
        | ({"required": True} if name in ALWAYS else {})
        for name, (text, schema, shown) in HEADERS.items()
    }


def of_success(route: Route, is_https: bool) -> dict[str, Any]:
    """What an answer that is no refusal has."""
    names = [*_common(route, is_https), *route.headers]
    if isinstance(route.guard, Open) and route.form is not None:
        names.append("Pragma")
    if "text/event-stream" in (route.media, route.also):
        names.append("X-Accel-Buffering")
    return _references(names)


def of_refusal(route: Route, codes: list[str], is_https: bool) -> dict[str, Any]:
    """What a refusal has."""
    own = [name for code in codes for name in OF_REFUSALS.get(code, ())]
    common = _common(route, is_https)
    if {"unauthenticated", "invalid_token"} & set(codes):  # nobody is throttled whom nobody knows
        common = [name for name in common if name not in THROTTLED]
    return _references([*common, *own])


def _common(route: Route, is_https: bool) -> list[str]:
    transport = ["Strict-Transport-Security"] if is_https else []
    return [*ALWAYS, *transport, *(() if isinstance(route.guard, Open) else THROTTLED)]


def _references(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)}
