"""The times an appointment was said to start at, each under its clock: from them comes the start that it had before.

They are kept for the same reason as the facts of a status: a message may come late, and then it stands between others.
"""

from bisect import insort
from collections.abc import Sequence

from canonical.records import Stamp, Start


def remember(starts: Sequence[Start], at: str | None, stamp: Stamp) -> tuple[Start, ...]:
    """The starts with one more, in clock order; of a run of equal ones the first and the last are kept."""
    known = [one for one in starts if one.stamp.message != stamp.message]
    insort(known, Start(at, stamp), key=_clock)
    last = len(known) - 1
    return tuple(
        [one for n, one in enumerate(known) if not (0 < n < last and known[n - 1].at == one.at == known[n + 1].at)]
    )


def previous(starts: Sequence[Start]) -> str | None:
    """The last start that was another than the one that now holds."""
    now = starts[-1].at
    return next((one.at for one in reversed(starts) if one.at is not None and one.at != now), None)


def _clock(start: Start) -> tuple[int, int]:
    return start.stamp.rank, start.stamp.at
