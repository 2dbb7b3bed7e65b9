"""What the store remembers of records: those that changed last, and who holds the numbers that were asked for last.

Only this process writes, and it remembers nothing before it is committed: so what is remembered is what is kept.
"""

from collections import OrderedDict
from typing import TypeVar

from msgspec import Struct

from canonical.records import RECORDS, Record
from gateway.store.keys import identifier_keys
from gateway.store.protocol import Key

RECENT = 4096  # records
ASKED = 16_384  # numbers
KINDS = {shape: kind for kind, shape in RECORDS.items()}

Name = TypeVar("Name")
Thing = TypeVar("Thing")
Number = tuple[str, str, str]  # tenant, kind of record, value of an identifier


class Held(Struct, frozen=True, gc=False):
    """A record as it is kept, its row number, and what it is found by for good."""

    n: int
    record: Record
    identifiers: frozenset[Key]


class Memory:
    """Bounded: what was of use longest ago is forgotten."""

    def __init__(self) -> None:
        # A plain dict whose oldest entries go walks past the places of all that went before.
        self.records: OrderedDict[str, Held] = OrderedDict()
        self.holders: OrderedDict[Number, tuple[str, ...]] = OrderedDict()  # the ids of all that have this number

    def learn(self, n: int, record: Record) -> Held:
        """A record as it is committed now."""
        held = Held(n, record, self.identifiers(record))
        known = self.records.pop(record.id, None)
        if known is None or known.identifiers is not held.identifiers:
            self._hold(record)
        self.records[record.id] = held
        return held

    def identifiers(self, record: Record) -> frozenset[Key]:
        """What a record is found by for good: worked out again only when it has other identifiers than before."""
        known = self.records.get(record.id)
        if known and known.record.identifiers is record.identifiers:
            return known.identifiers
        return frozenset(identifier_keys(record))

    def _hold(self, record: Record) -> None:
        """Those who were asked for by a number, and one more."""
        kind = KINDS[type(record)]
        for one in record.identifiers:
            number = (record.tenant, kind, one.value.strip())
            holders = self.holders.get(number)
            if holders is not None and record.id not in holders:
                self.holders[number] = (*holders, record.id)

    def forget(self) -> None:
        """Keep to the bounds."""
        _shorten(self.records, RECENT)
        _shorten(self.holders, ASKED)


def _shorten(remembered: OrderedDict[Name, Thing], bound: int) -> None:
    while len(remembered) > bound:
        remembered.popitem(last=False)
