"""Opaque ids: a prefix and a ULID whose time is when we received the cause and whose rest is a hash of it.

Pure, so a replay gives the same ids; never built from an MRN, a name or any other sender's value (DESIGN 7).
"""

from hashlib import blake2b
from typing import Literal

RecordType = Literal[
    "patient",
    "provider",
    "organization",
    "location",
    "appointment",
    "encounter",
    "referral",
    "coverage",
    "eligibility",
    "authorization",
    "requisition",
]

PREFIXES = {
    "patient": "pat",
    "provider": "prv",
    "organization": "org",
    "location": "loc",
    "appointment": "apt",
    "encounter": "enc",
    "referral": "ref",
    "coverage": "cov",
    "eligibility": "elg",
    "authorization": "aut",
    "requisition": "req",
    "task": "tsk",
    "message": "msg",
    "event": "evt",
    "subscription": "sub",
    "delivery": "dlv",
    "hold": "hld",
}

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [a + b for a in CROCKFORD for b in CROCKFORD]


def ulid(micros: int, *seed: object) -> str:
    """26 characters: 48 bits of milliseconds, 80 bits of a hash over the seed."""
    digest = blake2b("\x1f".join(map(str, seed)).encode(), digest_size=10).digest()
    number = (micros // 1000 << 80) | int.from_bytes(digest, "big")
    return (
        _PAIRS[number >> 120 & 1023]
        + _PAIRS[number >> 110 & 1023]
        + _PAIRS[number >> 100 & 1023]
        + _PAIRS[number >> 90 & 1023]
        + _PAIRS[number >> 80 & 1023]
        + _PAIRS[number >> 70 & 1023]
        + _PAIRS[number >> 60 & 1023]
        + _PAIRS[number >> 50 & 1023]
        + _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )


def new_id(kind: str, micros: int, *seed: object) -> str:
    """`new_id("patient", received, message_id, 0)` -> `pat_01J...`."""
    return f"{PREFIXES[kind]}_{ulid(micros, kind, *seed)}"
