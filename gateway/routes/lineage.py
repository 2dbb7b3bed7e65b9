"""Where a field came from, worked out when someone asks: its clock names the message, the kept bytes name the place.

The message is mapped once more with a trace, by the site files it was mapped with. Where the bytes are gone, or those
files, the line still names the message, and says that it is not `exact`; its path is then where the mapping of today
has the field, if that is one place.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from canonical.datatypes import Participant
from canonical.draft import identifier_key
from canonical.meaning import identity, means
from canonical.patches import Mapped
from canonical.records import Appointment, Location, Record, Stamp
from canonical.status import fold
from gateway.declared import place_of
from gateway.routes.serving import Call
from gateway.site.settings import Feed
from gateway.store.protocol import Kept
from policies.auth import allows
from transforms.api import v1
from transforms.api.masking import HOLDING, SSN, is_masking, is_private, masked, shortened
from transforms.hl7v2.actions import decided
from transforms.hl7v2.encounter import DERIVED
from transforms.hl7v2.encounter_codes import PLACES
from transforms.hl7v2.er7 import Message, Unparseable, parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import map_message
from transforms.hl7v2.names import field_name
from transforms.hl7v2.rows import Used
from transforms.hl7v2.visits import follows

PASSTHROUGH = "passthrough.read"
WHOLE = "patients.identifiers"
STRUCTURE = frozenset({"MSH", "EVN"})  # how the message was sent, not what it says
READ_AS = {"previous_start": "start"}
BY_STATUS = frozenset({"status_reason", "source_status"})  # unless they have a place of their own
ZONE_OF_FEED = "feed.zone"
PLACED = {kind: f"PV1-{field}" for field, kind in PLACES.items()}


class LineageLine(v1.Wire, frozen=True, omit_defaults=False):
    """One field: the message it is from, the place in it, the mapping that read it.

    What no place of the message holds has no path, and `derivedFrom` says what it follows from: the zone of a visit
    often is the one that the feed's settings give (`feed.zone`). A mapping that is an event, as `event ADT^A13`,
    says that the event itself decided, and no field.
    """

    field: Annotated[str, means("The field, or the field and the key of its entry: `start`, `identifiers/urn:x|1`.")]
    message: Annotated[str, identity("The message it is from.", "message")]
    path: Annotated[str | None, means("The place in the message, as `SCH-11.4`; null where that is not known.")] = None
    mapping: Annotated[str | None, means("What read it there; null where that is not known.")] = None
    derived_from: Annotated[list[str], means("What it follows from, where no place of the message holds it.")] = []
    exact: Annotated[bool, means("Whether the message was mapped again by the site files of its time.")] = False
    value: Annotated[Any, means("The value as the record has it; left out where there is none.")] = UNSET


class Unmapped(v1.Wire, frozen=True):
    """A place of a message that holds something which no mapping read."""

    message: Annotated[str, identity("The message.", "message")]
    path: Annotated[str, means("The place in it, as `ZPI-1`.")]
    name: Annotated[str, means("What the standard calls the place.")] = ""
    value: Annotated[str, means("What stands there.")] = ""


class Lineage(v1.Wire, frozen=True, omit_defaults=False):
    """The lines of a record; `unmapped` only for those who hold `passthrough.read`."""

    items: Annotated[list[LineageLine], means("Each field of the record.")]
    unmapped: Annotated[
        list[Unmapped], means("What its messages hold and no mapping read; empty without `passthrough.read`.")
    ] = []
    next: Annotated[None, means("Always null: a lineage is one page.")] = None


class Source(Struct, frozen=True):
    """A kept message, and the feed to read it by."""

    kept: Kept
    feed: Feed
    is_exact: bool


class Reread(Struct, frozen=True):
    """A message mapped once more."""

    kept: Kept
    message: Message
    mapped: Mapped
    used: list[Used]
    is_exact: bool

    def places(self, record: Record, stands_for: frozenset[str], field: str, key: str) -> list[Used]:
        """Where a field of a record was read; what no field says, the event or the numbers of MRG do."""
        patches, name = self._patches(record, stands_for), READ_AS.get(field, field)
        found = [*self._read(patches, f"{name}/{key}")] if key else []
        found = found or [one for one in self._read(patches, name) if not key or self._holds(record, field, key, one)]
        if found:
            return found
        if field in BY_STATUS:
            return self.places(record, stands_for, "status", "")
        if field == "status" or (f"{field}/{key}" if key else field) in follows(self.mapped.event):
            return [self.event]
        return self.merging if field == "links" else []

    def _patches(self, record: Record, stands_for: frozenset[str]) -> set[str]:
        """The numbers of the patches about a record or about one that it replaced.

        Of a patch about every visit on an account the message keeps one visit alone.
        """
        patches = self.mapped.patches
        about = list(self.kept.records[: len(patches)])  # further ones are told of by no patch of their own
        found = {str(number) for number, identity in enumerate(about) if identity in stands_for}
        kind = record.__struct_config__.tag
        return found or {str(number) for number, one in enumerate(patches) if one.every and one.type == kind}

    def _read(self, patches: set[str], field: str) -> Iterator[Used]:
        for one in self.used:
            number, dot, name = one.field.partition(".")
            if not dot:  # of MRG, which has no patch
                number, name = "", number
            if name == field and (number in patches or (field == "identifiers" and not number)):
                yield one

    @property
    def merging(self) -> list[Used]:
        """Where the numbers of MRG stand, which say who is replaced; they belong to no patch."""
        return [Used("links", one.path, "merge") for one in self.used if one.field == "identifiers"]

    @property
    def event(self) -> Used:
        """Where the event stands, which decides what no field says."""
        return decided("status", self.mapped.event, self.message)

    def _holds(self, record: Record, field: str, key: str, used: Used) -> bool:
        """Whether one entry of a list was read there: its number stands there, or it is named after the place."""
        if field == "links":
            return True
        if field != "identifiers":
            return self._is_named_after(key, used.path)
        text = self.message.value(used.path)
        system, _, number = key.rpartition("|")
        if system == SSN:
            text = text.replace("-", "")
        whole = isinstance(record, Location) or used.by == DERIVED  # made of all that stands there
        return whole or number in text

    def _is_named_after(self, key: str, path: str) -> bool:
        """`PV1-7` after the field, `ROL-AT` after the role, `PID` after the segment."""
        segment, _, index = path.partition("-")
        name = segment.partition("[")[0]
        place = PLACED.get(key) or key.partition("/")[0]
        if name == "ROL":
            return place == f"ROL-{self.message.value(f'{segment}-3.1')}"
        return place in (name, f"{name}-{index.partition('.')[0].partition('[')[0]}")


async def lineage_of(call: Call, record: Record) -> Lineage:
    """The lineage of a record as it stands."""
    spoken = dict(_spoken(record))
    sources = [await _source(call, identity) for identity in dict.fromkeys(one.message for one in spoken.values())]
    stands_for = frozenset([identity async for identity in _stands_for(call, record)])
    worked_out = await call.api.rereading.beside(
        _worked_out, record, spoken, stands_for, [one for one in sources if one]
    )
    if not allows(call.principal, WHOLE):
        worked_out = replace(worked_out, items=[_masked(line, record) for line in worked_out.items])
    return worked_out if allows(call.principal, PASSTHROUGH) else replace(worked_out, unmapped=[])


def _worked_out(record: Record, spoken: dict[str, Stamp], stands_for: frozenset[str], sources: list[Source]) -> Lineage:
    """Every line, and every place that no mapping read, whoever may see them."""
    reread = {one.kept.id: _reread(one) for one in sources}
    items = [
        line
        for field, stamp in spoken.items()
        for line in _lines(record, stands_for, field, stamp, reread.get(stamp.message))
    ]
    return Lineage(items=items, unmapped=[left for one in reread.values() if one for left in _unmapped(one)])


def _masked(line: LineageLine, record: Record) -> LineageLine:
    """A line that shows no social security number, neither as its value nor by its name."""
    for one in filter(is_private, record.identifiers):
        if line.field == f"identifiers/{identifier_key(one)}":
            return replace(line, field=f"identifiers/{one.system}|{shortened(one.value)}")
    name = line.field.partition("/")[0]
    if name not in HOLDING or not is_masking(record):
        return line
    whole: tuple[Any, ...] = line.value if isinstance(line.value, tuple) else (line.value,)
    values = {"identifiers": (), name: tuple(one for one in whole if one is not UNSET)}
    masked(values)
    return replace(line, value=values[name] if isinstance(line.value, tuple) else next(iter(values[name]), UNSET))


async def _stands_for(call: Call, record: Record) -> AsyncIterator[str]:
    """The record and all that it replaced: what was said of those is said of it."""
    waiting, seen = [record], {record.id}
    while waiting:
        one = waiting.pop()
        yield one.id
        for link in getattr(one, "links", ()):
            if link.type == "replaces" and link.other not in seen:
                seen.add(link.other)
                other = await call.api.services.store.record(call.tenant, link.other)
                waiting += [other] if other else []


def _spoken(record: Record) -> Iterator[tuple[str, Stamp]]:
    """Each field with the stamp of the message that it stands by."""
    now = fold(record.facts)
    if now is not None:
        yield "status", now.stamp
        if now.reason is not None:
            yield "status_reason", now.stamp
        if now.source is not None:
            yield "source_status", now.stamp
    for field, at in sorted(record.clocks.items()):
        if not field.endswith("!"):
            yield field, record.stamps[at]
    if isinstance(record, Appointment) and record.previous_start:
        yield "previous_start", next(one.stamp for one in reversed(record.starts) if one.at == record.previous_start)


def _lines(
    record: Record, stands_for: frozenset[str], field: str, stamp: Stamp, reread: Reread | None
) -> Iterator[LineageLine]:
    name, _, key = field.partition("/")
    called = v1.CALLED[type(record)].get(name, name) + (f"/{key}" if key else "")
    value = _value(record, name, key)
    if isinstance(value, Participant) and value.key:
        called = f"{called.removesuffix(key)}{value.key}"
    found: dict[tuple[str, str], None] = {}
    if reread:
        found = dict.fromkeys((one.path, one.by) for one in reread.places(record, stands_for, name, key))
    if reread and not found and value is UNSET:  # the event emptied it: of a list entry nothing is left to tell
        if key:
            return
        found = {(reread.event.path, reread.event.by): None}
    for path, mapping in found:
        yield LineageLine(
            field=called,
            message=stamp.message,
            path=path or None,
            mapping=mapping,
            derived_from=[] if path else [ZONE_OF_FEED],
            exact=reread is not None and reread.is_exact,
            value=value,
        )
    if not found:
        usual = None if reread else place_of(type(record), name)
        yield LineageLine(field=called, message=stamp.message, path=usual, value=value)


def _value(record: Record, field: str, key: str) -> object:
    value = getattr(record, field, None)
    if key and isinstance(value, tuple):
        among = [
            one for one in value if (named := getattr(one, "key", None) or "") == key or named.startswith(f"{key}/")
        ]
        value = among[0] if among and among[0].key == key else tuple(among)
    if field == "participants" and isinstance(record, Appointment):
        value = tuple(map(v1.known, value)) if isinstance(value, tuple) else v1.known(value) if value else None
    return UNSET if value is None or value == () else value


async def _source(call: Call, identity: str) -> Source | None:
    kept = await call.api.services.store.message(call.tenant, identity)
    feed, is_exact = await call.api.rereading.feed(kept) if kept else (None, False)
    return Source(kept, feed, is_exact) if kept and feed else None


def _reread(source: Source) -> Reread | None:
    kept, profile = source.kept, source.feed.profile
    if not kept.raw or (head := header(kept.raw)) is None:
        return None
    used: list[Used] = []
    try:
        message = parse(kept.raw, profile.charset)
        mapped = map_message(message, head, profile, kept.received_at, trace=used)
    except Unparseable:
        return None
    return Reread(kept, message, mapped, used, source.is_exact)


def _unmapped(reread: Reread) -> Iterator[Unmapped]:
    read = {_field(one.path) for one in reread.used}
    version = reread.kept.version
    for segment in reread.message.segments:
        for number, text in enumerate(segment.fields):
            path = f"{segment.path}-{number}"
            if number and text and segment.name not in STRUCTURE and path not in read:
                yield Unmapped(
                    message=reread.kept.id, path=path, name=field_name(segment.name, number, version), value=text
                )


def _field(path: str) -> str:
    """`PID-3[2].1` -> `PID-3`, `AIP[2]-3.1` -> `AIP[2]-3`."""
    segment, dash, rest = path.partition("-")
    return segment + dash + rest.partition(".")[0].partition("[")[0]
