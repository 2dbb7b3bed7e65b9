"""Bodies at rest: sealed with AES-256-GCM (NIST SP 800-38D) when the site has a key, marked as plain when it has none.

A sealed body names its key, so that keys can be rotated, and is bound to the row it was written for. The site key
itself encrypts nothing: every process derives its own key from it and a random salt and counts its nonces, so no
nonce is ever used twice however many bodies a site keeps.
"""

import os
from hashlib import blake2b
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PLAIN, SEALED = b"\x00", b"\x01"
KEY_SIZE = 32
_KEY, _SALT, _NONCE = slice(1, 5), slice(5, 21), slice(21, 33)


class WrongKey(Exception):
    """The site key given is not the one that the data was sealed with, or the data was changed."""


class Vault:
    """Seals and opens bodies. `retired` keys still open what was sealed with them."""

    def __init__(self, key: bytes | None, *retired: bytes) -> None:
        if any(len(one) != KEY_SIZE for one in (*retired, key or b"\x00" * KEY_SIZE)):
            raise ValueError(f"a site key is {KEY_SIZE} bytes")
        self._key = key
        self._known = {_name(one): one for one in (*retired, *([key] if key else []))}
        self._ciphers: dict[bytes, AESGCM] = {}
        self._counter = count(1)
        self._cipher: AESGCM | None = None
        self._header = b""

    def seal(self, body: bytes, row: str) -> bytes:
        """The body as it is kept in the row."""
        if self._key is None:
            return PLAIN + body
        cipher = self._cipher or self._start(self._key)
        nonce = next(self._counter).to_bytes(12, "big")
        return self._header + nonce + cipher.encrypt(nonce, body, row.encode())

    def unseal(self, kept: bytes, row: str) -> bytes:
        """The body that was sealed for this row; WrongKey when it cannot be opened."""
        if kept[:1] == PLAIN:
            return kept[1:]
        cipher = self._ciphers.get(kept[_KEY.start : _SALT.stop]) or self._derive(kept[_KEY], kept[_SALT])
        try:
            return cipher.decrypt(kept[_NONCE], kept[_NONCE.stop :], row.encode())
        except InvalidTag:
            raise WrongKey("a kept body does not belong to its row or was changed") from None

    def is_current(self, kept: bytes) -> bool:
        """Whether the body was kept as this vault would keep it now."""
        return kept[:5] == SEALED + _name(self._key) if self._key else kept[:1] == PLAIN

    def _start(self, key: bytes) -> AESGCM:
        """Begin this process's own key; late, so that a fork before the first body does not share it."""
        salt = os.urandom(16)
        self._cipher = self._derive(_name(key), salt)
        self._header = SEALED + _name(key) + salt
        return self._cipher

    def _derive(self, name: bytes, salt: bytes) -> AESGCM:
        key = self._known.get(name)
        if key is None:
            raise WrongKey("the data was sealed with another site key" if self._known else "the data needs a site key")
        cipher = AESGCM(blake2b(salt, key=key, digest_size=KEY_SIZE, person=b"isthmus body").digest())
        if len(self._ciphers) > 1000:
            self._ciphers.clear()
        self._ciphers[name + salt] = cipher
        return cipher


def _name(key: bytes) -> bytes:
    """Four bytes that tell a site's keys apart and say nothing about them."""
    return blake2b(key, digest_size=4, person=b"isthmus key name").digest()
