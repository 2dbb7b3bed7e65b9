"""What is carried from one store to another: tables in a form that is neither backend's own.

Bodies stay sealed as they are, each for its row. Digests of search keys are carried as they are too, with the secret
that they are made with: so what was found at the source is found at the target.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

VERSION = 1
Row = Sequence[Any]
Lot = list[Row]

# In the order of the stream: what the target has to know first comes first.
TABLES: dict[str, tuple[str, ...]] = {
    "meta": ("name", "value"),
    "heads": ("name", "value"),
    "purged": ("id", "tenant", "feed", "received_at", "type", "event", "dedup", "hash"),
    "messages": (
        *("id", "tenant", "feed", "received_at", "state", "type", "event", "duplicates", "dedup", "hash"),
        *("keys", "body", "raw"),
    ),
    "records": (
        *("n", "id", "tenant", "kind", "status", "start", "updated_at", "created_at", "version", "replaced_by"),
        "body",
    ),
    "record_keys": ("digest", "start", "record"),
    "record_versions": ("record", "version", "body"),
    "events": (
        *("seq", "id", "tenant", "type", "subject", "at", "patient", "version", "message", "feed"),
        "traceparent",
    ),
    "tasks": (
        *("id", "tenant", "queue", "code", "subject", "title", "created_at", "status", "priority", "due_at"),
        *("updated_at", "version", "owner", "resolution", "note"),
    ),
    "clients": ("client_id", "tenant", "secret_hash", "scopes", "name", "created_at", "revoked_at"),
    "nonces": ("digest", "until"),
    "switches": ("name", "value"),
    "sites": ("digest", "files"),
    "audit_links": ("chain", "n", "previous", "link"),
    "audit_rows": (
        *("n", "chain", "link", "place", "at", "tenant", "actor", "action", "what", "digest", "sealed_for"),
        "body",
    ),
    "subscriptions": ("id", "tenant", "client", "state", "cursor", "failing_since", "version", "body"),
    "deliveries": (
        *("id", "tenant", "subscription", "seq", "event", "type", "lane", "state", "head", "attempts", "spent"),
        *("since", "due_at", "created_at", "updated_at", "outcome", "traceparent"),
    ),
    "attempts": ("delivery", "number", "at", "took", "outcome", "status", "answer"),
    "holds": ("id", "tenant", "released_at", "body"),
    "aside_messages": ("id", "tenant", "feed", "received_at", "duplicates", "body", "raw"),
    "audit_anchors": ("chain", "links", "rows", "head", "until"),
    "jobs": ("id", "tenant", "client", "kind", "created_at", "total", "done", "failed", "state", "body"),
}


class Header(Struct, frozen=True, kw_only=True, rename="camel"):
    """The first frame. `secret` is that of the digests, sealed with the site key: who opens it has the right key."""

    format: str = "isthmus export"
    version: int = VERSION
    at: int
    secret: bytes
    tables: dict[str, tuple[str, ...]]


class Trailer(Struct, frozen=True, kw_only=True, rename="camel"):
    """The last frame: how many rows each table has, and a digest of all before, keyed with the secret."""

    counts: dict[str, int]
    digest: bytes


class InUse(Exception):
    """Another process works on this data; the text says what to do."""


class NotEmpty(Exception):
    """The target keeps something already."""


class Unfinished(Exception):
    """An import into this data was begun and did not end."""


class Nothing(Exception):
    """There is no data, or it is not as this release needs it."""


class Damaged(Exception):
    """The stream is no whole, unaltered export; the text says what is wrong with it."""


class Source(Protocol):
    """A store that is read as it was at one moment."""

    async def open(self, live: bool) -> None:
        """Take the snapshot; InUse where messages may still come, unless `live`."""

    async def close(self) -> None: ...
    async def secret(self) -> tuple[bytes, bytes]:
        """The secret of the digests, as it is sealed and as it is."""

    def lots(self, table: str) -> AsyncIterator[Lot]:
        """The rows of a table, some at a time."""


class Target(Protocol):
    """A store that takes all or nothing."""

    async def open(self, sealed: bytes) -> bytes:
        """Mark the target as being filled, and open the secret of the digests: WrongKey, before anything is written,
        where the site key is another. NotEmpty and InUse where the target is no place for it."""

    async def put(self, table: str, rows: Lot) -> None: ...
    async def keep(self) -> None:
        """All of it, durably, and no mark any more."""

    async def undo(self) -> None:
        """Leave the target as empty as it was."""
