"""Assigning authorities: an HD (2.5.1 ch. 2.A.33) becomes the system URI of an identifier (DOMAIN 1.1).

In this order: the tenant's registry, an authority everybody knows, the universal id, a private name of the feed's own.
The official map prefers the namespace over the universal id, and two sites that both say `MR` would meet.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from canonical.datatypes import Authority

from .dialect import Dialect
from .profile import Registered
from .reading import Reading

NPI: Final = "http://hl7.org/fhir/sid/us-npi"
SSN: Final = "http://hl7.org/fhir/sid/us-ssn"
MBI: Final = "http://hl7.org/fhir/sid/us-mbi"
KNOWN_OIDS: Final = {
    "2.16.840.1.113883.4.6": NPI,
    "2.16.840.1.113883.4.1": SSN,
    "2.16.840.1.113883.4.927": MBI,
}
KNOWN_NAMESPACES: Final = {"NPI": NPI, "SSA": SSN, "SSN": SSN, "USSSA": SSN}
KNOWN_TYPES: Final = {"NPI": NPI, "SS": SSN}  # table 0203, where no authority was sent

_OID = re.compile(r"[0-2](\.(0|[1-9]\d*))+", re.ASCII)
_UNREGISTERED = "the authority registry does not know this assigning authority"
_DEFAULTED = "no assigning authority was sent; the sending facility's was taken"


class Home(NamedTuple):
    """The authority that a number without one is taken to belong to, and its name."""

    system: str
    name: str


class Resolved(NamedTuple):
    """An authority as a system, as it was sent, and whether anybody vouches for it."""

    system: str
    original: Authority
    vouched: bool


def system(namespace: str, universal: str, kind: str, reading: Reading, type: str | None = None) -> Resolved | Home:
    """The system of an identifier by the raw parts of its HD, else by its type, else the sending facility's."""
    if namespace or universal:
        found = _resolve(namespace, universal, kind, reading.dialect)
        if found:
            if not found.vouched:
                reading.remark(found.system, "DQ-AUTHORITY-UNREGISTERED", _UNREGISTERED)
            return found
    if type in KNOWN_TYPES:
        return Home(KNOWN_TYPES[type], type)
    reading.remark("DQ-AUTHORITY-DEFAULTED", "DQ-AUTHORITY-DEFAULTED", _DEFAULTED)
    return home(reading.dialect)


@lru_cache(maxsize=1024)
def home(dialect: Dialect) -> Home:
    """The authority of the sending facility (MSH-4), else of the application (MSH-3), else of the feed."""
    for text in dialect.house:
        namespace, universal, kind = (*text.split(dialect.component), "", "")[:3]
        if found := _resolve(namespace, universal, kind, dialect):
            return Home(found.system, found.original.namespace_id or found.original.universal_id or "")
    return Home(f"{dialect.urn}unknown", "")


@lru_cache(maxsize=4096)
def _resolve(namespace: str, universal: str, kind: str, dialect: Dialect) -> Resolved | None:
    name, identity, scheme = dialect.leaf(namespace), dialect.leaf(universal), dialect.leaf(kind)
    if not name and not identity:
        return None
    original = Authority(namespace_id=name, universal_id=identity, universal_id_type=scheme)
    registered = _registered(original, dialect.profile.authorities)
    if registered:
        return Resolved(registered.system, original, True)
    known = KNOWN_OIDS.get(identity or "") or (KNOWN_NAMESPACES.get(name or "") if not identity else None)
    if known:
        return Resolved(known, original, True)
    public = universal_system(identity, scheme)
    return Resolved(public or dialect.urn + quote(name or identity or "", safe="-._~!$'()*+,;="), original, False)


def _registered(one: Authority, registry: dict[str, Registered]) -> Registered | None:
    if not registry:
        return None
    exact = f"{one.namespace_id or ''}&{one.universal_id or ''}&{one.universal_id_type or ''}"
    return registry.get(exact) or registry.get(one.universal_id or "") or registry.get(one.namespace_id or "")


def universal_system(identity: str | None, scheme: str | None) -> str | None:
    """The URI of a universal id (HD-2, HD-3) that needs no registry: an OID, a UUID or a URI."""
    if not identity:
        return None
    match (scheme or "").upper():
        case "ISO" if _OID.fullmatch(identity):
            return f"urn:oid:{identity}"
        case "UUID" | "GUID":
            return f"urn:uuid:{identity.lower()}"
        case "URI" | "URL" if ":" in identity:
            return identity
    return None


def npi_is_valid(value: str) -> bool:
    """The check digit of a US National Provider Identifier: Luhn over 80840 and its ten digits."""
    if len(value) != 10 or not (value.isascii() and value.isdigit()):
        return False
    digits = [int(digit) for digit in f"80840{value}"]
    return (sum(digits[::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])) % 10 == 0
