"""What a message can be searched by: every number, name and date of birth in it, as (kind, value) pairs.

Also for messages outside the model: a result that nobody maps is still found by its patient and its order.
"""

from collections.abc import Iterable, Iterator

from canonical.datatypes import Identifier, Name
from canonical.patches import Mapped, Patch

from .patient import patient
from .rows import Reading

Key = tuple[str, str]

ORDERS = (("ORC", 2), ("ORC", 3), ("OBR", 2), ("OBR", 3))


def keys_of(mapped: Mapped) -> Iterator[Key]:
    """The keys of what a message was mapped to."""
    for patch in mapped.patches:
        if patch.type != "location":
            yield from _identifiers((*patch.anchors, *patch.also))
        if patch.type in KEYED:
            yield from _fields(patch)
    for merge in mapped.merges:
        yield from _identifiers(merge.source)


KEYED = {  # fields that hold identifiers, and what they are searched by besides
    "patient": (("accounts", "account"), ("coverage_members", "")),
    "appointment": (("based_on", "order"), ("visit", ""), ("parents", ""), ("group", "")),
    "encounter": (("account", "account"), ("preadmit_number", "")),
}


def _fields(patch: Patch) -> Iterator[Key]:
    fields = patch.fields
    for field, kind in KEYED[patch.type]:
        held = fields.get(field)
        numbers = held if isinstance(held, tuple) else (held,) if isinstance(held, Identifier) else ()
        yield from _identifiers(numbers)
        if kind:
            yield from ((kind, one.value) for one in numbers)
    if birth := fields.get("birth_date"):
        yield "birthdate", str(birth)
    names = fields.get("names")
    for name in names if isinstance(names, tuple) else ():
        yield from _words(name)


def _words(name: Name) -> Iterator[Key]:
    for part in (name.family, *name.given):
        for word in (part or "").casefold().split():
            yield "name", word


def _identifiers(identifiers: Iterable[Identifier]) -> Iterator[Key]:
    for one in identifiers:
        yield "identifier", one.value
        yield "identifier", f"{one.system}|{one.value}"


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
