"""A limit that all processes share: blocks of quota from one GCRA in Redis, its own count while Redis is away.

The count is one number for each client, the theoretical arrival time in microseconds of Redis's own clock. Its key is a
hash of the limit, the client and the scope.
"""

import asyncio
import hashlib
from typing import Final

from gateway.shared.link import Link, Script
from policies.lease import Block, Granted, micros, size
from policies.throttle import Limit, Throttle, Verdict

TAKE: Final = Script(
    """
local spacing, tolerance, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local room = math.floor((tolerance - tat + now) / spacing)
local granted = math.max(math.min(room, wanted), 0)
if granted > 0 then
  tat = tat + granted * spacing
  redis.call('SET', KEYS[1], string.format('%d', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
end
local left = math.max(room - granted, 0)
local more = math.max((left + 1) * spacing - (tolerance - tat + now), 0)
return {granted, left, more}
"""
)
CLIENTS: Final = 100_000


class Shared(Throttle):
    """One limit for every client over all processes; `admit` alone is this process's own count of it."""

    def __init__(self, limit: Limit, link: Link) -> None:
        super().__init__([limit])
        self.limit = limit
        self._link = link
        self._spacing, self._tolerance = micros(limit.spacing), micros(limit.tolerance)
        self._blocks: dict[tuple[str, str], Block] = {}
        self._asking: set[asyncio.Task[bool]] = set()

    async def decide(self, client: str, scope: str, now: float) -> Verdict:
        """Take one call of what is held here; ask for more where nothing is, and alone where nobody can be asked."""
        block = self._block(client, scope)
        verdict = block.take(self.limit, now)
        if verdict is None and self._link.is_up and await self._refill(block, client, scope, now):
            verdict = block.take(self.limit, now)
        if verdict is None:
            return self.admit(client, scope, now)
        if block.is_low(self.limit):
            self._ask_ahead(block, client, scope, now)
        return verdict

    def _block(self, client: str, scope: str) -> Block:
        found = self._blocks.get((client, scope))
        if found is None:
            if len(self._blocks) >= CLIENTS:
                self._blocks.clear()  # what was held is lost, as in a restart
            found = self._blocks[client, scope] = Block()
        return found

    def _ask_ahead(self, block: Block, client: str, scope: str, now: float) -> None:
        block.asked = True
        task = asyncio.get_running_loop().create_task(self._refill(block, client, scope, now))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _refill(self, block: Block, client: str, scope: str, now: float) -> bool:
        """Ask for a block; whether there was an answer."""
        found = await self._link.run(TAKE, self._key(client, scope), self._spacing, self._tolerance, size(self.limit))
        block.asked = False
        if found is None:
            return False
        calls, left, more = (int(one) for one in found)
        block.fill(Granted(calls, left, more / 1_000_000), now)
        return True

    def _key(self, client: str, scope: str) -> str:
        named = f"{self.limit.name}|{self.limit.quota}|{self.limit.window}|{client}|{scope}"
        return f"limit:{hashlib.blake2b(named.encode(), digest_size=16).hexdigest()}"
