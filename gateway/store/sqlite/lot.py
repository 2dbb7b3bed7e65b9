"""The keys of messages, lot by lot: of the newest in memory until their lot is full, of the others in an index.

Digests are random: written with each message, every key would dirty a page of its own. A whole lot is written in the
order of the index, and once for all messages that share a key. Nothing is lost with the memory: a message's row has its
digests, and those of the lot that is not full are read again at the start.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

LOT = 1024  # messages


class OpenLot:
    """The newest messages by row number, each with the digests of its keys: all of the last lot, and only those."""

    def __init__(self) -> None:
        self.number = 0
        self._keys: dict[int, frozenset[int]] = {}

    def left(self, kept: Mapping[int, frozenset[int]]) -> list[tuple[int, int, bytes]]:
        """The index rows, in order, of every lot that is full now that these messages come or have other keys."""
        last = max(kept, default=0) // LOT
        rows: list[tuple[int, int, bytes]] = []
        if last > self.number:
            for lot, members in groupby({**self._keys, **self._open(kept)}.items(), key=_lot):
                rows += in_index(lot, members) if lot < last else []
        return rows

    def learn(self, kept: Mapping[int, frozenset[int]]) -> None:
        """Messages as they are committed now; lots that are full are forgotten."""
        self._keys.update(self._open(kept))
        last = max(kept, default=0) // LOT
        if last > self.number:
            self.number = last
            self._keys = self._open(self._keys)

    def forget(self, numbers: Iterable[int]) -> None:
        """Messages that are no more."""
        for n in numbers:
            self._keys.pop(n, None)

    def _open(self, kept: Mapping[int, frozenset[int]]) -> dict[int, frozenset[int]]:
        return {n: digests for n, digests in kept.items() if n // LOT >= self.number}

    def found(self, groups: Sequence[Collection[int]]) -> list[int]:
        """The messages that have a key of each group."""
        first, *others = groups
        found = [n for n, digests in self._keys.items() if not digests.isdisjoint(first)]
        return [n for n in found if all(not self._keys[n].isdisjoint(group) for group in others)]


def _lot(member: tuple[int, frozenset[int]]) -> int:
    return member[0] // LOT


def in_index(lot: int, members: Iterable[tuple[int, frozenset[int]]]) -> list[tuple[int, int, bytes]]:
    """The index rows of a lot, in order."""
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for n, digests in members:
        for digest in digests:
            holders[digest].append(n - lot * LOT)
    return [(lot, digest, placed(holders[digest])) for digest in sorted(holders)]


def in_lots(rows: Iterable[tuple[int, int, bytes]], groups: Sequence[Collection[int]]) -> list[int]:
    """The messages that have a key of each group, by the rows of the index under all of these keys."""
    lots: defaultdict[int, dict[int, bytes]] = defaultdict(dict)
    for lot, digest, holders in rows:
        lots[lot][digest] = holders
    numbers: list[int] = []
    for lot, known in lots.items():
        if all(not known.keys().isdisjoint(group) for group in groups):
            sharing = sorted((b"".join(known.get(one, b"") for one in group) for group in groups), key=len)
            fewest, *others = map(places, sharing)
            numbers += [lot * LOT + place for place in set(fewest).intersection(*others)]
    return numbers


def places(holders: bytes) -> "array[int]":
    """Where in its lot each message stands that has a key."""
    return array("H", holders)


def placed(places: Iterable[int]) -> bytes:
    """As a row of the index has them."""
    return array("H", places).tobytes()


def packed(digests: Iterable[int]) -> bytes:
    """Digests as a message's row has them."""
    return array("q", digests).tobytes()


def unpacked(digests: bytes) -> frozenset[int]:
    """The digests of a message's row."""
    return frozenset(array("q", digests))
