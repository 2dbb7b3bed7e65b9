"""What the store remembers of records: those that changed last, who holds the numbers that were asked for last, and
what was found for the patients who were searched by last.

Only this process writes, and it remembers nothing before it is committed: so what is remembered is what is kept.
"""

from collections import OrderedDict
from typing import TypeVar

from msgspec import Struct

from canonical.apply import survivor_link
from canonical.records import RECORDS, Patient, Record
from gateway.store.keys import identifier_keys
from gateway.store.protocol import Key, Page, RecordQuery

RECENT = 4096  # records
ASKED = 16_384  # numbers
LISTED = 4096  # records in the pages of searches
LONGEST = 50  # records in a page that is remembered
KINDS = {shape: kind for kind, shape in RECORDS.items()}

Name = TypeVar("Name")
Thing = TypeVar("Thing")
Number = tuple[str, str, str]  # tenant, kind of record, value of an identifier


class Held(Struct, frozen=True, gc=False):
    """A record as it is kept, its row number, and what it is found by for good."""

    n: int
    record: Record
    identifiers: frozenset[Key]


class Searches:
    """What searches by one patient found, until a record that names the patient changes; and the aliases of patients,
    until anyone is merged."""

    def __init__(self) -> None:
        self.aliases: dict[tuple[str, str], list[str]] = {}
        self.changes = 0  # counted, so that what was read before one is not remembered after it
        self._pages: dict[str, dict[RecordQuery, Page[Record]]] = {}
        self._listed = 0

    def get(self, query: RecordQuery) -> Page[Record] | None:
        """What this search found last, if that still holds."""
        pages = self._pages.get(_patient_of(query))
        return pages.get(query) if pages else None

    def keep(self, query: RecordQuery, page: Page[Record], changes: int) -> None:
        """Remember what a search found that began after so many changes."""
        patient = _patient_of(query)
        if not patient or changes != self.changes or len(page.items) > LONGEST:
            return
        pages = self._pages.setdefault(patient, {})
        if query not in pages:  # else it was asked twice at the same time
            self._listed += len(page.items) + 1
        pages[query] = page
        while self._listed > LISTED:
            self._forget(next(iter(self._pages)))

    def outdate(self, before: Record | None, after: Record) -> None:
        """Forget what a change makes untrue."""
        self.changes += 1
        is_unsure = before is None and after.version > 1
        if isinstance(after, Patient):
            if self.aliases and (is_unsure or survivor_link(after) != (before and survivor_link(before))):
                self.aliases.clear()
        elif self._pages:
            named = [*self._pages] if is_unsure else [*_patients(before), *_patients(after)]
            for patient in named:
                self._forget(patient or "")

    def _forget(self, patient: str) -> None:
        for page in self._pages.pop(patient, {}).values():
            self._listed -= len(page.items) + 1


def _patient_of(query: RecordQuery) -> str:
    """The one patient that is searched by, if it is one alone."""
    if len(query.keys) != 1 or len(query.keys[0]) != 1:
        return ""
    ((kind, value),) = query.keys[0]
    return value if kind == "patient" else ""


def _patients(record: Record | None) -> list[str | None]:
    """Every patient that a record names, as it is found by them."""
    taking_part = [one.actor for one in getattr(record, "participants", ()) if one.kind == "patient"]
    return [getattr(record, "patient", None), *taking_part]


class Memory:
    """Bounded: what was of use longest ago is forgotten."""

    def __init__(self) -> None:
        # A plain dict whose oldest entries go walks past the places of all that went before.
        self.records: OrderedDict[str, Held] = OrderedDict()
        self.holders: OrderedDict[Number, tuple[str, ...]] = OrderedDict()  # the ids of all that have this number
        self.searches = Searches()

    def learn(self, n: int, record: Record) -> Held:
        """A record as it is committed now."""
        known = self.records.get(record.id)
        self.searches.outdate(known.record if known else None, record)
        return self.hold(n, record)

    def hold(self, n: int, record: Record) -> Held:
        """A record as it stands."""
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
        _shorten(self.searches.aliases, RECENT)


def _shorten(remembered: OrderedDict[Name, Thing], bound: int) -> None:
    while len(remembered) > bound:
        remembered.popitem(last=False)
