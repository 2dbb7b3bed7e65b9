"""The commands that move, copy and verify what a site keeps."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from gateway.clock import micros
from gateway.site.settings import StoreSettings
from gateway.stop import Stop
from policies.audit import GENESIS, Anchor, ChainRow, purged, verify_all

LIVE = """\
isthmus: a gateway may be running. What it acknowledges from now on is not in the export: it is lost if the source is
isthmus: given up. Deliveries that it makes from now on are made again at the target, under the same webhook-id."""


def move_out(settings: StoreSettings, file: str, live: bool) -> int:
    """Write all that is kept to a file."""
    from gateway.store.choice import source_of
    from gateway.store.moving.move import carry_out

    source = source_of(settings, os.environ)

    async def carried(out: IO[bytes]) -> dict[str, int]:
        try:
            await source.open(live)
            return await carry_out(source, out, micros())
        finally:
            await source.close()

    if live:
        print(LIVE, file=sys.stderr)
    if file == "-":
        counts = asyncio.run(carried(sys.stdout.buffer))
    else:
        with _new(Path(file)) as out:
            counts = asyncio.run(carried(out))
    _say("exported", counts)
    return 0


def move_in(settings: StoreSettings, file: str) -> int:
    """Fill an empty store from a file."""
    from gateway.store.choice import target_of
    from gateway.store.moving.move import carry_in

    target = target_of(settings, os.environ)
    if file == "-":
        counts = asyncio.run(carry_in(sys.stdin.buffer, target))
    else:
        with Path(file).open("rb") as stream:
            counts = asyncio.run(carry_in(stream, target))
    _say("imported", counts)
    return 0


def _say(done: str, counts: dict[str, int]) -> None:
    told = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("messages", "records", "events", "deliveries"))
    print(f"{done} {told}", file=sys.stderr)


def copy_of(settings: StoreSettings, file: Path) -> int:
    """Copy the embedded store as it is at one moment; who serves it is not held up."""
    if settings.is_shared:
        raise Stop("store.database: a PostgreSQL database is backed up with its own tools, see the guide to backups")
    path = settings.path / "isthmus.db"
    if not path.exists():
        raise Stop(f"{settings.path}: there is no data here")
    with _new(file) as out:
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(out.name)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = copy.execute("PRAGMA quick_check").fetchone()[0]
        if found != "ok":
            raise Stop(f"{settings.path}: the database is damaged; the copy was not kept")
    print(f"{file}: a whole copy")
    return 0


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    """A file that has its name only once it is whole and on the disk."""
    if path.exists():
        raise Stop(f"{path}: exists already")
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "w+b", opener=_private) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def verify_audit(settings: StoreSettings) -> int:
    """Go through every chain of the audit."""
    from gateway.store.choice import store_of

    store = store_of(settings, os.environ)

    async def read() -> tuple[list[ChainRow], list[Anchor]]:
        await store.open()
        try:
            links = await store.audit_links()
            return [ChainRow(previous=one, digests=tuple(two), head=head) for one, head, two in links], (
                await store.audit_anchors()
            )
        finally:
            await store.close()

    rows, anchors = asyncio.run(read())
    wrong = verify_all(rows, anchors)
    if wrong is not None:
        print(f"link {wrong + 1} of {len(rows)} was changed, or one before it dropped")
        return 1
    begins = {GENESIS, *(one.head for one in anchors)}
    begun = [
        at for at, row in enumerate(rows) if row.previous in begins and (not at or row.previous != rows[at - 1].head)
    ]
    print(f"{len(rows)} links in {len(begun)} chains: none was changed, dropped or put in. Heads:")
    for end in [*begun[1:], len(rows)] if rows else ():
        print(f"  {rows[end - 1].head.hex()}")
    if gone := purged(anchors):
        print(gone)
    return 0
