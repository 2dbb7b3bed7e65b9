"""A record being changed: every field, and every entry of a list that is set one by one, is a register under a clock.

A register holds what the newest clock said of it, so a draft ends the same in whatever order it is spoken to.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from canonical import group, placing, rollup, starts
from canonical.datatypes import Identifier, Link, Placement, Progress
from canonical.problems import Problem
from canonical.records import (
    Appointment,
    Authorization,
    Encounter,
    Fact,
    Mention,
    Record,
    Requisition,
    Stamp,
    Start,
)
from canonical.status import fold, hear, lines


class Cause(Struct, frozen=True, kw_only=True, gc=False):
    """The message behind a change. Times are microseconds since the epoch."""

    message: str
    tenant: str
    feed: str
    clock: int
    received_at: int
    event: str = ""  # the sender's own event code: S12, A08
    rank: int = 0
    traceparent: str | None = None
    actor: str | None = None  # the client whose command it is

    @property
    def stamp(self) -> Stamp:
        """The clock that this message's fields carry."""
        return Stamp(self.rank, self.clock, self.message)


# Entries are of five types without a common base for what names them: hence Any in this table and its functions.
class Entries(Struct, frozen=True):
    """A list whose entries have registers of their own: how an entry is named, where it stands among the others.

    In a `grouped` list one register may hold several entries: `PV1-8` those named `PV1-8/1` and `PV1-8/2`, whereas
    `AIP/1` is one by itself.
    """

    named: Callable[[Any], str]
    place: Callable[[Any], Any]
    grouped: bool = False

    def register(self, name: str) -> str:
        """The register that holds the entry of this name."""
        return name.rpartition("/")[0] if self.grouped and "-" in name.partition("/")[0] else name

    def held(self, entries: Iterable[Any] | None) -> "Held":
        """Entries by their registers; one without a name by its place."""
        found: Held = {}
        for place, one in enumerate(entries or ()):
            name = self.named(one) or f"?{place}"
            found.setdefault(self.register(name), {})[name] = one
        return found


Held = dict[str, dict[str, Any]]  # the entries of a list by register and name


def _segment_key(entry: Any) -> str:
    return entry.key or ""


def _segment_place(entry: Any) -> tuple[int, int, int, str]:
    """Entries stand in the order of their segments, fields and set ids, whoever set them first."""
    key = _segment_key(entry)
    where, _, number = key.partition("/")
    segment, _, field = where.partition("-")
    return SEGMENTS.get(segment, len(SEGMENTS)), _number(field), _number(number), key


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def identifier_key(one: Identifier) -> str:
    """An identifier as its register is named."""
    return f"{one.system}|{one.value}"


def identifier_place(one: Identifier) -> tuple[bool, str, str]:
    """Numbers in use before old ones, and each in its place."""
    return one.use == "old", one.system, one.value


def link_key(link: Link) -> str:
    """A link as its register is named."""
    return f"{link.type}/{link.other}"


def _placement_key(placement: Placement) -> str:
    return placement.kind


def _placement_place(placement: Placement) -> int:
    return PLACEMENTS.index(placement.kind)


def _numbered_place(entry: Any) -> tuple[int, str]:
    """Lines and items stand in the order of their numbers."""
    return _number(entry.key), entry.key


def _progress_place(entry: Progress) -> tuple[int, str, str]:
    return _number(entry.line), entry.line, entry.what


SEGMENTS = {name: place for place, name in enumerate(("PID", "AIS", "AIG", "AIL", "AIP", "PV1", "PV2", "ROL", "PRD"))}
PLACEMENTS = ("assigned", "temporary", "pending", "prior", "prior-temporary")
PATIENTS = "PID"  # all the patients of a group; each has a register of its own within this one
LISTS = {
    "decisions": Entries(_segment_key, _numbered_place),
    "identifiers": Entries(identifier_key, identifier_place),
    "items": Entries(_segment_key, _numbered_place),
    "lines": Entries(_segment_key, _numbered_place),
    "links": Entries(link_key, link_key),
    "participants": Entries(_segment_key, _segment_place, grouped=True),
    "placements": Entries(_placement_key, _placement_place),
    "progress": Entries(_segment_key, _progress_place),
    "roles": Entries(_segment_key, _segment_place),
    "services": Entries(_segment_key, _segment_place),
}


class Draft:
    """A record being changed: `under` says whose word it is, `finish` gives the record as it then is."""

    __slots__ = (
        *("base", "clocks", "facts", "index", "lists", "mentions", "named", "newer", "newest", "problems", "stamps"),
        *("starts", "unmoved", "values"),
    )

    def __init__(self, base: Record) -> None:
        self.base = base
        self.values: dict[str, object] = {}
        self.lists: dict[str, Held] = {}
        self.clocks = dict(base.clocks)
        self.stamps = list(base.stamps)
        self.facts = base.facts
        self.problems = base.problems
        self.newest = base.newest
        self.named: dict[str, Mention] | None = dict(base.named) if isinstance(base, Appointment) else None
        self.mentions = 0  # how many patients were named so far
        self.unmoved: Problem | None = None  # what is wrong if what is said moves the appointment
        self.starts: tuple[Start, ...] | None = getattr(base, "starts", None)

    def under(self, stamp: Stamp) -> None:
        """What follows was said under this stamp; registers that a newer one spoke about stay as they are."""
        stamps = self.stamps
        if stamp not in stamps:
            stamps.append(stamp)
        self.index = stamps.index(stamp)
        self.newer = {at for at, one in enumerate(stamps) if not one.yields_to(stamp)}
        self.newest = max(self.newest, stamp.at)

    def turn(self, register: str) -> bool:
        """Whether the register takes what is said now; if so it carries the stamp from here on."""
        if self.newer and self.clocks.get(register) in self.newer:
            return False
        self.clocks[register] = self.index
        return True

    def write(self, field: str, value: object) -> None:
        """A field was said to be this."""
        if field == "start" and self.starts is not None and (value is None or isinstance(value, str)):
            self.starts = starts.remember(self.starts, value, self.stamps[self.index], self.unmoved)
        if field in LISTS:
            self._list(field, value)
        elif self.turn(field):
            self.values[field] = value

    def entry(self, field: str, key: str, value: object) -> None:
        """One entry of a list was set, or several (a tuple), or (None) removed."""
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        self._mention(field, values)
        within = {field, f"{field}/{PATIENTS}"} if key.startswith(f"{PATIENTS}/") else {field}
        if any(self.clocks.get(one) in self.newer for one in within) or not self.turn(f"{field}/{key}"):
            return
        if key == PATIENTS:
            self._over(field, f"{PATIENTS}/", values)
        else:
            self._put(field, key, values)

    def _mention(self, field: str, values: Iterable[Any]) -> None:
        if field == "participants" and self.named is not None:
            self.mentions = group.mention(self.named, values, self.stamps[self.index], self.mentions)

    def _put(self, field: str, key: str, values: Iterable[object]) -> None:
        named = LISTS[field].named
        self._entries(field)[key] = {named(one): one for one in values}

    def _entries(self, field: str) -> Held:
        if field not in self.lists:
            held: Any = self.values.get(field, getattr(self.base, field))
            self.lists[field] = LISTS[field].held(held)
        return self.lists[field]

    def _list(self, field: str, value: Any) -> None:
        """A whole list was sent: it replaces all entries but those that a newer message set or removed one by one."""
        self._mention(field, value or ())
        if self.turn(field):
            self._over(field, "", value)

    def _over(self, field: str, within: str, values: Any) -> None:
        """The entries whose names begin so are these now, but for those whose own registers are newer."""
        single = {register for register in self.clocks if register.startswith(f"{field}/{within}")}
        kept = {register.partition("/")[2] for register in single if self.clocks[register] in self.newer}
        self.clocks = {
            register: at for register, at in self.clocks.items() if register not in single or at in self.newer
        }
        if not kept and not within:  # as it was sent
            self.lists.pop(field, None)
            self.values[field] = values
            return
        said, held = LISTS[field].held(values), self._entries(field)
        if PATIENTS in kept:
            kept.update(one for one in (*held, *said) if one.startswith(f"{PATIENTS}/"))
        stay = {name: held[name] for name in held if name in kept or not name.startswith(within)}
        self.lists[field] = {name: said[name] for name in said if name not in kept} | stay

    def say(self, fact: Fact) -> None:
        """A status was stated."""
        self.facts = hear(self.facts, fact)

    def complain(self, problems: Iterable[Problem]) -> None:
        """Something is wrong with some fields, or with the record as a whole (register `!`)."""
        wrong: dict[str, list[Problem]] = {}
        for problem in problems:
            wrong.setdefault(problem.field or "", []).append(problem)
        newest = self.stamps[self.index].at >= self.newest
        for field, listed in wrong.items():
            if self.turn(f"{field}!") if field else newest:
                self.clocks[f"{field}!"] = self.index
                others = tuple(one for one in self.problems if (one.field or "") != field)
                self.problems = (*others, *listed)

    def finish(self, cause: Cause) -> tuple[Record, bool]:
        """The record as it now is, and whether that is a new version: one that anyone can tell from the last."""
        base = self.base
        conflict = self._compare() if self.starts else None
        if self.problems:
            self._forget()
        for field, held in self.lists.items():
            entries = [one for some in held.values() for one in some.values()]
            self.values[field] = tuple(sorted(entries, key=LISTS[field].place))
        self.values["problems"] = (*self.problems, conflict) if conflict else self.problems
        if self.facts is not base.facts and (now := fold(self.facts)):
            self.values |= {"status": now.status, "status_reason": now.reason, "source_status": now.source}
        if self.named:
            self._lead(self.named)
        self._conclude()
        changes = {field: value for field, value in self.values.items() if getattr(base, field) != value}
        retold = self.facts is not base.facts and lines(self.facts) != lines(base.facts)
        fresh = bool(changes) or retold or not base.version
        if fresh:
            changes["version"] = base.version + 1
            changes["updated_at"] = cause.received_at
            changes["message"] = cause.message
            changes["feed"] = cause.feed
            changes["effective_at"] = self.newest
        stamps, clocks = _compact(self.stamps, self.clocks)
        if self.starts is not None:
            changes["starts"] = self.starts
        if self.named is not None:
            changes["named"] = self.named
        return replace(base, newest=self.newest, facts=self.facts, stamps=stamps, clocks=clocks, **changes), fresh

    def _conclude(self) -> None:
        """What no single message can say follows from all that was said."""
        base = self.base
        if isinstance(base, Encounter):
            self.values["placements"] = placing.held(self._now("placements"), self._now("status"))
        elif isinstance(base, Requisition) and (said := fold(self.facts)):
            self.values["status"] = rollup.of_lines(said.status, self._now("lines"), self._now("progress"))
        elif isinstance(base, Authorization) and (said := fold(self.facts)):
            since = [one for one in self._now("decisions") if self._said_since(said.stamp, f"decisions/{one.key}")]
            self.values["status"] = rollup.of_decisions(said.status, self._now("items"), since)

    def _now(self, field: str) -> Any:
        """A field as it is after what was said."""
        return self.values.get(field, getattr(self.base, field))

    def _said_since(self, stamp: Stamp, register: str) -> bool:
        """Whether an entry of a list was said together with this stamp or after it."""
        at = self.clocks.get(register, self.clocks.get(register.partition("/")[0]))
        return at is not None and stamp.yields_to(self.stamps[at])

    def _compare(self) -> Problem | None:
        """The start before this one, and what is wrong with this one."""
        base: Any = self.base
        self.values["previous_start"] = starts.previous(self.starts or ())
        told = {one.wrong for one in base.starts if one.wrong}
        if told:
            self.problems = tuple(one for one in self.problems if one not in told)
        return starts.conflict(self.starts or ())

    def _lead(self, named: dict[str, Mention]) -> None:
        """The patients stand in the order in which they were named, and the first is the appointment's own."""
        base: Any = self.base
        listed: Any = self.values.get("participants", base.participants)
        members = group.in_order(listed, named)
        first = group.first(members)
        self.values["participants"] = members
        if first and first != self.values.get("patient", base.patient):
            self.values["patient"] = first
            if first == base.patient and "patient" in base.clocks:
                self.clocks["patient"] = base.clocks["patient"]

    def _forget(self) -> None:
        """A problem is listed until a newer message speaks of its field, or, without a field, of the record."""
        gone = set()
        for field in {problem.field or "" for problem in self.problems}:
            wrong = self.stamps[self.clocks[f"{field}!"]]
            if self._spoken_after(wrong, field) if field else wrong.at < self.newest:
                gone.add(field)
                del self.clocks[f"{field}!"]
        listed = {problem for problem in self.problems if (problem.field or "") not in gone}
        self.problems = tuple(sorted(listed, key=lambda one: (one.path, one.code, one.field or "", one.detail)))

    def _spoken_after(self, stamp: Stamp, field: str) -> bool:
        if field in ("status", "status_reason"):  # whose registers are the facts
            return any(not fact.weak and not fact.stamp.yields_to(stamp) for fact in self.facts)
        registers = [field]
        if field in LISTS:
            registers += [register for register in self.clocks if register.startswith(f"{field}/")]
        return any(not self.stamps[self.clocks[one]].yields_to(stamp) for one in registers if one in self.clocks)


def _compact(stamps: list[Stamp], clocks: dict[str, int]) -> tuple[tuple[Stamp, ...], dict[str, int]]:
    """Drop the stamps that no register names any more."""
    used = sorted(set(clocks.values()))
    if len(used) == len(stamps):
        return tuple(stamps), clocks
    place = {old: new for new, old in enumerate(used)}
    return tuple(stamps[old] for old in used), {register: place[index] for register, index in clocks.items()}
