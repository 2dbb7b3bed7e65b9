"""The store's seam: what the gateway asks of a database, and what a database promises.

Promises, kept by the contract suite in tests/store_contract on every backend: a unit commits whole or not at all and is
durable when `commit` returns; the event feed never shows seq N+1 before N is decided; a message is kept once per
(dedup key, hash); reads see only what is committed. All instants are integer microseconds since the epoch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from canonical.datatypes import Identifier
from canonical.events import Event
from canonical.problems import Problem
from canonical.records import Record
from canonical.settle import Working
from canonical.tasks import Task
from gateway.store.holding import Hold
from policies.audit import Anchor

MessageState = Literal["applied", "duplicate", "unmapped", "parked", "refused"]
SubscriptionKind = Literal["webhook", "hl7v2", "route"]
DeliveryState = Literal["pending", "claimed", "delivered", "parked", "cancelled"]
Key = tuple[str, str]  # (kind, value): ("identifier", "urn:x|123"), ("control_id", "MSG1"), ("name", "doe")


class Answered(Struct, frozen=True, kw_only=True, gc=False):
    """How a message was answered until a replay renewed the answer."""

    until: int
    code: str
    ack: bytes


class Kept(Struct, frozen=True, kw_only=True, gc=False):
    """A message as it was received, and what became of it. `raw` and `ack` are bytes as they go over the wire.

    `answers` are those before `ack`, the oldest first: a replay that mends a refused message renews its answer.
    """

    id: str
    tenant: str
    feed: str
    received_at: int
    state: MessageState
    raw: bytes
    hash: bytes  # sha256 of the canonicalised bytes
    dedup: str  # feed, MSH-3, MSH-4, MSH-10 (or the hash where there is no control id)
    protocol: str = "hl7v2"
    type: str = ""  # SIU
    event: str = ""  # S12
    version: str = ""  # 2.5.1
    control_id: str = ""
    sender: str = ""  # MSH-3|MSH-4
    ack: bytes = b""
    ack_code: str = ""
    answers: tuple[Answered, ...] = ()
    clock: int = 0
    problems: tuple[Problem, ...] = ()
    records: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    traceparent: str | None = None
    site: str | None = None  # the hash of the site files it was mapped with
    duplicates: int = 0


class Written(Struct, frozen=True, kw_only=True, gc=False):
    """A record to keep. `fresh` makes a version that history shows; without it only clocks moved."""

    kind: str
    before: Record | None
    after: Record
    fresh: bool


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """A message already kept under a dedup key. Of one that was purged nobody knows any more how it was answered."""

    id: str
    hash: bytes
    received_at: int
    ack: bytes | None


class Old(Struct, frozen=True, gc=False):
    """A message that may have to go, as far as that depends on it. `n` is its place in the store."""

    n: int
    id: str
    feed: str
    type: str
    event: str
    received_at: int


class Tombstone(Struct, frozen=True, gc=False):
    """What is left of a message that was purged: who brought it when, of what type, and the hash of what it said."""

    id: str
    tenant: str
    feed: str
    received_at: int
    type: str
    event: str
    hash: bytes


class AuditRow(Struct, frozen=True, kw_only=True):
    """One link's worth of audit: the encoded record and its digest (policies/audit.py)."""

    at: int
    tenant: str
    actor: str
    action: str
    what: str
    body: bytes
    digest: bytes


class Batch(Struct, kw_only=True):
    """All that one unit commits.

    A task of `tasks` that is open already adds nothing, and an event about it is left out: an opening is told once.
    """

    messages: list[Kept] = []
    records: list[Written] = []
    events: list[Event] = []
    tasks: list[Task] = []  # to be opened, or opened again
    changed_tasks: list[Task] = []  # one version after the one that was read; Conflict where it no longer is that one
    repeats: list[str] = []  # ids of messages that were sent once more
    audit: list[AuditRow] = []
    replayed: list[Kept] = []  # messages mapped again: what became of them, and their answer, replace what was kept


class Unit(Protocol):
    """One group commit in the making."""

    async def load(
        self,
        tenant: str,
        working: Working,
        lookups: Iterable[tuple[str, Identifier]],
        records: Iterable[str] = (),
    ) -> None:
        """Add to a tenant's working set every record found by (record type, identifier) or by its id, the patients
        those belong to, and whoever survived them."""

    async def seen(self, tenant: str, sent: Sequence[tuple[str, bytes]], since: int) -> dict[str, list[Seen]]:
        """What is kept of (dedup key, hash): the same message however old, and the newest other one since then.

        Asked before `load`: where processes share a store, units wait for each other in this order.
        """

    async def open_tasks(self, tenant: str, subject: str) -> list[Task]:
        """The tasks about a message, record or subscription that nobody has completed or cancelled."""

    async def commit(self, batch: Batch) -> list[Event]:
        """Keep the batch durably; the events come back with their seq. Raises Conflict when another process won."""


class Conflict(Exception):
    """Another writer kept the same message or a newer version of a record; load again and repeat."""


class Unavailable(Exception):
    """The database cannot take the write now (disk full, locked, gone). Nothing was kept."""


class RecordQuery(Struct, frozen=True, kw_only=True):
    """A search over one kind of record. `keys` is an AND of ORs; `after` is the position a page ended at.

    With keys of busy things (a provider, a place) appointments and encounters are best ordered by start: that is how
    the index has them. A `name` is matched word by word, without case and accents.
    """

    tenant: str
    kind: str
    keys: tuple[tuple[Key, ...], ...] = ()
    statuses: tuple[str, ...] = ()
    start_from: int | None = None
    start_before: int | None = None
    updated_since: int | None = None
    order: Literal["created", "start", "updated"] = "created"
    descending: bool = False
    after: tuple[int, str] | None = None
    limit: int = 50


class MessageQuery(Struct, frozen=True, kw_only=True):
    """A search over kept messages, newest first. Bodies are not loaded: `raw` and `ack` are empty."""

    tenant: str
    keys: tuple[Key, ...] = ()
    feed: str | None = None
    state: MessageState | None = None
    type: str | None = None
    event: str | None = None
    record: str | None = None
    received_from: int | None = None
    received_before: int | None = None
    after: tuple[int, str] | None = None
    limit: int = 50


Item = TypeVar("Item")


class Page(Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of anything; `next` is the position to go on from, or None at the end."""

    items: list[Item]
    next: tuple[int, str] | None = None


class Version(Struct, frozen=True, kw_only=True):
    """A record as it was."""

    version: int
    at: int
    message: str | None
    record: Record


class Subscription(Struct, frozen=True, kw_only=True, rename="camel"):
    """A receiver of what is in the event log, of one `kind`: a partner's webhook, an HL7 link, a raw route.

    The site's files declare some: these name their `destination` and `route`, and belong to no client (an empty one).
    The others are made through the API. `secrets` sign together, newest first, for a while after `rotated_at`.

    `state`: active, paused (held by a person), disabled (by the receiver's 410, by failing too long, while its client
    may not have what it asks for, or while no file declares it any more).
    `types` are patterns (`appointment.*`); `feeds`, `other_feeds` (any but these) and `patients` narrow further. What
    has one `lane` goes out in one order: all to the receiver, or all of one patient. `cursor` (its place in the feed of
    events) and `failing_since` (the first failure after the last success) are kept by `derive` and `conclude`:
    `put_subscription` takes a cursor for a new subscription only, and clears `failing_since` when one is made active.
    """

    id: str
    tenant: str
    client: str
    url: str
    kind: SubscriptionKind = "webhook"
    destination: str | None = None
    route: str | None = None
    types: tuple[str, ...] = ("*",)
    feeds: tuple[str, ...] = ()
    other_feeds: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    lane: Literal["patient", "receiver"] = "patient"
    full: bool = False
    secrets: tuple[str, ...] = ()
    rotated_at: int = 0
    state: Literal["active", "paused", "disabled"] = "active"
    deduplicates: bool = True
    cursor: int = 0
    failing_since: int | None = None
    created_at: int = 0
    updated_at: int = 0
    version: int = 1
    reason: str | None = None
    description: str | None = None
    paused_at: int | None = None
    paused_by: str | None = None

    @property
    def is_declared(self) -> bool:
        """Whether the site's files are its home, not the API."""
        return self.destination is not None


class Delivery(Struct, frozen=True, kw_only=True, rename="camel"):
    """One event on its way to one subscription. `id` is the webhook-id and never changes.

    `since` is when its schedule of tries began: when it was derived, or revived; `spent` are the tries before that.
    """

    id: str
    tenant: str
    subscription: str
    seq: int
    event: str
    type: str
    lane: str
    state: DeliveryState = "pending"
    attempts: int = 0
    spent: int = 0
    since: int = 0
    due_at: int = 0
    lease_until: int = 0
    created_at: int = 0
    updated_at: int = 0
    outcome: str | None = None
    traceparent: str | None = None


class Move(Struct, frozen=True, kw_only=True):
    """A subscription's step along the feed of events, and the deliveries that came of it."""

    subscription: str
    cursor: int
    upto: int
    deliveries: Sequence[Delivery] = ()


class Attempt(Struct, frozen=True, kw_only=True, rename="camel"):
    """One try. `answer` is the start of what the receiver said, for people with the right scope."""

    delivery: str
    number: int
    at: int
    took: int
    outcome: str
    status: int | None = None
    answer: str | None = None


class DeliveryQuery(Struct, frozen=True, kw_only=True):
    """A search over deliveries, newest first, or `oldest_first`; none is newer than the place `upto`."""

    tenant: str
    subscription: str | None = None
    state: DeliveryState | None = None
    type: str | None = None
    event: str | None = None
    created_from: int | None = None
    created_before: int | None = None
    oldest_first: bool = False
    upto: tuple[int, str] | None = None
    after: tuple[int, str] | None = None
    limit: int = 50


class Job(Struct, frozen=True, kw_only=True, rename="camel"):
    """A bulk resend or replay with its progress."""

    id: str
    tenant: str
    client: str  # who started it
    kind: Literal["resend", "replay"]
    created_at: int
    total: int
    done: int = 0
    failed: int = 0
    state: Literal["running", "completed", "failed"] = "running"
    body: bytes = b""  # the encoded query and the position reached


class Backlog(Struct, frozen=True, kw_only=True):
    """What waits: deliveries by state, the oldest due and since when it is to be delivered, and the newest event."""

    pending: int = 0
    claimed: int = 0
    parked: int = 0
    oldest_due_at: int | None = None
    oldest_since: int | None = None
    head: int = 0


class StoredClient(Struct, frozen=True, kw_only=True):
    """An API consumer created through the API or the demo (files own the others)."""

    client_id: str
    tenant: str
    secret_hash: str
    scopes: tuple[str, ...]
    name: str = ""
    created_at: int = 0
    revoked_at: int | None = None


class Store(Protocol):
    """What a backend does; see the module for what it promises."""

    @property
    def keeps_months(self) -> bool:
        """Whether `drop_messages` drops what is old."""

    async def open(self) -> None:
        """Connect, migrate, verify."""

    async def close(self) -> None:
        """Finish what is being written and let go."""

    def unit(self) -> AbstractAsyncContextManager[Unit]:
        """A group commit; one at a time per process."""

    def hear(self, woken: Callable[[], None]) -> None:
        """Call this whenever another process has committed events."""

    # -- records
    async def record(self, tenant: str, identity: str) -> Record | None: ...
    async def records(self, query: RecordQuery) -> Page[Record]: ...
    async def history(self, tenant: str, identity: str) -> list[Version]: ...
    async def version(self, tenant: str, identity: str, number: int) -> Record | None: ...
    async def find(self, tenant: str, kind: str, key: Key) -> list[str]:
        """The ids of records under one key."""

    async def survivor(self, tenant: str, patient: str) -> str:
        """The patient that stands for this one after all merges; itself where there were none."""

    async def aliases(self, tenant: str, patient: str) -> list[str]:
        """The survivor first, then every patient that was merged into it."""

    # -- messages
    async def message(self, tenant: str, identity: str) -> Kept | None: ...
    async def messages(self, query: MessageQuery) -> Page[Kept]: ...
    async def heard(self, tenant: str, since: int) -> dict[str, int]:
        """When each feed brought its last message, of those that brought one since then."""

    # -- events
    async def events(self, tenant: str, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
        """The feed after a seq, in order; `types` are patterns (`appointment.*`)."""

    async def head(self) -> int:
        """The seq of the newest event."""

    # -- tasks
    async def task(self, tenant: str, identity: str) -> Task | None: ...
    async def tasks(
        self, tenant: str, status: str | None, queue: str | None, after: tuple[int, str] | None, limit: int
    ) -> Page[Task]: ...
    async def waiting_tasks(self) -> dict[str, int]:
        """How many tasks wait for a person, by queue, of all tenants."""

    # -- subscriptions and deliveries
    async def subscription(self, tenant: str, identity: str) -> Subscription | None: ...
    async def subscriptions(self, tenant: str | None = None) -> list[Subscription]: ...
    async def put_subscription(self, subscription: Subscription, expected: int | None, most: int | None = None) -> bool:
        """Replace the version that is expected, or add a new one where None is; whether that was done.

        `most` is how many a client may have; it is counted in the write, so that those who come at once share it.
        """

    async def delete_subscription(self, tenant: str, identity: str, expected: int | None) -> bool:
        """Delete the version that is expected, or any where None is; whether that was done."""

    async def derive(self, moves: Sequence[Move]) -> list[bool]:
        """Move cursors and insert deliveries, all in one transaction; False where a cursor was elsewhere."""

    async def claim(self, now: int, lease: int, limit: int, rooms: Mapping[str, int]) -> list[tuple[Delivery, Event]]:
        """Due deliveries, the oldest of each lane only, leased until now + lease: `limit` in all, and of each
        subscription its room, in the order given.
        """

    async def conclude(self, results: Sequence[tuple[Delivery, Attempt | None]]) -> None:
        """Keep how attempts ended: the delivery as it now stands and the attempt.

        `lease_until` still names the claim: what was concluded already, or claimed anew, is left as it is.
        """

    async def delivery(self, tenant: str, identity: str) -> Delivery | None: ...
    async def deliveries(self, query: DeliveryQuery) -> Page[Delivery]: ...
    async def attempts(self, tenant: str, delivery: str) -> list[Attempt]: ...
    async def revive(self, query: DeliveryQuery, now: int, traceparent: str | None = None) -> int:
        """Make the finished deliveries of a page of the query due again; how many there were.

        They are of the trace that is given from now on; their events stay of their own.

        What changed after `now` is left alone: with the start of a job as `now`, a page may be repeated after a crash.
        """

    async def revivable(self, query: DeliveryQuery, now: int) -> int:
        """How many deliveries `revive` would make due on all pages."""

    async def backlog(self) -> Backlog: ...
    async def job(self, tenant: str, identity: str) -> Job | None: ...
    async def put_job(self, job: Job) -> None: ...
    async def jobs(self) -> list[Job]:
        """The jobs that still run."""

    # -- who may, and what is held
    async def client(self, client_id: str) -> StoredClient | None: ...
    async def put_client(self, client: StoredClient) -> None: ...
    async def once(self, key: str, until: int, now: int) -> bool:
        """Remember a nonce until then; False if it is known already."""

    async def secret(self, name: str, fresh: bytes) -> bytes:
        """A value kept sealed under a name: the one kept before, or the fresh one from now on."""

    async def switches(self) -> dict[str, str]:
        """What is paused: `intake`, `feed:NAME` -> since when and by whom.

        And what else outlives a process in a word: a revoked `token:ID` -> until when, a feed's `pace:NAME`.
        """

    async def set_switch(self, name: str, value: str | None) -> None: ...
    async def lease(self, name: str, holder: str, until: int, now: int) -> bool:
        """Hold what one process does for all (`watch`, `job:ID`) until then, or go on holding it; False while another
        holds it. With `until` in the past it is let go."""

    # -- audit and site
    async def audit(self, rows: Sequence[AuditRow]) -> None:
        """Append rows under one link of the chain."""

    async def audit_rows(self, tenant: str, after: int, limit: int) -> list[tuple[int, AuditRow]]: ...
    async def audit_links(self) -> list[tuple[bytes, bytes, list[bytes]]]:
        """(previous, link, digests) of the whole chain, for verification; of several chains, one after another."""

    async def audit_anchors(self) -> list[Anchor]:
        """Where each chain begins whose first links were purged."""

    async def keep_site(self, digest: str, files: bytes) -> None: ...
    async def site(self, digest: str) -> bytes | None: ...

    # -- what goes in the end (docs/guides/retention.md)
    async def old_messages(self, tenant: str, after: tuple[int, int], before: int, limit: int) -> list[Old]:
        """Messages received before a moment, oldest first, after a place (receipt, `n`)."""

    async def purge_messages(self, tenant: str, old: Sequence[Old]) -> int:
        """Take these messages away, with all that they are found by; a tombstone of each stays.

        What is on hold is put aside whole, where only its id finds it; how many that were.
        """

    async def drop_messages(self, before: int) -> int:
        """The same for all that was received in the months before a moment, month by month; how many months. A store
        that does not keep months has none to drop."""

    async def purge_aside(self, after: int, limit: int) -> int | None:
        """Take away what was put aside and no hold covers any more, of so many after a place; the place to go on from,
        None at the end."""

    async def tombstone(self, tenant: str, identity: str) -> Tombstone | None: ...
    async def forget_messages(self, before: int, limit: int) -> int:
        """Take tombstones away that are of before a moment: what they were of would be new if it came again. How many.
        All messages of that time must have been purged."""

    async def oldest_message(self) -> int | None:
        """When the oldest message was received that is kept and not put aside."""

    async def oldest_event(self) -> int:
        """The seq of the oldest event that is kept, or the one that the next will have."""

    async def purgeable_events(self, before: int, now: int) -> int:
        """The seq of the first event that has to stay: it is of a later day, or an active subscription has not had it
        yet. One call looks at a bounded number of events, or at whole months."""

    async def losing(self, upto: int) -> list[Subscription]:
        """The subscriptions that will not receive events below a seq: they have not followed the feed so far, or what
        is for them waits or is parked."""

    async def purge_deliveries(self, tenant: str, upto: int, limit: int) -> int:
        """Take deliveries of events below a seq away, with their attempts; how many."""

    async def purge_events(self, upto: int) -> tuple[int, int]:
        """Take events below a seq away: how many, and how many months that were dropped whole."""

    async def purge_audit(self, before: int, now: int) -> tuple[int, int]:
        """Take the oldest links of the audit away, as far as all they cover is of before a moment, with the same two
        numbers; an anchor of each chain stays. One call does a bounded part of it."""

    async def holds(self, tenant: str | None = None) -> list[Hold]:
        """The legal holds of a tenant, or of every one, released ones too, in the order of their making."""

    async def put_hold(self, hold: Hold) -> None:
        """Keep a hold, new or released. From its return on nothing is purged that a new one covers."""
