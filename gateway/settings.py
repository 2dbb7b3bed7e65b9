"""A site is a folder of files; here it becomes one frozen object, read once and passed down.

`load` reports every problem of every file at once. Each setting is a field with its default here and its sentence in
`SENTENCES`; the reference page is generated from both, and a test counts them.
"""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from canonical.datatypes import Coding
from transforms.hl7v2.profile import ListMode, OffsetPolicy, Profile, Registered

Codes = dict[str, dict[str, Coding]]


class Setting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of every table of a settings file: kebab-case keys, unknown ones refused."""


class Server(Setting, frozen=True):
    """[server] of isthmus.toml."""

    http: str = "127.0.0.1:8080"
    public_url: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    drain_seconds: float = 20.0
    max_body_bytes: int = 1_048_576
    requests_per_second: float = 200.0
    burst: int = 400
    token_seconds: int = 300


class StoreSettings(Setting, frozen=True):
    """[store] of isthmus.toml."""

    path: Path = Path("data")
    key_file: Path | None = None
    dedup_days: int = 7


class Tracing(Setting, frozen=True):
    """[tracing] of isthmus.toml."""

    otlp: str | None = None
    ratio: float = 1.0


class Webhooks(Setting, frozen=True):
    """[webhooks] of isthmus.toml."""

    allow: tuple[str, ...] = ()
    timeout_seconds: float = 20.0
    concurrency: int = 64
    per_subscription: int = 16
    retry_seconds: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


class Intake(Setting, frozen=True):
    """[intake] of isthmus.toml: what all feeds share."""

    queue: int = 4096
    group: int = 256


class FeedSettings(Setting, frozen=True):
    """[feed] of a peer's file: its door in."""

    mllp: str = "127.0.0.1:2575"
    senders: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    client_ca: Path | None = None
    charset: str | None = None
    offset_policy: OffsetPolicy = "zone"
    list_mode: ListMode = "auto"
    siu_creates_encounter: bool = False
    encounters_without_number: bool = True
    problems_in_ack: bool = False
    field_problems: Literal["AA", "AE"] = "AA"
    unmapped: Literal["AA", "AR"] = "AA"
    unavailable: Literal["AR", "AE", "close"] = "AR"
    application_acks: Literal["connection", "off"] = "off"
    max_bytes: int = 10_485_760
    max_connections: int = 256
    max_in_flight: int = 64
    frame_seconds: float = 60.0
    idle_seconds: float = 3600.0
    strict_framing: bool = False
    commit_blocks: bool = False
    silent_after_seconds: float | None = None
    ranks: dict[str, int] = {}


class AuthoritySettings(Setting, frozen=True):
    """[authorities.NAME] of a peer's file: what one assigning authority stands for."""

    system: str
    enterprise: bool = False
    volatile: bool = False


class Peer(Setting, frozen=True):
    """peers/NAME.toml: one outside system."""

    tenant: str = "main"
    zone: str | None = None
    feed: FeedSettings | None = None
    authorities: dict[str, AuthoritySettings] = {}
    location_zones: dict[str, str] = {}


class ClientSettings(Setting, frozen=True):
    """clients/NAME.toml: one API consumer. The secret itself never stands in a file, only its hash."""

    client_id: str
    secret_hash: str
    scopes: tuple[str, ...]
    tenant: str = "main"
    requests_per_second: float | None = None
    burst: int | None = None


class Main(Setting, frozen=True):
    """isthmus.toml."""

    server: Server = Server()
    store: StoreSettings = StoreSettings()
    intake: Intake = Intake()
    tracing: Tracing = Tracing()
    webhooks: Webhooks = Webhooks()
    tenants: tuple[str, ...] = ("main",)


class Feed(Struct, frozen=True, kw_only=True):
    """A feed as the gateway runs it: what its files say and how its messages are read."""

    name: str
    tenant: str
    settings: FeedSettings
    profile: Profile


class Site(Struct, frozen=True, kw_only=True):
    """Everything the files say. `digest` names this state of the files; `files` is what is kept under it."""

    main: Main = Main()
    feeds: tuple[Feed, ...] = ()
    clients: dict[str, ClientSettings] = {}
    digest: str = ""
    files: bytes = b""


def feed_of(name: str, peer: Peer, codes: Codes) -> Feed:
    """A peer's feed with its profile."""
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
        ),
    )
