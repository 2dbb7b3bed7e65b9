"""Addresses to listen on, as settings write them: `127.0.0.1:8080`, `[::1]:8080`; port 0 is any free one."""

import socket

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


def split(address: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - an empty host is the operator's "everywhere"


def numeric(host: str) -> str:
    """The address of a host; a name may have several, of which the first is listened on."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return str(found[0][4][0])


def overlap(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened on: one port, and one host or everywhere."""
    (host, port), (another, its_port) = split(one), split(other)
    return bool(port) and port == its_port and (host == another or bool(EVERYWHERE & {host, another}))


def free_port(host: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
