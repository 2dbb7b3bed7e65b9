"""Records and what messages say about them become new records: pure, and the same in any order.

A status is a fold of facts, a merge the join of two records' registers, and everything else a register under a clock:
any order of messages with distinct clocks ends in the same state (DESIGN 2).
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from canonical import group, starts
from canonical.datatypes import Identifier, Link
from canonical.draft import LISTS, Cause, Draft, identifier_key, identifier_place, link_key
from canonical.ids import RecordType
from canonical.patches import Merge, Patch, Said
from canonical.records import RECORDS, Appointment, Authorization, Fact, Mention, Record, Requisition, Stamp, Start
from canonical.status import fold, hear, lines, remember

__all__ = [
    "Cause",
    "amend",
    "blank",
    "holds",
    "identifier_key",
    "identifiers_of",
    "join",
    "replaced",
    "survivor_link",
    "tie",
]

CONCLUDED = (Requisition, Authorization)  # their status follows from their parts

# What a record becomes when another takes its place.
REPLACED = {"patient": "merged", "encounter": "entered-in-error"}


def blank(kind: RecordType, identity: str, cause: Cause) -> Record:
    """A record that nothing is known of yet."""
    return RECORDS[kind](id=identity, tenant=cause.tenant, created_at=cause.received_at, updated_at=cause.received_at)


def amend(before: Record, patch: Patch, cause: Cause) -> tuple[Record, bool]:
    """The record after a patch, and whether that is a new version of it."""
    if not (patch.edits or patch.retires or patch.drops or patch.problems):
        if not before.version and type(before) not in CONCLUDED:
            return _first(before, patch, cause), True
        if confirmed := _confirmed(before, patch, cause):
            return confirmed, False
    draft = Draft(before)
    draft.under(cause.stamp)
    draft.unmoved = patch.unmoved
    for field, value in patch.fields.items():
        draft.write(field, value)
    for edit in patch.edits:
        draft.entry(edit.field, edit.key, edit.value)
    for one in (*patch.anchors, *patch.also):
        draft.entry("identifiers", identifier_key(one), one)
    for one in patch.retires:
        draft.entry("identifiers", identifier_key(one), replace(one, use="old"))
    for one in patch.drops:
        draft.entry("identifiers", identifier_key(one), None)
    if patch.said:
        draft.say(_fact(patch.said, cause, cause.stamp))
    if patch.problems:
        draft.complain(patch.problems)
    return draft.finish(cause)


def _first(before: Record, patch: Patch, cause: Cause) -> Record:
    """The short way for a record of which nothing was known: all registers take what is said."""
    identifiers = {identifier_key(one): one for one in (*patch.anchors, *patch.also)}
    said, stamp = patch.said, cause.stamp
    told: dict[str, object] = {**_starts(before, patch, stamp), **_named(before, patch, stamp)}
    return replace(
        before,
        version=before.version + 1,
        updated_at=cause.received_at,
        effective_at=cause.clock,
        newest=cause.clock,
        message=cause.message,
        feed=cause.feed,
        stamps=(stamp,),
        clocks=dict.fromkeys([*patch.fields, *[f"identifiers/{key}" for key in identifiers]], 0),
        identifiers=tuple(sorted(identifiers.values(), key=identifier_place)),
        facts=(_fact(said, cause, stamp),) if said else (),
        status=said.status if said else None,
        status_reason=said.reason if said else None,
        source_status=said.source if said else None,
        **told,
        **patch.fields,
    )


def _starts(before: Record, patch: Patch, stamp: Stamp) -> dict[str, tuple[Start, ...]]:
    """What an appointment remembers of its starts with one more, where one was sent."""
    start = patch.fields.get("start", UNSET)
    if not isinstance(before, Appointment) or not (start is None or isinstance(start, str)):
        return {}
    return {"starts": starts.remember(before.starts, start, stamp, patch.unmoved)}


def _named(before: Record, patch: Patch, stamp: Stamp) -> dict[str, dict[str, Mention]]:
    """Which patients an appointment that is heard of first was said to have."""
    named: dict[str, Mention] = {}
    members = patch.fields.get("participants")
    if isinstance(before, Appointment) and isinstance(members, tuple):
        group.mention(named, members, stamp)
    return {"named": named} if named else {}


def _confirmed(before: Record, patch: Patch, cause: Cause) -> Record | None:
    """The short way for a newer message that says of every register what it holds already: only clocks move."""
    fields, clocks, held, stamp = patch.fields, before.clocks, before.identifiers, cause.stamp
    if len(before.stamps) != 1 or before.problems or not before.stamps[0].yields_to(stamp):
        return None
    if len(fields) + len(held) != len(clocks):
        return None
    for field, value in fields.items():
        if field not in clocks or getattr(before, field) != value:
            return None
    sent = (*patch.anchors, *patch.also)
    if sent != held and not (all(one in held for one in sent) and all(one in sent for one in held)):
        return None
    facts = hear(before.facts, _fact(patch.said, cause, stamp)) if patch.said else before.facts
    if patch.said and _seen(fold(facts)) != (before.status, before.status_reason, before.source_status):
        return None
    if facts is not before.facts and lines(facts) != lines(before.facts):
        return None
    told = _starts(before, patch, stamp)
    return replace(before, facts=facts, stamps=(stamp,), newest=max(before.newest, cause.clock), **told)


def _seen(fact: Fact | None) -> tuple[object, object, object]:
    return (fact.status, fact.reason, fact.source) if fact else (None, None, None)


def _fact(said: Said, cause: Cause, stamp: Stamp) -> Fact:
    return Fact(
        status=said.status,
        stamp=stamp,
        feed=cause.feed,
        event=cause.event,
        recorded_at=cause.received_at,
        weak=said.weak,
        implied=said.implied,
        cancels=said.cancels,
        reason=said.reason,
        source=said.source,
        actor=cause.actor,
    )


def replaced(source: Record, kind: str, survivor: str, cause: Cause) -> Record:
    """The source of a merge from now on: it says who took its place, and nothing newer or older changes that."""
    draft = Draft(source)
    draft.facts = ()
    draft.under(cause.stamp)
    draft.say(_fact(Said(status=REPLACED[kind]), cause, cause.stamp))
    link = Link(type="replaced-by", other=survivor, message=cause.message)
    draft.entry("links", link_key(link), link)
    return draft.finish(cause)[0]


def join(survivor: Record, source: Record, cause: Cause) -> Record:
    """The survivor with all that was ever said about the source, each register under its clock."""
    draft = Draft(survivor)
    draft.newest = max(survivor.newest, source.newest)
    held = {field: kind.held(getattr(source, field, None)) for field, kind in LISTS.items()}
    for register, at in sorted(source.clocks.items()):  # a whole list before its entries
        draft.under(source.stamps[at])
        field, _, key = register.partition("/")
        if key and not key.startswith("replaced-by/"):
            draft.entry(field, key, tuple(held[field].get(key, {}).values()))
        elif field.endswith("!"):
            draft.complain(one for one in source.problems if one.field == (field[:-1] or None))
        elif not key:
            draft.write(field, getattr(source, field))
    for fact in source.facts:
        draft.facts = remember(draft.facts, fact)
    draft.under(cause.stamp)
    link = Link(type="replaces", other=source.id, message=cause.message)
    draft.entry("links", link_key(link), link)
    return draft.finish(cause)[0]


def tie(record: Record, other: str, linked: bool, cause: Cause) -> tuple[Record, bool]:
    """A patient that is, or is no longer, linked to another."""
    draft = Draft(record)
    draft.under(cause.stamp)
    link = Link(type="seealso", other=other, message=cause.message)
    known = next((one for one in _links(record) if link_key(one) == link_key(link)), link)
    draft.entry("links", link_key(link), known if linked else None)
    return draft.finish(cause)


def _links(record: Record) -> Sequence[Link]:
    links: tuple[Link, ...] = getattr(record, "links", ())
    return links


def survivor_link(record: Record) -> str | None:
    """The id of the record that replaced this one."""
    links = _links(record)
    return next((link.other for link in links if link.type == "replaced-by"), None) if links else None


def holds(record: Record, one: Identifier) -> bool:
    """Whether this is one of the record's identifiers, old ones included."""
    value, system = one.value, one.system
    for held in record.identifiers:  # noqa: SIM110 - asked for each anchor of each message; `any` costs twice as much
        if held.value == value and held.system == system:
            return True
    return False


def identifiers_of(patches: Iterable[Patch], merges: Iterable[Merge] = ()) -> Iterator[tuple[str, Identifier]]:
    """Every (record type, identifier) that a message's patches and merges look records up by."""
    for patch in patches:
        for anchor in patch.anchors:
            yield patch.type, anchor
    for merge in merges:
        for one in merge.source:
            yield merge.type, one
