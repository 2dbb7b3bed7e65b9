"""What one group made of each record that it wrote: pure, and the same for every backend."""

from collections.abc import Sequence

from msgspec import Struct

from canonical.records import Record
from gateway.store.protocol import Written


class Course(Struct):
    """What one group made of a record: as it was, the versions that came and went within the group, as it is now.

    `confirmed` is the version that was loaded, with the newer clocks it had before another replaced it.
    """

    kind: str
    before: Record | None
    after: Record
    fresh: bool
    passed: list[Record] = []
    confirmed: Record | None = None
    n: int = 0

    @property
    def touched(self) -> Record | None:
        """The same version as before with newer clocks, if that is all that came of it."""
        return None if self.fresh else self.after


def courses_of(written: Sequence[Written]) -> list[Course]:
    """The writes of a group by record, in the order of their first."""
    courses: dict[str, Course] = {}
    for one in written:
        course = courses.get(one.after.id)
        if course is None:
            courses[one.after.id] = Course(one.kind, one.before, one.after, one.fresh or one.before is None)
            continue
        if one.fresh and course.fresh:
            course.passed.append(course.after)
        elif one.fresh:
            course.confirmed = course.after
        course.fresh = course.fresh or one.fresh
        course.after = one.after
    return list(courses.values())
