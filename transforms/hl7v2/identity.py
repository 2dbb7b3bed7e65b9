"""Identifiers as canonical values: CX of persons, visits and accounts, EI of orders and appointments.

Values keep their case and leading zeros; an authority is never guessed without a remark (DOMAIN 1.1).
"""

from collections.abc import Callable
from datetime import UTC, datetime

from canonical.datatypes import Identifier

from . import times
from .authority import SSN, Home, system
from .converters import complain_of_escapes, repeated
from .reading import Reading


def identifier(text: str, reading: Reading) -> Identifier | None:
    """CX: number, authority, type, period."""
    dialect = reading.dialect
    parts = text.split(dialect.component)
    value = dialect.leaf(parts[0])
    if value is None:
        return None
    if dialect.escape in text:
        complain_of_escapes(text, reading)
    size = len(parts)
    kind = dialect.leaf(parts[4]) if size > 4 else None
    held = parts[3] if size > 3 else ""
    namespace, universal, scheme = (*held.split(dialect.subcomponent, 2), "", "")[:3]
    by = system(namespace, universal, scheme, reading, kind)
    start = _day(parts[6], reading) if size > 6 else None
    end = _day(parts[7], reading) if size > 7 else None
    return Identifier(
        value=value.replace("-", "") if by.system == SSN else value,
        system=by.system,
        type=kind,
        use="old" if end and end < _today(reading) else None,
        original=None if isinstance(by, Home) else by.original,
        start=start,
        end=end,
    )


identifiers = repeated(identifier)


def _day(text: str, reading: Reading) -> str | None:
    """CX-7, CX-8; a date that cannot be read says nothing about the number."""
    try:
        return times.partial_date(text.strip()) if text else None
    except times.BadTime as bad:
        reading.complain(bad.code, times.REASONS[times.DATA_TYPE])
        return None


def _today(reading: Reading) -> str:
    return datetime.fromtimestamp(reading.received_at // 1_000_000, UTC).date().isoformat()


def entity_as(role: str, type: str | None = None) -> Callable[[str, Reading], Identifier | None]:
    """The converter of an EI in this role. Without an authority it is a number among those of its role in this feed:
    many senders leave EI-2 empty, and a placer's 12 is not a filler's 12."""

    def entity(text: str, reading: Reading) -> Identifier | None:
        dialect = reading.dialect
        parts = text.split(dialect.component)
        value = dialect.leaf(parts[0])
        if value is None:
            return None
        if dialect.escape in text:
            complain_of_escapes(text, reading)
        if len(parts) == 1 or not any(parts[1:3]):
            reading.remark(role, "DQ-AUTHORITY-DEFAULTED", "no assigning authority was sent; the feed's own was taken")
            return Identifier(value=value, system=f"{dialect.urn}{role}", type=type)
        namespace, universal, scheme = (*parts[1:4], "", "")[:3]
        by = system(namespace, universal, scheme, reading)
        return Identifier(
            value=value, system=by.system, type=type, original=None if isinstance(by, Home) else by.original
        )

    entity.__name__ = f"entity_as_{role.replace('-', '_')}"
    return entity


entity = entity_as("entity")
entities = repeated(entity)
