"""What goes in the end: messages by their days, events with their deliveries, the oldest audit; and what is on hold.

A verb takes a bounded number of rows away in one transaction, with the writer's turn: a commit waits for no more than
that. What is deleted is overwritten. The room that becomes free is used again; the file does not shrink.
"""

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from gateway.store.holding import Held, Hold, is_held, records_of
from gateway.store.protocol import Old, Subscription, Tombstone
from gateway.store.sqlite.database import Row
from gateway.store.sqlite.deliveries import SQL as DELIVERIES
from gateway.store.sqlite.deliveries import Deliveries
from gateway.store.sqlite.feed import Feed
from gateway.store.sqlite.ledger import SQL as LEDGER
from gateway.store.sqlite.ledger import Ledger
from gateway.store.sqlite.lot import LOT, placed, places, unpacked
from gateway.store.sqlite.messages import SQL as MESSAGES
from gateway.store.sqlite.messages import Messages
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.records import SQL as RECORDS
from policies.audit import Anchor

SQL = named("retention.sql")
EVENTS_AT_ONCE = 500
ROWS_AT_ONCE = 2500  # of the audit: more than one link covers
CHAIN = "0-embedded"  # one process owns the database, and each goes on with the chain of the one before


class Retention(Messages, Feed, Ledger, Deliveries):
    """The store's verbs on what goes, and on what must not."""

    keeps_months = False

    @asynccontextmanager
    async def _purge(self, kept: Callable[[], None] | None = None) -> AsyncIterator[sqlite3.Connection]:
        """The writer in one transaction that overwrites what it deletes."""
        async with self._turn:
            self._writer.execute("PRAGMA secure_delete = ON")
            try:
                async with self._transaction(kept) as writer:
                    yield writer
            finally:
                self._writer.execute("PRAGMA secure_delete = OFF")

    # -- messages

    async def old_messages(self, tenant: str, after: tuple[int, int], before: int, limit: int) -> list[Old]:
        """Messages of before a moment, oldest first."""
        return [Old(*row) for row in await self._search(SQL["old"], (tenant, *after, before, limit))]

    async def purge_messages(self, tenant: str, old: Sequence[Old]) -> int:
        """Leave a tombstone of each; what is on hold is put aside."""
        gone: list[int] = []
        async with self._purge(lambda: self._newest.forget(gone)) as writer:
            rows = [row for lot in chunks([one.n for one in old]) for row in writer.execute(SQL["going"], lot)]
            held = self._held_of({row[0]: (row[1], row[2], row[3], row[4], row[11]) for row in rows})
            writer.executemany(SQL["put_aside"], [_aside(row) for row in rows if row[0] in held])
            writer.executemany(SQL["add_purged"], [(*row[:7], *row[8:10]) for row in rows])
            writer.executemany(SQL["delete_message"], [row[:1] for row in rows])
            self._unindex(writer, {row[0]: unpacked(row[10]) for row in rows})
            gone += [row[0] for row in rows]
        return len(held)

    async def drop_messages(self, before: int) -> int:
        """Nothing is kept by months here."""
        return 0

    def _held_of(self, rows: Mapping[int, Row]) -> set[int]:
        """Which of some messages (id, tenant, feed, receipt, sealed body) a hold covers, for who has the turn."""
        holds = [one for one in self._holds() if one.released_at is None]
        aliases = {one: frozenset(self._aliases(holds, one)) for one in records_of(holds)}
        found: set[int] = set()
        for n, (identity, tenant, feed, received_at, body) in rows.items() if holds else ():
            records = self._body(identity, body).records if aliases else ()
            message = Held(id=identity, feed=feed, received_at=received_at, records=records)
            if is_held(message, [one for one in holds if one.tenant == tenant], aliases):
                found.add(n)
        return found

    def _aliases(self, holds: Iterable[Hold], record: str) -> list[str]:
        tenant = next(one.tenant for one in holds if one.record == record)
        return [record, *(row[0] for row in self._at_turn(RECORDS["aliases"], (record, tenant)))]

    def _unindex(self, writer: sqlite3.Connection, keys: Mapping[int, frozenset[int]]) -> None:
        """Take messages out of the index; of a lot of which nothing is left, all at once."""
        lots: defaultdict[int, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for n, digests in keys.items():
            for digest in digests if n // LOT < self._newest.number else ():
                lots[n // LOT][digest].add(n % LOT)
        for lot, gone in lots.items():
            if not writer.execute(SQL["has_lot"], (lot * LOT, (lot + 1) * LOT)).fetchone():
                writer.execute(SQL["delete_lot"], (lot,))
                continue
            for digest, taken in gone.items():
                row = writer.execute(MESSAGES["key"], (lot, digest)).fetchone()
                if left := sorted(set(places(row[0])) - taken) if row else []:
                    writer.execute(MESSAGES["put_key"], (lot, digest, placed(left)))
                else:
                    writer.execute(SQL["delete_key"], (lot, digest))

    async def tombstone(self, tenant: str, identity: str) -> Tombstone | None:
        """What is left of a message that was purged."""
        row = self._one(SQL["tombstone"], (identity, tenant))
        return Tombstone(*row) if row else None

    async def forget_messages(self, before: int, limit: int) -> int:
        """Take tombstones away."""
        async with self._purge() as writer:
            return writer.execute(SQL["forget"], (before, limit)).rowcount

    async def oldest_message(self) -> int | None:
        """When the oldest message was received that is kept."""
        return self._first(SQL["oldest_message"]) or None

    # -- what is on hold

    async def purge_aside(self, after: int, limit: int) -> int | None:
        """Take away what was put aside and no hold covers any more."""
        async with self._purge() as writer:
            rows = writer.execute(SQL["aside"], (after, limit)).fetchall()
            held = self._held_of({row[0]: row[1:] for row in rows})
            writer.executemany(SQL["delete_aside"], [row[:1] for row in rows if row[0] not in held])
        return rows[-1][0] if len(rows) == limit else None

    async def holds(self, tenant: str | None = None) -> list[Hold]:
        """The legal holds of a tenant, or of every one."""
        return [one for one in self._holds() if tenant in (None, one.tenant)]

    def _holds(self) -> list[Hold]:
        return [
            msgspec.json.decode(self.vault.unseal(body, identity), type=Hold)
            for identity, body in self._at_turn(SQL["holds"])
        ]

    async def put_hold(self, hold: Hold) -> None:
        """Keep a hold, new or released."""
        body = self.vault.seal(msgspec.json.encode(hold), hold.id)
        async with self._write() as writer:
            writer.execute(SQL["put_hold"], (hold.id, hold.tenant, hold.released_at, body))

    # -- events

    async def oldest_event(self) -> int:
        """The seq of the oldest event that is kept."""
        return self._first(SQL["oldest_event"]) or self._head(self._reader) + 1

    async def purgeable_events(self, before: int, now: int) -> int:
        """The first event that has to stay, of so many of the oldest and the one after them."""
        upto = first = await self.oldest_event()
        for seq, at in self._all(SQL["oldest_events"], (EVENTS_AT_ONCE,)):
            if before <= at <= now:  # what is of the future came by a clock that was wrong
                break
            upto = seq + 1
        followed = self._all(SQL["followed"])[0][0]
        waiting = self._all(SQL["awaited"], (first,))[0][0]
        bounds = (upto, waiting, followed if followed is None else followed + 1)
        return int(min(one for one in bounds if one is not None))

    async def losing(self, upto: int) -> list[Subscription]:
        """The subscriptions that will not receive events below a seq."""
        return [self._subscription(row) for row in self._all(SQL["behind"], (upto,))]

    async def purge_deliveries(self, tenant: str, upto: int, limit: int) -> int:
        """Take deliveries of events below a seq away, with their attempts."""
        async with self._purge() as writer:
            rows = writer.execute(SQL["ended"], (tenant, upto, limit)).fetchall()
            writer.executemany(SQL["delete_attempts"], [(row[1],) for row in rows])
            writer.executemany(SQL["delete_delivery"], [(row[0],) for row in rows])
            for _, _, subscription, lane, _ in filter(lambda row: row[-1], rows):
                writer.execute(DELIVERIES["promote"], (subscription, lane))
        return len(rows)

    async def purge_events(self, upto: int) -> tuple[int, int]:
        """Take events below a seq away."""
        async with self._purge() as writer:
            return writer.execute(SQL["delete_events"], (upto,)).rowcount, 0

    # -- audit

    async def purge_audit(self, before: int, now: int) -> tuple[int, int]:
        """Take the oldest links away, as far as all they cover is old; the newest stays, which the next one follows."""
        async with self._purge() as writer:
            rows = writer.execute(SQL["oldest_audit"], (ROWS_AT_ONCE,)).fetchall()
            stays = next((row for row in rows if before <= row[2] <= now), rows[-1] if rows else None)
            newest = writer.execute(LEDGER["head"]).fetchone()
            if stays is None or not newest or (last := min(stays[1], newest[0]) - 1) < rows[0][1]:
                return 0, 0
            first = next(n for n, link, _ in rows if link > last)
            until = max(at for _, link, at in rows if link <= last)
            (head,) = writer.execute(SQL["link"], (last,)).fetchone()
            gone = writer.execute(SQL["delete_rows"], (first,)).rowcount
            links = writer.execute(SQL["delete_links"], (last,)).rowcount
            writer.execute(SQL["anchor"], (CHAIN, links, gone, head, until))
        return gone, 0

    async def audit_anchors(self) -> list[Anchor]:
        """Where the chain begins."""
        rows = self._all(SQL["anchors"])
        return [Anchor(chain=one, links=links, rows=n, head=head, until=until) for one, links, n, head, until in rows]


def _aside(row: Row) -> Row:
    n, identity, tenant, feed, received_at, _, _, duplicates, *_, body, raw = row
    return (n, identity, tenant, feed, received_at, duplicates, body, raw)
