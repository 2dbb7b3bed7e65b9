"""Referrals, payers' answers and supplies: kept like every record, and found by what they are about."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from canonical.datatypes import Entity, Identifier, Item, Line, Party, Quantity, Source
from canonical.ids import RecordType, new_id
from canonical.records import RECORDS, Record
from canonical.settle import Working
from gateway.store.protocol import Batch, Key, RecordQuery, Store, Written
from tests.store_contract import made
from tests.store_contract.conftest import keep

PATIENT, PROVIDER = new_id("patient", 1, "x"), new_id("provider", 1, "x")
APPOINTMENT, COVERAGE = new_id("appointment", 1, "x"), new_id("coverage", 1, "x")
PAYER = Entity(name="ABC", identifiers=(made.identifier("84261", "urn:naic", "NIIP"),), organization="org_1")
LINE = Line(
    key="1",
    item=Item(identifiers=(made.identifier("100234", "urn:items", "XX"),)),
    quantity=Quantity(value="10", code="EA"),
    vendor=Source(identifier=made.identifier("V100", "urn:vendors", "XX")),
)
FIELDS: dict[RecordType, dict[str, object]] = {
    "organization": {"name": "Núñez Imaging", "aliases": ("North",)},
    "referral": {
        "patient": PATIENT,
        "participants": (Party(kind="provider", actor=PROVIDER),),
        "coverages": (COVERAGE,),
        "start": "2027-03-04",
    },
    "coverage": {"patient": PATIENT, "payer": PAYER, "start": "2027-03"},
    "eligibility": {"patient": PATIENT, "coverage": COVERAGE, "appointment": APPOINTMENT, "payer": PAYER},
    "authorization": {"patient": PATIENT, "appointment": APPOINTMENT, "payer": PAYER},
    "requisition": {"lines": (LINE,), "needed_by": "2027-03-04"},
}
FOUND: list[tuple[RecordType, Key]] = [
    ("organization", ("name", "nunez")),
    ("referral", ("patient", PATIENT)),
    ("referral", ("provider", PROVIDER)),
    ("referral", ("coverage", COVERAGE)),
    ("coverage", ("payer", "84261")),
    ("coverage", ("payer", "urn:naic|84261")),
    ("eligibility", ("coverage", COVERAGE)),
    ("eligibility", ("appointment", APPOINTMENT)),
    ("authorization", ("payer", "org_1")),
    ("authorization", ("appointment", APPOINTMENT)),
    ("requisition", ("item", "100234")),
    ("requisition", ("supplier", "urn:vendors|V100")),
]


def one(kind: RecordType, number: int = 1) -> Record:
    identifiers: Sequence[Identifier] = (made.identifier(f"{kind}{number}"),)
    blank = RECORDS[kind](id=new_id(kind, made.T0 + number, number), tenant="main", identifiers=tuple(identifiers))
    return replace(blank, version=1, status="active", created_at=number, updated_at=number, **FIELDS[kind])


def written(record: Record, kind: str) -> Written:
    return Written(kind=kind, before=None, after=record, fresh=True)


@pytest.mark.parametrize("kind", FIELDS)
async def test_a_record_of_any_kind(store: Store, kind: RecordType) -> None:
    """It comes back as it was kept, by its id and by its number."""
    record = one(kind)
    await keep(store, Batch(records=[written(record, kind)]))

    assert record == await store.record("main", record.id)
    assert [record.id] == await store.find("main", kind, ("identifier", f"{kind}1"))


@pytest.mark.parametrize(("kind", "key"), FOUND)
async def test_what_it_is_found_by(store: Store, kind: RecordType, key: Key) -> None:
    """Only what has the key is found, and only among its own kind."""
    record, other = one(kind), replace(made.patient(7, "Nunez"), id=PATIENT)
    await keep(store, Batch(records=[written(record, kind), written(other, "patient")]))

    assert [record.id] == [found.id for found in (await store.records(query(kind, key))).items]
    assert [] == (await store.records(query(kind, (key[0], "another")))).items
    assert [] == (await store.records(replace(query(kind, key), tenant="other"))).items


async def test_a_month_begins_with_its_first_day(store: Store) -> None:
    """What holds from a month on is found from its first day on."""
    record = one("coverage")
    await keep(store, Batch(records=[written(record, "coverage")]))
    march = 1_803_859_200_000_000  # 2027-03-01

    assert [record] == (await store.records(RecordQuery(tenant="main", kind="coverage", start_from=march))).items
    assert [] == (await store.records(RecordQuery(tenant="main", kind="coverage", start_from=march + 1))).items


def query(kind: str, key: Key) -> RecordQuery:
    return RecordQuery(tenant="main", kind=kind, keys=((key,),))


async def test_a_unit_finds_records_by_id(store: Store) -> None:
    """A command names its record: it is loaded with its patient, and nothing of another tenant is."""
    patient, coverage = replace(made.patient(7), id=PATIENT), one("coverage")
    await keep(store, Batch(records=[written(patient, "patient"), written(coverage, "coverage")]))
    working, theirs = Working(), Working()
    async with store.unit() as unit:
        await unit.load("main", working, (), [coverage.id, new_id("coverage", 1, "nobody")])
        await unit.load("other", theirs, (), [coverage.id])

    assert {coverage.id: coverage, PATIENT: patient} == working.records
    assert {} == theirs.records
