"""Which segments of a message belong to which of its patients."""

from bisect import bisect

from .er7 import Segment
from .reading import Reading


def about(reading: Reading, pid: Segment, name: str) -> list[Segment]:
    """The segments of a name that belong to this patient: those up to the next PID."""
    found = reading.message.all(name)
    if not found or not pid.repeated:
        return found
    pids = reading.message.all("PID")
    begin, later = bisect(found, pid.number, key=_place), bisect(pids, pid.number, key=_place)
    return found[begin : bisect(found, pids[later].number, key=_place) if later < len(pids) else None]


def _place(segment: Segment) -> int:
    return segment.number
