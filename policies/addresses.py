"""Which addresses a webhook may reach: public ones, and what a developer named explicitly.

Pure: the caller resolves the name at every attempt, asks here, and connects to the very addresses that it asked
about (a second look-up could answer differently). One forbidden address among them refuses the name.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries (RFC 6890 and successors) written out, since what Python calls global has changed.
INTERNAL: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "::1/128",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
NAT64 = ip_network("64:ff9b::/96")
COMPATIBLE = ip_network("::/96")
METADATA = frozenset({"metadata.google.internal", "metadata", "instance-data"})


class AllowList(Struct, frozen=True, kw_only=True):
    """What is allowed although it is internal: exact host names, and networks; both for development."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    def has_host(self, host: str) -> bool:
        return host.rstrip(".").lower() in self.hosts

    def has_address(self, address: Address) -> bool:
        return any(_within(address, ip_network(network)) for network in self.networks)


NOTHING = AllowList()


def url_refusal(url: str, allowed: AllowList = NOTHING) -> str | None:
    """Why a webhook's URL is not taken, as a code: only https, no credentials, no internal name; None if it is."""
    try:
        parts = urlsplit(url)
        host, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "url_malformed"
    if not host or parts.fragment or any(character <= " " for character in url):
        return "url_malformed"
    if parts.username is not None or parts.password is not None:
        return "url_credentials"
    literal = _literal(host)
    is_allowed = allowed.has_host(host) or (literal is not None and allowed.has_address(literal))
    if parts.scheme != "https" and not (parts.scheme == "http" and is_allowed):
        return "url_scheme"
    if is_allowed:
        return None
    if literal is not None:
        return None if is_public(literal) else "address_internal"
    # An address in octal, hex or one number is left to no resolver: its last label is a number.
    is_internal = host in METADATA or host.endswith((".localhost", ".internal", ".local")) or "." not in host
    return "host_internal" if is_internal or host.rsplit(".", 1)[-1][:1].isdigit() else None


def refusal(host: str, addresses: Iterable[str], allowed: AllowList = NOTHING) -> str | None:
    """Why a host with these resolved addresses is not connected to, as a code; None where it may be."""
    found = [_literal(address) for address in addresses]
    if not found:
        return "address_none"
    if allowed.has_host(host):
        return None
    for address in found:
        if address is None or not (is_public(address) or allowed.has_address(address)):
            return "address_internal"
    return None


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, also after any IPv4 hidden in it is taken out."""
    if isinstance(address, IPv6Address):
        inner = _hidden(address)
        if inner is not None:
            return is_public(inner)
    return not any(_within(address, network) for network in INTERNAL) and not address.is_multicast


def _hidden(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside a mapped, translated (RFC 6052), 6to4 or compatible IPv6 address."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in NAT64 or (address in COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def _literal(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return None
