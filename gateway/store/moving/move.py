"""From a store into a stream, and from a stream into a store."""

from typing import IO

from gateway.store.moving.shape import TABLES, Header, Source, Target
from gateway.store.moving.stream import Reader, Writer

Counts = dict[str, int]


async def carry_out(source: Source, file: IO[bytes], at: int) -> Counts:
    """Write all that an open source keeps; how many rows of each table."""
    sealed, secret = await source.secret()
    writer = Writer(file, Header(at=at, secret=sealed, tables=TABLES), secret)
    for table in TABLES:
        async for rows in source.lots(table):
            writer.put(table, rows)
    writer.end()
    return dict(writer.counts)


async def carry_in(file: IO[bytes], target: Target) -> Counts:
    """Fill a target, wholly or not at all; how many rows of each table."""
    reader = Reader(file)
    secret = await target.open(reader.header.secret)
    try:
        for table, rows in reader.lots(secret):
            await target.put(table, rows)
        await target.keep()
    except BaseException:
        await target.undo()
        raise
    return dict(reader.counts)
