"""Identifiers as canonical values: CX of persons, visits and accounts, EI of orders and appointments.

Values keep their case and leading zeros; an authority is never guessed without a remark (DOMAIN 1.1).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from canonical.datatypes import Authority, Identifier

from . import times
from .authority import SSN, Home, system
from .converters import complain_of_escapes, repeated
from .memory import remembered
from .reading import Reading
from .shapes import SHAPES, Entity


class Issued(NamedTuple):
    """What stands behind a number: whose it is, of what type, from when to when."""

    system: str
    type: str | None
    original: Authority | None
    start: str | None = None
    end: str | None = None


def identifier(text: str, reading: Reading) -> Identifier | None:
    """CX: number, authority, type, period."""
    dialect = reading.dialect
    number, _, rest = text.partition(dialect.component)
    value = dialect.leaf(number)
    if value is None:
        return None
    if dialect.escape in number:
        complain_of_escapes(number, reading)
    system, kind, original, start, end = _issued(rest, reading)
    return Identifier(
        value=value.replace("-", "") if system == SSN else value,
        system=system,
        type=kind,
        use="old" if end and end < _today(reading) else None,
        original=original,
        start=start,
        end=end,
    )


@remembered
def _issued(text: str, reading: Reading) -> Issued:
    """CX-2 and what follows: the same for all that one authority numbers."""
    dialect = reading.dialect
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    _, _, held, kind, _, start, end = [*text.split(dialect.component), *[""] * 7][:7]
    namespace, universal, scheme = [*held.split(dialect.subcomponent, 2), "", ""][:3]
    type = dialect.leaf(kind)
    by = system(namespace, universal, scheme, reading, type)
    original = None if isinstance(by, Home) else by.original
    return Issued(by.system, type, original, _day(start, ".7", reading), _day(end, ".8", reading))


identifiers = repeated(identifier)


def _day(text: str, at: str, reading: Reading) -> str | None:
    """CX-7, CX-8; a date that cannot be read says nothing about the number."""
    try:
        return times.partial_date(text.strip()) if text else None
    except times.BadTime as bad:
        reading.complain(bad.code, times.REASONS[times.DATA_TYPE], at=at)
        return None


def _today(reading: Reading) -> str:
    return datetime.fromtimestamp(reading.received_at // 1_000_000, UTC).date().isoformat()


def entity_as(role: str, type: str | None = None) -> Callable[[str, Reading], Identifier | None]:
    """The converter of an EI in this role. Without an authority it is a number among those of its role in this feed:
    many senders leave EI-2 empty, and a placer's 12 is not a filler's 12."""

    def entity(text: str, reading: Reading) -> Identifier | None:
        dialect = reading.dialect
        number, _, rest = text.partition(dialect.component)
        value = dialect.leaf(number)
        if value is None:
            return None
        if dialect.escape in number:
            complain_of_escapes(number, reading)
        system, _, original, _, _ = numbered(rest, reading)
        return Identifier(value=value, system=system, type=type, original=original)

    @remembered
    def numbered(text: str, reading: Reading) -> Issued:
        dialect = reading.dialect
        if dialect.escape in text:
            complain_of_escapes(text, reading)
        namespace, universal, scheme = [*text.split(dialect.component), "", "", ""][:3]
        if not namespace and not universal:
            reading.remark(role, "DQ-AUTHORITY-DEFAULTED", "no assigning authority was sent; the feed's own was taken")
            return Issued(f"{dialect.urn}{role}", type, None)
        by = system(namespace, universal, scheme, reading)
        return Issued(by.system, type, None if isinstance(by, Home) else by.original)

    entity.__name__ = f"entity_as_{role.replace('-', '_')}"
    entity.__doc__ = f"EI: the number of a {role.replace('-', ' ')}, with its authority."
    SHAPES[entity] = Entity(role)
    return entity
