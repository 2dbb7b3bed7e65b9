"""A limit that all processes share: blocks of quota from one GCRA in Redis, and this process's own count beside it.

Every call that is admitted counts here too, so that a client gains no new burst when Redis goes away; and this
process's count is told with each question, so that a Redis that was emptied does not forget all of it. The shared count
is one number for each client, its theoretical arrival time in microseconds of Redis's own clock, under a keyed hash.
"""

import asyncio
from typing import Final

from gateway.shared.link import Link, Script
from policies.lease import KEPT, LIFE, Lease, Lent, Wish
from policies.throttle import Limit, Throttle, Verdict

MICROS: Final = 1_000_000
# An emptied count begins with what is owed; one from before a step of Redis's clock is brought back into reach.
LEND: Final = Script(
    """
local spacing, tolerance, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local calls, owed, back = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
tat = math.min(math.min(tat, now + most) - back, now + most)
tat = math.max(tat, now + math.min(owed, tolerance))
local lent = math.max(0, math.min(calls, math.floor((now + tolerance - tat + 1) / spacing)))
tat = tat + lent * spacing
if tat > now then
  redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return {lent, string.format('%.0f', tat - now)}
"""
)
CLIENTS: Final = 100_000
AGAIN: Final = 0.02


def asked(limit: Limit, wish: Wish) -> list[int]:
    """The arguments of the script, times in microseconds."""
    rate, told = (limit.spacing, limit.tolerance, limit.tolerance + KEPT), (wish.owed, wish.back)
    return [*(round(one * MICROS) for one in rate), wish.calls, *(round(one * MICROS) for one in told)]


class Client:
    """What is known of one client: its lease, the question that is under way, and how many requests wait for it."""

    __slots__ = ("asking", "key", "lease", "name", "waiting")

    def __init__(self, limit: Limit, name: tuple[str, str, str], key: str) -> None:
        self.lease, self.name, self.key = Lease(limit), name, key
        self.asking: asyncio.Task[bool] | None = None
        self.waiting = 0


class Shared(Throttle):
    """One limit for every client over all processes; `admit` alone is this process's own count of it."""

    def __init__(self, limit: Limit, link: Link) -> None:
        super().__init__([limit])
        self.limit = limit
        self._link = link
        self._clients: dict[tuple[str, str], Client] = {}

    async def decide(self, client: str, scope: str, now: float) -> Verdict:
        """Take a call of what is held; one that holds nothing waits a moment, then goes by its own count alone."""
        known = self._clients.get((client, scope)) or self._meet(client, scope)
        lease = known.lease
        if not self._link.is_up:
            return self._alone(known, now)
        if not lease.take(now):
            if lease.is_used_up(now):
                return lease.refused(now)
            taken = await self._wait(known, now)
            if taken is None:
                self._link.was_late()
                return self._alone(known, now)
            if not taken:
                return lease.refused(now)
        if lease.is_low(now) and not known.asking:
            self._ask(known, now)
        own = self.admit(client, scope, now)
        if not own.allowed:
            lease.untake()
            return own
        return lease.verdict(own, now)

    def _alone(self, known: Client, now: float) -> Verdict:
        """By this process's count, and by what is known of the others'; they hear of it later."""
        if not known.lease.may_let_in(now):
            return known.lease.refused(now)
        verdict = self.admit(*known.name[1:], now)
        if verdict.allowed:
            known.lease.let_in(now)
        return verdict

    def _meet(self, client: str, scope: str) -> Client:
        if len(self._clients) >= CLIENTS:
            self._clients.clear()  # what was held is lost, as in a restart
        limit, name = self.limit, (self.limit.name, client, scope)
        key = self._link.key("limit", *name, str(limit.quota), str(limit.window))
        known = self._clients[client, scope] = Client(limit, name, key)
        return known

    async def _wait(self, known: Client, now: float) -> bool | None:
        """Whether there was a call to take; None where nobody said so in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._link.patience
        known.waiting += 1
        try:
            while not known.lease.take(now):
                if known.lease.is_used_up(now):
                    return False
                asking = known.asking or self._ask(known, now)
                done, _ = await asyncio.wait((asking,), timeout=until - loop.time())
                if not done or asking.cancelled() or not asking.result():
                    return None
            return True
        finally:
            known.waiting -= 1

    def _ask(self, known: Client, now: float) -> "asyncio.Task[bool]":
        """Ask for the next block, beside whatever else is done."""
        wish = known.lease.wish(now, self._owed(known, now), known.waiting)
        known.asking = self._link.beside(self._lend(known, wish, now))
        return known.asking

    async def _lend(self, known: Client, wish: Wish, now: float) -> bool:
        """Have what a process wishes lent to it; whether there was an answer."""
        try:
            found = await self._link.run(LEND, known.key, *asked(self.limit, wish))
            if found is None:
                return False
            known.lease.receive(wish, Lent(int(found[0]), int(found[1]) / MICROS), now)
        finally:
            known.asking = None
        if wish.calls:
            asyncio.get_running_loop().call_later(LIFE, self._end, known, now + LIFE)
        return True

    def _end(self, known: Client, now: float) -> None:
        """The time of a block is over: what is left of it goes back, as soon as no other question is under way."""
        if known.asking:
            asyncio.get_running_loop().call_later(AGAIN, self._end, known, now + AGAIN)
        elif self._link.is_up and (wish := known.lease.give_back(now, self._owed(known, now))):
            known.asking = self._link.beside(self._lend(known, wish, now))

    def _owed(self, known: Client, now: float) -> float:
        """Seconds of calls that this process alone has admitted and not yet forgotten."""
        return max(0.0, self._tats.get(known.name, 0.0) - now)
