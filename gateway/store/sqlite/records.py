"""Records: by id, by what they are found by, and as they were."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import msgspec

from canonical.apply import survivor_link
from canonical.datatypes import Identifier
from canonical.records import RECORDS, AnyRecord, Record
from canonical.settle import Working
from gateway.store.protocol import Key, Page, RecordQuery, Version
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.named import chunks, named
from gateway.store.sqlite.search import record_search

SQL = named("records.sql")
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyRecord).decode
RECENT = 4096
KINDS = {shape: kind for kind, shape in RECORDS.items()}


class Records(Database):
    """The store's verbs on records."""

    def __init__(self, directory: Path, key: bytes | None = None, *retired: bytes) -> None:
        super().__init__(directory, key, *retired)
        self._recent: dict[str, Record] = {}  # what was committed last: only this process writes, so it is what is kept

    async def record(self, tenant: str, identity: str) -> Record | None:
        """A record as it stands."""
        return self._current(tenant, identity)

    def _current(self, tenant: str, identity: str) -> Record | None:
        if recent := self._recent.get(identity):
            return recent if recent.tenant == tenant else None
        row = self._one(SQL["record"], (identity, tenant))
        return self._record(*row) if row else None

    def _remember(self, records: Iterable[Record]) -> None:
        """Records as they were committed now; those that changed longest ago are forgotten."""
        for one in records:
            self._recent.pop(one.id, None)
            self._recent[one.id] = one
        for identity in list(islice(self._recent, max(0, len(self._recent) - RECENT))):
            del self._recent[identity]

    async def records(self, query: RecordQuery) -> Page[Record]:
        """A search; see RecordQuery."""
        place = self._place(query.after[1]) if query.after else None
        rows = await self._search(*record_search(query, place, self.digests))
        items = [self._record(*row[:3]) for row in rows[: query.limit]]
        last = rows[query.limit - 1] if len(rows) > query.limit else None
        return Page(items=items, next=(last[3], last[0]) if last else None)

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
        return [row[0] for row in self._all(SQL["find"], (self.digests(tenant, f"record:{kind}", *key),))]

    async def survivor(self, tenant: str, patient: str) -> str:
        """The patient that stands for this one after all merges."""
        seen = {patient}
        while (row := self._one(SQL["survivor"], (patient, tenant))) and row[0] and row[0] not in seen:
            patient = row[0]
            seen.add(patient)
        return patient

    async def aliases(self, tenant: str, patient: str) -> list[str]:
        """The survivor first, then every patient that was merged into it."""
        return [row[0] for row in self._all(SQL["aliases"], (patient, tenant))]

    def _place(self, identity: str) -> int | None:
        row = self._one(SQL["place"], (identity,))
        return row[0] if row else None

    def _record(self, identity: str, version: int, body: bytes) -> Record:
        record: Record = decode(self.vault.unseal(body, f"{identity}/{version}"))
        return record

    def _seal_record(self, record: Record) -> bytes:
        return self.vault.seal(encode(record), f"{record.id}/{record.version}")

    # -- for a unit

    def _load(self, tenant: str, working: Working, lookups: Iterable[tuple[str, Identifier]]) -> None:
        """Every record under these identifiers, the patients they belong to, and whoever survived those."""
        digests = {
            self.digests(tenant, f"record:{kind}", "identifier", f"{one.system}|{one.value.strip()}")
            for kind, one in lookups
        }
        places: dict[int, str] = {}
        for lot in chunks(list(digests)):
            places.update(self._all(SQL["loaded"], lot))
        known = self._many(places.values())
        found = [known[places[n]] for n in sorted(places)]
        while found:
            record = found.pop(0)
            if record.id not in working.records:
                working.add(KINDS[type(record)], record)
            for one in (survivor_link(record), getattr(record, "patient", None)):
                if one and one not in working.records and (other := self._current(tenant, one)):
                    found.append(other)

    def _many(self, identities: Iterable[str]) -> dict[str, Record]:
        """Records by their ids, from memory where they changed lately."""
        known = {one: self._recent.get(one) for one in identities}
        for lot in chunks([one for one, record in known.items() if record is None]):
            known.update((row[0], self._record(*row)) for row in self._all(SQL["bodies"], lot))
        found = {one: record for one, record in known.items() if record is not None}
        self._remember(found.values())
        return found
