"""Records and what messages say about them become new records and events: pure, and the same in any order.

Every field is a last-writer-wins register under its clock, every status a fold of facts, every merge a join of the two
records' registers; so any order of messages with distinct clocks ends in the same state (DESIGN 2).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from canonical.datatypes import Identifier, Link, Participant, Service
from canonical.ids import RecordType
from canonical.patches import Edit, Patch, Said
from canonical.problems import Problem
from canonical.records import RECORDS, Fact, Record, Stamp
from canonical.status import fold, remember

Entry = TypeVar("Entry", Participant, Service)

SEGMENT_ORDER = {name: place for place, name in enumerate(("PID", "AIS", "AIG", "AIL", "AIP", "PV1", "ROL"))}


class Cause(Struct, frozen=True, kw_only=True):
    """The message behind a change. Times are microseconds since the epoch."""

    message: str
    tenant: str
    feed: str
    clock: int
    received_at: int
    event: str = ""  # the sender's own event code: S12, A08
    rank: int = 0
    traceparent: str | None = None

    @property
    def stamp(self) -> Stamp:
        """The clock that this message's fields carry."""
        return Stamp(self.rank, self.clock, self.message)


class Draft:
    """A record being changed; `finish` gives the record and says whether it changed in a way that anyone can see."""

    __slots__ = ("base", "clocks", "facts", "identifiers", "problems", "stamps", "values")

    def __init__(self, base: Record) -> None:
        self.base = base
        self.values: dict[str, object] = {}
        self.clocks = dict(base.clocks)
        self.stamps = list(base.stamps)
        self.facts = base.facts
        self.identifiers = base.identifiers
        self.problems = base.problems

    def write(self, field: str, value: object, stamp: Stamp, index: int) -> bool:
        """Give the field its value unless a newer message spoke about it; `index` is the stamp's place."""
        known = self.clocks.get(field)
        if known is not None and known != index and not self.stamps[known].yields_to(stamp):
            return False
        self.clocks[field] = index
        if field in self.values or getattr(self.base, field) != value:
            self.values[field] = value
        return True

    def value(self, field: str) -> object:
        """The field as it now stands."""
        return self.values[field] if field in self.values else getattr(self.base, field)

    def stamp(self, stamp: Stamp) -> int:
        """The index of a stamp, added when it is new."""
        if stamp in self.stamps:
            return self.stamps.index(stamp)
        self.stamps.append(stamp)
        return len(self.stamps) - 1

    def finish(self, cause: Cause) -> tuple[Record, bool]:
        """The record as it now is, and whether that is a new version."""
        base = self.base
        changes = {field: value for field, value in self.values.items() if getattr(base, field) != value}
        if self.identifiers != base.identifiers:
            changes["identifiers"] = self.identifiers
        if self.problems != base.problems:
            changes["problems"] = self.problems
        if self.facts is not base.facts:
            changes.update(_status(base, self.facts))
        seen = bool(changes) or not base.version
        if seen:
            changes["version"] = base.version + 1
            changes["updated_at"] = cause.received_at
            changes["message"] = cause.message
            changes["feed"] = cause.feed
        stamps, clocks = _compact(self.stamps, self.clocks)
        changes["effective_at"] = max(base.effective_at, cause.clock)
        return replace(base, facts=self.facts, stamps=stamps, clocks=clocks, **changes), seen


def _status(base: Record, facts: Sequence[Fact]) -> dict[str, object]:
    """What the facts fold to, where it differs from what the record shows."""
    now = fold(facts)
    if now is None:
        return {}
    folded = {"status": now.status, "status_reason": now.reason, "source_status": now.source}
    return {field: value for field, value in folded.items() if getattr(base, field) != value}


def _compact(stamps: list[Stamp], clocks: dict[str, int]) -> tuple[tuple[Stamp, ...], dict[str, int]]:
    """Drop the stamps that no field names any more."""
    used = sorted(set(clocks.values()))
    if len(used) == len(stamps):
        return tuple(stamps), clocks
    place = {old: new for new, old in enumerate(used)}
    return tuple(stamps[old] for old in used), {field: place[index] for field, index in clocks.items()}


def blank(kind: RecordType, identity: str, cause: Cause) -> Record:
    """A record that nothing is known of yet."""
    return RECORDS[kind](id=identity, tenant=cause.tenant, created_at=cause.received_at, updated_at=cause.received_at)


def amend(before: Record, patch: Patch, cause: Cause) -> tuple[Record, bool]:
    """The record after a patch, and whether that is a new version of it."""
    draft = Draft(before)
    stamp = cause.stamp
    index = draft.stamp(stamp)
    for field, value in patch.fields.items():
        if field in LISTS:
            _snapshot(draft, field, value, stamp, index)
        else:
            draft.write(field, value, stamp, index)
    for edit in patch.edits:
        _edit(draft, edit, stamp, index)
    if patch.said:
        draft.facts = remember(draft.facts, _fact(patch.said, cause))
    _identify(draft, patch, stamp, index)
    if patch.problems or draft.problems:
        _complain(draft, patch, stamp, index)
    return draft.finish(cause)


def _fact(said: Said, cause: Cause) -> Fact:
    return Fact(
        status=said.status,
        stamp=cause.stamp,
        feed=cause.feed,
        event=cause.event,
        recorded_at=cause.received_at,
        weak=said.weak,
        cancels=said.cancels,
        reason=said.reason,
        source=said.source,
    )


LISTS = ("participants", "services")


def _snapshot(draft: Draft, field: str, value: object, stamp: Stamp, index: int) -> None:
    """A whole list was sent: it replaces all entries but those that a newer message set or removed one by one."""
    if not draft.write(field, value, stamp, index):
        return
    single = {name: at for name, at in draft.clocks.items() if name.startswith(f"{field}/")}
    newer = {name.partition("/")[2] for name, at in single.items() if not draft.stamps[at].yields_to(stamp)}
    for name in single:
        if name.partition("/")[2] not in newer:
            del draft.clocks[name]
    if newer:
        kept = [entry for entry in _entries(getattr(draft.base, field)) if entry.key in newer]
        sent = [entry for entry in _entries(value) if entry.key not in newer]
        draft.values[field] = tuple(sorted(sent + kept, key=_place))


def _edit(draft: Draft, edit: Edit, stamp: Stamp, index: int) -> None:
    """One entry of a list was set or removed."""
    whole = draft.clocks.get(edit.field)
    if whole is not None and not draft.stamps[whole].yields_to(stamp):
        return
    name = f"{edit.field}/{edit.key}"
    known = draft.clocks.get(name)
    if known is not None and not draft.stamps[known].yields_to(stamp):
        return
    draft.clocks[name] = index
    rest = [entry for entry in _entries(draft.value(edit.field)) if entry.key != edit.key]
    draft.values[edit.field] = tuple(sorted([*rest, edit.value] if edit.value else rest, key=_place))


def _entries(value: object) -> list[Participant | Service]:
    return list(value) if isinstance(value, tuple) else []


def _place(entry: Participant | Service) -> tuple[int, int, str]:
    """Entries stand in the order of their segments and set ids, whoever set them first."""
    segment, _, number = (entry.key or "").partition("/")
    return SEGMENT_ORDER.get(segment, 99), int(number) if number.isdecimal() else 0, number


def _identify(draft: Draft, patch: Patch, stamp: Stamp, index: int) -> None:
    """Identifiers only ever accumulate; the newest message decides what is said about each."""
    sent = (*patch.anchors, *patch.also)
    if not sent and not patch.retires:
        return
    held = draft.clocks.get("identifiers")
    newest = held is None or draft.stamps[held].yields_to(stamp)
    if newest:
        draft.clocks["identifiers"] = index
    retired = tuple(replace(one, use="old") for one in patch.retires)
    if all(one in draft.identifiers for one in (*sent, *retired)):
        return
    known = {(one.system, one.value): one for one in draft.identifiers}
    for one in (*sent, *retired):
        if newest or (one.system, one.value) not in known:
            known[one.system, one.value] = one
    draft.identifiers = tuple(sorted(known.values(), key=lambda one: (one.use == "old", one.system, one.value)))


def _complain(draft: Draft, patch: Patch, stamp: Stamp, index: int) -> None:
    """What is wrong with a field stays listed until a newer message sends the field in order."""
    wrong: dict[str, list[Problem]] = {"": []}
    for problem in patch.problems:
        wrong.setdefault(problem.field or "", []).append(problem)
    spoken = [*(field for field in patch.fields if field not in wrong), *wrong]
    listed = list(draft.problems)
    for field in spoken:
        if _overtaken(draft, field, stamp):
            continue
        listed = [problem for problem in listed if (problem.field or "") != field]
        draft.clocks.pop(f"{field}!", None)
        if wrong.get(field):
            listed += wrong[field]
            draft.clocks[f"{field}!"] = index
    draft.problems = tuple(sorted(set(listed), key=lambda problem: (problem.path, problem.code)))


def _overtaken(draft: Draft, field: str, stamp: Stamp) -> bool:
    held = (draft.clocks.get(field), draft.clocks.get(f"{field}!"))
    return any(at is not None and not draft.stamps[at].yields_to(stamp) for at in held)


def join(survivor: Record, source: Record, cause: Cause) -> tuple[Record, bool]:
    """The survivor with all that was said about the source before they were merged, each field under its clock."""
    draft = Draft(survivor)
    for field, at in source.clocks.items():
        if field in JOINED_APART or "/" in field or field.endswith("!"):
            continue
        stamp = source.stamps[at]
        if not (field in survivor.clocks and survivor.stamps[survivor.clocks[field]] >= stamp):
            draft.write(field, getattr(source, field), stamp, draft.stamp(stamp))
    return draft.finish(cause)


JOINED_APART = frozenset({"identifiers", "links"})


def tie(record: Record, links: Iterable[Link], cause: Cause, without: Iterable[Link] = ()) -> tuple[Record, bool]:
    """A patient with links added or taken away."""
    draft = Draft(record)
    known: tuple[Link, ...] = getattr(record, "links", ())
    gone = {(link.type, link.other) for link in without}
    added = [link for link in links if (link.type, link.other) not in {(old.type, old.other) for old in known}]
    kept = [link for link in known if (link.type, link.other) not in gone]
    if added or gone:
        links_now = tuple(sorted([*kept, *added], key=lambda link: (link.type, link.other)))
        draft.write("links", links_now, cause.stamp, draft.stamp(cause.stamp))
    return draft.finish(cause)


def survivor_link(record: Record) -> str | None:
    """The id of the patient that replaced this one."""
    links: tuple[Link, ...] = getattr(record, "links", ())
    return next((link.other for link in links if link.type == "replaced-by"), None)


def identifiers_of(patches: Iterable[Patch]) -> Iterator[tuple[str, Identifier]]:
    """Every (record type, identifier) that patches look records up by."""
    for patch in patches:
        for anchor in patch.anchors:
            yield patch.type, anchor
