"""The outbound call: what stands between a delivery and a receiver, and what a new receiver is asked first."""

from collections.abc import Iterable
from ipaddress import ip_network
from ssl import SSLContext
from urllib.parse import urlsplit

from connectors.webhook.addresses import resolve
from connectors.webhook.client import WebhookClient
from gateway.deliveries.circuits import Circuits, Seconds, Send
from policies.addresses import NOTHING, AllowList, refusal, url_refusal
from policies.call import compose, given


def client(
    allowed: AllowList, timeout: float, connections: int, clock: Seconds, trust: SSLContext | None = None
) -> WebhookClient:
    """A client that reaches public addresses, and what is allowed beside them."""
    return WebhookClient(
        lambda url: url_refusal(url, allowed),
        lambda host, addresses: refusal(host, addresses, allowed),
        clock,
        timeout=timeout,
        connections=connections,
        trust=trust,
    )


def outbound(send: Send, circuits: Circuits | None) -> Send:
    """The call with its policies, outermost first."""
    return compose([given(circuits, lambda kept: kept.policy)], send)


def allow_list(entries: Iterable[str]) -> AllowList:
    """The allow-list of the settings: networks in CIDR notation, everything else a host name."""
    hosts, networks = set(), []
    for entry in entries:
        try:
            networks.append(str(ip_network(entry)))
        except ValueError:
            hosts.add(entry.rstrip(".").lower())
    return AllowList(hosts=frozenset(hosts), networks=tuple(networks))


async def receiver_refusal(url: str, allowed: AllowList = NOTHING) -> str | None:
    """Why a new subscription's URL is not taken, as a code; every attempt asks again."""
    code = url_refusal(url, allowed)
    if code is not None:
        return code
    host = urlsplit(url).hostname or ""
    try:
        found = await resolve(host)
    except OSError:
        return "address_none"
    return refusal(host, found, allowed)
