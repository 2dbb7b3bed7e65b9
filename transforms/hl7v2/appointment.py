"""SCH and what stands around it as what they say about an appointment (2.5.1 ch. 10.6; DOMAIN 1.2, 2.3).

Tables say which field comes from where; the rules beside them say what a table cannot. Services and resources are in
`resources.py`, times in `timing.py`, the status in `filler_status.py`.
"""

from typing import Final

from msgspec import UNSET, UnsetType

from canonical.datatypes import Concept, Contact, Identifier
from canonical.records import Appointment

from .converters import coded, concept, repeated, text
from .er7 import Segment
from .identity import entity_as, identifier
from .memory import remembered
from .notes import PATHS as NOTE_PATHS
from .notes import general_notes
from .people import addresses, people, spots, telecoms
from .rows import Joint, Reading, Row, Rule, Table, take
from .timing import FIELDS as TIMING_FIELDS
from .timing import PATHS as TIMING_PATHS
from .timing import timing

SHOULD_BE_SENT: Final = "the standard requires this field"
CONTACTS: Final = (("placer", 12, 13, 14, 15), ("filler", 16, 17, 18, 19), ("enterer", 20, 21, 0, 22))

_priority = coded("0485")
_placer, _filler = entity_as("placer", "PLAC"), entity_as("filler", "FILL")
_placers, _fillers = repeated(_placer), repeated(_filler)
_placer_orders, _filler_orders = (
    repeated(entity_as("placer-order", "PLAC")),
    repeated(entity_as("filler-order", "FILL")),
)


def numbers(sch: Segment, reading: Reading) -> tuple[Identifier, ...]:
    """What finds the appointment: the filler's number, else the placer's (SCH-2, SCH-1)."""
    reading.field = "identifiers"
    filler, placer = take(_filler, sch, 2, reading), take(_placer, sch, 1, reading)
    reading.field = None
    if filler and placer and (filler.system, filler.value) != (placer.system, placer.value):
        return (filler, placer)
    one = filler or placer
    return (one,) if one else ()


def expected(sch: Segment, reading: Reading) -> None:
    """Remark on who fills and who entered the booking: the standard requires them, and many leave them out."""
    for index in (16, 20):
        if not sch.get(index):
            reading.remark(f"SCH-{index}", "DQ-REQUIRED-MISSING", SHOULD_BE_SENT, f"{sch.path}-{index}")


def parents(sch: Segment, reading: Reading) -> tuple[Identifier, ...] | UnsetType:
    """SCH-24 and SCH-23: the appointment that this one is a part of, or stands for now."""
    filler, placer = take(_fillers, sch, 24, reading), take(_placers, sch, 23, reading)
    if filler is UNSET and placer is UNSET:
        return UNSET
    return (*(filler or ()), *(placer or ()))


def orders(sch: Segment, reading: Reading) -> tuple[Identifier, ...] | UnsetType:
    """SCH-26 and SCH-27."""
    placer, filler = take(_placer_orders, sch, 26, reading), take(_filler_orders, sch, 27, reading)
    if placer is UNSET and filler is UNSET:
        return UNSET
    return (*(placer or ()), *(filler or ()))


def reasons(sch: Segment, reading: Reading) -> tuple[Concept, ...] | UnsetType:
    """SCH-7, and SCH-8 where that holds a code of the table of reasons (0276); then the diagnoses.

    The standard itself confuses tables 0276 and 0277, so a code that names its table goes where that belongs.
    """
    own = UNSET if _is_of("0277", sch.get(7)) else take(concept, sch, 7, reading)
    other = take(concept, sch, 8, reading) if _is_of("0276", sch.get(8)) else UNSET
    found = [one for one in (own, other) if one]
    found += [one for dg1 in reading.message.all("DG1") if (one := take(concept, dg1, 3, reading))]
    return tuple(found) if found or own is None else UNSET


def appointment_type(sch: Segment, reading: Reading) -> Concept | UnsetType | None:
    """SCH-8, or SCH-7 where that holds a code of the table of types (0277)."""
    if _is_of("0277", sch.get(7)):
        return take(concept, sch, 7, reading)
    return UNSET if _is_of("0276", sch.get(8)) else take(concept, sch, 8, reading)


def _is_of(table: str, text: str) -> bool:
    return f"HL7{table}" in text


def priority(sch: Segment, reading: Reading) -> Concept | UnsetType | None:
    """TQ1-9, else SCH-11.6."""
    tq1 = reading.message.first("TQ1")
    if tq1 and tq1.get(9):
        return take(_priority, tq1, 9, reading)
    parts = sch.get(11).partition(reading.dialect.repetition)[0].split(reading.dialect.component, 6)
    if len(parts) < 6 or not parts[5]:
        return UNSET
    reading.at = f"{sch.path}-11.6"
    return _priority(parts[5], reading) or UNSET


def contacts(sch: Segment, reading: Reading) -> tuple[Contact, ...] | UnsetType:
    """Who placed, who fills and who entered the booking: person, telephone, address, place (SCH-12 to SCH-22)."""
    return _clerks(reading.delimiters.field.join(sch.fields[12:23]), reading)


@remembered
def _clerks(text: str, reading: Reading) -> tuple[Contact, ...] | UnsetType:
    """SCH-12 to SCH-22 as one text: the same few people book all day."""
    sch = Segment("SCH", [""] * 12 + text.split(reading.delimiters.field), 0)
    found: list[Contact] = []
    for role, who, *where in CONTACTS:
        if any(index and sch.get(index) for index in (who, *where)):
            found += _contacts(sch, role, who, where, reading)
    return tuple(found) if found else UNSET


def _contacts(sch: Segment, role: str, who: int, where: list[int], reading: Reading) -> list[Contact]:
    """A contact for each person; telephone, address and place stand for the first."""
    phone, address, place = where
    mentioned = take(people, sch, who, reading) or ()
    first = mentioned[0] if mentioned else None
    at = next(iter(take(spots, sch, place, reading) or ()), None)
    contact = Contact(
        role=role,
        name=first.name if first else None,
        identifiers=first.identifiers if first else (),
        telecoms=take(telecoms, sch, phone, reading) or (),
        address=next(iter((take(addresses, sch, address, reading) if address else None) or ()), None),
        location=at.display if at else None,
    )
    more = [Contact(role=role, name=one.name, identifiers=one.identifiers) for one in mentioned[1:]]
    return [one for one in (contact, *more) if one != Contact(role=role)]


def observed(_: Segment, reading: Reading) -> tuple[Concept, ...] | UnsetType:
    """What was observed (OBX-3); the values stay in the message."""
    found = [one for obx in reading.message.all("OBX") if (one := take(concept, obx, 3, reading))]
    return tuple(dict.fromkeys(found)) if found else UNSET


SCH: Final = Table(
    "SCH",
    Appointment,
    Row("occurrence_number", "SCH-3", text),
    Row("group", "SCH-4", entity_as("group")),
    Row("schedule", "SCH-5", concept),
    Rule("reasons", ("SCH-7", "SCH-8", "DG1-3"), reasons),
    Rule("appointment_type", ("SCH-8", "SCH-7"), appointment_type),
    Rule("priority", ("TQ1-9", "SCH-11.6"), priority),
    Rule("contacts", tuple(f"SCH-{index}" for index in range(12, 23)), contacts),
    Rule("parents", ("SCH-24", "SCH-23"), parents),
    Rule("based_on", ("SCH-26", "SCH-27"), orders),
    Rule("notes", NOTE_PATHS, general_notes),
    Rule("supporting_information", ("OBX-3",), observed),
    Joint(TIMING_FIELDS, TIMING_PATHS, timing),
)
PV1: Final = Table("PV1", Appointment, Row("visit", "PV1-19", identifier))
REASON: Final = Table("SCH", Appointment, Row("event_reason", "SCH-6", concept))
"""SCH-6, except for the events that end an appointment: there it is the reason of the status."""
