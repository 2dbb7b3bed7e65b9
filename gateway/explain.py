"""A message annotated for a person: every field that was sent, its name, and what it became or why it did not."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from canonical.patches import Mapped
from canonical.problems import Problem
from canonical.records import RECORDS
from gateway.intake import Intent, read
from gateway.site.settings import Feed
from gateway.translate import translation
from transforms.api.v1 import CALLED
from transforms.hl7v2.ack import wants_any
from transforms.hl7v2.bookable import LAYOUTS
from transforms.hl7v2.converters import field_of
from transforms.hl7v2.er7 import Message, parse
from transforms.hl7v2.mapping import map_message
from transforms.hl7v2.rows import Used
from transforms.hl7v2.tree import FieldNode, Part, tree

ENVELOPE = {
    "MSH-1": "the field separator",
    "MSH-2": "the other delimiters",
    "MSH-3": "the sender: which feed, whose numbers",
    "MSH-4": "the sender: which feed, whose numbers",
    "MSH-5": "given back as sender of the acknowledgement",
    "MSH-6": "given back as sender of the acknowledgement",
    "MSH-7": "the clock, where EVN does not say it: what a newer message said stays",
    "MSH-9": "the event, which decides what happens",
    "MSH-10": "recognises this message when it is sent again",
    "MSH-11": "given back in the acknowledgement",
    "MSH-12": "the version: how fields are named and acknowledged",
    "MSH-15": "which accept acknowledgements are wanted",
    "MSH-16": "which application acknowledgements are wanted",
    "MSH-18": "the character set it was read in",
}
BESIDE = {  # what is read and becomes no value
    "EVN-1": "the event, where MSH-9 does not say it",
    "EVN-2": "the clock, where EVN-6 does not say it: what a newer message said stays",
    "EVN-6": "the clock: what a newer message said stays",
    "RGS-2": "what becomes of the entries of the group that do not say it",
    **{f"{name}-2": "what becomes of the entry: added, changed or removed" for name in LAYOUTS},
    **{f"SCH-{index}": "a number by which the blocked time is found" for index in (1, 2, 5)},
    "DG1-21": "D takes the diagnosis away",
}
UNASKED = "MSH-15 and MSH-16 ask for no answer"
GAVE_WAY = "gave way to SCH-9, which says the duration"
NOT_MAPPED = "not mapped; kept in the message"
SET_ID, NUMBERS = "Set ID", "numbers the segments of its kind"
NULL = '""'


class Became(Struct, frozen=True):
    """What was found out about the places of a message: what they became, and what is wrong with them."""

    fields: dict[str, list[str]]
    problems: dict[str, list[Problem]]

    def of(self, path: str) -> list[str]:
        """The remarks about a field."""
        told = grouped(self.fields.get(path, ()))
        wrong = [f"!! {one.code} at {one.path}: {one.detail}".rstrip(": ") for one in self.problems.get(path, ())]
        return [*told, *wrong]


def explain(raw: bytes, feed: Feed, received_at: int | None = None) -> str:
    """The message as annotated text; one that cannot be read says why."""
    intent = read(feed, raw, received_at or time.time_ns() // 1000)
    return "\n".join([*_summary(intent), *_body(intent, raw, feed)]) + "\n"


def _summary(intent: Intent) -> Iterator[str]:
    """One paragraph: what the message is, what would be answered, what it would do."""
    found = translation(intent)
    name, control = found.type or ("no type" if intent.header else "not HL7"), found.control_id or "-"
    answer = f"answered {found.ack}" if found.ack else "not answered"
    if intent.header and not wants_any(intent.header):
        answer += f": {UNASKED}"
    yield f"{name}  control id {control}  would be {found.state}, {answer}"
    for record in found.records:
        status = getattr(record, "status", None)
        yield f"  {record.__struct_config__.tag} {record.id}{f'  {status}' if status else ''}"
    for event in found.events:
        yield f"  event {event}"
    for problem in found.problems:
        yield f"  {problem.severity} {problem.code} at {problem.path}: {problem.detail}"


def _body(intent: Intent, raw: bytes, feed: Feed) -> Iterator[str]:
    if intent.header is None or intent.verdict == "refused":
        return
    message = parse(raw, feed.profile.charset)
    trace: list[Used] = []
    mapped = intent.mapped
    if intent.verdict != "failed":
        mapped = map_message(message, intent.header, feed.profile, intent.cause.received_at, trace=trace)
    became = _became(mapped, trace, [*mapped.problems, *([intent.problem] if intent.problem else [])])
    for segment in tree(message):
        yield ""
        yield f"{segment.path}  {segment.name}".rstrip()
        for field in segment.fields:
            yield from _field(field, message, became)


def _became(mapped: Mapped, trace: list[Used], problems: list[Problem]) -> Became:
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for used in trace:
        if "/" in used.field:  # an entry by itself, which the list is told of as well
            continue
        fields[field_path(used.path)].append(named(used.field, mapped))
    wrong: defaultdict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        wrong[field_path(problem.path)].append(problem)
    return Became(dict(fields), dict(wrong))


def grouped(fields: Iterable[str]) -> list[str]:
    """`-> appointment.start, end, zone`: what one record got from a place is said together."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for field in fields:
        record, _, name = field.rpartition(".")
        found[record][name] = None
    return [f"-> {record}{'.' if record else ''}{', '.join(names)}" for record, names in found.items()]


def field_path(path: str) -> str:
    """The field that a place is in: `AIP[2]-3[1].4` -> `AIP[2]-3`."""
    segment, dash, rest = path.partition("-")
    return f"{segment}{dash}{rest.partition('.')[0].partition('[')[0]}"


def named(field: str, mapped: Mapped) -> str:
    """`2.birth_date` as the API calls it: `patient.birthDate`."""
    number, dot, name = field.partition(".")
    if not dot or not number.isdecimal() or int(number) >= len(mapped.patches):
        return field
    kind = mapped.patches[int(number)].type
    return f"{kind}.{CALLED[RECORDS[kind]].get(name, name)}"


def _field(field: FieldNode, message: Message, became: Became) -> Iterator[str]:
    """A line for the field, one for each further remark, and its components where it has several."""
    text = _text(field, message)
    remarks = became.of(field.path) or [_unsaid(field, message)]
    if text == NULL:
        remarks = [f"{one} (deleted)" if one.startswith("->") else one for one in remarks]
    yield f"  {field.path:<11} {field.name:<38} {text}".rstrip()
    for one in remarks:
        yield f"{'':<14}{one}"
    for part in field.repetitions:
        yield from _part(part, field.path)


def _unsaid(field: FieldNode, message: Message) -> str:
    """Why a field has become nothing, where nothing was wrong with it."""
    if field_of(field.path) == "TQ1-6" and message.value("SCH-9"):
        return GAVE_WAY
    read = ENVELOPE.get(field.path) or BESIDE.get(field_of(field.path))
    return read or (NUMBERS if field.name.startswith(SET_ID) else NOT_MAPPED)


def _text(field: FieldNode, message: Message) -> str:
    """The field as it was sent, on one line."""
    segment, _, number = field.path.partition("-")
    name, _, occurrence = segment.partition("[")
    found = message.all(name)[int(occurrence.rstrip("]") or 1) - 1 if occurrence else 0]
    return " ".join(found.get(int(number)).split("\n"))


def _part(part: Part, field: str) -> Iterator[str]:
    """The leaves below a field, with their names."""
    if part.path != field and part.value is not None:
        yield f"{'':<18}{part.path.removeprefix(field):<9}{part.name:<35}{part.value}".rstrip()
    for inner in part.parts:
        yield from _part(inner, field)
