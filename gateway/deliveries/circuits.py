"""A circuit for every destination (a host with its port) of every tenant, so that no tenant closes one to another.

Where processes share marks, a circuit that opens in one is open in all, and when its time is over one of them tries
again for all. Each process decides by its own circuit; a mark that is lost costs some calls to a receiver that fails.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from canonical.outcome import Outcome
from connectors.webhook.client import Post
from policies.call import Call
from policies.circuit import Circuit, CircuitConfig, circuit_policy

Send: TypeAlias = Call[Post, Outcome]
Seconds: TypeAlias = Callable[[], float]
CIRCUITS = 1024
CLAIMING = 1.0  # seconds within which the others say who tries a destination


class Others(Protocol):
    """What the other processes know of a destination, by a name that says nothing of it."""

    async def standing(self, name: str, claim: bool) -> tuple[float, int]:
        """For how many seconds to leave it alone, and how often it has opened; with `claim`, else be who tries it."""

    def tell(self, name: str, seconds: float, times: int) -> None:
        """It has opened for so many seconds, the so-manieth time in a row; with 0 it has closed."""


class Kept(Struct):
    """A circuit, and its opened times when others last knew of it; 0 while it is closed."""

    circuit: Circuit
    told: int = 0


class Circuits:
    """All of a process. Of more than are remembered, the one of longest ago begins anew."""

    def __init__(self, config: CircuitConfig, clock: Seconds, dice: Seconds) -> None:
        self.config, self.clock, self.dice = config, clock, dice
        self.others: Others | None = None
        self._known: OrderedDict[str, Kept] = OrderedDict()

    def policy(self, call: Send) -> Send:
        """The policy that keeps each call inside the circuit of its destination."""

        async def guarded(post: Post) -> Outcome:
            name = named(post.tenant, urlsplit(post.url).netloc)
            if name in self._known:
                self._known.move_to_end(name)
            kept = self._known.get(name) or await self._meet(name)
            if self.others and kept.circuit.is_due(self.clock()):
                await self._claim(name, kept, self.others)
            try:
                return await circuit_policy(kept.circuit, self.clock, self.dice)(call)(post)
            finally:
                self._tell(name, kept)

        return guarded

    def hear_of(self, name: str, seconds: float, times: int) -> None:
        """Another process found a destination failing, or, with 0, well."""
        kept = self._known.get(name)
        if kept is None:  # it is asked about when it is met
            return
        if seconds > 0:
            kept.circuit.open_for(seconds, self.clock(), times)
        else:
            kept.circuit.close()
        kept.told = kept.circuit.opened_times

    async def _meet(self, name: str) -> Kept:
        kept = self._known[name] = Kept(Circuit(self.config))
        if len(self._known) > CIRCUITS:
            self._known.popitem(last=False)
        seconds, times = await self.others.standing(name, claim=False) if self.others else (0.0, 0)
        if seconds > 0:
            kept.circuit.open_for(seconds, self.clock(), times)
            kept.told = kept.circuit.opened_times
        return kept

    async def _claim(self, name: str, kept: Kept, others: Others) -> None:
        """Try it, or leave it to whoever does; until that is known nobody here does."""
        kept.circuit.wait(CLAIMING, self.clock())
        seconds, _ = await others.standing(name, claim=True)
        if kept.circuit.state == "open":
            kept.circuit.wait(seconds, self.clock())

    def _tell(self, name: str, kept: Kept) -> None:
        """Say once that it has opened, or closed."""
        circuit = kept.circuit
        if not self.others or circuit.state == "half_open" or kept.told == circuit.opened_times:
            return
        kept.told = circuit.opened_times
        is_open = circuit.state == "open"
        self.others.tell(name, circuit.retry_after(self.clock()) if is_open else 0.0, circuit.opened_times)


def named(tenant: str, destination: str) -> str:
    """What stands for a destination of a tenant."""
    return blake2b(f"{tenant}|{destination}".encode(), digest_size=16).hexdigest()
