"""What repeats from message to message, converted once: staff, places, a clinic's bookings, the patient of the day.

A text means the same under the same dialect, and so do its problems. Memories are bounded in number and in characters,
forget everything at once when they are full, take nothing that is unusually long, and are never asked while lineage is
traced.
"""

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from canonical.problems import Problem, Severity

from .reading import Reading

T = TypeVar("T")
MOST = 8192
LONGEST = 4096  # characters of a text that is worth remembering
ROOM = 2_000_000  # characters of all texts of a memory


class Complaint(NamedTuple):
    """A problem as it can be said again: `at` is its place inside the field, `about` makes it a remark.

    `field` is empty where it is that of the reading, whichever it then is.
    """

    code: str
    detail: str
    severity: Severity
    at: str | None
    about: str
    field: str


class Memory(Generic[T]):
    """Values with what was wrong with them, by what they were made from: a text, and what it was read under."""

    __slots__ = ("known", "most", "taken")

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.taken = 0
        self.known: dict[tuple[str, *tuple[Hashable, ...]], tuple[T, tuple[Complaint, ...]]] = {}

    def recall(self, key: tuple[str, *tuple[Hashable, ...]], reading: Reading, make: Callable[[], T]) -> T:
        """The value for a key, made at the first time; its problems are said each time."""
        size = len(key[0])
        if reading.trace is not None or size > LONGEST:
            return make()
        found = self.known.get(key)
        if found is None:
            self._make_room(size)
            found = self.known[key] = _learn(make, reading)
        value, complaints = found
        if complaints:
            _repeat(complaints, reading)
        return value

    def _make_room(self, size: int) -> None:
        if len(self.known) >= self.most or self.taken + size > ROOM:
            self.known.clear()
            self.taken = 0
        self.taken += size


def remembered(convert: Callable[[str, Reading], T]) -> Callable[[str, Reading], T]:
    """The converter, asked once for each text of a dialect; what it cannot read it is asked again."""
    memory: Memory[T] = Memory()
    known = memory.known

    def recall(text: str, reading: Reading) -> T:
        key = (text, reading.dialect)
        found = known.get(key)
        if found is None or found[1] or reading.trace is not None:
            return memory.recall(key, reading, lambda: convert(text, reading))
        return found[0]

    recall.__name__ = convert.__name__
    recall.__doc__ = convert.__doc__
    return recall


def _repeat(complaints: tuple[Complaint, ...], reading: Reading) -> None:
    now = reading.field
    for code, detail, severity, at, about, field in complaints:
        reading.field = field or now
        if about:
            reading.remark(about, code, detail, at)
        else:
            reading.complain(code, detail, severity, at)
    reading.field = now


def _learn(make: Callable[[], T], reading: Reading) -> tuple[T, tuple[Complaint, ...]]:
    """The value, and all that is said about it when nothing was said before."""
    at, field, noted, problems = reading.at, reading.field, reading.noted, reading.problems
    reading.noted, reading.problems = {}, []
    try:
        value = make()
        remarks = {id(problem): about for about, problem in reading.noted.items()}
        said = tuple(_complaint(one, remarks.get(id(one), ""), at, field) for one in reading.problems)
    finally:
        reading.at, reading.field, reading.noted, reading.problems = at, field, noted, problems
    return value, said


def _complaint(problem: Problem, about: str, at: str, field: str | None) -> Complaint:
    own = problem.field if problem.field != field else None
    return Complaint(
        problem.code, problem.detail, problem.severity, problem.path.removeprefix(at) or None, about, own or ""
    )
