"""What both stores do to a message whose contents go, or that is copied aside."""

import msgspec
from msgspec.structs import replace

from gateway.store.protocol import Contents, Hold, Kept
from gateway.store.vault import Vault


class _Holds:
    """Holds as they are kept."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Hold).decode)


HOLDS = _Holds()
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Kept).decode


def is_of(what: Contents, tenant: str, feed: str, kind: str, event: str) -> bool:
    """Whether a message is among these; what is not said is any."""
    asked = ((what.tenant, tenant), (what.feed, feed), (what.type, kind), (what.event, event))
    return all(one is None or one == is_so for one, is_so in asked)


def emptied(kept: Kept, now: int) -> Kept:
    """A message without what stood in it: what remains says that it came, when, and what it was about."""
    return replace(kept, raw=b"", keys=(), problems=(), purged_at=now)


def packed_copy(vault: Vault, kept: Kept) -> bytes:
    """A whole message, sealed."""
    return vault.seal(_encode(kept), f"{kept.id}/held")


def unpacked_copy(vault: Vault, identity: str, sealed: bytes) -> Kept:
    """The same, opened."""
    return _decode(vault.unseal(sealed, f"{identity}/held"))
