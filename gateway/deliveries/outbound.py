"""The outbound call: what stands between a delivery and a receiver, and what a new receiver is asked first."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from canonical.outcome import Outcome
from connectors.webhook.addresses import resolve
from connectors.webhook.client import Post, WebhookClient
from policies.addresses import NOTHING, AllowList, refusal, url_refusal
from policies.call import Call, compose, given
from policies.circuit import Circuit, CircuitConfig, circuit_policy

Send: TypeAlias = Call[Post, Outcome]
Seconds = Callable[[], float]
CIRCUITS = 1024


def client(allowed: AllowList, timeout: float, connections: int, clock: Seconds) -> WebhookClient:
    """A client that reaches public addresses, and what is allowed beside them."""
    return WebhookClient(
        lambda url: url_refusal(url, allowed),
        lambda host, addresses: refusal(host, addresses, allowed),
        clock,
        timeout=timeout,
        connections=connections,
    )


def outbound(send: Send, circuits: CircuitConfig | None, clock: Seconds, dice: Seconds) -> Send:
    """The call with its policies, outermost first."""
    return compose([given(circuits, lambda config: by_destination(config, clock, dice))], send)


def by_destination(config: CircuitConfig, clock: Seconds, dice: Seconds) -> Callable[[Send], Send]:
    """The policy that keeps a circuit for every destination (a host with its port) of every tenant.

    No tenant can close a destination to another. Of more than are remembered, the one of longest ago begins anew.
    """

    def policy(call: Send) -> Send:
        guarded: OrderedDict[tuple[str, str], Send] = OrderedDict()

        async def chosen(post: Post) -> Outcome:
            destination = (post.tenant, urlsplit(post.url).netloc)
            if destination not in guarded:
                guarded[destination] = circuit_policy(Circuit(config), clock, dice)(call)
                if len(guarded) > CIRCUITS:
                    guarded.popitem(last=False)
            guarded.move_to_end(destination)
            return await guarded[destination](post)

        return chosen

    return policy


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
