"""Dates and times of fields as canonical values: RFC 3339 in UTC, or a date as precise as it was sent.

Which zone a local time is read in is settled by `times.py` and the reading's zone (DOMAIN 2.10).
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from . import times
from .dialect import Dialect
from .reading import BadField, Reading


class Point(NamedTuple):
    """An instant, as RFC 3339 in UTC and in microseconds since the epoch."""

    at: datetime
    text: str
    micros: int


def point(text: str, reading: Reading) -> Point | None:
    """A DTM with a time of day as an instant, by the zone rules of DOMAIN 2.10."""
    found, code = _point(text, reading.dialect, reading.zone, reading.msh_offset)
    if code and found:
        reading.complain(code, times.ROLLED if code == times.DATA_TYPE else times.REASONS[code])
    elif code:
        raise BadField(code, times.REASONS[code])
    return found


def quietly(text: str, reading: Reading) -> Point | None:
    """An instant whose problems are someone else's to report."""
    return _point(text, reading.dialect, reading.zone, reading.msh_offset)[0]


def instant(text: str, reading: Reading) -> str | None:
    """A DTM with a time of day as RFC 3339 in UTC."""
    found = point(text, reading)
    return found.text if found else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=16384)
def _point(text: str, dialect: Dialect, zone: ZoneInfo | None, msh_offset: int | None) -> tuple[Point | None, str]:
    """The instant, and the code of what was wrong with it or assumed."""
    try:
        moment = times.parse_dtm(text.partition(dialect.component)[0].strip())
    except times.BadTime as bad:
        return None, bad.code
    if moment is None:
        return None, ""
    at, codes = times.instant(moment, zone, msh_offset, dialect.profile.offset_policy)
    code = codes[0] if codes else ""
    if at is None:
        return None, code
    return at_point(at), code


def at_point(at: datetime) -> Point:
    """An aware time as a Point."""
    return Point(at, times.rfc3339(at), (at - _EPOCH) // _MICROSECOND)


def partial_date(text: str, reading: Reading) -> str | None:
    """A date as precise as it was sent, never shifted by a zone."""
    try:
        return times.partial_date(text.partition(reading.dialect.component)[0].strip())
    except times.BadTime as bad:
        raise BadField(bad.code, times.REASONS[bad.code]) from None


def date_time_or_date(text: str, reading: Reading) -> str | None:
    """An instant where a time of day was sent, else the date."""
    try:
        moment = times.parse_dtm(text.partition(reading.dialect.component)[0].strip())
    except times.BadTime as bad:
        raise BadField(bad.code, times.REASONS[bad.code]) from None
    if moment is None:
        return None
    return partial_date(text, reading) if moment.precision in ("year", "month", "day") else instant(text, reading)
