"""A small world of records, for tests that tell it messages in one order or another and look at what stands."""

from msgspec import Struct
from msgspec.structs import asdict

from canonical.apply import Cause, survivor_link
from canonical.datatypes import Identifier
from canonical.patches import Mapped, Merge, Patch, Tie
from canonical.records import Record
from canonical.settle import Settled, Working, settle

BOOKKEEPING = {"id", "version", "created_at", "updated_at", "message", "feed", "facts", "stamps", "clocks", "links"}
BOOKKEEPING |= {"effective_at", "named", "starts"}


def mrn(value: str, use: str | None = None) -> Identifier:
    """A medical record number."""
    return Identifier(system="urn:x-test:mrn", value=value, type="MR", use=use)


def visit(value: str) -> Identifier:
    """A visit number."""
    return Identifier(system="urn:x-test:visit", value=value, type="VN")


def account(value: str) -> Identifier:
    """An account number."""
    return Identifier(system="urn:x-test:account", value=value, type="AN")


def person(*values: str, **more: object) -> Patch:
    """What a message says about the patient with these numbers; `said` and `problems` beside its fields."""
    return patch("patient", tuple(map(mrn, values)), more)


def stay(*numbers: Identifier, **more: object) -> Patch:
    """What a message says about an encounter."""
    return patch("encounter", numbers, more)


ASIDE = ("also", "said", "edits", "event", "retires", "drops", "mentions", "every", "problems")


def patch(kind: str, anchors: tuple[Identifier, ...], more: dict[str, object]) -> Patch:
    """A patch whose keywords are its own where it has such a part, and fields of the record otherwise."""
    fields = {name: value for name, value in more.items() if name not in ASIDE}
    aside = {name: value for name, value in more.items() if name in ASIDE}
    return Patch(type=kind, anchors=anchors, fields=fields, **aside)  # type: ignore[arg-type]  # tests name real parts


class Told(Struct, frozen=True):
    """One message: its clock and what it says."""

    clock: int
    patches: tuple[Patch, ...] = ()
    merges: tuple[Merge, ...] = ()
    ties: tuple[Tie, ...] = ()
    event: str = "A08"
    feed: str = "adt"
    rank: int = 0


class World:
    """Everything heard so far."""

    def __init__(self, *told: Told) -> None:
        self.working = Working()
        self.received = 1_000_000
        for one in told:
            self.hear(one)

    def hear(self, told: Told) -> Settled:
        """Settle one message, received after all others."""
        self.received += 1
        mapped = Mapped(clock=told.clock, patches=list(told.patches), merges=list(told.merges), ties=list(told.ties))
        cause = Cause(
            message=f"msg_{told.feed}_{told.rank}_{told.clock}",
            tenant="main",
            feed=told.feed,
            clock=told.clock,
            received_at=self.received,
            event=told.event,
            rank=told.rank,
        )
        return settle(self.working, mapped, cause)

    def surviving(self, identity: str) -> str:
        """The id of the record that stands for this one."""
        while follow := survivor_link(self.working.records[identity]):
            identity = follow
        return identity

    def record(self, one: Identifier) -> Record:
        """The record that an identifier leads to."""
        found = {self.surviving(record.id) for record in self.working.records.values() if name(one) in names(record)}
        assert len(found) == 1
        return self.working.records[found.pop()]

    def standing(self) -> list[Record]:
        """The records that nobody replaced."""
        return [record for record in self.working.records.values() if not survivor_link(record)]

    def seen(self) -> list[dict[str, object]]:
        """What anyone can see, whichever ids and versions the order of receipt led to."""
        return sorted((self._shown(record) for record in self.standing()), key=repr)

    def _shown(self, record: Record) -> dict[str, object]:
        shown = {field: as_text(value) for field, value in asdict(record).items() if field not in BOOKKEEPING}
        patient = getattr(record, "patient", None)
        if patient:
            shown["patient"] = names(self.working.records[self.surviving(patient)])
        if "participants" in shown:
            shown["participants"] = self._members(record)
        shown["seealso"] = {
            tuple(names(self.working.records[self.surviving(link.other)]))
            for link in getattr(record, "links", ())
            if link.type == "seealso"
        }
        return shown

    def _members(self, record: Record) -> list[object]:
        """Who takes part: each person once, whom merges made one included."""
        shown: dict[str, object] = {}
        for one in getattr(record, "participants", ()):
            who = names(self.working.records[self.surviving(one.actor)]) if one.actor else one.key
            shown.setdefault(str(who), who if one.actor else as_text(one))
        return [*shown.values()]


def as_text(value: object) -> object:
    """A value that shows itself: data types are silent in repr."""
    if isinstance(value, tuple):
        return tuple(map(as_text, value))
    return {field: as_text(part) for field, part in asdict(value).items()} if isinstance(value, Struct) else value


def name(one: Identifier) -> str:
    """An identifier in short."""
    return f"{one.system}|{one.value}"


def names(record: Record) -> list[str]:
    """A record's identifiers in short."""
    return sorted(map(name, record.identifiers))
