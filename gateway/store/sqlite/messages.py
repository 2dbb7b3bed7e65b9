"""Messages: kept as they were received, found by any key, repeated without taking effect twice."""

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from canonical.records import RECORDS
from gateway.store.keys import asked, message_keys, sought
from gateway.store.protocol import Kept, Key, MessageQuery, Page, Seen, Written
from gateway.store.sqlite.database import Row
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.records import Records
from gateway.store.sqlite.search import message_list, message_search

SQL = named("messages.sql")
LOT = 1024
NOTHING = (("", ""),)  # a key that no message has

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


class Messages(Records):
    """The store's verbs on messages."""

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes."""
        row = self._one(SQL["message"], (identity, tenant))
        return replace(self._message(row), raw=self.vault.unseal(row[-1], f"{identity}/raw")) if row else None

    async def messages(self, query: MessageQuery) -> Page[Kept]:
        """A search, newest first; see MessageQuery."""
        place = self._first(SQL["place"], query.after[1]) if query.after else None
        if query.keys or query.record:
            found = await self._by_key(query, place)
        else:
            found = [self._message(row) for row in await self._search(*message_list(query, place))]
        items = [replace(one, ack=b"") for one in found[: query.limit]]
        return Page(items=items, next=(items[-1].received_at, items[-1].id) if len(found) > query.limit else None)

    async def heard(self, tenant: str, since: int) -> dict[str, int]:
        """When each feed brought its last message."""
        return dict(await self._search(SQL["heard"], (tenant, since)))

    async def _by_key(self, query: MessageQuery, place: int | None) -> list[Kept]:
        """From the newest lot to the oldest, more of them at a time the longer nothing is found."""
        groups, exact = self._groups(query)
        top = (place or self._first(SQL["last"])) // LOT
        low = self._first(SQL["since"], query.tenant, query.received_from) // LOT if query.received_from else 0
        found: list[Kept] = []
        span = 1
        while top >= low and len(found) <= query.limit:
            bottom = max(low, top - span + 1)
            rows = await self._search(*message_search(query, place, groups, (top, bottom)))
            found += [one for one in map(self._message, rows) if exact <= message_keys(one)]
            if len(rows) > query.limit:  # these lots may hold more
                place = rows[-1][0]
            else:
                top, span = bottom - 1, min(span * 4, 1024)
        return found

    def _groups(self, query: MessageQuery) -> tuple[list[list[int]], set[Key]]:
        """What to look for in the index, and what must then stand in the message itself.

        An identifier that a record holds is not indexed again with each message about it: those are found through the
        record, and are only candidates.
        """
        keys = [key for group in asked((key,) for key in query.keys) for key in group or NOTHING]
        keys += [("record", query.record)] if query.record else []
        exact = {key for key in keys if key[0] == "identifier"}
        return [self._candidates(query.tenant, key) for key in keys], exact

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
        digests = {self.digests(tenant, "dedup", "", dedup): (dedup, content) for dedup, content in sent}
        known = {row[0] for lot in chunks(list(digests)) for row in self._at_turn(SQL["known"], lot)}
        seen: dict[str, list[Seen]] = {}
        for dedup, content in sent if known else ():
            digest = self.digests(tenant, "dedup", "", dedup)
            rows = self._at_turn(SQL["same"], (digest, content))
            rows += self._at_turn(SQL["other"], (digest, content, since))
            found = seen.setdefault(dedup, [])
            found += [one for one in map(self._known, rows) if one not in found]
        return {dedup: found for dedup, found in seen.items() if found}

    def _known(self, row: Row) -> Seen:
        identity, content, received_at, body = row
        return Seen(id=identity, hash=content, received_at=received_at, ack=self._body(identity, body).ack)

    def _keep_messages(self, writer: sqlite3.Connection, messages: Sequence[Kept], records: Sequence[Written]) -> None:
        if not messages:
            return
        first = writer.execute(SQL["last"]).fetchone()[0] + 1
        writer.executemany(SQL["add"], [self._message_row(n, one) for n, one in enumerate(messages, first)])
        held = self._held(records)
        rows = [
            (n // LOT, digest, n) for n, one in enumerate(messages, first) for digest in self._key_digests(one, held)
        ]
        writer.executemany(SQL["add_key"], rows)

    def _held(self, records: Sequence[Written]) -> dict[str, frozenset[Key]]:
        return {one.after.id: self._memory.identifiers(one.after) for one in records}

    def _key_digests(self, one: Kept, held: Mapping[str, frozenset[Key]]) -> set[int]:
        """The digests that a message is indexed by: not what its records are found by for good."""
        keys = message_keys(one).difference(*[held[identity] for identity in one.records if identity in held])
        return self.digests.of(one.tenant, "message", keys)

    def _message_row(self, n: int, one: Kept) -> tuple[object, ...]:
        head = (n, one.id, one.tenant, one.feed, one.received_at, one.state, one.type, one.event, one.duplicates)
        raw = self.vault.seal(one.raw, f"{one.id}/raw")
        return (*head, self.digests(one.tenant, "dedup", "", one.dedup), one.hash, self._seal_body(one), raw)

    def _repeat(self, writer: sqlite3.Connection, identities: Sequence[str]) -> None:
        if identities:
            writer.executemany(SQL["repeat"], [(one,) for one in identities])

    def _remap(self, writer: sqlite3.Connection, replayed: Sequence[Kept], records: Sequence[Written]) -> None:
        """Messages mapped again: what became of them, what they are found by, and how they are answered now."""
        held = self._held(records) if replayed else {}
        for one in replayed:
            row = writer.execute(SQL["mapped"], (one.id, one.tenant)).fetchone()
            if row is None:
                continue
            n, sealed = row
            before = self._body(one.id, sealed)
            now = replace(one, received_at=before.received_at)
            gone, new = self._key_digests(before, {}), self._key_digests(now, held)
            writer.executemany(SQL["drop_key"], [(n // LOT, digest, n) for digest in gone])
            writer.executemany(SQL["add_key"], [(n // LOT, digest, n) for digest in new])
            writer.execute(SQL["remap"], (now.state, now.type, now.event, self._seal_body(now), n))
