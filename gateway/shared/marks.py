"""Marks on receivers that fail, which the workers of a site share: one finds out, one tries again, and all know.

A mark is one key for each receiver. It holds how often its circuit has opened in a row for as long as that is open, and
then the name of the process that tries it again, for as long as a call may take. A word says at once what has changed;
who misses it finds the mark when the receiver's turn comes.
"""

from typing import Final

from gateway.deliveries.circuits import Circuits
from gateway.shared.link import Link, Script

CIRCUITS: Final = "circuits"
MARK: Final = Script(
    """
if tonumber(ARGV[1]) > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
else
  redis.call('DEL', KEYS[1])
end
return {}
"""
)
STANDING: Final = Script(
    """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return {redis.call('PTTL', KEYS[1]), found} end
if tonumber(ARGV[2]) > 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return {0, '0'}
"""
)


class Marks:
    """What one process says of its circuits and learns of those of others; `longest` is how long a call may take."""

    def __init__(self, link: Link, circuits: Circuits, longest: float) -> None:
        self._link, self._circuits = link, circuits
        self._me = f"by:{link.process}"
        self._longest = longest
        circuits.others = self
        link.hear(CIRCUITS, self._heard)

    async def standing(self, name: str, claim: bool) -> tuple[float, int]:
        """For how many seconds others have it left alone or try it, and how often it has opened.

        With `claim`, and where nobody does, it is this process that tries it from now on.
        """
        ms = round(self._longest * 1000) if claim else 0
        found = await self._link.run(STANDING, self._link.key("circuit", name), self._me, ms)
        if not found:
            return 0.0, 0
        times = found[1].decode()
        return max(0, int(found[0])) / 1000, int(times) if times.isdecimal() else 0

    def tell(self, name: str, seconds: float, times: int) -> None:
        """A circuit of this process has opened for so long and the so-manieth time in a row; or, with 0, closed."""
        if self._link.is_up:
            self._link.beside(self._tell(name, seconds, times))

    async def _tell(self, name: str, seconds: float, times: int) -> None:
        await self._link.run(MARK, self._link.key("circuit", name), round(seconds * 1000), times)
        await self._link.tell(CIRCUITS, f"{name} {seconds:.3f} {times}")

    def _heard(self, word: str) -> None:
        name, seconds, times = (*word.split(" "), "", "")[:3]
        if times.isdecimal():
            self._circuits.hear_of(name, float(seconds), int(times))
