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
    found = [segment for segment in reading.message.all("NTE") if _owner(segment, reading) not in RESOURCES]
    sent = {segment.get(3) for segment in found} - {""}
    if not sent:
        return UNSET
    return () if sent == {NULL} else joined(found, reading, "appointment")


def _owner(nte: Segment, reading: Reading) -> str:
    segments = reading.message.segments
    at = nte.number - 2
    while at > 0 and (segments[at].name == "NTE" or segments[at].name[0] == "Z"):
        at -= 1
    return segments[at].name


def joined(segments: Iterable[Segment], reading: Reading, scope: str) -> tuple[Note, ...]:
    """Notes of one author, time and type are one text, a line for each segment and repetition."""
    found: list[Note] = []
    for segment in segments:
        lines = take(_lines, segment, 3, reading)
        if not lines:
            continue
        note = _note(segment, "\n".join(lines), reading, scope)
        if found and replace(found[-1], text="") == replace(note, text=""):
            note = replace(note, text=f"{found.pop().text}\n{note.text}")
        found.append(note)
    return tuple(found)


def _note(nte: Segment, text: str, reading: Reading, scope: str) -> Note:
    if len(nte.fields) <= 4:
        return Note(text=text, scope=scope)
    author = take(people, nte, 5, reading) or ()
    return Note(
        text=text,
        author=next((one.display for one in author), None),
        time=take(date_time_or_date, nte, 6, reading) or None,
        type=next(iter(codes_of(take(concept, nte, 4, reading) or None)), None),
        scope=scope,
    )
