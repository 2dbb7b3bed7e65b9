"""Standard Webhooks signatures: v1 (HMAC-SHA256) and v1a (Ed25519), over `{id}.{timestamp}.{raw body}`.

Signing with several secrets is how one is rotated. Verification tries each signature against each secret, in constant
time, skips versions that it does not know, and says no more than why the headers were refused.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Final, Literal, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TOLERANCE: Final = 300
SECRET_BYTES: Final = range(24, 65)
Refused = Literal["malformed", "too_old", "too_new", "bad_signature"]


class Signer(Protocol):
    """Something that signs an attempt."""

    def sign(self, content: bytes) -> str: ...


class Checker(Protocol):
    """Something that knows one version's signatures."""

    version: str

    def accepts(self, content: bytes, signature: bytes) -> bool: ...


class Hmac:
    """A shared secret, `whsec_` and base64 (the prefix may be missing)."""

    version = "v1"

    def __init__(self, secret: str) -> None:
        self._key = _decoded(secret, "whsec_")
        if len(self._key) not in SECRET_BYTES:
            raise ValueError("a webhook secret has 24 to 64 bytes")

    def sign(self, content: bytes) -> str:
        return "v1," + b64encode(self._digest(content)).decode()

    def accepts(self, content: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self._digest(content), signature)

    def _digest(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, hashlib.sha256)


class Ed25519:
    """Our private key, `whsk_` and base64 of its 32 bytes (or of key and public half, 64)."""

    version = "v1a"

    def __init__(self, secret: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_decoded(secret, "whsk_")[:32])

    @property
    def public(self) -> str:
        """What a receiver is given, `whpk_` and base64."""
        return "whpk_" + b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, content: bytes) -> str:
        return "v1a," + b64encode(self._key.sign(content)).decode()

    def accepts(self, content: bytes, signature: bytes) -> bool:
        return Ed25519Public(self.public).accepts(content, signature)


class Ed25519Public:
    """A sender's public key, `whpk_` and base64."""

    version = "v1a"

    def __init__(self, key: str) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(_decoded(key, "whpk_"))

    def accepts(self, content: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


def new_secret(dice: bytes) -> str:
    """A `whsec_` secret of these random bytes."""
    if len(dice) not in SECRET_BYTES:
        raise ValueError("a webhook secret has 24 to 64 bytes")
    return "whsec_" + b64encode(dice).decode()


def signer(secret: str) -> Hmac | Ed25519:
    """The signer that a secret's prefix names."""
    return Ed25519(secret) if secret.startswith("whsk_") else Hmac(secret)


def checker(secret: str) -> Hmac | Ed25519Public:
    """The checker that a secret's or public key's prefix names."""
    return Ed25519Public(secret) if secret.startswith("whpk_") else Hmac(secret)


def sign(signers: Iterable[Signer], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; the id stays through all attempts, the timestamp is the attempt's."""
    if "." in webhook_id:
        raise ValueError("a webhook id holds no dot, it would blur what is signed")
    content = _content(webhook_id, str(timestamp), body)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(one.sign(content) for one in signers),
    }


def verify(
    checkers: Iterable[Checker], headers: Mapping[str, str], body: bytes, now: float, tolerance: int = TOLERANCE
) -> Refused | None:
    """Why a received webhook is refused, None where any signature of its (lower-case) headers is right."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or "." in webhook_id or not (timestamp.isascii() and timestamp.isdigit()):
        return "malformed"
    if len(timestamp) > 12 or not headers.get("webhook-signature"):
        return "malformed"
    age = now - int(timestamp)
    if abs(age) > tolerance:
        return "too_old" if age > 0 else "too_new"
    content, known = _content(webhook_id, timestamp, body), tuple(checkers)
    offered = [_offered(item) for item in headers["webhook-signature"].split()]
    right = [one.accepts(content, raw) for version, raw in offered for one in known if one.version == version]
    return None if any(right) else "bad_signature"


def _content(webhook_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{webhook_id}.{timestamp}.".encode() + body


def _offered(item: str) -> tuple[str, bytes]:
    """Version and bytes of one signature; what has no comma or is no base64 has no bytes and fits nothing."""
    version, _, encoded = item.partition(",")
    try:
        return version, b64decode(encoded, validate=True)
    except ValueError:
        return version, b""


def _decoded(secret: str, prefix: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(prefix), validate=True)
    except ValueError:
        raise ValueError(f"a key that starts with {prefix} goes on in base64") from None
