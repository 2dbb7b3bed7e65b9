"""Conversions that repeat from message to message, done once: staff, places, telephones of a clinic.

What a patient alone has is never remembered. A text means the same under the same dialect, and so do its problems.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from canonical.problems import Severity

from .dialect import Dialect
from .reading import Reading

T = TypeVar("T")
MOST = 8192  # texts remembered for each converter


class Complaint(NamedTuple):
    """A problem as it can be said again: `at` is its place inside the field, `about` makes it a remark."""

    code: str
    detail: str
    severity: Severity
    at: str
    about: str


def remembered(convert: Callable[[str, Reading], T]) -> Callable[[str, Reading], T]:
    """The converter, asked once for each text of a dialect; what it cannot read it is asked again."""
    known: dict[tuple[str, Dialect], tuple[T, tuple[Complaint, ...]]] = {}

    def recall(text: str, reading: Reading) -> T:
        if reading.trace is not None:
            return convert(text, reading)
        key = (text, reading.dialect)
        found = known.get(key)
        if found is None:
            if len(known) >= MOST:
                known.clear()
            found = known[key] = _learn(convert, text, reading)
        value, complaints = found
        for code, detail, severity, at, about in complaints:
            if about:
                reading.remark(about, code, detail, at or None)
            else:
                reading.complain(code, detail, severity, at or None)
        return value

    recall.__name__ = convert.__name__
    return recall


def _learn(convert: Callable[[str, Reading], T], text: str, reading: Reading) -> tuple[T, tuple[Complaint, ...]]:
    """The value, and all that is said about the text when nothing was said before."""
    at, noted, problems = reading.at, reading.noted, reading.problems
    reading.noted, reading.problems = {}, []
    try:
        value = convert(text, reading)
        remarks = {id(problem): about for about, problem in reading.noted.items()}
        said = [
            Complaint(one.code, one.detail, one.severity, one.path.removeprefix(at), remarks.get(id(one), ""))
            for one in reading.problems
        ]
    finally:
        reading.at, reading.noted, reading.problems = at, noted, problems
    return value, tuple(said)
