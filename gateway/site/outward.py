"""The ways out that files declare: a peer's destination, and routes along which messages are sent on as they came."""

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gateway.site.forms import Bytes, Charset, Endpoint, Family, Hd, HL7Place, Sender, Tenant, Url, WrittenEvent
from gateway.site.setting import Setting, Wait
from transforms.hl7v2.editing import Edit
from transforms.hl7v2.profile import Profile


class DestinationSettings(Setting, frozen=True):
    """[destination] of a peer's file: its door out, over MLLP or HTTP."""

    mllp: Endpoint | None = None
    http: Url | None = None
    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    server_name: str | None = None
    events: tuple[WrittenEvent, ...] = ()
    feeds: tuple[str, ...] = ()
    echo: bool = False
    order: Literal["receiver", "patient"] = "receiver"
    deduplicates: bool | None = None
    timeout_seconds: Annotated[float, Meta(ge=0.1, le=3600)] = 30.0
    retry_seconds: Annotated[tuple[Wait, ...], Meta(min_length=1)] = (0, 2, 10, 30, 60, 300, 900, 1800, 3600, 7200)
    max_bytes: Bytes = 10_485_760
    application: Hd = "ISTHMUS"
    facility: Hd = ""
    receiving_application: Hd = ""
    receiving_facility: Hd = ""
    processing_id: Literal["P", "T", "D"] = "P"
    version: Literal["2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7"] = "2.5.1"
    acknowledge: Literal["original", "accept"] = "original"
    charset: Charset = "UNICODE UTF-8"

    @property
    def is_forgiving(self) -> bool:
        """Whether what may have arrived may be sent once more: HL7 receivers know a control id that comes again."""
        return self.mllp is not None if self.deduplicates is None else self.deduplicates

    @property
    def is_secured(self) -> bool:
        """Whether MLLP goes over TLS: any of its papers says so."""
        return self.tls or bool(self.ca or self.certificate)

    @property
    def url(self) -> str:
        """Where it is, as a URL."""
        return self.http or f"{'mllps' if self.is_secured else 'mllp'}://{self.mllp}"


class EditSettings(Setting, frozen=True):
    """One of [[edits]] of a route: what is changed in a message on its way."""

    set: HL7Place | None = None
    value: str | None = None
    copy: HL7Place | None = None
    to: HL7Place | None = None
    drop: HL7Place | None = None


class RouteSettings(Setting, frozen=True):
    """routes/NAME.toml: messages that are sent on as they came."""

    to: Annotated[tuple[str, ...], Meta(min_length=1)]
    tenant: Tenant = "main"
    feeds: tuple[str, ...] = ()
    types: tuple[Family, ...] = ()
    senders: tuple[Sender, ...] = ()
    keys: dict[str, tuple[str, ...]] = {}
    order: Literal["receiver", "patient"] = "receiver"
    edits: tuple[EditSettings, ...] = ()


class Destination(Struct, frozen=True, kw_only=True):
    """A destination as the gateway runs it: what its file says, and how its receiver writes and numbers things."""

    name: str
    tenant: str
    settings: DestinationSettings
    profile: Profile


class Route(Struct, frozen=True, kw_only=True):
    """A route as the gateway runs it."""

    name: str
    settings: RouteSettings
    edits: tuple[Edit, ...] = ()

    @property
    def tenant(self) -> str:
        """Whose messages it sends on."""
        return self.settings.tenant


def route_of(name: str, settings: RouteSettings) -> Route:
    """A route with its edits, of which each is whole (`checks`)."""
    return Route(name=name, settings=settings, edits=tuple(map(edit_of, settings.edits)))


def edit_of(said: EditSettings) -> Edit:
    """One edit."""
    if said.set:
        return Edit(verb="set", at=said.set, value=said.value or "")
    if said.copy:
        return Edit(verb="copy", at=said.to or said.copy, source=said.copy)
    return Edit(verb="drop", at=said.drop or "")


SENTENCES: Final[dict[type[Setting], dict[str, str]]] = {
    DestinationSettings: {
        "mllp": "Where the receiver listens for HL7v2 over MLLP, as host:port.",
        "http": "The URL that messages are posted to, instead of MLLP; internal ones may be named.",
        "tls": "Whether MLLP goes over TLS; implied by ca and certificate.",
        "ca": "The CA that the receiver's certificate must be signed by; else those that this system trusts.",
        "certificate": "The certificate chain to show (PEM), where the receiver asks for one.",
        "private_key": "The key of that certificate (PEM).",
        "server_name": "The name that the receiver's certificate must carry, where it is not the host.",
        "events": "Which events go there as SIU messages; empty: only what routes bring.",
        "feeds": "Only events of what came by these feeds; empty is all.",
        "echo": "Whether the peer is told also what its own feed said.",
        "order": "Its events go one after the other, or each patient's do and others need not wait.",
        "deduplicates": "Whether what may have arrived may be sent again; unless said otherwise MLLP yes, HTTP no.",
        "timeout_seconds": "How long to wait for the connection, and then for the acknowledgement.",
        "retry_seconds": "The waits before each try; after the last the delivery is parked and a task raised.",
        "max_bytes": "The largest message that is sent; a larger one is parked.",
        "application": "MSH-3 of messages that are written here, as MSH-3.1 or as NAMESPACE^OID^ISO.",
        "facility": "MSH-4 of such messages.",
        "receiving_application": "MSH-5 of such messages.",
        "receiving_facility": "MSH-6 of such messages.",
        "processing_id": "MSH-11 of such messages: production, test or debugging.",
        "version": "MSH-12 of such messages: how the receiver reads HL7v2.",
        "acknowledge": "What they ask for: an application's AA in original mode, or CA that it was taken (MSH-15 AL).",
        "charset": "The character set they are written in (MSH-18).",
    },
    RouteSettings: {
        "to": "The peers whose destinations get what passes the filter; each in a queue of its own.",
        "tenant": "Whose messages these are.",
        "feeds": "Only messages of these feeds; empty is all of the tenant.",
        "types": "Only messages of these types (ORU, MDM^T02), mapped or not; empty is all.",
        "senders": "Only messages from these, as MSH-3|MSH-4; empty is all.",
        "keys": "Only messages with one of these values under each search key (`order`, `identifier`, `account`, ...).",
        "order": "Messages go one after the other, or each patient's do and others need not wait.",
    },
    EditSettings: {
        "set": "Put `value` here, in every such segment that there is; an index ([2]) means that one alone.",
        "value": "The text that `set` puts there.",
        "copy": "Put what stands here at `to`.",
        "to": "Where `copy` puts it.",
        "drop": "Empty this place; a segment's name alone leaves out the segment.",
    },
}
