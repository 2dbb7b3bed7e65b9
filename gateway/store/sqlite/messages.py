"""Messages: kept as they were received, found by any key, repeated without taking effect twice."""

import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from gateway.store.keys import message_keys
from gateway.store.protocol import Kept, MessageQuery, Page, Seen
from gateway.store.sqlite.database import Database, Row
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.search import message_search

SQL = named("messages.sql")
LOT = 1024


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


class Messages(Database):
    """The store's verbs on messages."""

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes."""
        row = self._one(SQL["message"], (identity, tenant))
        return replace(self._message(row), raw=self.vault.unseal(row[-1], f"{identity}/raw")) if row else None

    async def messages(self, query: MessageQuery) -> Page[Kept]:
        """A search, newest first; see MessageQuery."""
        place = self._first(SQL["place"], query.after[1]) if query.after else None
        if query.keys or query.record:
            rows = await self._by_key(query, place)
        else:
            rows = await self._search(*message_search(query, place, self.digests))
        items = [replace(self._message(row), ack=b"") for row in rows[: query.limit]]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return Page(items=items, next=(last[1], last[0]) if last else None)

    async def _by_key(self, query: MessageQuery, place: int | None) -> list[Row]:
        """From the newest lot to the oldest, more of them at a time the longer nothing is found."""
        top = (place or self._first(SQL["last"])) // LOT
        low = self._first(SQL["since"], query.tenant, query.received_from) // LOT if query.received_from else 0
        rows: list[Row] = []
        span = 1
        while top >= low and len(rows) <= query.limit:
            bottom = max(low, top - span + 1)
            rows += await self._search(*message_search(query, place, self.digests, (top, bottom)))
            top, span = bottom - 1, min(span * 4, 1024)
        return rows[: query.limit + 1]

    def _first(self, sql: str, *parameters: object) -> int:
        row = self._one(sql, parameters)
        return row[0] if row else 0

    def _message(self, row: Row) -> Kept:
        """A message without its bytes."""
        identity, _, duplicates, body, *_ = row
        return replace(self._body(identity, body), duplicates=duplicates)

    def _body(self, identity: str, sealed: bytes) -> Kept:
        return decode(self.vault.unseal(sealed, f"{identity}/message"))

    def _seal_body(self, one: Kept) -> bytes:
        return self.vault.seal(encode(replace(one, raw=b"")), f"{one.id}/message")

    # -- for a unit

    def _seen(self, tenant: str, sent: Sequence[tuple[str, bytes]], since: int) -> dict[str, list[Seen]]:
        digests = {self.digests(tenant, "dedup", "", dedup): (dedup, content) for dedup, content in sent}
        known = {row[0] for lot in chunks(list(digests)) for row in self._all(SQL["known"], lot)}
        seen: dict[str, list[Seen]] = {}
        for dedup, content in sent if known else ():
            digest = self.digests(tenant, "dedup", "", dedup)
            rows = self._all(SQL["same"], (digest, content)) + self._all(SQL["other"], (digest, content, since))
            found = seen.setdefault(dedup, [])
            found += [one for one in map(self._known, rows) if one not in found]
        return {dedup: found for dedup, found in seen.items() if found}

    def _known(self, row: Row) -> Seen:
        identity, content, received_at, body = row
        return Seen(id=identity, hash=content, received_at=received_at, ack=self._body(identity, body).ack)

    def _keep_messages(self, writer: sqlite3.Connection, messages: Sequence[Kept]) -> None:
        first = writer.execute(SQL["last"]).fetchone()[0] + 1
        writer.executemany(SQL["add"], [self._message_row(n, one) for n, one in enumerate(messages, first)])
        rows = [(n // LOT, digest, n) for n, one in enumerate(messages, first) for digest in self._key_digests(one)]
        writer.executemany(SQL["add_key"], rows)

    def _key_digests(self, one: Kept) -> set[int]:
        return set(self.digests.of(one.tenant, "message", message_keys(one)))

    def _message_row(self, n: int, one: Kept) -> tuple[object, ...]:
        head = (n, one.id, one.tenant, one.feed, one.received_at, one.state, one.type, one.event, one.duplicates)
        raw = self.vault.seal(one.raw, f"{one.id}/raw")
        return (*head, self.digests(one.tenant, "dedup", "", one.dedup), one.hash, self._seal_body(one), raw)

    def _repeat(self, writer: sqlite3.Connection, identities: Sequence[str]) -> None:
        writer.executemany(SQL["repeat"], [(one,) for one in identities])

    def _remap(self, writer: sqlite3.Connection, replayed: Sequence[Kept]) -> None:
        """Messages mapped again: what became of them and what they are found by; never what was answered."""
        for one in replayed:
            row = writer.execute(SQL["mapped"], (one.id, one.tenant)).fetchone()
            if row is None:
                continue
            n, sealed = row
            before = self._body(one.id, sealed)
            now = replace(one, received_at=before.received_at, ack=before.ack, ack_code=before.ack_code)
            gone, new = self._key_digests(before), self._key_digests(now)
            writer.executemany(SQL["drop_key"], [(n // LOT, digest, n) for digest in gone - new])
            writer.executemany(SQL["add_key"], [(n // LOT, digest, n) for digest in new - gone])
            writer.execute(SQL["remap"], (now.state, now.type, now.event, self._seal_body(now), n))
