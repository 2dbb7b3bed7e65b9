"""OAuth 2 for clients: tokens by client credentials (RFC 6749), introspection (RFC 7662), revocation (RFC 7009).

With their metadata (RFC 8414, RFC 9728). Failures are told as those standards say; only being throttled is a problem.

An attempt is throttled by client and address before any secret is looked at, because looking is made to be slow.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal, TypeAlias
from urllib.parse import parse_qsl

from msgspec import Struct

from canonical.meaning import codes, means
from gateway.clock import MICROS
from gateway.problems import Stop, unkept
from gateway.revoking import revoke
from gateway.routes.serving import Answer, Call, Open, Unaudited, answer, serves
from gateway.store.protocol import Unavailable
from gateway.trail import NOT_DONE
from policies.audit import AuditOutcome, AuditRecord
from policies.auth import Client, basic_credentials, granted
from policies.tokens import ALGORITHM, Claims, TokenRefused, principal_of, public_jwks
from policies.tracing import Trace

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 20
Fields: TypeAlias = dict[str, str]
Act: TypeAlias = Callable[[Call, Client, Fields], Awaitable[Answer]]
FRESH = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
CACHED = ((b"cache-control", b"public, max-age=300"),)
KNOWS_ITSELF = Open("a client shows its own credentials here")
PUBLISHED = Open("a client must read it before it can have a token")
WRITES_ITS_OWN = Unaudited("each attempt leaves a record of its own, with the client it was for")
HOLDS_NOTHING = Unaudited("it holds nothing about anyone")


class OAuthError(Struct, frozen=True, omit_defaults=True):
    """RFC 6749 section 5.2."""

    error: Annotated[
        str,
        codes(
            "What is wrong, for programs.",
            "invalid_request",
            "invalid_client",
            "invalid_scope",
            "unsupported_grant_type",
        ),
    ]
    error_description: Annotated[str | None, means("What to do, for people.")] = None


class Token(Struct, frozen=True, kw_only=True):
    """RFC 6749 section 5.1."""

    access_token: Annotated[str, means("Send it as `Authorization: Bearer`.")]
    token_type: Annotated[str, means("`Bearer`.")] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: Annotated[int, means("Seconds that it lasts.")]
    scope: Annotated[str, means("What it is good for, separated by blanks.")]


class Introspection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 7662 section 2.2: of a token that is not active, that and nothing else."""

    active: Annotated[bool, means("Whether the token is good.")]
    scope: Annotated[str | None, means("What for, separated by blanks.")] = None
    client_id: Annotated[str | None, means("Whose it is.")] = None
    token_type: Annotated[str | None, means("`Bearer`.")] = None
    exp: Annotated[int | None, means("When it ends, in seconds since 1970.")] = None
    iat: Annotated[int | None, means("When it was issued, in seconds since 1970.")] = None
    sub: Annotated[str | None, means("Whose it is.")] = None
    aud: Annotated[str | None, means("Whom it is for.")] = None
    iss: Annotated[str | None, means("Who issued it.")] = None
    jti: Annotated[str | None, means("Its id.")] = None


class Credentials(Struct, frozen=True, kw_only=True):
    """Who asks: by client_secret_basic in a header, or by these two in the form."""

    client_id: Annotated[str | None, means("The client, where it is not in the Authorization header.")] = None
    client_secret: Annotated[str | None, means("Its secret, where it is not in the Authorization header.")] = None


class TokenForm(Credentials, frozen=True):
    """RFC 6749 section 4.4.2."""

    grant_type: Annotated[Literal["client_credentials"], means("The only grant there is.")]
    scope: Annotated[str | None, means("Scopes separated by blanks; without it, all that the client may have.")] = None


class TokenInForm(Credentials, frozen=True):
    """RFC 7662 section 2.1, RFC 7009 section 2.1."""

    token: Annotated[str, means("The token that it is about.")]
    token_type_hint: Annotated[str | None, means("What kind of token it is; not needed.")] = None


class Denied(Exception):
    """Ends a request to one of these endpoints with an error of RFC 6749."""

    def __init__(self, error: str, detail: str, status: int = 400, challenge: bool = False) -> None:
        super().__init__(error)
        headers = FRESH + (((b"www-authenticate", b'Basic realm="oauth"'),) if challenge else ())
        self.answer = answer(OAuthError(error, detail), status, headers)


@serves(
    "POST",
    "/oauth/token",
    guard=KNOWS_ITSELF,
    audit=WRITES_ITS_OWN,
    gives=Token,
    form=TokenForm,
    tag="oauth",
)
async def issue_token(call: Call, form: bytes) -> Answer:
    """An access token for client credentials (client_secret_basic or client_secret_post)."""
    return await _asked(call, form, _issued)


async def _issued(call: Call, client: Client, fields: Fields) -> Answer:
    if fields.get("grant_type") != "client_credentials":
        known = "grant_type" in fields
        raise Denied("unsupported_grant_type" if known else "invalid_request", "Use grant_type=client_credentials.")
    scopes = granted(client, fields.get("scope"))
    if scopes is None or (fields.get("scope") and not scopes <= call.api.scopes):
        raise Denied("invalid_scope", "One of these scopes is not this client's.")
    await _begin(call, client)
    now, api = call.now / MICROS, call.api
    token = api.issuer.issue(client.client_id, client.tenant, scopes, now, f"tok_{secrets.token_hex(16)}")
    _record(call, client, 0)
    value = Token(access_token=token, expires_in=int(api.issuer.lifetime), scope=" ".join(sorted(scopes)))
    return answer(value, headers=FRESH)


@serves(
    "POST",
    "/oauth/introspect",
    guard=KNOWS_ITSELF,
    audit=WRITES_ITS_OWN,
    gives=Introspection,
    form=TokenInForm,
    tag="oauth",
)
async def introspect_token(call: Call, form: bytes) -> Answer:
    """What a token is good for; of one that is not active, or not of your tenant, only that."""
    return await _asked(call, form, _told)


async def _told(call: Call, client: Client, fields: Fields) -> Answer:
    claims = _claims(call, _token(fields))
    _record(call, client, 0)
    if claims is None or claims.tenant != client.tenant or not await call.api.clients.stands(principal_of(claims)):
        return answer(Introspection(active=False), headers=FRESH)
    return answer(
        Introspection(
            active=True,
            scope=claims.scope,
            client_id=claims.client_id,
            token_type="Bearer",  # noqa: S106 - the name of a scheme
            exp=int(claims.exp),
            iat=int(claims.iat),
            sub=claims.sub,
            aud=claims.aud if isinstance(claims.aud, str) else claims.aud[0],
            iss=claims.iss,
            jti=claims.jti,
        ),
        headers=FRESH,
    )


@serves("POST", "/oauth/revoke", guard=KNOWS_ITSELF, audit=WRITES_ITS_OWN, form=TokenInForm, tag="oauth")
async def revoke_token(call: Call, form: bytes) -> Answer:
    """Take one of your tokens back, at once. A token that is not valid is revoked already, so that is 200 too."""
    return await _asked(call, form, _revoked)


async def _revoked(call: Call, client: Client, fields: Fields) -> Answer:
    claims = _claims(call, _token(fields))
    await _begin(call, client)
    if claims is not None and claims.client_id == client.client_id:
        try:
            await revoke(call.api.services.store, call.api.revocations, claims.jti, claims.exp)
        except Unavailable:
            _record(call, client, NOT_DONE)
            raise
    _record(call, client, 0)
    return Answer(b"{}", headers=FRESH)


@serves(
    "GET",
    "/.well-known/oauth-authorization-server",
    guard=PUBLISHED,
    audit=HOLDS_NOTHING,
    gives=dict[str, object],
    tag="oauth",
)
async def authorization_server(call: Call) -> Answer:
    """What this authorization server can do (RFC 8414)."""
    base = call.api.base_url
    methods = ["client_secret_basic", "client_secret_post"]
    return answer(
        {
            "issuer": base,
            "token_endpoint": f"{base}/oauth/token",
            "jwks_uri": f"{base}/oauth/jwks",
            "introspection_endpoint": f"{base}/oauth/introspect",
            "revocation_endpoint": f"{base}/oauth/revoke",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_methods_supported": methods,
            "scopes_supported": sorted(call.api.scopes),
            "service_documentation": f"{base}/schema/openapi.json",
        },
        headers=CACHED,
    )


@serves(
    "GET",
    "/.well-known/oauth-protected-resource",
    guard=PUBLISHED,
    audit=HOLDS_NOTHING,
    gives=dict[str, object],
    tag="oauth",
)
async def protected_resource(call: Call) -> Answer:
    """Who issues tokens for this API, and how they are sent (RFC 9728)."""
    base = call.api.base_url
    return answer(
        {
            "resource": base,
            "authorization_servers": [base],
            "scopes_supported": sorted(call.api.scopes),
            "bearer_methods_supported": ["header"],
            "jwks_uri": f"{base}/oauth/jwks",
            "resource_signing_alg_values_supported": [ALGORITHM],
        },
        headers=CACHED,
    )


@serves("GET", "/oauth/jwks", guard=PUBLISHED, audit=HOLDS_NOTHING, gives=dict[str, object], tag="oauth")
async def read_jwks(call: Call) -> Answer:
    """The public keys that tokens are signed with (RFC 7517)."""
    return answer(public_jwks(call.api.keys), headers=CACHED)


async def _asked(call: Call, form: bytes, act: Act) -> Answer:
    """What a client gets once it has shown who it is; what it is refused then leaves a record too."""
    if call.api.services.trail.is_full:
        raise unkept()
    client: Client | None = None
    try:
        fields = _fields(call, form)
        client = await _authenticated(call, fields)
        return await act(call, client, fields)
    except Denied as denied:
        if client is not None:
            _record(call, client, 8)
        return denied.answer


def _token(fields: Fields) -> str:
    if "token" not in fields:
        raise Denied("invalid_request", "Send the token.")
    return fields["token"]


def _fields(call: Call, form: bytes) -> Fields:
    """The form; a parameter that is sent twice is an error (RFC 6749 section 3.2)."""
    if (call.header(b"content-type") or "").partition(";")[0].strip().lower() != FORM:
        raise Denied("invalid_request", f"Send {FORM}.")
    try:
        pairs = parse_qsl(form.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Denied("invalid_request", "The form cannot be read.") from None
    fields = {name: value for name, value in pairs if value}
    if len(pairs) != len({name for name, _ in pairs}):
        raise Denied("invalid_request", "A parameter was sent twice.")
    return fields


async def _authenticated(call: Call, fields: Fields) -> Client:
    """The client whose secret was shown, by exactly one of the two methods (RFC 6749 section 2.3)."""
    header = call.header(b"authorization")
    if header is not None and "client_secret" in fields:
        raise Denied("invalid_request", "Show the client's credentials once.")
    shown = (
        basic_credentials(header)
        if header is not None
        else (fields.get("client_id", ""), fields.get("client_secret", ""))
    )
    if shown is None or not shown[0] or not shown[1]:
        raise Denied("invalid_client", "The client must show its credentials.", 401, challenge=header is not None)
    if header is not None and fields.get("client_id", shown[0]) != shown[0]:
        raise Denied("invalid_request", "There are two client ids.")
    await _throttle(call, shown[0])
    client = await call.api.clients.find(shown[0])
    secrets_ = call.api.secrets
    if secrets_.known(client, shown[1]) is None:
        is_right = await asyncio.to_thread(secrets_.check, client, shown[1])
    else:
        is_right = secrets_.check(client, shown[1])
    if client is None or not is_right:
        _record(call, client, 8)
        raise Denied("invalid_client", "These credentials are not valid.", 401, challenge=header is not None)
    return client


async def _throttle(call: Call, client_id: str) -> None:
    now, address = call.now / MICROS, (call.scope.get("client") or ("",))[0]
    for limits, key in ((call.api.token_limits, (client_id[:200], address)), (call.api.address_limits, ("", address))):
        verdict = await limits.decide(*key, now)
        if not verdict.allowed:
            call.api.services.metrics.throttled.child(verdict.limit).inc()
            raise Stop(limits.refusal(verdict))


def _claims(call: Call, token: str) -> Claims | None:
    try:
        return call.api.verifier.claims(token, call.now / MICROS)
    except TokenRefused:
        return None


async def _begin(call: Call, client: Client) -> None:
    """Go on only once it is kept that the client is about to be given, or to take back, a token."""
    try:
        await call.api.services.trail.begin(_record_of(call, client, None))
    except Unavailable:
        raise unkept() from None


def _record(call: Call, client: Client | None, outcome: AuditOutcome) -> None:
    call.api.services.trail.note(_record_of(call, client, outcome))


def _record_of(call: Call, client: Client | None, outcome: AuditOutcome | None) -> AuditRecord:
    """Who was given what; an id that nobody has is not repeated, it may be a mistyped secret."""
    trace: Trace | None = call.scope["state"].get("trace")
    return AuditRecord(
        at=call.now / MICROS,
        actor=client.client_id if client else "unknown",
        tenant=client.tenant if client else call.api.services.site.main.tenants[0],
        action="E",
        what=call.seen.route.template,
        outcome=outcome,
        source=(call.scope.get("client") or ("",))[0],
        trace=trace.id if trace else None,
    )


ROUTES = (
    issue_token,
    introspect_token,
    revoke_token,
    authorization_server,
    protected_resource,
    read_jwks,
)
