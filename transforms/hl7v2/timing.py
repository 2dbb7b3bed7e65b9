"""When an appointment takes place: start, end and duration out of the many places that may say it (DOMAIN 2.3).

TQ1 decides, then SCH-11, then the earliest resource; whoever says otherwise is reported. The five fields move together,
so that a late message never leaves one message's start beside another's end.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from canonical.problems import Severity

from .codes import UNITS_IN_SECONDS
from .dialect import Dialect
from .er7 import Segment
from .instants import Point, at_point, point, quietly
from .rows import NULL, BadField, Reading

FIELDS: Final = ("start", "end", "zone", "minutes_duration", "duration_source")
PATHS: Final = (
    *("TQ1-7", "SCH-11.4", "AIS-4", "AIP-6", "AIL-6", "AIG-8"),
    *("TQ1-8", "SCH-11.5", "SCH-9", "SCH-10", "TQ1-6", "SCH-11.3", "AIS-7"),
)
SOURCES: Final = {
    "start": ("start",),
    "end": ("start", "minutes_duration"),
    "minutes_duration": ("start", "end"),
    "duration_source": ("start", "end", "minutes_duration"),
}
STARTS: Final = {"AIS": 4, "AIG": 8, "AIL": 6, "AIP": 6}  # the start of each resource; its duration stands three after
LONGEST: Final = 60 * 24 * 366  # minutes: what is longer than a year is no appointment

_NM: Final = re.compile(r"[+-]?(?:\d{1,16}(?:\.\d{0,16})?|\.\d{1,16})", re.ASCII)  # 2.5.1 ch. 2.A.47: no exponent
_CONFLICT = "the message gives more than one start; TQ1's was taken, else SCH-11's"
_ELSEWHERE = "a resource does not start with the appointment"
_SERIES = "more than one occurrence under one number; the first was taken"
_BACKWARDS = "the end is not after the start; it was left out"
_DURATION = "the declared duration is not the time from start to end; that was taken"
_NO_UNIT = "the duration has no unit; minutes were assumed"
_UNIT = "the unit of the duration is not known"
_AMOUNT = "the duration is not a number of minutes"


def timing(sch: Segment, reading: Reading, _: dict[str, object]) -> dict[str, object]:
    """The five fields, all or none; without a start only a declared duration, which a waiting list needs."""
    before = len(reading.trace or ())
    said = _timing(sch, reading)
    if said.get("zone"):
        reading.used_zone()
    for field in (one for one in SOURCES if one in said) if reading.trace is not None else ():
        found = reading.trace[before:] if reading.trace else ()
        if all(used.field != field for used in found):  # worked out from the others
            for used in [used for used in found if used.field in SOURCES[field]]:
                reading.used(field, used.path, "derived")
    return said


def _timing(sch: Segment, reading: Reading) -> dict[str, object]:
    tq1 = reading.message.first("TQ1")
    legacy = _legacy(sch, reading)
    if (tq1 and tq1.get(7) == NULL) or legacy[3] == NULL:
        for field in FIELDS:
            reading.used(field, f"{tq1.path}-7" if tq1 and tq1.get(7) == NULL else f"{sch.path}-11.4", "timing")
        return dict.fromkeys(FIELDS)
    reading.field = "minutes_duration"
    declared = _declared(sch, tq1, legacy, reading)
    reading.field = "start"
    _series(sch, tq1, reading)
    start = _start(tq1, legacy, sch, reading)
    if start is None:
        _judge_end(tq1, legacy, sch, reading)
        return {"minutes_duration": declared, "duration_source": "declared"} if declared else {}
    reading.field = "end"
    end = _end(start, tq1, legacy, sch, reading)
    minutes = _between(start, end) if end else None
    if end is None and declared is None:
        end = _last(start, reading)
        minutes = _between(start, end) if end else None
    if end is None and declared is not None:
        end = _after(start, declared)
    if minutes is not None and declared is not None and minutes != declared:
        reading.field = "minutes_duration"
        reading.complain("DQ-DURATION-CONFLICT", _DURATION, at="SCH-9" if sch.get(9) else "TQ1-6" if tq1 else "SCH-11")
    return {
        "start": start.text,
        "end": end.text if end else None,
        "zone": reading.zone.key if reading.zone else None,
        "minutes_duration": declared if minutes is None else minutes,
        "duration_source": _source(declared, minutes),
    }


def _source(declared: int | None, minutes: int | None) -> str | None:
    if declared is not None and minutes in (None, declared):
        return "declared"
    return None if minutes is None else "derived"


def _legacy(sch: Segment, reading: Reading) -> list[str]:
    """The components of SCH-11, of its first repetition: the others are further occurrences."""
    first = next((one for one in _repetitions(sch, reading) if one), "")
    return [*first.split(reading.dialect.component), "", "", "", "", ""]


def _repetitions(sch: Segment, reading: Reading) -> list[str]:
    text, repetition = sch.get(11), reading.dialect.repetition
    return text.split(repetition) if repetition and repetition in text else [text]


def _series(sch: Segment, tq1: Segment | None, reading: Reading) -> None:
    """Say that further occurrences were left out: under one number there is one appointment."""
    if tq1 and tq1.get(7):
        segments = reading.message.all("TQ1")
        others = [(f"{one.path}-7", one.get(7)) for one in segments if one.get(7)] if len(segments) > 1 else []
    else:
        others = [(f"{sch.path}-11[{n}]", one) for n, one in enumerate(_repetitions(sch, reading), 1) if one]
    for path, text in others[1:]:
        if text != others[0][1]:
            reading.complain("DQ-TIME-CONFLICT", _SERIES, at=path)
            return


def _start(tq1: Segment | None, legacy: list[str], sch: Segment, reading: Reading) -> Point | None:
    text = tq1.get(7) if tq1 else ""
    stated = _point(text, f"{tq1.path}-7", reading) if tq1 and text else None
    if legacy[3] and (legacy[3] != text or stated is None):
        other = _point(legacy[3], f"{sch.path}-11.4", reading)
        if stated is None:
            stated, text = other, legacy[3]
        elif other and other.micros != stated.micros:
            reading.complain("DQ-TIME-CONFLICT", _CONFLICT, at="SCH-11")
    texts = _resources(reading)
    if stated is None:
        return _earliest(texts, reading)
    if texts - {text}:
        _compare(stated, texts, reading)
    return stated


def _resources(reading: Reading) -> set[str]:
    """The starts of all resources as they were sent."""
    named = reading.message.named
    return {
        text
        for name, index in STARTS.items()
        for segment in named.get(name, ())
        if (text := segment.get(index)) and text != NULL
    }


def _earliest(texts: Iterable[str], reading: Reading) -> Point | None:
    found = min((found for text in texts if (found := quietly(text, reading))), key=_micros, default=None)
    for name, index in STARTS.items() if reading.trace is not None else ():
        for segment in reading.message.all(name):
            text = segment.get(index)
            if text in texts and (one := quietly(text, reading)) and found and one.micros == found.micros:
                reading.used("start", f"{segment.path}-{index}", "earliest")
    return found


def _compare(stated: Point, texts: Iterable[str], reading: Reading) -> None:
    """A resource may join later, but none comes before the appointment."""
    first = min((found for text in texts if (found := quietly(text, reading))), key=_micros, default=stated)
    if first.micros != stated.micros:
        severity: Severity = "warning" if first.micros < stated.micros else "information"
        reading.complain("DQ-TIME-CONFLICT", _ELSEWHERE, severity, at="AIS")


def _micros(point: Point) -> int:
    return point.micros


def _end(start: Point, tq1: Segment | None, legacy: list[str], sch: Segment, reading: Reading) -> Point | None:
    path, text = (f"{tq1.path}-8", tq1.get(8)) if tq1 and tq1.get(8) else (f"{sch.path}-11.5", legacy[4])
    if path.endswith(".5") and tq1 and tq1.get(7):
        return None  # SCH-11's end belongs to SCH-11's start
    end = _point(text, path, reading) if text and text != NULL else None
    if end and end.micros < start.micros:
        reading.complain("DQ-TIME-CONFLICT", _BACKWARDS)
        return None
    return end


def _judge_end(tq1: Segment | None, legacy: list[str], sch: Segment, reading: Reading) -> None:
    """An end without a start says nothing, but one that cannot be read is told all the same."""
    reading.at, text = (f"{tq1.path}-8", tq1.get(8)) if tq1 and tq1.get(8) else (f"{sch.path}-11.5", legacy[4])
    reading.field = "end"
    try:
        point("" if text == NULL else text, reading)
    except BadField as bad:
        reading.complain(bad.code, bad.detail, bad.severity)


def _last(start: Point, reading: Reading) -> Point | None:
    """The end of the resource that ends last, where nothing else says when the appointment does."""
    ends: list[tuple[Point, Segment, int]] = []
    for name, index in STARTS.items():
        for segment in reading.message.all(name):
            minutes, _ = _minutes(segment.get(index + 3), segment.get(index + 4), reading.dialect)
            begins = (quietly(segment.get(index), reading) if segment.get(index) else None) or start
            if minutes is not None and (end := _after(begins, minutes)) and end.micros >= start.micros:
                ends.append((end, segment, index))
    last = max((end for end, _, _ in ends), key=_micros, default=None)
    for end, segment, index in ends if reading.trace is not None else ():
        for at in (index, index + 3):
            if end == last and segment.get(at):
                reading.used("end", f"{segment.path}-{at}", "derived")
    return last


def _point(text: str, path: str, reading: Reading) -> Point | None:
    reading.at = path
    try:
        found = point(text, reading)
    except BadField as bad:
        reading.complain(bad.code, bad.detail, bad.severity)
        return None
    if found and reading.field:
        reading.used(reading.field, path, "instant")
    return found


def _between(start: Point, end: Point) -> int:
    return (end.micros - start.micros) // 60_000_000


def _after(start: Point, minutes: int) -> Point | None:
    try:
        return at_point(start.at + timedelta(minutes=minutes))
    except OverflowError:
        return None


# Durations


def _declared(sch: Segment, tq1: Segment | None, legacy: list[str], reading: Reading) -> int | None:
    """SCH-9 with its unit in SCH-10, else TQ1-6, else SCH-11.3 (`M30`)."""
    if amount := sch.get(9):
        return duration(amount, sch.get(10), f"{sch.path}-9", reading, f"{sch.path}-10")
    if tq1 and (quantity := tq1.get(6)):
        amount, _, unit = quantity.partition(reading.dialect.component)
        return duration(amount, unit, f"{tq1.path}-6", reading)
    return duration(legacy[2], "", f"{sch.path}-11.3", reading) if legacy[2] else None


def duration(amount: str, unit: str, path: str, reading: Reading, unit_path: str = "") -> int | None:
    """A length of time in whole minutes; without a unit minutes are assumed."""
    minutes, wrong = _minutes(amount, unit, reading.dialect)
    if reading.trace is not None and reading.field:
        reading.used(reading.field, path, "duration")
        if unit and unit_path:
            reading.used(reading.field, unit_path, "duration")
    if wrong:
        reading.at = path
        if wrong == _NO_UNIT and reading.field == "minutes_duration":
            reading.complain("DQ-UOM", wrong, "information")
        elif wrong == _NO_UNIT:
            reading.remark("DQ-UOM", "DQ-UOM", wrong)
        else:
            reading.complain("DQ-UOM" if wrong == _UNIT else "data-type-error", wrong, "warning")
    return minutes


@lru_cache(maxsize=1024)
def _minutes(amount: str, unit: str, dialect: Dialect) -> tuple[int | None, str]:
    """The minutes, and what was wrong or assumed."""
    number = dialect.first(amount.partition(dialect.component)[0])
    if not number:
        return None, ""
    named = dialect.first(unit.partition(dialect.component)[0])
    if not named and number[:1].isalpha():  # TQ-3 writes the unit in front
        named, number = number[:1], number[1:]
    seconds = UNITS_IN_SECONDS.get((named or "MIN").upper().rstrip("."))
    if seconds is None:
        return None, _UNIT
    if not _NM.fullmatch(number):
        return None, _AMOUNT
    minutes = Decimal(number) * seconds / 60
    if not 0 <= minutes <= LONGEST:
        return None, _AMOUNT
    return int(minutes.to_integral_value(ROUND_HALF_UP)), "" if named else _NO_UNIT
