"""Messages, events and audit rows by month: made ahead, so that no writer waits, and dropped whole in the end.

A message belongs to the month of its id's time, and its row number says so: an id, a row number and a lot each lead to
one partition. What came in no particular order (an import, a clock that is wrong) makes the month that it needs.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from canonical.ids import CROCKFORD
from gateway.store.postgres.database import SCHEMA, Connection, Database
from gateway.store.postgres.database import SQL as DATABASE
from gateway.store.postgres.named import named

SQL = named("partitions.sql")
TABLES = ("messages", "message_keys", "events", "audit_rows")
AHEAD = 2  # months
SHIFT = 40  # bits of a row number below its month
MICROS = 1_000_000
HOUR = 3600.0
PLACES = {letter: place for place, letter in enumerate(CROCKFORD)}
LAST = datetime(9999, 12, 1, tzinfo=UTC).timestamp()


def month_of(micros: int) -> int:
    """The months since 1970 of an instant; what is out of all bounds is in the last one."""
    moment = datetime.fromtimestamp(min(max(micros // MICROS, 0), LAST), UTC)
    return (moment.year - 1970) * 12 + moment.month - 1


def this_month() -> int:
    """The month of now, in which events and audit rows are kept."""
    return month_of(time.time_ns() // 1000)


def month_of_id(identity: str) -> int | None:
    """The month of an id's time; None where it is not an id of ours."""
    _, _, ulid = identity.partition("_")
    try:
        number = 0
        for letter in ulid[:10]:
            number = number << 5 | PLACES[letter]
    except KeyError:
        return None
    return month_of(number * 1000) if len(ulid) == 26 else None


def span_of_id(identity: str) -> tuple[int, int]:
    """The row numbers that a message of this id can have; of what is no id, none."""
    month = month_of_id(identity)
    return (month << SHIFT, month + 1 << SHIFT) if month is not None else (0, 0)


def name_of(table: str, month: int) -> str:
    """What the partition of a month is called."""
    return f"{table}_{1970 + month // 12}_{month % 12 + 1:02}"


def bounds(table: str, month: int) -> tuple[int, int]:
    """Where a month of a table begins and ends: by row numbers, lots of them, or months as they are."""
    shift = {"messages": SHIFT, "message_keys": SHIFT - 10}.get(table, 0)
    return month << shift, month + 1 << shift


async def make(connection: Connection, months: Iterable[int]) -> None:
    """Have the partitions of these months, in the transaction of this connection."""
    await connection.execute(DATABASE["alone"], SCHEMA)
    for table in TABLES:
        known = {row["name"]: row["attached"] for row in await connection.fetch(SQL["known"], table)}
        for name, low, high in [(name_of(table, month), *bounds(table, month)) for month in months]:
            if known.get(name):
                continue
            if name in known:  # on its way out when that was interrupted
                await connection.execute(SQL["drop"].format(name=name))
            await connection.execute(SQL["create"].format(table=table, name=name))
            await connection.execute(SQL["attach"].format(table=table, name=name, low=low, high=high))


class Partitions(Database):
    """The months that there are."""

    def __init__(self, url: str, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(url, key, *retired)
        self._months: set[int] = set()

    async def open(self) -> None:
        """Open, with this month and the next ones ready."""
        await super().open()
        await self._make_ahead()
        self._keep_doing(self._make_ahead, HOUR, "store.no_partitions")

    async def _make_ahead(self) -> None:
        month = this_month()
        await self._make(range(month, month + AHEAD + 1))

    async def _make(self, months: Iterable[int]) -> None:
        """Have the partitions of these months."""
        missing = sorted(set(months) - self._months)
        if not missing:
            return
        async with self._write() as connection:
            await make(connection, missing)
        self._months.update(missing)
