"""How often the same thing is said: so many times in a while for each key, then not until the while is over. Pure."""

from collections.abc import Hashable
from typing import Final

from msgspec import Struct

MOST_KEYS: Final = 1000


class _While(Struct):
    since: float
    said: int = 0
    unsaid: int = 0


class Flood:
    """Lets through `most` in `seconds` for each key; a sender that makes up new keys cannot make it grow."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._whiles: dict[Hashable, _While] = {}

    def unsaid(self, key: Hashable, now: float) -> int | None:
        """How many were kept back since the last that was said; None where this one is kept back too."""
        found = self._whiles.get(key)
        if found is None or now - found.since >= self._seconds:
            self._forget(now)
            before = found.unsaid if found else 0
            self._whiles[key] = _While(now, 1)
            return before
        if found.said >= self._most:
            found.unsaid += 1
            return None
        found.said += 1
        return 0

    def _forget(self, now: float) -> None:
        """Where there are too many keys, those whose while is over go; if there are none, all do."""
        if len(self._whiles) < MOST_KEYS:
            return
        kept = {key: one for key, one in self._whiles.items() if now - one.since < self._seconds}
        self._whiles = kept if len(kept) < MOST_KEYS else {}
