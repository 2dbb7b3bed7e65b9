"""The clock of the gateway: microseconds since the epoch. Handed down as an argument, so that a test can hold it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
MICROS = 1_000_000  # in a second


def micros() -> int:
    """The wall clock."""
    return time.time_ns() // 1000
