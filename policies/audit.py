"""Who did what to whose data: the record, and the hash chain that shows when a kept record was changed.

Pure: the store keeps rows, the app decides when to flush. The record follows IHE BALP's view of a FHIR AuditEvent and
holds opaque ids only. A link covers the digests of one commit group, so it costs one hash a group.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

GENESIS: Final = bytes(32)
DOMAIN: Final = b"isthmus-audit-1"
Action = Literal["C", "R", "U", "D", "E"]
AuditOutcome = Literal[0, 4, 8, 12]


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One access, also a denied one.

    `action` and `outcome` are FHIR's (create, read, update, delete, execute; 0 success, 4 minor, 8 serious, 12 major
    failure). A change leaves two: one without an outcome before it is made, one with it afterwards; they have the same
    `trace`. `what` is a route template or a command; `patients` are named whenever they are known;
    `query` is a search's parameters in base64 and is for the audit's readers only. `content` is the hash of what came
    in or went out.
    """

    at: float
    actor: str
    tenant: str
    action: Action
    what: str
    outcome: AuditOutcome | None
    records: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    purpose: str | None = None
    on_behalf_of: str | None = None
    source: str | None = None
    query: str | None = None
    count: int | None = None
    trace: str | None = None
    content: str | None = None


class ChainRow(msgspec.Struct, frozen=True, kw_only=True):
    """One link as the store keeps it: what it covers, and the heads before and after."""

    previous: bytes
    digests: tuple[bytes, ...]
    head: bytes


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain begins whose first links were purged: the head of the last of those, and how much they covered."""

    chain: str
    links: int
    rows: int
    head: bytes
    until: int


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(AuditRecord).decode


def encode(record: AuditRecord) -> bytes:
    """The one form of a record that is kept and digested: JSON with sorted keys and no absent values."""
    return _encode(record)


def decode(kept: bytes) -> AuditRecord:
    """A record from its kept form."""
    return _decode(kept)


def digest(kept: bytes) -> bytes:
    """The digest of a record's kept form, or of a message's bytes."""
    return hashlib.sha256(kept).digest()


def link(previous: bytes, digests: Sequence[bytes]) -> bytes:
    """The chain's new head, over the head before and the digests of one group in their order."""
    return hashlib.sha256(b"".join((DOMAIN, previous, len(digests).to_bytes(8, "big"), *digests))).digest()


def verify(rows: Iterable[ChainRow], previous: bytes = GENESIS) -> int | None:
    """The index of the first link that was changed, dropped or put in; None where the chain holds.

    What it cannot see is a chain cut off at its end: compare the last head with one kept elsewhere.
    """
    for index, row in enumerate(rows):
        is_whole = all(len(one) == 32 for one in row.digests)
        if row.previous != previous or not is_whole or link(previous, row.digests) != row.head:
            return index
        previous = row.head
    return None


def verify_all(rows: Iterable[ChainRow], anchors: Iterable[Anchor] = ()) -> int | None:
    """As `verify`, for several chains one after another: each begins at GENESIS or, where its first links were purged,
    at its anchor."""
    begins = {one.head for one in anchors}
    head = GENESIS
    for index, row in enumerate(rows):
        if row.previous != head and row.previous in begins:
            begins.discard(row.previous)
            head = row.previous
        if verify([row], GENESIS if row.previous == GENESIS else head) is not None:
            return index
        head = row.head
    return None


def purged(anchors: Iterable[Anchor]) -> str | None:
    """What a verification says of links that it cannot see any more; None where there are none."""
    found = list(anchors)
    if not found:
        return None
    links, rows = sum(one.links for one in found), sum(one.rows for one in found)
    return f"Before them {links} links over {rows} records were purged, as [retention] says; chains go on from anchors."


def covers(row: ChainRow, kept: Sequence[bytes]) -> bool:
    """Whether these kept records are exactly what a link covers, in its order."""
    return tuple(map(digest, kept)) == row.digests
