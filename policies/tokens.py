"""Access tokens: JWTs of RFC 9068, signed with ES256, verified once and remembered for at most a minute.

A remembered token is bound to the verifier that accepted it and to the revocations known then: a strict route
never profits from a lax one, and a revocation is heard by the next request.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from policies.auth import Principal

ALGORITHM: Final = "ES256"
TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
TENANT: Final = "tenant"
REMEMBER: Final = 60.0
LEEWAY: Final = 5.0


class TokenRefused(Exception):
    """A token that is not accepted; `reason` is ours and holds nothing of the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims that RFC 9068 section 2.2 requires, and the tenant."""

    iss: str
    aud: str | list[str]
    sub: str
    client_id: str
    jti: str
    iat: float
    exp: float
    scope: str
    tenant: str


def generate_key() -> ECKey:
    """A new P-256 signing key, named by its RFC 7638 thumbprint."""
    return _named(ECKey.generate_key("P-256"))


def load_key(pem: bytes) -> ECKey:
    """A signing key from its PEM."""
    return _named(ECKey.import_key(pem))


def _named(key: ECKey) -> ECKey:
    return ECKey.import_key({**key.as_dict(private=True), "kid": key.thumbprint(), "use": "sig", "alg": ALGORITHM})


def key_set(*keys: ECKey) -> KeySet:
    """Several keys at once, so that a new one can be published before it signs."""
    return KeySet(list(keys))


def public_jwks(keys: KeySet) -> dict[str, Any]:
    """What `/jwks` publishes (RFC 7517): the public halves only."""
    return {"keys": [key.as_dict(private=False) for key in keys.keys]}


class Issuer:
    """Signs access tokens for one resource."""

    def __init__(self, issuer: str, audience: str, key: ECKey, lifetime: float = 300.0) -> None:
        self.lifetime = lifetime
        self._key = key
        self._fixed = {"iss": issuer, "aud": audience}
        self._header = {"typ": "at+jwt", "alg": ALGORITHM, "kid": key.kid}

    def issue(self, client_id: str, tenant: str, scopes: frozenset[str], now: float, token_id: str) -> str:
        """A token of `lifetime` seconds; with client credentials the subject is the client."""
        claims: dict[str, Any] = {
            **self._fixed,
            "sub": client_id,
            "client_id": client_id,
            "jti": token_id,
            "iat": int(now),
            "exp": int(now + self.lifetime),
            "scope": " ".join(sorted(scopes)),
            TENANT: tenant,
        }
        return jwt.encode(dict(self._header), claims, self._key, algorithms=[ALGORITHM])


class Revocations:
    """What was taken back, as this process knows it; the store keeps it. Each change starts a new epoch."""

    def __init__(self) -> None:
        self.epoch = 0
        self.on_revoked: list[Callable[[], None]] = []
        self._tokens: dict[str, float] = {}
        self._clients: dict[str, float] = {}

    def revoke_token(self, token_id: str, expires: float) -> None:
        """Take one back, and tell whoever wants to hear."""
        self.hear_of(token_id, expires)
        for told in self.on_revoked:
            told()

    def hear_of(self, token_id: str, expires: float) -> None:
        """Learn that one was taken back elsewhere."""
        if self._tokens.get(token_id) != expires:
            self._tokens[token_id] = expires
            self.epoch += 1

    def revoke_client(self, client_id: str, issued_before: float) -> None:
        """Take back every token of a client issued before a moment."""
        self._clients[client_id] = max(issued_before, self._clients.get(client_id, 0.0))
        self.epoch += 1

    def forget_expired(self, now: float) -> None:
        self._tokens = {token: expires for token, expires in self._tokens.items() if expires + LEEWAY > now}

    def forbid(self, claims: Claims) -> bool:
        return claims.jti in self._tokens or claims.iat < self._clients.get(claims.client_id, 0.0)


def principal_of(claims: Claims) -> Principal:
    """Who a token speaks for."""
    scopes = frozenset(claims.scope.split())
    return Principal(client_id=claims.client_id, tenant=claims.tenant, scopes=scopes, token_id=claims.jti)


class TokenCache:
    """Verified tokens by digest and verifier; bounded, the oldest entry leaves first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.entries: dict[tuple[bytes, str], tuple[Principal, float, int]] = {}
        self._capacity = capacity

    def keep(self, key: tuple[bytes, str], principal: Principal, until: float, epoch: int) -> None:
        self.entries.pop(key, None)
        if len(self.entries) >= self._capacity:
            del self.entries[next(iter(self.entries))]
        self.entries[key] = (principal, until, epoch)


class Verifier:
    """Accepts tokens of one issuer for one audience; `name` keeps its answers apart in a shared cache."""

    def __init__(
        self,
        name: str,
        issuer: str,
        audience: str,
        keys: KeySet,
        revocations: Revocations,
        cache: TokenCache | None = None,
    ) -> None:
        self._name, self._issuer, self._audience, self._keys = name, issuer, audience, keys
        self._revocations = revocations
        self._cache = cache or TokenCache()

    def verify(self, token: str, now: float) -> Principal:
        """Who this token speaks for, or TokenRefused (RFC 9068 section 4, RFC 8725)."""
        key = (hashlib.sha256(token.encode()).digest(), self._name)
        held = self._cache.entries.get(key)
        if held is not None and held[1] > now and held[2] == self._revocations.epoch:
            return held[0]
        claims = self.claims(token, now)
        principal = principal_of(claims)
        self._cache.keep(key, principal, min(claims.exp, now + REMEMBER), self._revocations.epoch)
        return principal

    def claims(self, token: str, now: float) -> Claims:
        """What a token that is accepted says (RFC 7662 section 2.2 asks for it), or TokenRefused."""
        claims = self._signed(token)
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if claims.iss != self._issuer or self._audience not in audience:
            raise TokenRefused("The access token is for another service.")
        if claims.exp <= now:
            raise TokenRefused("The access token has expired.")
        if claims.iat > now + LEEWAY:
            raise TokenRefused("The access token is not yet valid.")
        if self._revocations.forbid(claims):
            raise TokenRefused("The access token was revoked.")
        return claims

    def _signed(self, token: str) -> Claims:
        """The claims of a token whose type, algorithm and signature are right; everything else is one refusal."""
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
            if str(decoded.header.get("typ", "")).lower() not in TYPES or "kid" not in decoded.header:
                raise TokenRefused("The access token is not valid.")
            return msgspec.convert(decoded.claims, Claims)
        except (JoseError, ValueError, TypeError, KeyError):
            # from None: what the library says may repeat a part of the token.
            raise TokenRefused("The access token is not valid.") from None
