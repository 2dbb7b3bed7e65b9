"""Mapping tables turned round: the same rows that read a segment write it, each by the inverse of its converter.

A row whose converter has no inverse, or a rule without one, cannot be written, and a table that holds such says so by
name (`unwritten`); a test goes through all of them.
"""

from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import Any, Final

from canonical.records import Record

from . import converters, identity, instants, patient
from .rows import Convert, Decide, Table
from .shapes import SHAPES, Coded, Entity, Repeated
from .writing import (
    Write,
    Writing,
    concept,
    day,
    day_or_moment,
    entity,
    flag,
    gender,
    identifier,
    moment,
    plain,
    repeated,
)

Rules = Mapping[Decide, Callable[[Any, Writing], dict[str, str]]]

INVERSES: Final[dict[Convert, Write]] = {
    converters.text: plain,
    converters.integer: plain,
    converters.flag: flag,
    converters.gender: gender,
    identity.identifier: identifier,
    instants.partial_date: day,
    instants.instant: moment,
    instants.date_time_or_date: day_or_moment,
    patient.birth_time: moment,
}


def inverse(convert: Convert) -> Write | None:
    """What writes the values that a converter reads; None where nothing does."""
    match SHAPES.get(convert):
        case Repeated(of=inner):
            each = inverse(inner)
            return partial(repeated, each) if each else None
        case Coded():
            return concept
        case Entity():
            return entity
    return INVERSES.get(convert)


def written(table: Table, record: Record, writing: Writing, rules: Rules, but: Container[str] = ()) -> dict[int, str]:
    """The fields of a table's own segment that say what a record holds, `but` for those of these names."""
    placed: dict[str, str] = {}
    for row in table.rows:
        value, write = getattr(record, row.field), inverse(row.convert)
        if write and _is_said(value) and row.field not in but:
            placed[row.path] = write(value, writing)
    for rule in table.rules:
        value, turned = getattr(record, rule.field), rules.get(rule.decide)
        if turned and _is_said(value):
            placed |= turned(value, writing)
    return {int(path.rpartition("-")[2]): text for path, text in placed.items()}


def unwritten(table: Table, rules: Rules) -> set[str]:
    """The fields of a table that cannot be written."""
    rows = {row.field for row in table.rows if inverse(row.convert) is None}
    return rows | {rule.field for rule in table.rules if rule.decide not in rules}


def _is_said(value: object) -> bool:
    return value is not None and value != ()
