"""Messages: kept as they were received, found by any key, repeated without taking effect twice."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from canonical.records import RECORDS
from gateway.store.keys import asked, identifier_keys, message_keys, sought
from gateway.store.postgres.database import Connection, Row
from gateway.store.postgres.keeping import columns
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import SHIFT, month_of, month_of_id, span_of_id
from gateway.store.postgres.records import Records
from gateway.store.postgres.search import ABOVE_ALL, LOT, message_list, message_search, rarity
from gateway.store.protocol import Kept, Key, MessageQuery, Page, Seen, Written

SQL = named("messages.sql")
NOTHING = (("", ""),)  # a key that no message has
LATE = 600_000_000  # no message waits longer for its commit: what came that long before has a lower row number

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Kept).decode


class Messages(Records):
    """The store's verbs on messages."""

    async def message(self, tenant: str, identity: str) -> Kept | None:
        """A message with its bytes."""
        row = await self._one(SQL["message"], identity, tenant, *span_of_id(identity))
        row = row or await self._one(SQL["aside"], identity, tenant)
        return replace(self._message(row), raw=self.vault.unseal(row["raw"], f"{identity}/raw")) if row else None

    async def messages(self, query: MessageQuery) -> Page[Kept]:
        """A search, newest first; see MessageQuery."""
        place = await self._number(SQL["place"], query.after[1]) if query.after else None
        if query.keys or query.record:
            found = await self._by_key(query, place)
        else:
            text, parameters = message_list(query, place)
            found = [self._message(row) for row in await self._all(text, *parameters)]
        items = [replace(one, ack=b"") for one in found[: query.limit]]
        return Page(items=items, next=(items[-1].received_at, items[-1].id) if len(found) > query.limit else None)

    async def heard(self, tenant: str, since: int) -> dict[str, int]:
        """When each feed brought its last message."""
        first = month_of(since - LATE) << SHIFT
        return {row["feed"]: row["at"] for row in await self._all(SQL["heard"], tenant, since, first)}

    async def _by_key(self, query: MessageQuery, place: int | None) -> list[Kept]:
        """Month by month, from the newest lot to the oldest, more of them at a time the longer nothing is found."""
        groups, exact = await self._groups(query)
        low = await self._number(SQL["before"], query.tenant, query.received_from - LATE) if query.received_from else 0
        found: list[Kept] = []
        bound = place or ABOVE_ALL
        while len(found) <= query.limit and (top := await self._number(SQL["top"], bound)) > low:
            month = top >> SHIFT << SHIFT
            first = max(low, await self._number(SQL["bottom"], month))
            found += await self._in_lots(query, place, groups, exact, (top // LOT, first // LOT), len(found))
            bound = month
        return found

    async def _in_lots(
        self,
        query: MessageQuery,
        place: int | None,
        groups: list[list[int]],
        exact: set[Key],
        lots: tuple[int, int],
        already: int,
    ) -> list[Kept]:
        (top, low), span = lots, 1
        found: list[Kept] = []
        while top >= low and already + len(found) <= query.limit:
            bottom = max(low, top - span + 1)
            text, parameters = message_search(query, place, groups, (top, bottom))
            rows = await self._all(text, *parameters)
            found += [one for one in map(self._message, rows) if exact <= message_keys(one)]
            if len(rows) > query.limit:  # these lots may hold more
                place = rows[-1]["n"]
            else:
                top, span = bottom - 1, min(span * 4, 1024)
        return found

    async def _groups(self, query: MessageQuery) -> tuple[list[list[int]], set[Key]]:
        """What to look for in the index, and what must then stand in the message itself.

        An identifier that a record holds is not indexed again with each message about it: those are found through the
        record, and are only candidates.
        """
        keys = [key for group in asked((key,) for key in query.keys) for key in group or NOTHING]
        keys += [("record", query.record)] if query.record else []
        exact = {key for key in keys if key[0] == "identifier"}
        keys.sort(key=lambda key: rarity((key,)))
        return [await self._candidates(query.tenant, key) for key in keys], exact

    async def _candidates(self, tenant: str, key: Key) -> list[int]:
        digests = [self.digests(tenant, "message", *key)]
        if key[0] == "identifier":
            held = [digest for kind in RECORDS for digest in self.digests.of(tenant, f"record:{kind}", sought((key,)))]
            records = await self._all(SQL["about"], held)
            digests += [self.digests(tenant, "message", "record", row[0]) for row in records]
        return digests

    async def _number(self, sql: str, *parameters: object) -> int:
        row = await self._one(sql, *parameters)
        return row[0] if row else 0

    def _message(self, row: Row) -> Kept:
        """A message without its bytes."""
        return replace(self._body(row["id"], row["body"]), duplicates=row["duplicates"])

    def _body(self, identity: str, sealed: bytes) -> Kept:
        return decode(self.vault.unseal(sealed, f"{identity}/message"))

    def _seal_body(self, one: Kept) -> bytes:
        return self.vault.seal(encode(replace(one, raw=b"")), f"{one.id}/message")

    # -- for a unit

    def _looking(self, tenant: str, sent: Sequence[tuple[str, bytes]]) -> str:
        """How a unit holds the dedup keys that it looks for, so that no other keeps a message under one unseen.

        It goes with BEGIN, which takes no parameters; the keys are numbers of ours. In their order, and of very many
        all at once, as with the numbers of records (records.py).
        """
        everything = self.digests(tenant, "lock", "dedup", "")
        keys = sorted({self.digests(tenant, "dedup", "", dedup) for dedup, _ in sent})
        if len(keys) > self.most_locks:
            return SQL["look_alone"].replace("$1", str(everything))
        listed = "{" + ",".join(map(str, keys)) + "}"
        return SQL["look"].replace("$1", str(everything)).replace("$2", f"'{listed}'")

    async def _seen(
        self, connection: Connection, tenant: str, sent: Sequence[tuple[str, bytes]], since: int
    ) -> dict[str, list[Seen]]:
        digests = [self.digests(tenant, "dedup", "identifier", dedup) for dedup, _ in sent]
        seen: dict[str, list[Seen]] = {}
        for row in await connection.fetch(SQL["seen"], digests, [content for _, content in sent], since):
            found = seen.setdefault(sent[row["place"] - 1][0], [])
            known = self._known(row)
            if known not in found:
                found.append(known)
        return seen

    def _known(self, row: Row) -> Seen:
        ack = self._body(row["id"], row["body"]).ack if row["body"] else None
        return Seen(id=row["id"], hash=row["hash"], received_at=row["received_at"], ack=ack)

    async def _keep_messages(
        self, connection: Connection, messages: Sequence[Kept], records: Sequence[Written]
    ) -> None:
        if not messages:
            return
        held = _held(records)
        keys = [(place, digest) for place, one in enumerate(messages, 1) for digest in self._key_digests(one, held)]
        rows = [self._message_row(one) for one in messages]
        await connection.execute(SQL["add"], *columns(rows), *(columns(keys) if keys else ([], [])))

    def _key_digests(self, one: Kept, held: Mapping[str, set[Key]]) -> list[int]:
        """The digests that a message is indexed by: not what its records are found by for good."""
        keys = message_keys(one).difference(*[held[identity] for identity in one.records if identity in held])
        return sorted(self.digests.of(one.tenant, "message", keys))

    def _message_row(self, one: Kept) -> tuple[object, ...]:
        month = month_of_id(one.id)
        if month is None:
            raise ValueError("a message's id is not an id of ours")
        head = (one.id, one.tenant, one.feed, one.received_at, one.state, one.type, one.event, one.duplicates)
        raw = self.vault.seal(one.raw, f"{one.id}/raw")
        dedup = self.digests(one.tenant, "dedup", "identifier", one.dedup)
        return (*head, dedup, one.hash, self._seal_body(one), raw, month << SHIFT)

    async def _repeat(self, connection: Connection, identities: Sequence[str]) -> None:
        if identities:
            times = sorted(Counter(identities).items())
            await connection.executemany(SQL["repeat"], [(one, n, *span_of_id(one)) for one, n in times])

    async def _remap(self, connection: Connection, replayed: Sequence[Kept], records: Sequence[Written]) -> None:
        """Messages mapped again: what became of them, what they are found by, and how they are answered now."""
        held = _held(records) if replayed else {}
        for one in sorted(replayed, key=lambda one: one.id):
            row = await connection.fetchrow(SQL["mapped"], one.id, one.tenant, *span_of_id(one.id))
            if row is None:
                continue
            n, before = row["n"], self._body(one.id, row["body"])
            now = replace(one, received_at=before.received_at)
            await connection.execute(SQL["drop_keys"], n, self._key_digests(before, {}))
            await connection.execute(SQL["add_keys"], n, self._key_digests(now, held))
            await connection.execute(SQL["remap"], n, now.state, now.type, now.event, self._seal_body(now))


def _held(records: Sequence[Written]) -> dict[str, set[Key]]:
    return {one.after.id: identifier_keys(one.after) for one in records}
