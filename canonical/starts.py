"""The times an appointment was said to start at, each under its clock: from them comes the start that it had before.

They are kept for the same reason as the facts of a status: a message may come late, and then it stands between others.
"""

from bisect import insort
from collections.abc import Sequence
from itertools import takewhile

from canonical.problems import Problem
from canonical.records import Stamp, Start


def remember(starts: Sequence[Start], at: str | None, stamp: Stamp, wrong: Problem | None = None) -> tuple[Start, ...]:
    """The starts with one more, in clock order; of a run of equal ones the first and the last are kept."""
    known = [one for one in starts if one.stamp.message != stamp.message]
    insort(known, Start(at, stamp, wrong), key=_clock)
    last = len(known) - 1
    said = [(one.at, one.wrong) for one in known]
    return tuple([one for n, one in enumerate(known) if not (0 < n < last and said[n - 1] == said[n] == said[n + 1])])


def previous(starts: Sequence[Start]) -> str | None:
    """The last start that was another than the one that now holds."""
    now = starts[-1].at
    return next((one.at for one in reversed(starts) if one.at is not None and one.at != now), None)


def conflict(starts: Sequence[Start]) -> Problem | None:
    """What is wrong with the start that now holds: it is another than before, and nobody meant to move it."""
    now = starts[-1]
    if now.at is None or previous(starts) is None:
        return None
    of_now = takewhile(lambda one: one.at == now.at, reversed(starts))
    return now.wrong if all(one.wrong for one in of_now) else None


def _clock(start: Start) -> tuple[int, int]:
    return start.stamp.rank, start.stamp.at
