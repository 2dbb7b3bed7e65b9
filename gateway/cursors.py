"""Opaque cursors: where a page ended, sealed, and bound to the search that it belongs to.

A cursor holds a position and an expiry, never what was searched for. It opens only for the same tenant, route and
filter: with another it is as foreign as one that was tampered with. AES-SIV (RFC 5297) is deterministic, so a cursor
needs no nonce, and the same page always has the same one.
"""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.problems import Wrong, stop, unreadable

Position = tuple[int, str]

KEY_SIZE = 32
LIFE = 86_400  # seconds
GRAIN = 3_600  # expiries are rounded up to the hour: a page read twice in an hour has one cursor

_Content = tuple[int, int, str]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Content).decode


class Cursors:
    """Seals and opens cursors under one key of the site."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key[:KEY_SIZE])

    def seal(self, position: Position, bound_to: bytes, now: float) -> str:
        """The cursor for the page after a position."""
        expires = (int(now) + LIFE) // GRAIN * GRAIN + GRAIN
        return _text(self._cipher.encrypt(_encode((expires, *position)), [bound_to]))

    def open(self, cursor: str, bound_to: bytes, now: float) -> Position:
        """The position of a cursor; a 400 for one that is not ours or not for this search, a 410 for an old one."""
        try:
            expires, *position = _decode(self._cipher.decrypt(_sealed(cursor), [bound_to]))
        except (NotBase64, ValueError, InvalidTag, msgspec.DecodeError):
            detail = "Use a cursor as `next` gave it, with the same search."
            raise unreadable([Wrong(code="invalid_cursor", parameter="cursor", detail=detail)]) from None
        if expires < now:
            raise stop(410, "cursor_expired", "Begin the search again, without a cursor.")
        return position[0], position[1]


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _sealed(cursor: str) -> bytes:
    """The bytes of a cursor; base64 has several texts for the same bytes, and only one of them is ours."""
    sealed = b64decode(cursor + "=" * (-len(cursor) % 4), b"-_")
    if _text(sealed) != cursor:
        raise ValueError("not as it was given")
    return sealed
