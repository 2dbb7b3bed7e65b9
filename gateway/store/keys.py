"""What records and messages can be searched by, and the keyed digests under which a store indexes it.

A store never keeps a search key in clear: an index row holds a digest under a secret of the store's own, so neither an
SSN nor a name can be read from a stolen database, nor found by trying all of them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from canonical.datatypes import Entity, Identifier, Line, Name, Participant
from canonical.records import (
    Appointment,
    Authorization,
    Coverage,
    EligibilityCheck,
    Encounter,
    Location,
    Organization,
    Patient,
    Provider,
    Record,
    Referral,
    Requisition,
)
from gateway.store.protocol import Kept, Key

# What a message is found by beside what its mapping named (transforms/hl7v2/keys.py).
OUR_KINDS = {
    "control_id": "MSH-10, the sender's number of it",
    "record": "the id of a record that it was about",
}
UNDATED = -(1 << 62)  # the start of what has none: before everything
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WORD = re.compile(r"\w+")
NUMBERED = frozenset(
    {"identifier", "visit", "order", "account", "item", "payer", "supplier"}
)  # kinds of keys that are a system's numbers
ISSUED = frozenset({"dedup", "record:appointment", "record:encounter"})  # scopes whose numbers are given out in turn
TURN = 2  # characters at the end of a number, by which it differs from those given out just before and after it
OWN = 40  # bits of a digest that are of the number itself; those before them are of all its neighbours


class Digests:
    """Digests of search keys under one secret: 64 bits, as the integer that an index compares fastest.

    Numbers that a system gives out in turn (control ids, numbers of bookings and visits) stand beside their neighbours:
    a group of new ones is written to a few pages of an index, and not to a page each.
    """

    def __init__(self, secret: bytes) -> None:
        self._base = blake2b(digest_size=8, key=secret)
        # A group names the same patients, doctors and places again and again.
        self._digest = lru_cache(1 << 14)(self._make)

    def __call__(self, tenant: str, scope: str, kind: str, value: str) -> int:
        """The digest of a key; `scope` tells a patient's identifier from a message's."""
        return self._digest(tenant, scope, kind, value)

    def of(self, tenant: str, scope: str, keys: Iterable[Key]) -> set[int]:
        """The digests of several keys."""
        digest = self._digest
        return {digest(tenant, scope, kind, value) for kind, value in keys}

    def _make(self, tenant: str, scope: str, kind: str, value: str) -> int:
        digest = self._base.copy()
        digest.update(f"{tenant}\x1f{scope}\x1f{kind}\x1f{value}".encode())
        number = int.from_bytes(digest.digest(), "big", signed=True)
        if scope not in ISSUED or kind not in NUMBERED:
            return number
        shared = self._digest(tenant, f"near:{scope}", kind, value[:-TURN])
        return (shared >> OWN << OWN) | (number & ((1 << OWN) - 1))


def words(text: str) -> list[str]:
    """The words of a name, without case and accents: `O'Brien-Müller` is `obrien`, `muller`."""
    folded = text.casefold()
    if not folded.isascii():
        folded = _bare(_bare(folded))  # compatibility caseless matching (Unicode D146) takes two rounds
    return WORD.findall(folded.replace("'", "").replace("\u2019", ""))


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def asked(groups: Iterable[tuple[Key, ...]]) -> list[tuple[Key, ...]]:
    """A search's AND of ORs in the form in which keys are indexed: all the words of a name must be there."""
    found: list[tuple[Key, ...]] = []
    for group in groups:
        if len(group) == 1 and group[0][0] == "name":
            found += [(("name", word),) for word in words(group[0][1])] or [()]
        else:
            found.append(tuple(one for key in group for one in _normal(key)))
    return found


def _normal(key: Key) -> Iterable[Key]:
    kind, value = key
    return [(kind, word) for word in words(value)] if kind == "name" else ((kind, value.strip()),)


def message_keys(kept: Kept) -> set[Key]:
    """What a message is found by: what its mapping named, its control id, and the records it was about."""
    keys = {("record", identity) for identity in kept.records if identity}
    for key in kept.keys:
        if key[0] == "name":
            keys.update(_normal(key))
        else:
            keys.add((key[0], key[1].strip()))
    if kept.control_id:
        keys.add(("control_id", kept.control_id))
    return keys


def identifier_keys(record: Record) -> set[Key]:
    """What a record is found by for good: identifiers accumulate, and none is ever taken away."""
    return set(_both("identifier", record.identifiers))


def record_keys(record: Record) -> set[Key]:
    """What a record is found by: its numbers by value alone and by system and value, and what else there is of it."""
    keys = identifier_keys(record)
    keys.update(key for kind, numbers in _numbers(record) for key in _both(kind, numbers))
    return keys.union(_others(record))


def index_keys(record: Record) -> set[Key]:
    """The keys that a record is indexed by. A number has one, its value: few records share one, and who asks for a
    system as well looks at those (`is_exact`)."""
    keys = {("identifier", value) for one in record.identifiers if (value := one.value.strip())}
    for kind, numbers in _numbers(record):
        keys.update((kind, value) for one in numbers if one and (value := one.value.strip()))
    return keys.union(_others(record))


def sought(group: Iterable[Key]) -> Iterator[Key]:
    """The keys of the index under which a record with one of these keys stands."""
    for kind, value in group:
        yield kind, value
        while kind in NUMBERED and "|" in value:  # what stands before it may be a system
            value = value.partition("|")[2]
            yield kind, value


def is_exact(group: Iterable[Key]) -> bool:
    """Whether a record with one of the keys in `sought` may yet have none of these."""
    return any(kind in NUMBERED and "|" in value for kind, value in group)


def _both(kind: str, identifiers: Iterable[Identifier | None]) -> Iterator[Key]:
    """Each identifier by its value alone and by system and value (DOMAIN 1.1: exact, after trimming)."""
    for one in identifiers:
        if one and (value := one.value.strip()):
            yield kind, value
            yield kind, f"{one.system}|{value}"


def _numbers(record: Record) -> Iterable[tuple[str, Iterable[Identifier | None]]]:
    """The numbers of a record beside its identifiers."""
    if isinstance(record, Appointment):
        return ("visit", (record.visit,)), ("order", record.based_on)
    if isinstance(record, Encounter):
        return ("account", (record.account,)), ("identifier", (record.preadmit_number,))
    if isinstance(record, Requisition):
        return ("item", _items(record.lines)), ("supplier", _suppliers(record))
    if isinstance(record, Coverage | EligibilityCheck | Authorization):
        return (("payer", record.payer.identifiers if record.payer else ()),)
    return (("account", record.accounts),) if isinstance(record, Patient) else ()


def _items(lines: Iterable[Line]) -> Iterator[Identifier]:
    for line in lines:
        yield from line.item.identifiers


def _suppliers(record: Requisition) -> Iterator[Identifier | None]:
    yield from record.supplier.identifiers if record.supplier else ()
    yield from (line.vendor.identifier for line in record.lines if line.vendor)


def _others(record: Record) -> Iterable[Key]:
    further = FURTHER.get(type(record))
    return further(record) if further else ()


def _names(names: Iterable[Name]) -> Iterator[Key]:
    for name in names:
        for part in (name.family, *name.given):
            for word in words(part or ""):
                yield "name", word


def _actors(patient: str | None, participants: Iterable[Participant]) -> Iterator[Key]:
    if patient:
        yield "patient", patient
    yield from ((one.kind, one.actor) for one in participants if one.actor)


def _patient(one: Patient) -> Iterator[Key]:
    yield from _names(one.names)
    if one.birth_date:
        yield "birthdate", one.birth_date


def _provider(one: Provider) -> Iterator[Key]:
    return _names(one.names)


def _location(one: Location) -> Iterator[Key]:
    for text in (one.name, one.facility, one.point_of_care):
        yield from (("name", word) for word in words(text or ""))


def _appointment(one: Appointment) -> Iterator[Key]:
    return _actors(one.patient, one.participants)


def _encounter(one: Encounter) -> Iterator[Key]:
    yield from _actors(one.patient, one.participants)
    yield from (("location", place.location) for place in one.placements if place.location)


def _organization(one: Organization) -> Iterator[Key]:
    for text in (one.name, *one.aliases):
        yield from (("name", word) for word in words(text or ""))


def _referral(one: Referral) -> Iterator[Key]:
    yield from _actors(one.patient, one.participants)
    yield from _links(one, "appointment")
    yield from (("coverage", identity) for identity in one.coverages)


def _coverage(one: Coverage) -> Iterator[Key]:
    yield from _links(one, "patient")
    yield from _body("payer", one.payer)


def _eligibility(one: EligibilityCheck) -> Iterator[Key]:
    yield from _links(one, "patient", "coverage", "appointment", "provider")
    yield from _body("payer", one.payer)


def _authorization(one: Authorization) -> Iterator[Key]:
    yield from _actors(one.patient, one.participants)
    yield from _links(one, "coverage", "appointment", "referral")
    yield from _body("payer", one.payer)


def _requisition(one: Requisition) -> Iterator[Key]:
    yield from _links(one, "patient", "location", "appointment", "encounter")
    yield from _body("supplier", one.supplier)


def _links(record: Record, *fields: str) -> Iterator[Key]:
    """The records that a record names, by the fields that do."""
    yield from ((field, identity) for field in fields if (identity := getattr(record, field)))


def _body(kind: str, one: Entity | None) -> Iterator[Key]:
    """A payer or supplier by its record."""
    if one and one.organization:
        yield kind, one.organization


FURTHER: dict[type[Record], Callable[..., Iterator[Key]]] = {
    Patient: _patient,
    Provider: _provider,
    Location: _location,
    Appointment: _appointment,
    Encounter: _encounter,
    Organization: _organization,
    Referral: _referral,
    Coverage: _coverage,
    EligibilityCheck: _eligibility,
    Authorization: _authorization,
    Requisition: _requisition,
}


def is_meant(kind: str, patterns: Iterable[str]) -> bool:
    """Whether a type of event is one of those that are asked for, or of their family (`appointment.*`)."""
    return any(kind.startswith(one[:-1]) if one.endswith(".*") else kind == one for one in patterns)


def start_of(record: Record) -> int:
    """When a record begins, is planned to or is needed, in microseconds, a month at its first day; else UNDATED."""
    text = getattr(record, "start", None) or getattr(record, "planned_start", None)
    text = text or getattr(record, "needed_by", None)
    if not text:
        return UNDATED
    if len(text) < 10:
        text = f"{text}-01-01"[:10]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return UNDATED
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND
