"""HL7 dates and times (DTM, DT, TM; 2.5.1 ch. 2.A): read with the precision they came in, never widened.

Senders print wall-clock time, so by default a local time is read in the zone of the place, not with the offset of
MSH-7, which holds the offset of the day the message was sent (DOMAIN 2.10). Dates are never shifted.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

Precision = Literal["year", "month", "day", "hour", "minute", "second", "fraction"]
Policy = Literal["zone", "spec", "ignore"]

DATA_TYPE = "data-type-error"
REASONS: dict[str, str] = {
    DATA_TYPE: "not a date or time as HL7 writes them",
    "DQ-DST": "the clocks changed at this local time: the first of two was taken, or it was moved out of the gap",
    "DQ-PRECISION": "a date without a time of day is not an instant",
    "DQ-ZONE-ASSUMED": "no zone is configured and no offset was sent: MSH-7's offset, else UTC, was assumed",
}

ROLLED = "hour 24 is not a time as HL7 writes them; it was read as midnight of the next day"

_PRECISIONS: tuple[Precision, ...] = ("year", "month", "day", "hour", "minute", "second", "fraction")
_CLOCK = frozenset(_PRECISIONS[3:])
_DTM = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)
_ISO = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d(?:\.\d{1,6})?))?)?)?)?)?"
    r"(?:([+-]\d\d):?(\d\d))?",
    re.ASCII,
)
_FURTHEST_OFFSET = 14 * 60


class BadTime(ValueError):
    """Not a time. It says what kind of fault (table 0357 in words), never what was sent."""

    def __init__(self, code: str = DATA_TYPE) -> None:
        super().__init__(code)
        self.code = code


class Moment(Struct, frozen=True):
    """A time as sent: `value` is aware in UTC when an offset came with a time of day, else naive wall clock."""

    value: datetime
    precision: Precision
    offset: int | None = None  # minutes east of UTC
    rolled: bool = False  # hour 24, read as midnight of the next day

    @property
    def wall(self) -> datetime:
        """What the sender's clock showed."""
        if self.value.tzinfo is None or self.offset is None:
            return self.value
        return self.value.replace(tzinfo=None) + timedelta(minutes=self.offset)


@lru_cache(maxsize=4096)
def parse_dtm(text: str, lenient: bool = False) -> Moment | None:
    """A DTM, TS or DT; None for the null forms `""` and `00000000` and for an empty field.

    Leniently also blanks around it, a `Z`, and ISO 8601 (`2026-11-21T09:30:00Z`).
    """
    if len(text) == 14 and text.isascii() and text.isdigit() and text[8:10] != "24":
        try:
            return Moment(datetime.fromisoformat(f"{text[:8]}T{text[8:]}"), "second")
        except ValueError:
            pass  # all zeros, or no such time: decided below
    if lenient:
        text = _basic(text.strip())
    if _is_null(text):
        return None
    match = _DTM.fullmatch(text)
    if not match:
        raise BadTime
    *parts, offset = match.groups()
    return _moment([part for part in parts if part], _minutes(offset))


def partial_date(text: str) -> str | None:
    """`1985`, `1985-06` or `1985-06-12`: as much of a date as was sent, its time of day left out, never shifted."""
    moment = parse_dtm(text)
    if moment is None:
        return None
    day = (moment.wall - timedelta(days=moment.rolled)).date().isoformat()
    return day[: {"year": 4, "month": 7}.get(moment.precision, 10)]


@lru_cache(maxsize=4096)
def instant(
    moment: Moment, zone: ZoneInfo | None, msh_offset: int | None = None, policy: Policy = "zone"
) -> tuple[datetime | None, tuple[str, ...]]:
    """The instant in UTC and what had to be assumed; None where there is no time of day.

    `zone`: the field's own offset, else the zone, else MSH-7's offset. `spec`: the field's, MSH-7's, the zone.
    `ignore`: the zone even where an offset was sent, for senders whose offsets are wrong.
    """
    if moment.precision not in _CLOCK:
        return None, ("DQ-PRECISION",)
    codes = (DATA_TYPE,) if moment.rolled else ()
    if moment.offset is not None and policy != "ignore":
        return moment.value, codes
    wall = moment.wall
    try:
        if zone is not None and (policy != "spec" or msh_offset is None):
            return _in_zone(wall, zone, codes)
        value = (wall - timedelta(minutes=msh_offset or 0)).replace(tzinfo=UTC)
    except OverflowError:  # the end of the calendar, as in 99991231235959
        return None, (*codes, DATA_TYPE)
    return value, codes if policy == "spec" and msh_offset is not None else (*codes, "DQ-ZONE-ASSUMED")


@lru_cache(maxsize=4096)
def rfc3339(value: datetime) -> str:
    """An instant in UTC as `2027-06-01T13:00:00Z`, with its fraction when it has one."""
    text = value.isoformat()[:-6]
    return f"{text.rstrip('0')}Z" if value.microsecond else f"{text}Z"


def _in_zone(wall: datetime, zone: ZoneInfo, codes: tuple[str, ...]) -> tuple[datetime, tuple[str, ...]]:
    """PEP 495: the two folds differ where a wall-clock time happens twice or never. The offset before the change
    gives the first of two, and moves a time that never was forward by the width of the gap."""
    first, second = zone.utcoffset(wall), zone.utcoffset(wall.replace(fold=1))
    value = (wall - (first or timedelta())).replace(tzinfo=UTC)
    return value, codes if first == second else (*codes, "DQ-DST")


def _moment(parts: list[str], offset: int | None) -> Moment:
    precision = _PRECISIONS[len(parts) - 1]
    fraction = int(parts.pop().ljust(6, "0")) if precision == "fraction" else 0
    year, month, day, hour, minute, second = (
        int(part) for part in (*parts, *("0001", "01", "01", "0", "0", "0")[len(parts) :])
    )
    rolled = hour == 24 and not (minute or second or fraction)
    try:
        value = datetime(year, month, day, 0 if rolled else hour, minute, second, fraction)
        value += timedelta(days=rolled)
        if offset is not None and precision in _CLOCK:
            value = (value - timedelta(minutes=offset)).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadTime from None
    return Moment(value, precision, offset, rolled)


def _minutes(offset: str | None) -> int | None:
    if not offset:
        return None
    minutes = int(offset[1:3]) * 60 + int(offset[3:])
    if minutes > _FURTHEST_OFFSET or int(offset[3:]) > 59:
        raise BadTime
    return -minutes if offset[0] == "-" else minutes


def _is_null(text: str) -> bool:
    return text in ("", '""') or (len(text) >= 4 and not text.strip("0"))


def _basic(text: str) -> str:
    """ISO 8601 in HL7's own notation; anything else comes back as it was."""
    text = f"{text[:-1]}+0000" if text[-1:] in ("Z", "z") else text
    match = _ISO.fullmatch(text)
    return "".join(part for part in match.groups() if part) if match else text
