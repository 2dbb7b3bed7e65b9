"""What a message can be searched by: every number, name and date of birth in it, as (kind, value) pairs.

Also for messages outside the model: a result that nobody maps is still found by its patient and its order.
"""

from collections.abc import Iterable, Iterator

from canonical.datatypes import Identifier, Name
from canonical.patches import Mapped, Patch

from .patient import patient
from .rows import Reading

Key = tuple[str, str]

# The kinds of keys and what they find: numbers by their value alone, `identifier` also by system and value.
KINDS = {
    "identifier": "any number in it: of a patient, an appointment, a visit, an order, a provider, an account",
    "account": "an account number (PID-18)",
    "order": "the number of an order: of an appointment, or of ORC-2, ORC-3, OBR-2, OBR-3 outside the model",
    "birthdate": "a patient's date of birth, as precise as it was sent (`1971-03-05`)",
    "name": "all words must be in a patient's names; case and accents do not matter",
}

ORDERS = (("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3))


def keys_of(mapped: Mapped) -> list[Key]:
    """The keys of what a message was mapped to."""
    keys: list[Key] = []
    for patch in mapped.patches:
        if patch.type == "location":
            continue
        _numbers(keys, patch.anchors)
        _numbers(keys, patch.also)
        if patch.type in KEYED:
            _fields(keys, patch)
    for merge in mapped.merges:
        _numbers(keys, merge.source)
    return keys


KEYED = {  # fields that hold identifiers, and what they are searched by besides
    "patient": (("accounts", "account"), ("coverage_members", "")),
    "appointment": (("based_on", "order"), ("visit", ""), ("parents", ""), ("group", "")),
    "encounter": (("account", "account"), ("preadmit_number", "")),
}


def _numbers(keys: list[Key], identifiers: Iterable[Identifier]) -> None:
    for one in identifiers:
        keys += (("identifier", one.value), ("identifier", f"{one.system}|{one.value}"))


def _fields(keys: list[Key], patch: Patch) -> None:
    fields = patch.fields
    for field, kind in KEYED[patch.type]:
        if held := fields.get(field):
            numbers = held if isinstance(held, tuple) else (held,)
            _numbers(keys, numbers)
            if kind:
                keys += [(kind, one.value) for one in numbers]
    if birth := fields.get("birth_date"):
        keys.append(("birthdate", str(birth)))
    names = fields.get("names")
    for name in names if isinstance(names, tuple) else ():
        _words(keys, name)


def _words(keys: list[Key], name: Name) -> None:
    for part in (name.family, *name.given):
        if part:
            keys += [("name", word) for word in part.casefold().split()]


def keys_of_unmapped(reading: Reading) -> list[Key]:
    """The keys of a message outside the model: its patients and its orders."""
    patches = [patch for pid in reading.message.all("PID") if (patch := patient(reading, pid))]
    return [*keys_of(Mapped(clock=0, patches=patches)), *_orders(reading)]


def _orders(reading: Reading) -> Iterator[Key]:
    dialect = reading.dialect
    for name, index in ORDERS:
        for segment in reading.message.all(name):
            if number := dialect.leaf(segment.get(index).partition(dialect.component)[0]):
                yield "order", number
