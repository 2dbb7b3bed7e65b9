"""The outbound call: what stands between a delivery and a receiver, and what a new receiver is asked first."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
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


def outbound(send: Send, circuits: "Circuits | None") -> Send:
    """The call with its policies, outermost first."""
    return compose([given(circuits, lambda kept: kept.policy)], send)


class Circuits:
    """A circuit for every destination (a host with its port) of every tenant, so that none closes it to another.

    Of more than are remembered, the one of longest ago begins anew. `on_opened` is told of each that opens, by a name
    that says nothing of the destination, and for how many seconds.
    """

    def __init__(self, config: CircuitConfig, clock: Seconds, dice: Seconds) -> None:
        self.config, self.clock, self.dice = config, clock, dice
        self.on_opened: list[Callable[[str, float], None]] = []
        self._known: OrderedDict[str, Circuit] = OrderedDict()

    def policy(self, call: Send) -> Send:
        """The policy that keeps each call inside the circuit of its destination."""

        async def guarded(post: Post) -> Outcome:
            name = named(post.tenant, urlsplit(post.url).netloc)
            circuit = self._of(name)
            times = circuit.opened_times
            try:
                return await circuit_policy(circuit, self.clock, self.dice)(call)(post)
            finally:
                if circuit.opened_times > times and circuit.state == "open":
                    self._tell(name, circuit)

        return guarded

    def hear_of(self, name: str, seconds: float) -> None:
        """Another process found a destination failing: leave it alone for as long."""
        self._of(name).open_for(seconds, self.clock())

    def _of(self, name: str) -> Circuit:
        if name not in self._known:
            self._known[name] = Circuit(self.config)
            if len(self._known) > CIRCUITS:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        return self._known[name]

    def _tell(self, name: str, circuit: Circuit) -> None:
        for told in self.on_opened:
            told(name, circuit.retry_after(self.clock()))


def named(tenant: str, destination: str) -> str:
    """What stands for a destination of a tenant."""
    return blake2b(f"{tenant}|{destination}".encode(), digest_size=16).hexdigest()


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
