"""A site is a folder of files; here it becomes one frozen object, read once and passed down.

`load` reports every problem of every file at once. Each setting is a field here, with its form (its type, `forms`), its
default, and its sentence in `SENTENCES`; the reference page is generated from them, and a test counts them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from canonical.datatypes import Coding
from gateway.site.forms import (
    Address,
    Bytes,
    Certificate,
    Charset,
    ClientId,
    Count,
    Days,
    Lifetime,
    MessageType,
    Name,
    Place,
    Rank,
    Rate,
    Ratio,
    Reachable,
    Reader,
    ScopeName,
    Seconds,
    SecretHash,
    Sender,
    Tenant,
    TriggerEvent,
    Uri,
    Url,
    Zone,
)
from gateway.site.outward import SENTENCES as OUTWARD
from gateway.site.outward import Destination, DestinationSettings, Route
from gateway.site.setting import Setting, Wait
from transforms.hl7v2.changes import Change
from transforms.hl7v2.profile import ListMode, OffsetPolicy, Profile, Registered

Codes = dict[str, dict[str, Coding]]
Changes = Mapping[str, Sequence[Change]]


Role = Literal["api", "feeds", "worker"]
ROLES: tuple[Role, ...] = ("api", "feeds", "worker")


class Server(Setting, frozen=True):
    """[server] of isthmus.toml."""

    http: Address = "127.0.0.1:8080"
    public_url: Url | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    drain_seconds: Annotated[float, Meta(ge=0, le=3600)] = 20.0
    max_body_bytes: Bytes = 1_048_576
    requests_per_second: Rate = 200.0
    burst: Count = 400
    token_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 300


class StoreSettings(Setting, frozen=True):
    """[store] of isthmus.toml."""

    path: Path = Path("data")
    database: str | None = None
    key_file: Path | None = None
    dedup_days: Days = 7

    @property
    def is_shared(self) -> bool:
        """Whether other processes may work on the same data."""
        return self.database is not None


class RedisSettings(Setting, frozen=True):
    """[redis] of isthmus.toml: for several processes of a site."""

    url: str | None = None
    prefix: Name = "isthmus"


class Tracing(Setting, frozen=True):
    """[tracing] of isthmus.toml."""

    otlp: Url | None = None
    ratio: Ratio = 1.0


class Webhooks(Setting, frozen=True):
    """[webhooks] of isthmus.toml."""

    allow: tuple[Reachable, ...] = ()
    timeout_seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 20.0
    concurrency: Count = 64
    per_subscription: Count = 16
    retry_seconds: Annotated[tuple[Wait, ...], Meta(min_length=1)] = (
        0,
        5,
        300,
        1800,
        7200,
        18000,
        36000,
        50400,
        72000,
        86400,
    )


class Intake(Setting, frozen=True):
    """[intake] of isthmus.toml: what all feeds share."""

    queue: Count = 4096
    group: Annotated[int, Meta(ge=1, le=10_000)] = 256


class FeedSettings(Setting, frozen=True):
    """[feed] of a peer's file: its door in."""

    mllp: Address = "127.0.0.1:2575"
    senders: tuple[Sender, ...] = ()
    processing_ids: tuple[Literal["P", "T", "D"], ...] = ()
    certificates: tuple[Certificate, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None
    charset: Charset | None = None
    offset_policy: OffsetPolicy = "zone"
    list_mode: ListMode = "auto"
    siu_creates_encounter: bool = False
    encounters_without_number: bool = True
    problems_in_ack: bool = False
    field_problems: Literal["AA", "AE"] = "AA"
    unmapped: Literal["AA", "AR"] = "AA"
    unavailable: Literal["AR", "AE", "close"] = "AR"
    application_acks: Literal["connection", "off"] = "off"
    max_bytes: Bytes = 10_485_760
    max_connections: Count = 256
    max_in_flight: Count = 64
    frame_seconds: Seconds = 60.0
    idle_seconds: Seconds = 3600.0
    strict_framing: bool = False
    commit_blocks: bool = False
    silent_after_seconds: Seconds | None = None
    ranks: dict[MessageType, Rank] = {}


class AuthoritySettings(Setting, frozen=True):
    """[authorities.NAME] of a peer's file: what one assigning authority stands for."""

    system: Uri
    enterprise: bool = False
    volatile: bool = False


class MappingSettings(Setting, frozen=True):
    """[mapping."RECORD.FIELD"] of a peer's file: where the feed's messages have a field."""

    from_: Place | None = field(default=None, name="from")
    as_: Reader | None = field(default=None, name="as")
    value: str | bool | int | None = None
    system: Uri | None = None
    drop: bool = False


class Peer(Setting, frozen=True):
    """peers/NAME.toml: one outside system."""

    tenant: Tenant = "main"
    zone: Zone | None = None
    feed: FeedSettings | None = None
    destination: DestinationSettings | None = None
    authorities: dict[str, AuthoritySettings] = {}
    location_zones: dict[str, Zone] = {}
    mapping: dict[str, MappingSettings] = {}


class ClientSettings(Setting, frozen=True):
    """clients/NAME.toml: one API consumer. The secret itself never stands in a file, only its hash."""

    client_id: ClientId
    secret_hash: SecretHash
    scopes: Annotated[tuple[ScopeName, ...], Meta(min_length=1)]
    tenant: Tenant = "main"
    requests_per_second: Rate | None = None
    burst: Count | None = None
    continues_trace: bool = False

    def __repr__(self) -> str:
        return f"ClientSettings({self.client_id!r})"


class MessageClass(Setting, frozen=True):
    """[[retention.class]] of isthmus.toml: messages that are kept for longer or shorter than others."""

    days: Lifetime
    tenant: Tenant | None = None
    feed: str | None = None
    type: MessageType | None = None
    event: TriggerEvent | None = None


class RetentionSettings(Setting, frozen=True):
    """[retention] of isthmus.toml: for how long what is kept. What nothing is said of is kept for ever."""

    messages: Lifetime | None = None
    events: Lifetime | None = None
    audit: Lifetime | None = None
    classes: tuple[MessageClass, ...] = field(default=(), name="class")


class Main(Setting, frozen=True):
    """isthmus.toml."""

    server: Server = Server()
    store: StoreSettings = StoreSettings()
    intake: Intake = Intake()
    redis: RedisSettings = RedisSettings()
    tracing: Tracing = Tracing()
    webhooks: Webhooks = Webhooks()
    retention: RetentionSettings = RetentionSettings()
    tenants: Annotated[tuple[Tenant, ...], Meta(min_length=1)] = ("main",)


class Feed(Struct, frozen=True, kw_only=True):
    """A feed as the gateway runs it: what its files say and how its messages are read.

    `site` is the digest of the files that say so, as it is kept with every message that is read by them.
    """

    name: str
    tenant: str
    settings: FeedSettings
    profile: Profile
    site: str | None = None


class Site(Struct, frozen=True, kw_only=True):
    """Everything the files say. `digest` names this state of the files; `files` is what is kept under it."""

    main: Main = Main()
    feeds: tuple[Feed, ...] = ()
    destinations: tuple[Destination, ...] = ()
    routes: tuple[Route, ...] = ()
    clients: dict[str, ClientSettings] = {}
    digest: str = ""
    files: bytes = b""

    def feed(self, name: str, tenant: str) -> Feed | None:
        """The feed of this name, if it is this tenant's."""
        return next((one for one in self.feeds if (one.name, one.tenant) == (name, tenant)), None)


def destination_of(name: str, peer: Peer, settings: DestinationSettings, codes: Codes) -> Destination:
    """A peer's destination with its profile."""
    return Destination(name=name, tenant=peer.tenant, settings=settings, profile=feed_of(name, peer, codes).profile)


def feed_of(name: str, peer: Peer, codes: Codes, changes: Changes | None = None) -> Feed:
    """A peer's feed with its profile; `changes` are those of its mapping, made ready."""
    settings = peer.feed or FeedSettings()
    return Feed(
        name=name,
        tenant=peer.tenant,
        settings=settings,
        profile=Profile(
            tenant=peer.tenant,
            feed=name,
            zone=peer.zone,
            offset_policy=settings.offset_policy,
            charset=settings.charset,
            authorities={
                key: Registered(system=one.system, enterprise=one.enterprise, volatile=one.volatile)
                for key, one in peer.authorities.items()
            },
            codes=codes,
            location_zones=peer.location_zones,
            list_mode=settings.list_mode,
            siu_creates_encounter=settings.siu_creates_encounter,
            encounters_without_number=settings.encounters_without_number,
            ranks=settings.ranks,
            changes=changes or {},
        ),
    )


SENTENCES: dict[type[Setting], dict[str, str]] = {
    Main: {
        "tenants": "The tenants of this site; data of one is never seen by clients of another.",
    },
    Server: {
        "http": "Where the API listens, as host:port; port 0 is any free one.",
        "public_url": "The address by which clients reach the API, where a proxy or load balancer stands before it.",
        "certificate": "The API's TLS certificate chain (PEM); together with private-key it turns TLS on.",
        "private_key": "The key of that certificate (PEM).",
        "drain_seconds": "How long a stop waits for what is in flight before it lets go.",
        "max_body_bytes": "The largest request body; a larger one is answered with 413.",
        "requests_per_second": "The steady rate of requests that each client may make, unless its file says otherwise.",
        "burst": "How many requests a client may make at once before that rate holds.",
        "token_seconds": "How long an access token lasts.",
    },
    StoreSettings: {
        "path": "The folder of the data, from the site folder where it is not absolute.",
        "database": "PostgreSQL instead of the folder: env:NAME or file:PATH that hold a postgresql:// address.",
        "key_file": "32 random bytes that encrypt message bodies and records at rest; without them nothing is.",
        "dedup_days": "For how long a control id that comes again is remarked on; a repeat is known for longer.",
    },
    Intake: {
        "queue": "How many messages may wait for a commit; further ones are declined, and their senders keep them.",
        "group": "The most messages in one commit.",
    },
    RedisSettings: {
        "url": "Redis or Valkey, for limits over all processes: env:NAME or file:PATH that hold a redis:// address.",
        "prefix": "What keys and channels begin with, for rules of who may what in Redis; sites may have the same.",
    },
    Tracing: {
        "otlp": "OTLP/HTTP's base URL (http://host:4318) that spans go to, at /v1/traces; without it none do.",
        "ratio": "The share of traces that are sent; those with an error are always sent.",
    },
    Webhooks: {
        "allow": "Hosts and networks that webhooks may reach although they are internal; for development.",
        "timeout_seconds": "How long a receiver may take to answer a webhook.",
        "concurrency": "How many webhooks are under way at once in all.",
        "per_subscription": "How many are under way at once to one subscription.",
        "retry_seconds": "The waits before each try; after the last one the delivery is parked and a task raised.",
    },
    RetentionSettings: {
        "messages": "For how many days messages are kept, at the least; none is for ever.",
        "events": "For how many days events and their deliveries are kept, at the least; none is for ever.",
        "audit": "For how many days the audit is kept, and what is left of purged messages; none is for ever.",
    },
    MessageClass: {
        "days": "For how many days messages of this class are kept, instead; the first class that fits counts.",
        "tenant": "Whose they are; without it anybody's.",
        "feed": "The feed that they came by; without it any.",
        "type": "Their type (MSH-9.1); without it any.",
        "event": "Their trigger event (MSH-9.2); without it any.",
    },
    Peer: {
        "tenant": "Whose data this system sends.",
        "zone": "The IANA time zone of times that are sent without one; required for instants to be exact.",
        "location_zones": "The time zone of single facilities, by the name in PL-4, where it is another.",
    },
    MappingSettings: {
        "from_": "The place that the field is read from: `ZPI-3`, or `ZPI-3.2` for one component.",
        "as_": "How it is read, where the field's own row does not say it or reads something else.",
        "value": "The field always has this value; of a code it is the code.",
        "system": "The system of a code that is set by value.",
        "drop": "The field is left out, whatever the messages say.",
    },
    AuthoritySettings: {
        "system": "The URI that identifiers of this authority get as their system.",
        "enterprise": "Whether its patient identifiers come before those of others when a patient is looked up.",
        "volatile": "Whether its identifiers are used again for others, so that they never identify by themselves.",
    },
    FeedSettings: {
        "mllp": "Where the feed listens, as host:port; feeds may share one.",
        "senders": "Who may send here, as MSH-3|MSH-4; on a shared address this is how feeds are told apart.",
        "processing_ids": "Which messages the feed takes, by MSH-11 (P, T, D): others are refused; empty takes all.",
        "certificates": "Client certificates bound to the feed: a subject, a SHA-256, or a name (DNS:his.example.org).",
        "certificate": "The listener's TLS certificate chain (PEM); together with private-key it turns TLS on.",
        "private_key": "The key of that certificate (PEM).",
        "client_ca": "The CA that senders' certificates must be signed by; with it TLS is mutual.",
        "charset": "The character set where MSH-18 is empty; without it UTF-8, and Windows-1252 for what is not UTF-8.",
        "offset_policy": "Times without an offset are in the zone (zone) or MSH-7's (spec); ignore: offsets are wrong.",
        "list_mode": "A scheduling message's resources: all there are, changes to them, or as the event says.",
        "siu_creates_encounter": "Whether a scheduling message with a PV1 also makes an encounter.",
        "encounters_without_number": "Whether a visit without a number in PV1-19 makes an encounter of its own.",
        "problems_in_ack": "Whether the acknowledgement of an applied message lists its field problems as ERR.",
        "field_problems": "What a message is answered that was applied without some of its fields.",
        "unmapped": "What a message is answered that is kept but outside the model.",
        "unavailable": "What a sender hears while nothing can be kept: a refusal, an error, or a closed connection.",
        "application_acks": "Whether enhanced mode's application acknowledgement follows on the same connection.",
        "max_bytes": "The largest message; a larger one is refused and, where no feed there takes it, its line closed.",
        "max_connections": "How many connections may be open at once.",
        "max_in_flight": "How many messages of one connection may wait for an acknowledgement; then reading stops.",
        "frame_seconds": "How long a message may take to arrive whole.",
        "idle_seconds": "After how long without a byte a connection is closed.",
        "strict_framing": "Whether a frame must be exact; otherwise the usual mistakes of senders are forgiven.",
        "commit_blocks": "Whether MLLP release 2 commit blocks are sent before the acknowledgement.",
        "silent_after_seconds": "The longest quiet before a feed counts as silent; else its own pace decides.",
        "ranks": "Ranks by message type (ADT = 1): of two that speak of a field the higher is believed.",
    },
    ClientSettings: {
        "client_id": "The name a client shows at /oauth/token.",
        "secret_hash": "The hash of its secret, as `isthmus secret` prints it; the secret stands in no file.",
        "scopes": "What it may do, such as appointments.read; admin is everything in its tenant.",
        "tenant": "Whose data it may see.",
        "requests_per_second": "Its steady rate of requests, where it is not the server's.",
        "burst": "How many requests it may make at once, where it is not the server's.",
        "continues_trace": "Its `traceparent` is continued; others begin a trace of ours, linked to theirs.",
    },
    **OUTWARD,
}
