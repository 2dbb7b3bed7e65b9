"""Messages: kept as they were received, found by any key, repeated without taking effect twice."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from canonical.records import RECORDS
from gateway.store.keys import Digests, asked, message_keys, sought
from gateway.store.protocol import Kept, Key, MessageQuery, Page, Seen, Written
from gateway.store.sqlite.database import Row
from gateway.store.sqlite.lot import LOT, OpenLot, in_lots, packed, placed, places, unpacked
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.records import Records
from gateway.store.sqlite.search import LISTED, key_search, message_list, message_search

SQL = named("messages.sql")
NOTHING = (("", ""),)  # a key that no message has

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


class Messages(Records):
    """The store's verbs on messages."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(directory, key, *retired)
        self._newest = OpenLot()

    async def open(self) -> None:
        """Read again the keys of the newest messages, which the index does not have yet."""
        await super().open()
        begin = self._first(SQL["last"]) // LOT * LOT
        self._newest.learn({n: unpacked(digests) for n, digests in self._all(SQL["newest"], (begin,))})

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes."""
        row = self._one(SQL["message"], (identity, tenant)) or self._one(SQL["aside"], (identity, tenant))
        return replace(self._message(row), raw=self.vault.unseal(row[-1], f"{identity}/raw")) if row else None

    async def messages(self, query: MessageQuery) -> Page[Kept]:
        """A search, newest first; see MessageQuery."""
        place = self._first(SQL["place"], query.after[1]) if query.after else None
        if groups := self._groups(query):
            items = await self._by_key(query, place, groups)
        else:
            items = [self._message(row) for row in await self._search(*message_list(query, place))]
        page = [replace(one, ack=b"") for one in items[: query.limit]]
        return Page(items=page, next=(page[-1].received_at, page[-1].id) if len(items) > query.limit else None)

    async def heard(self, tenant: str, since: int) -> dict[str, int]:
        """When each feed brought its last message."""
        return dict(await self._search(SQL["heard"], (tenant, since)))

    async def _by_key(self, query: MessageQuery, place: int | None, groups: list[list[int]]) -> list[Kept]:
        """First in the lot that is not full, then from the newest to the oldest of the index, more of them at a time
        the longer nothing is found."""
        exact = {key for group in asked((key,) for key in query.keys) for key in group if key[0] == "identifier"}
        top, low = self._lots(query, place)
        wanted = sorted({digest for group in groups for digest in group})
        items: list[Kept] = []
        span = 1
        while top >= low and len(items) <= query.limit:
            if top >= self._newest.number:
                bottom = top = self._newest.number
                numbers = self._newest.found(groups)
            else:
                bottom = max(low, top - span + 1)
                numbers = in_lots(await self._search(*key_search(wanted, top, bottom)), groups)
            rows = await self._search(*message_search(query, place, numbers)) if numbers else []
            items += [one for one in map(self._message, rows) if exact <= message_keys(one)]
            if len(rows) > query.limit:  # these lots may hold more
                place = rows[-1][0]
            else:
                top, span = bottom - 1, min(span * 4, 256)
        return items

    def _lots(self, query: MessageQuery, place: int | None) -> tuple[int, int]:
        """The newest and the oldest lot that may hold what is asked for."""
        top, low = place or self._first(SQL["last"]), 0
        if query.received_before is not None:
            top = min(top, self._first(SQL["before"], query.tenant, query.received_before))
        if query.received_from is not None:
            low = self._first(SQL["since"], query.tenant, query.received_from)
        return top // LOT, low // LOT

    def _groups(self, query: MessageQuery) -> list[list[int]]:
        """What to look for in the index: what is asked for, each with all that it may stand under.

        An identifier that a record holds is not indexed again with each message about it: those are found through the
        record, and are only candidates.
        """
        keys = [key for group in asked((key,) for key in query.keys) for key in group or NOTHING]
        keys += [("record", query.record)] if query.record else []
        listed = [(column, value) for column in LISTED if (value := getattr(query, column)) is not None]
        groups = [self._candidates(query.tenant, key) for key in keys]
        return groups + [[self.digests(query.tenant, "listed", *one)] for one in listed]

    def _candidates(self, tenant: str, key: Key) -> list[int]:
        digests = [self.digests(tenant, "message", *key)]
        if key[0] == "identifier":
            held = [digest for kind in RECORDS for digest in self.digests.of(tenant, f"record:{kind}", sought((key,)))]
            records = [row[0] for lot in chunks(held) for row in self._all(SQL["about"], lot)]
            digests += [self.digests(tenant, "message", "record", one) for one in records]
        return digests

    def _first(self, sql: str, *parameters: object) -> int:
        row = self._one(sql, parameters)
        return row[0] if row else 0

    def _message(self, row: Row) -> Kept:
        """A message without its bytes."""
        _, identity, _, duplicates, body, *_ = row
        return replace(self._body(identity, body), duplicates=duplicates)

    def _body(self, identity: str, sealed: bytes) -> Kept:
        return decode(self.vault.unseal(sealed, f"{identity}/message"))

    def _seal_body(self, one: Kept) -> bytes:
        return self.vault.seal(encode(replace(one, raw=b"")), f"{one.id}/message")

    # -- for a unit

    def _seen(self, tenant: str, sent: Sequence[tuple[str, bytes]], since: int) -> dict[str, list[Seen]]:
        digests = {self.digests(tenant, "dedup", "identifier", dedup): (dedup, content) for dedup, content in sent}
        known = {row[0] for lot in chunks(list(digests)) for row in self._at_turn(SQL["known"], lot)}
        seen: dict[str, list[Seen]] = {}
        for dedup, content in sent if known else ():
            digest = self.digests(tenant, "dedup", "identifier", dedup)
            rows = self._at_turn(SQL["same"], (digest, content))
            rows += self._at_turn(SQL["other"], (digest, content, since))
            found = seen.setdefault(dedup, [])
            found += [one for one in map(self._known, rows) if one not in found]
        return {dedup: found for dedup, found in seen.items() if found}

    def _known(self, row: Row) -> Seen:
        identity, content, received_at, body = row
        ack = self._body(identity, body).ack if body else None
        return Seen(id=identity, hash=content, received_at=received_at, ack=ack)

    def _keep_messages(
        self, writer: sqlite3.Connection, messages: Sequence[Kept], records: Sequence[Written]
    ) -> dict[int, frozenset[int]]:
        """Write messages; what they are found by, by row number."""
        if not messages:
            return {}
        first = writer.execute(SQL["last"]).fetchone()[0] + 1
        held = self._held(records)
        new = {n: self._key_digests(one, held) for n, one in enumerate(messages, first)}
        rows = [self._message_row(n, new[n], one) for n, one in enumerate(messages, first)]
        writer.executemany(SQL["add"], rows)
        return new

    def _index_keys(self, writer: sqlite3.Connection, keys: Mapping[int, frozenset[int]]) -> None:
        """Write the keys of each lot that is full now that these messages are kept."""
        if rows := self._newest.left(keys):
            writer.executemany(SQL["add_key"], rows)

    def _held(self, records: Sequence[Written]) -> dict[str, frozenset[Key]]:
        return {one.after.id: self._memory.identifiers(one.after) for one in records}

    def _key_digests(self, one: Kept, held: Mapping[str, frozenset[Key]]) -> frozenset[int]:
        """The digests that a message is indexed by: what lists are narrowed by, and its keys, but for what its records
        are found by for good."""
        keys = message_keys(one).difference(*[held[identity] for identity in one.records if identity in held])
        narrowed = listed(self.digests, one.tenant, one.state, one.feed, one.event, one.type)
        return narrowed.union(self.digests.of(one.tenant, "message", keys))

    def _message_row(self, n: int, digests: frozenset[int], one: Kept) -> tuple[object, ...]:
        head = (n, one.id, one.tenant, one.feed, one.received_at, one.state, one.type, one.event, one.duplicates)
        dedup = self.digests(one.tenant, "dedup", "identifier", one.dedup)
        raw = self.vault.seal(one.raw, f"{one.id}/raw")
        return (*head, dedup, one.hash, packed(digests), self._seal_body(one), raw)

    def _repeat(self, writer: sqlite3.Connection, identities: Sequence[str]) -> None:
        if identities:
            writer.executemany(SQL["repeat"], [(one,) for one in identities])

    def _remap(
        self, writer: sqlite3.Connection, replayed: Sequence[Kept], records: Sequence[Written]
    ) -> dict[int, frozenset[int]]:
        """Messages mapped again: what became of them, and how they are answered now; what they are found by now, by row
        number."""
        held = self._held(records) if replayed else {}
        keys: dict[int, frozenset[int]] = {}
        for one in replayed:
            row = writer.execute(SQL["mapped"], (one.id, one.tenant)).fetchone()
            if row is None:
                continue
            n, digests, sealed = row
            now = replace(one, received_at=self._body(one.id, sealed).received_at)
            keys[n] = self._key_digests(now, held)
            if n // LOT < self._newest.number:
                self._reindex(writer, n, unpacked(digests), keys[n])
            state = (now.state, now.type, now.event, packed(keys[n]), self._seal_body(now))
            writer.execute(SQL["remap"], (*state, n))
        return keys

    def _reindex(self, writer: sqlite3.Connection, n: int, before: frozenset[int], now: frozenset[int]) -> None:
        """Change what a message of a full lot is found by."""
        lot, place = divmod(n, LOT)
        for digest in before ^ now:
            row = writer.execute(SQL["key"], (lot, digest)).fetchone()
            sharing = set(places(row[0])) if row else set()
            sharing ^= {place}
            writer.execute(SQL["put_key"], (lot, digest, placed(sorted(sharing))))


@lru_cache(1024)
def listed(digests: Digests, tenant: str, *values: str) -> frozenset[int]:
    """The digests of what lists are narrowed by."""
    return frozenset(digests.of(tenant, "listed", zip(LISTED, values, strict=True)))
