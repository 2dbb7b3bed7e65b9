"""NTE as notes (2.5.1 ch. 2.15.10): in the sender's order, each kept with what it is about."""

from collections.abc import Iterable
from typing import Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from canonical.datatypes import Note

from .converters import codes_of, concept, note_text, repeated
from .er7 import Segment
from .instants import date_time_or_date
from .people import people
from .rows import NULL, Reading, take

RESOURCES: Final = ("AIS", "AIG", "AIL", "AIP")
PATHS: Final = ("NTE-3", "NTE-4", "NTE-5", "NTE-6")

_lines = repeated(note_text)


def notes_of(owner: Segment, reading: Reading, scope: str) -> tuple[Note, ...]:
    """The notes that stand behind a segment."""
    segments = reading.message.segments
    at, found = owner.number, []
    while at < len(segments) and ((name := segments[at].name) == "NTE" or name[0] == "Z"):
        if name == "NTE":
            found.append(segments[at])
        at += 1
    return joined(found, reading, scope) if found else ()


def general_notes(_: Segment, reading: Reading) -> tuple[Note, ...] | UnsetType:
    """The notes about the appointment: all that do not stand behind one of its resources."""
    owner, found = "", []
    for segment in reading.message.segments:
        if segment.name == "NTE":
            found += [segment] if owner not in RESOURCES else []
        elif segment.name[0] != "Z":
            owner = segment.name
    sent = {segment.get(3) for segment in found} - {""}
    if not sent:
        return UNSET
    return () if sent == {NULL} else joined(found, reading, "appointment")


def joined(segments: Iterable[Segment], reading: Reading, scope: str) -> tuple[Note, ...]:
    """Notes of one author, time and type are one text, a line for each segment and repetition."""
    found: list[tuple[Note, list[str]]] = []
    for segment in segments:
        lines = take(_lines, segment, 3, reading)
        if not lines:
            continue
        note = _note(segment, reading, scope)
        if found and found[-1][0] == note:
            found[-1][1].extend(lines)
        else:
            found.append((note, [*lines]))
    return tuple(replace(note, text="\n".join(lines)) for note, lines in found)


def _note(nte: Segment, reading: Reading, scope: str) -> Note:
    """Author, time and type of a note."""
    if len(nte.fields) <= 4:
        return Note(text="", scope=scope)
    author = take(people, nte, 5, reading) or ()
    return Note(
        text="",
        author=next((one.display for one in author), None),
        time=take(date_time_or_date, nte, 6, reading) or None,
        type=next(iter(codes_of(take(concept, nte, 4, reading) or None)), None),
        scope=scope,
    )
