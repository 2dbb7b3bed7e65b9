"""Records: by id, by what they are found by, and as they were."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from canonical.apply import survivor_link
from canonical.datatypes import Identifier
from canonical.records import AnyRecord, Record
from canonical.settle import Working
from gateway.store.keys import asked, is_exact, record_keys, sought
from gateway.store.protocol import Key, Page, RecordQuery, Version
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.memory import KINDS, Held, Memory, Number
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.search import record_search

SQL = named("records.sql")
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyRecord).decode


class Records(Database):
    """The store's verbs on records."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(directory, key, *retired)
        self._memory = Memory()

    async def record(self, tenant: str, identity: str) -> Record | None:
        """A record as it stands."""
        return self._current(tenant, identity)

    def _current(self, tenant: str, identity: str) -> Record | None:
        if held := self._memory.records.get(identity):
            return held.record if held.record.tenant == tenant else None
        row = self._one(SQL["record"], (identity, tenant))
        return self._record(*row) if row else None

    async def records(self, query: RecordQuery) -> Page[Record]:
        """A search; see RecordQuery."""
        exact = [group for group in asked(query.keys) if is_exact(group)]
        statuses = () if query.keys else self._statuses(query.tenant, query.kind)
        found: list[tuple[int, Record]] = []
        more = True
        while more and len(found) <= query.limit:
            place = self._place(query.after[1]) if query.after else None
            rows = await self._search(*record_search(query, place, self.digests, statuses))
            more = len(rows) > query.limit
            found += [(row[3], one) for row in rows if _has(one := self._record(*row[:3]), exact)]
            if more:
                query = replace(query, after=(rows[-1][3], rows[-1][0]))
        page = found[: query.limit]
        next_ = (page[-1][0], page[-1][1].id) if len(found) > query.limit else None
        return Page(items=[one for _, one in page], next=next_)

    def _statuses(self, tenant: str, kind: str) -> list[str]:
        return [row[0] for row in self._all(SQL["statuses"], (tenant, kind, tenant, kind))]

    async def history(self, tenant: str, identity: str) -> list[Version]:
        """Every version, oldest first; the last is the record as it stands."""
        rows = self._all(SQL["history"], (identity, tenant))
        past = [self._record(identity, *row) for row in rows]
        now = await self.record(tenant, identity)
        return [
            Version(version=one.version, at=one.updated_at, message=one.message, record=one)
            for one in (*past, *([now] if now else []))
        ]

    async def version(self, tenant: str, identity: str, number: int) -> Record | None:
        """A record as it was in one version."""
        now = await self.record(tenant, identity)
        if now is None or now.version == number:
            return now
        row = self._one(SQL["replaced"], (identity, tenant, number))
        return self._record(identity, number, *row) if row else None

    async def find(self, tenant: str, kind: str, key: Key) -> list[str]:
        """The ids of records under one key."""
        found: list[str] = []
        for digest in self.digests.of(tenant, f"record:{kind}", sought((key,))):
            found += [row[0] for row in self._all(SQL["find"], (digest,))]
        if not is_exact((key,)):
            return found
        return [one for one in found if (record := self._current(tenant, one)) and key in record_keys(record)]

    async def survivor(self, tenant: str, patient: str) -> str:
        """The patient that stands for this one after all merges."""
        seen = {patient}
        while (other := self._replaced_by(tenant, patient)) and other not in seen:
            patient = other
            seen.add(patient)
        return patient

    def _replaced_by(self, tenant: str, patient: str) -> str | None:
        if (held := self._memory.records.get(patient)) and held.record.tenant == tenant:
            return survivor_link(held.record)
        row = self._one(SQL["survivor"], (patient, tenant))
        return row[0] if row else None

    async def aliases(self, tenant: str, patient: str) -> list[str]:
        """The survivor first, then every patient that was merged into it."""
        return [row[0] for row in self._all(SQL["aliases"], (patient, tenant))]

    def _place(self, identity: str) -> int | None:
        row = self._one(SQL["place"], (identity,))
        return row[0] if row else None

    def _record(self, identity: str, version: int, body: bytes) -> Record:
        held = self._memory.records.get(identity)
        if held and held.record.version == version:
            return held.record
        record: Record = decode(self.vault.unseal(body, f"{identity}/{version}"))
        return record

    def _seal_record(self, record: Record) -> bytes:
        return self.vault.seal(encode(record), f"{record.id}/{record.version}")

    # -- for a unit

    def _load(
        self, tenant: str, working: Working, lookups: Iterable[tuple[str, Identifier]], records: Iterable[str]
    ) -> None:
        """Every record under these identifiers or ids, the patients they belong to, and whoever survived those."""
        holders = self._memory.holders
        numbers = {(tenant, kind, one.value.strip()) for kind, one in lookups}
        self._ask([one for one in numbers if one not in holders])
        found = self._many({identity for one in numbers for identity in holders[one]})
        found += [held for identity in dict.fromkeys(records) if (held := self._current(tenant, identity))]
        while found:
            record = found.pop(0)
            if record.id not in working.records:
                working.add(KINDS[type(record)], record)
            for one in (survivor_link(record), getattr(record, "patient", None)):
                if one and one not in working.records and (other := self._current(tenant, one)):
                    found.append(other)

    def _ask(self, numbers: Sequence[Number]) -> None:
        """Learn which records have these numbers."""
        digests = {self.digests(one[0], f"record:{one[1]}", "identifier", one[2]): one for one in numbers}
        found: defaultdict[Number, tuple[str, ...]] = defaultdict(tuple)
        for lot in chunks(list(digests)):
            for digest, identity in self._at_turn(SQL["loaded"], lot):
                found[digests[digest]] += (identity,)
        self._memory.holders.update((one, found[one]) for one in numbers)

    def _many(self, identities: Iterable[str]) -> list[Record]:
        """Records by their ids, in the order of their first keeping, from memory where they changed lately."""
        memory = self._memory.records
        missing = [one for one in identities if one not in memory]
        for lot in chunks(missing):
            for n, *row in self._at_turn(SQL["bodies"], lot):
                self._memory.learn(n, self._record(*row))
        found = sorted([memory[one] for one in identities], key=_place)
        return [one.record for one in found]

    def _places(self, identities: Iterable[str]) -> dict[str, int]:
        """The row numbers of records; 0 where there is none."""
        memory = self._memory.records
        known = {one: memory[one].n if one in memory else 0 for one in identities}
        for lot in chunks([one for one, n in known.items() if not n]):
            known.update(self._at_turn(SQL["places"], lot))
        return known


def _place(held: Held) -> int:
    return held.n


def _has(record: Record, groups: Sequence[Sequence[Key]]) -> bool:
    """Whether a record has a key of each group."""
    return not groups or all(not record_keys(record).isdisjoint(group) for group in groups)
