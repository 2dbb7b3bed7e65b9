"""The forms of settings: within which limits a number lies, how a text is written, and what that is in words.

A form is declared once, as the type of the setting; reading the files, serving and the reference page go by it.
"""

import re
import types
from base64 import b64decode
from collections.abc import Callable, Collection
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec import Meta, Struct

from gateway.scopes import SCOPES
from transforms.hl7v2.changeable import READERS
from transforms.hl7v2.charset import IN_THE_WILD, TABLE_0211, codec
from transforms.hl7v2.editing import PLACES, is_editable
from transforms.hl7v2.siu_out import EVENTS as WRITTEN

YEAR: Final = 31_536_000
SCRYPT_MEMORY: Final = 32 * 1024 * 1024  # what OpenSSL gives to one scrypt
LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
PORT: Final = re.compile(r"\d{1,5}", re.ASCII)
FINGERPRINT: Final = re.compile(r"[0-9A-Fa-f:]{64,95}", re.ASCII)
NAMED: Final = re.compile(r"(DNS|IP|email|URI):\S+")
SECRET_HASH: Final = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([^$]+)\$([^$]+)", re.ASCII)


class Form(Struct, frozen=True):
    """How a text is written: in words, as a test, and what to choose from where that is known."""

    words: str
    fits: Callable[[str], bool]
    known: Callable[[], Collection[str]] = tuple


def is_host(text: str) -> bool:
    """An IP address, or a name; what ends in a number is an address or nothing."""
    bare = text.removeprefix("[").removesuffix("]")
    try:
        ip_address(bare.partition("%")[0])
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return len(text) < 254 and all(map(LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
    return ":" not in bare or text.startswith("[")


def is_address(text: str) -> bool:
    """host:port; without a host it is every address of the machine."""
    host, colon, port = text.rpartition(":")
    return bool(colon) and bool(PORT.fullmatch(port)) and int(port) < 65536 and (not host or is_host(host))


def is_endpoint(text: str) -> bool:
    """host:port of another machine: a host, and a port that is one."""
    return is_address(text) and not text.startswith(":") and not text.endswith(":0")


def is_family(text: str) -> bool:
    """A message type, alone or with its event."""
    return re.fullmatch(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?", text, re.ASCII) is not None


def is_written(text: str) -> bool:
    """An event that can be written as a message, or a pattern of such."""
    return text in WRITTEN or text == "appointment.*"


def is_reachable(text: str) -> bool:
    """A host name, an address or a network, as an allow-list has them."""
    try:
        ip_network(text)
    except ValueError:
        return "/" not in text and ":" not in text and is_host(text)
    return True


def is_url(text: str) -> bool:
    """An absolute http or https address without credentials, query and fragment."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or parts.username or parts.password) and text.isprintable()
    return parts.scheme in ("http", "https") and " " not in text and bare and bool(host) and is_host(_bracketed(host))


def _bracketed(host: str | None) -> str:
    return f"[{host}]" if host and ":" in host else host or ""


def is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(text)


def is_certificate(text: str) -> bool:
    """A SHA-256 in lower-case hex, a name with its kind, or a subject."""
    if FINGERPRINT.fullmatch(text):
        return len(text) == 64 and text == text.lower() and ":" not in text
    return bool(NAMED.fullmatch(text)) or "=" in text


def is_secret_hash(text: str) -> bool:
    """A scrypt hash that can be computed."""
    found = SECRET_HASH.fullmatch(text)
    if not found:
        return False
    cost, block, parallel = (int(one) for one in found.groups()[:3])
    try:
        salt, digest = (b64decode(one, validate=True) for one in found.groups()[3:])
    except ValueError:
        return False
    is_payable = 1 <= cost <= 20 and block and parallel and 128 * 2**cost * block < SCRYPT_MEMORY
    return bool(is_payable) and bool(salt) and len(digest) == 32


def is_name(text: str) -> bool:
    """A name without blanks."""
    return re.fullmatch(r"[A-Za-z0-9._-]+", text, re.ASCII) is not None


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text, re.ASCII) is not None


Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Bytes = Annotated[int, Meta(ge=1024, le=1_073_741_824)]
Days = Annotated[int, Meta(ge=1, le=3650)]
Lifetime = Annotated[int, Meta(ge=1, le=36_500)]  # days
Rank = Annotated[int, Meta(ge=0, le=1000)]
Seconds = Annotated[float, Meta(ge=0.1, le=YEAR)]
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
Ratio = Annotated[float, Meta(ge=0, le=1)]

Address = Annotated[str, Form("host:port", is_address)]
Certificate = Annotated[str, Form("a subject, a SHA-256 in lower-case hex, or DNS:, IP:, email:, URI:", is_certificate)]
Endpoint = Annotated[str, Form("host:port of the receiver", is_endpoint)]
Family = Annotated[str, Form("a message type, such as ORU, or with its event, such as MDM^T02", is_family)]
Hd = Annotated[str, Form("a name, or NAMESPACE^ID^TYPE", _matches(r"[^|~\\&^\r\n]*(\^[^|~\\&^\r\n]*){0,2}"))]
HL7Place = Annotated[str, Form("a place in a message, such as PID-3 or PID-3[2].4", is_editable, lambda: PLACES)]
WrittenEvent = Annotated[
    str, Form("an event that becomes a message, or appointment.*", is_written, lambda: [*WRITTEN, "appointment.*"])
]
Charset = Annotated[
    str,
    Form("a character set of table 0211", lambda text: bool(codec(text)), lambda: [*TABLE_0211, *IN_THE_WILD]),
]
ClientId = Annotated[str, Form("printable ASCII", _matches(r"[\x20-\x7e]+"))]
MessageType = Annotated[str, Form("a message type, such as ADT", _matches(r"[A-Z][A-Z0-9]{2}"))]
Place = Annotated[
    str,
    Form(
        "a field such as ZPI-3 or a component such as ZPI-3.2", _matches(r"[A-Z][A-Z0-9]{2}-[1-9]\d{0,2}(\.[1-9]\d?)?")
    ),
]
Reader = Annotated[str, Form("a way to read a field", READERS.__contains__, lambda: READERS)]
Reachable = Annotated[str, Form("a host name, an address or a network (10.1.0.0/16)", is_reachable)]
ScopeName = Annotated[str, Form("a scope", SCOPES.__contains__, lambda: SCOPES)]
SecretHash = Annotated[str, Form("a hash that `isthmus secret` prints", is_secret_hash)]
Sender = Annotated[str, Form("MSH-3|MSH-4", lambda text: text.count("|") == 1)]
Name = Annotated[str, Form("a name without blanks", is_name)]
Tenant = Name
TriggerEvent = Annotated[str, Form("a trigger event, such as S12", _matches(r"[A-Z][A-Z0-9]{2}"))]
Uri = Annotated[str, Form("a URI", _matches(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+"))]
Url = Annotated[str, Form("an http or https URL", is_url)]
Zone = Annotated[str, Form("an IANA time zone", is_zone, available_timezones)]

WORDS: Final[dict[object, str]] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
}


def worded(kind: Any) -> str:
    """A type in a reader's words."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _narrowed(worded(inner[0]), inner[1:])
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(worded(one) for one in inner if one is not type(None))
    if origin is tuple:
        return f"a list, each {worded(inner[0])}"
    if origin is dict:
        return f"a table, each {worded(inner[1])}"
    return WORDS.get(kind, "a table")


def _narrowed(words: str, by: tuple[object, ...]) -> str:
    for one in by:
        if isinstance(one, Form):
            words = one.words
        elif isinstance(one, Meta) and one.min_length:
            words = f"{words}; at least {one.min_length}"
        elif isinstance(one, Meta):
            words = f"{words} from {_figure(one.ge)} to {_figure(one.le)}"
    return words


def _figure(limit: float | None) -> str:
    return str(int(limit)) if limit is not None and limit == int(limit) else str(limit)
