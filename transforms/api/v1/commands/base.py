"""What a command of API v1 is: a body, and what that says about one record, as a patch (DOMAIN 1.0 rule 2).

A command is a message of the protocol `api`. It differs from a feed's in one thing: what the status machine does not
know is refused, where a feed would be believed.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from canonical.datatypes import Concept, Identifier, Note
from canonical.ids import RecordType
from canonical.machines import CORRECTIONS, MACHINES
from canonical.meaning import pattern_of
from canonical.patches import Patch
from canonical.records import Record

RFC3339 = r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$"
DAY = r"^\d{4}-\d\d-\d\d$"
QUANTITY = r"^\d{1,12}(\.\d{1,6})?$"


class Sent(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """Base of the bodies of commands."""


class Reasoned(Sent, frozen=True):
    """Why it is done."""

    reason: Annotated[Concept | None, Meta(description="Why, as a code or in words.")] = None
    note: Annotated[str, Meta(description="What is to be remembered.", max_length=4000)] | None = None


def record_id(kind: RecordType, text: str) -> Meta:
    """The id of a record, which must exist."""
    return Meta(pattern=pattern_of(kind), description=text)


def instant(text: str) -> Meta:
    """An instant with its offset."""
    return Meta(pattern=RFC3339, description=f"{text} An RFC 3339 instant.")


def day(text: str) -> Meta:
    """A day."""
    return Meta(pattern=DAY, description=f"{text} A day, as 2027-06-02.")


Say = Callable[[Any, Record | None, "Moment"], Patch]
Check = Callable[
    [Any, Record | None], Iterator[tuple[str, str]]
]  # what cannot be: JSON pointers and what would be right


class Moment(Struct, frozen=True):
    """When a command was received, and from whom."""

    at: str  # RFC 3339 in UTC
    client: str


class Command(Struct, frozen=True, kw_only=True):
    """One thing that a client may ask of a kind of record.

    `to` is the status that it leads to; None leaves the status as it is. A command that `creates` has no record before
    it; one that is `only_from` some statuses leaves others alone, though the machine would let it.
    """

    name: str
    kind: RecordType
    body: type[Sent]
    patch: Say
    text: str
    to: str | None = None
    creates: bool = False
    needs_reason: bool = False
    only_from: frozenset[str] | None = None
    check: Check | None = None

    def may_follow(self, before: str | None, to: str | None) -> bool:
        """Whether the command may be carried out in this status."""
        if self.only_from is not None and before not in self.only_from:
            return False
        return to is None or to in MACHINES[self.kind].get(before, ())

    def corrects(self, before: str | None, to: str | None) -> bool:
        """Whether that puts right what was recorded wrongly, for which a reason is needed."""
        return (before, to) in CORRECTIONS.get(self.kind, ())


def noted(before: Record | None, note: str | None, moment: Moment) -> dict[str, object]:
    """The notes of a record with one more, where there is one."""
    if not note:
        return {}
    held: tuple[Note, ...] = getattr(before, "notes", ()) if before else ()
    return {"notes": (*held, Note(text=note, author=moment.client, time=moment.at))}


def sent_fields(body: Sent, *beside: str) -> dict[str, object]:
    """What a body says of the fields that are called as the record's are: what was left out is not said."""
    given = {name: getattr(body, name) for name in body.__struct_fields__ if name not in beside}
    return {name: value for name, value in given.items() if value is not None and value != ()}


def twice(pointer: str, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The entries of a list whose key was there before."""
    seen: set[str] = set()
    for place, key in enumerate(keys):
        if key in seen:
            yield f"{pointer}/{place}/key", "Each entry needs a key of its own."
        seen.add(key)


Identifiers = Annotated[
    tuple[Identifier, ...],
    Meta(description="Your own numbers of it: none of them may be in use for another.", max_length=20),
]
