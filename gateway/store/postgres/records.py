"""Records: by id, by what they are found by, and as they were.

What a process remembers of a record is used only where the database says that it is still so: by its revision.
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from canonical.apply import survivor_link
from canonical.datatypes import Identifier
from canonical.records import RECORDS, AnyRecord, Record
from canonical.settle import Working
from gateway.store.keys import asked, is_exact, record_keys, sought
from gateway.store.postgres.database import Connection, Row
from gateway.store.postgres.named import named
from gateway.store.postgres.partitions import Partitions
from gateway.store.postgres.search import record_search
from gateway.store.protocol import Key, Page, RecordQuery, Version

SQL = named("records.sql")
RECENT = 4096  # records that are remembered
KINDS = {shape: kind for kind, shape in RECORDS.items()}
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyRecord).decode


class Remembered(Struct, frozen=True, gc=False):
    """A record as it was at a revision."""

    revision: int
    record: Record


class Records(Partitions):
    """The store's verbs on records."""

    def __init__(self, url: str, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(url, key, *retired)
        self._memory: dict[str, Remembered] = {}

    async def record(self, tenant: str, identity: str) -> Record | None:
        """A record as it stands."""
        row = await self._one(SQL["record"], identity, tenant)
        return self._record(*row) if row else None

    async def records(self, query: RecordQuery) -> Page[Record]:
        """A search; see RecordQuery."""
        exact = [group for group in asked(query.keys) if is_exact(group)]
        statuses = () if query.keys else await self._statuses(query)
        found: list[tuple[int, Record]] = []
        more = True
        while more and len(found) <= query.limit:
            place = await self._place(query.after[1]) if query.after else None
            text, parameters = record_search(query, place, self.digests, statuses)
            rows = await self._all(text, *parameters)
            more = len(rows) > query.limit
            found += [(row[3], one) for row in rows if _has(one := self._record(row[0], row[1], row[2]), exact)]
            if more:
                query = replace(query, after=(rows[-1][3], rows[-1][0]))
        page = found[: query.limit]
        next_ = (page[-1][0], page[-1][1].id) if len(found) > query.limit else None
        return Page(items=[one for _, one in page], next=next_)

    async def _statuses(self, query: RecordQuery) -> list[str]:
        return [row["status"] for row in await self._all(SQL["statuses"], query.tenant, query.kind)]

    async def history(self, tenant: str, identity: str) -> list[Version]:
        """Every version, oldest first; the last is the record as it stands."""
        rows = await self._all(SQL["history"], identity, tenant)
        versions = [self._record(identity, *row) for row in rows]
        return [Version(version=one.version, at=one.updated_at, message=one.message, record=one) for one in versions]

    async def version(self, tenant: str, identity: str, number: int) -> Record | None:
        """A record as it was in one version."""
        now = await self.record(tenant, identity)
        if now is None or now.version == number:
            return now
        row = await self._one(SQL["replaced"], identity, tenant, number)
        return self._record(identity, number, row[0]) if row else None

    async def find(self, tenant: str, kind: str, key: Key) -> list[str]:
        """The ids of records under one key."""
        digests = self.digests.of(tenant, f"record:{kind}", sought((key,)))
        found = list(dict.fromkeys(row[0] for row in await self._all(SQL["find"], sorted(digests))))
        if not is_exact((key,)) or not found:
            return found
        rows = await self._all(SQL["bodies"], found, tenant)
        held = {record.id for record in (self._record(*row) for row in rows) if key in record_keys(record)}
        return [one for one in found if one in held]

    async def survivor(self, tenant: str, patient: str) -> str:
        """The patient that stands for this one after all merges."""
        row = await self._one(SQL["survivor"], patient, tenant)
        return row[0] if row else patient

    async def aliases(self, tenant: str, patient: str) -> list[str]:
        """The survivor first, then every patient that was merged into it."""
        return list(dict.fromkeys(row[0] for row in await self._all(SQL["aliases"], patient, tenant)))

    async def _place(self, identity: str) -> int | None:
        row = await self._one(SQL["place"], identity)
        return row[0] if row else None

    def _record(self, identity: str, version: int, body: bytes) -> Record:
        record: Record = decode(self.vault.unseal(body, f"{identity}/{version}"))
        return record

    def _seal_record(self, record: Record) -> bytes:
        return self.vault.seal(encode(record), f"{record.id}/{record.version}")

    def _learn(self, revision: int, record: Record) -> None:
        """Remember a record that is committed."""
        self._memory.pop(record.id, None)
        self._memory[record.id] = Remembered(revision, record)

    def _forget(self) -> None:
        """Keep to the bound: what was of use longest ago goes."""
        for name in list(islice(self._memory, max(0, len(self._memory) - RECENT))):
            del self._memory[name]


class Taken(Exception):
    """Another unit holds a record that came to light late."""


class Claim:
    """What one unit holds of one tenant: the numbers it looks for, and the records it found.

    Everything that a unit waits for, it waits for in one order: numbers by their digests, then records by their ids.
    A record that comes to light only through another (an appointment's patient, a survivor) is taken without
    waiting; where another unit has it, all is let go, and taken again with that record in its place. So no two units
    ever wait for each other, and what a unit has loaded stays true until it commits.
    """

    def __init__(self, store: Records, tenant: str) -> None:
        self.store = store
        self.tenant = tenant
        self.numbers: set[int] = set()
        self.is_alone = False

    async def lock(self, connection: Connection, numbers: Iterable[int]) -> None:
        """Hold these numbers until the transaction ends, whether a record has them or not."""
        wanted = sorted(set(numbers) - self.numbers)
        if not wanted or self.is_alone:
            return
        everything = self.store.digests(self.tenant, "lock", "tenant", "")
        if not self.numbers:
            self.is_alone = len(wanted) > self.store.most_locks
            await connection.execute(SQL["alone" if self.is_alone else "share"], everything)
        if not self.is_alone:
            await connection.execute(SQL["lock"], wanted)
        self.numbers.update(wanted)

    async def load(
        self,
        connection: Connection,
        working: Working,
        lookups: Iterable[tuple[str, Identifier]],
        records: Iterable[str] = (),
    ) -> None:
        """Fill a working set with every record found, the patients those belong to, and whoever survived them."""
        numbers = {self.number(kind, one) for kind, one in lookups}
        first = set(records)
        while True:
            await connection.execute("SAVEPOINT load")
            await self.lock(connection, numbers)
            try:
                found = await self._found(connection, numbers, first)
            except Taken:
                await connection.execute("ROLLBACK TO SAVEPOINT load")
                self.numbers, self.is_alone = set(), False
                continue
            break
        for record in found:
            if record.id not in working.records:
                working.add(KINDS[type(record)], record)

    def number(self, kind: str, one: Identifier) -> int:
        """What an identifier is locked and looked for by: its value alone, so that systems do not matter."""
        return self.store.digests(self.tenant, f"record:{kind}", "identifier", one.value.strip())

    async def _found(self, connection: Connection, numbers: set[int], first: set[str]) -> list[Record]:
        """The records under these numbers and `first`, then what they lead to; that is added to `first`."""
        holders = await connection.fetch(SQL["holders"], sorted(numbers)) if numbers else []
        asked_for = {row["id"] for row in holders} | first
        found = await self._take(connection, SQL["take"], asked_for) if asked_for else []
        news = found
        while wanted := {other for record in news for other in _others(record)} - asked_for:
            asked_for |= wanted
            first |= wanted
            try:
                news = await self._take(connection, SQL["take_now"], wanted)
            except asyncpg.LockNotAvailableError:
                raise Taken from None
            found += news
        return found

    async def _take(self, connection: Connection, sql: str, wanted: set[str]) -> list[Record]:
        """Records of this tenant, locked in the order of their ids; they come in the order of their first keeping."""
        ids = sorted(wanted)
        known = {one: held for one in ids if (held := self.store._memory.get(one))}
        revisions = [known[one].revision if one in known else 0 for one in ids]
        rows = await connection.fetch(sql, ids, revisions, self.tenant)
        return [self._as_kept(row, known) for row in sorted(rows, key=_place)]

    def _as_kept(self, row: Row, known: dict[str, Remembered]) -> Record:
        body = row["body"]
        record = known[row["id"]].record if body is None else self.store._record(row["id"], row["version"], body)
        self.store._learn(row["revision"], record)
        return record


def _place(row: Row) -> int:
    n: int = row["n"]
    return n


def _others(record: Record) -> Sequence[str]:
    return [one for one in (survivor_link(record), getattr(record, "patient", None)) if one]


def _has(record: Record, groups: Sequence[Sequence[Key]]) -> bool:
    """Whether a record has a key of each group."""
    return not groups or all(not record_keys(record).isdisjoint(group) for group in groups)
