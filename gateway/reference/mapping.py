"""The reference page of the HL7v2 mapping: every field and event, from the tables that do the mapping."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import fields

from canonical.records import RECORDS, Record
from transforms.hl7v2 import (
    appointment,
    appointment_out,
    bookable,
    encounter,
    patient,
    patient_out,
    siu_out,
    whereabouts,
)
from transforms.hl7v2.actions import Action
from transforms.hl7v2.mapping import EVENTS
from transforms.hl7v2.names import field_name, segment_name
from transforms.hl7v2.rows import Table

PATH = "docs/reference/hl7v2-mapping.md"
HEAD = """\
# The HL7v2 mapping

Which field of a message becomes which field of a record, and what each event does. These are the tables that do the
work; `isthmus explain FILE` shows them at work on one message, and `GET /v1/appointments/{id}/lineage` on one record.
Field names are those of the API. What the events mean, and why, is in [the guide](../guides/hl7v2-events.md).

A field that is empty in a message was not sent and stays as it is; `""` empties it.
This page is written by `make docs` from the code.
"""


class Line(NamedTuple):
    """One line of the page: the canonical fields, where they come from, what reads them."""

    fields: Sequence[str]
    paths: Sequence[str]
    reader: object


# What is not a row of a table but filled by a function of its own.
FURTHER: dict[str, tuple[Line, ...]] = {
    "patient": (Line(("identifiers", "coverage_members"), ("PID-3", "PID-2", "PID-4", "PID-19"), patient.numbers),),
    "appointment": (
        Line(("identifiers",), ("SCH-2", "SCH-1"), appointment.numbers),
        Line(("status",), ("SCH-25",), "By the event; where that leaves it open, table 0278."),
        Line(("services",), ("AIS-3",), bookable.READERS["AIS"]),
        Line(("participants",), ("PID",), "Every patient of it; the first that was named is `patient` too."),
        Line(("participants",), ("AIG-3",), bookable.READERS["AIG"]),
        Line(("participants",), ("AIL-3",), bookable.READERS["AIL"]),
        Line(("participants",), ("AIP-3",), bookable.READERS["AIP"]),
    ),
    "encounter": (
        Line(
            ("identifiers",),
            encounter.NUMBERS,
            "What finds the visit, best first; else the patient and PV1-44 do.",
        ),
        Line(("placements",), whereabouts.PATHS["placements"], whereabouts.placements),
        Line(("participants",), whereabouts.PATHS["participants"], whereabouts.participants),
        Line(("zone",), whereabouts.PATHS["zone"], whereabouts.zone_of),
    ),
}
TABLES: dict[str, tuple[Table, ...]] = {
    "patient": patient.TABLES,
    "appointment": (appointment.SCH, appointment.REASON, appointment.PV1),
    "encounter": encounter.TABLES,
}


def render() -> str:
    """The page."""
    parts = [_record(kind, tables) for kind, tables in TABLES.items()]
    return "\n".join([HEAD, *(line for part in parts for line in part), *_events(), *_back()])


def _record(kind: str, tables: Sequence[Table]) -> Iterator[str]:
    yield f"## {kind.capitalize()}\n"
    yield "| field | from | how |"
    yield "|---|---|---|"
    lines = [*FURTHER[kind], *(line for table in tables for line in lines_of(table))]
    for line in lines:
        names = ", ".join(f"`{wire_name(RECORDS[kind], field)}`" for field in line.fields)
        yield f"| {names} | {'<br>'.join(map(_place, line.paths))} | {sentence(line.reader)} |"
    yield ""


def lines_of(table: Table) -> Iterator[Line]:
    """The rows, rules and joints of a table."""
    for row in table.rows:
        yield Line((row.field,), (row.path,), row.convert)
    for rule in table.rules:
        yield Line((rule.field,), rule.paths, rule.decide)
    for joint in table.joints:
        yield Line(joint.fields, joint.paths, joint.decide)


def wire_name(record: type[Record], field: str) -> str:
    """A field as the API calls it."""
    return next((one.encode_name.rstrip("_") for one in fields(record) if one.name == field), field)


def _place(path: str) -> str:
    """`PID-7` -> `PID-7` Date/Time of Birth."""
    segment, _, index = path.partition("-")
    number = index.partition(".")[0]
    name = field_name(segment, int(number)) if number else segment_name(segment)
    return f"`{path}` {name}".rstrip()


def sentence(reader: object) -> str:
    """What reads a field, in words, or in the first sentence of its docstring."""
    text = " ".join((reader if isinstance(reader, str) else getattr(reader, "__doc__", None) or "").split())
    text = re.sub(r" \((?:DOMAIN|DESIGN)[^)]*\)", "", text)
    first = re.match(r".*?[^ .]{2,}\.(?= |$)", text)
    return (first.group() if first else text).replace("|", "\\|")


def _events() -> Iterator[str]:
    yield "## Events\n"
    yield "A status of — means that the event itself says none: of a record that is not known yet it is guessed.\n"
    yield "| message | event | status | what it does |"
    yield "|---|---|---|---|"
    for (message, _), action in sorted(EVENTS.items()):
        yield f"| {message}^{action.code} | `{action.event}` | {_status(action)} | {action.says} |"
    yield ""


def _status(action: Action) -> str:
    return f"`{action.status}`" if action.status else "—"


def _back() -> Iterator[str]:
    yield "## Written for a destination\n"
    yield "The same rows of `SCH` and `PID` write the messages that go to a destination; what they do not say is here."
    yield "Whose numbers go out, and the rest of it, is in [the guide](../guides/destinations.md).\n"
    yield "| event | message |"
    yield "|---|---|"
    yield from (f"| `{event}` | SIU^{code} |" for event, code in siu_out.EVENTS.items())
    yield "\n| field | written |"
    yield "|---|---|"
    for kind, where in (("appointment", appointment_out.ELSEWHERE), ("appointment", appointment_out.UNWRITTEN)):
        yield from (f"| `{wire_name(RECORDS[kind], field)}` | {text} |" for field, text in where.items())
    for table, rules in ((appointment.SCH, appointment_out.RULES), (patient.PID, patient_out.RULES)):
        for rule in table.rules:
            if turned := rules.get(rule.decide):
                yield f"| `{wire_name(table.record, rule.field)}` | {sentence(turned)} |"
    yield from (
        f"| `{wire_name(RECORDS['patient'], field)}` | {text} |" for field, text in patient_out.UNWRITTEN.items()
    )
    yield ""
