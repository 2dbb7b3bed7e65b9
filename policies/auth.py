"""Who calls and what they may: clients and their secrets, principals and scopes, and what a refusal must say.

Nothing here speaks HTTP or reads a clock; tokens are in tokens.py. A secret is kept only as a scrypt hash.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import unquote_plus

from msgspec import Struct

from policies.call import Refusal

ADMIN = "admin"
SCRYPT = {"n": 2**14, "r": 8, "p": 1}
DECOY = "scrypt$14$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
SCOPE_CHARACTERS = frozenset(map(chr, range(0x21, 0x7F))) - {'"', "\\"}


class Client(Struct, frozen=True, kw_only=True):
    """One API consumer, as its site file or the console declares it."""

    client_id: str
    secret_hash: str
    tenant: str
    scopes: frozenset[str]
    name: str = ""
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Client({self.client_id!r})"


class Principal(Struct, frozen=True, kw_only=True):
    """Who is behind a request, once its token was verified."""

    client_id: str
    tenant: str
    scopes: frozenset[str]
    token_id: str


def allows(principal: Principal, scope: str) -> bool:
    """Whether a principal may do what needs `scope`; `admin` may do everything in its own tenant."""
    return scope in principal.scopes or ADMIN in principal.scopes


def has(client: Client, scopes: frozenset[str]) -> bool:
    """Whether a client may have all of these scopes; an admin may have any."""
    return scopes <= client.scopes or ADMIN in client.scopes


def granted(client: Client, requested: str | None) -> frozenset[str] | None:
    """The scopes a token gets (RFC 6749 section 3.3): what was asked for, else all; None for `invalid_scope`."""
    if requested is None:
        return client.scopes
    asked = frozenset(requested.split(" "))
    well_formed = all(scope and set(scope) <= SCOPE_CHARACTERS for scope in asked)
    return asked if well_formed and has(client, asked) else None


def hash_secret(secret: str, salt: bytes) -> str:
    """A secret as scrypt hash (RFC 7914), with its cost and salt beside it."""
    return _format(hashlib.scrypt(secret.encode(), salt=salt, dklen=32, **SCRYPT), salt)


def _format(digest: bytes, salt: bytes) -> str:
    cost = SCRYPT["n"].bit_length() - 1
    return f"scrypt${cost}${SCRYPT['r']}${SCRYPT['p']}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def matches(secret: str, kept: str) -> bool:
    """Whether a secret has this hash; slow on purpose, so ask through `Secrets`."""
    _, cost, r, p, salt, digest = kept.split("$")
    found = hashlib.scrypt(secret.encode(), salt=b64decode(salt), n=2 ** int(cost), r=int(r), p=int(p), dklen=32)
    return hmac.compare_digest(found, b64decode(digest))


class Secrets:
    """Checks client secrets, and remembers answers so that a busy token endpoint does not pay scrypt each time.

    The answer for a secret and a hash never changes, so it needs no expiry: a new hash is a new key. What is
    remembered is a digest under a key of this process. A wrong secret costs scrypt: throttle by client before.
    """

    def __init__(self, key: bytes, capacity: int = 4096) -> None:
        self._key = key
        self._capacity = capacity
        self._known: dict[bytes, bool] = {}

    def known(self, client: Client | None, secret: str) -> bool | None:
        """The remembered answer, None where scrypt must be run (in a thread: it lets the interpreter go)."""
        return self._known.get(self._digest(client, secret))

    def check(self, client: Client | None, secret: str) -> bool:
        """Whether this is the client's secret; an unknown client costs as much as a wrong secret."""
        digest = self._digest(client, secret)
        answer = self._known.get(digest)
        if answer is None:
            answer = matches(secret, client.secret_hash if client else DECOY)
            while len(self._known) >= self._capacity:
                del self._known[next(iter(self._known))]
            self._known[digest] = answer
        return answer and client is not None and client.enabled

    def _digest(self, client: Client | None, secret: str) -> bytes:
        kept = client.secret_hash if client else DECOY
        return hashlib.blake2b(f"{kept}\0{secret}".encode(), key=self._key, digest_size=32).digest()


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Client id and secret of a Basic header, form-decoded as RFC 6749 section 2.3.1 asks; None if malformed."""
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return None
    return (unquote_plus(name), unquote_plus(secret)) if colon else None


def bearer_token(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The one token of the Authorization header (RFC 6750 section 2.1); ValueError if it is unclear.

    None without one, and where another scheme is used: to that, too, the answer is a bare challenge (section 3.1).
    """
    sent = [value for name, value in headers if name == b"authorization"]
    scheme, _, token = sent[0].partition(b" ") if sent else (b"", b"", b"")
    if len(sent) <= 1 and scheme.lower() != b"bearer":
        return None
    if len(sent) > 1 or not token or b" " in token:
        raise ValueError("exactly one bearer token is needed")
    return token.decode("ascii")


class Challenges:
    """The refusals of RFC 6750 section 3.1 and RFC 9728 section 5.1, each with its WWW-Authenticate."""

    def __init__(self, realm: str, resource_metadata: str | None = None) -> None:
        base = f'Bearer realm="{realm}"'
        self._base = base + (f', resource_metadata="{resource_metadata}"' if resource_metadata else "")

    def missing(self) -> Refusal:
        """No credentials: the challenge carries no error code."""
        return self._refusal(401, "unauthenticated", "Send an access token in the Authorization header.", {})

    def malformed(self) -> Refusal:
        return self._refusal(400, "invalid_request", "Send exactly one bearer token.", {"error": "invalid_request"})

    def invalid(self, reason: str = "The access token is not valid.") -> Refusal:
        """Expired, revoked, for another audience, or not signed by us."""
        fields = {"error": "invalid_token", "error_description": reason}
        return self._refusal(401, "invalid_token", reason, fields)

    def insufficient(self, scopes: Collection[str]) -> Refusal:
        fields = {"error": "insufficient_scope", "scope": " ".join(sorted(scopes))}
        return self._refusal(403, "insufficient_scope", "The token lacks a scope this needs.", fields)

    def _refusal(self, status: int, code: str, detail: str, fields: dict[str, Any]) -> Refusal:
        value = ", ".join([self._base, *(f'{name}="{text}"' for name, text in fields.items())])
        return Refusal(status=status, code=code, detail=detail, headers=((b"www-authenticate", value.encode()),))
