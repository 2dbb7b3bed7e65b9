"""Records: as they stand, as they were, and found by their keys."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from canonical.datatypes import Placement
from canonical.records import Appointment, Encounter, Record
from gateway.store.protocol import Batch, RecordQuery, Store, Written
from tests.store_contract import made
from tests.store_contract.conftest import keep

JANE, JOSE, OTHER = made.patient(1, "Doe", "Jane"), made.patient(2, "Núñez-Ortega", "José"), made.patient(3, "O'Brien")


async def test_a_record_belongs_to_its_tenant(store: Store) -> None:
    """No verb shows a record to another tenant."""
    booked = made.appointment(1)
    await keep(store, Batch(records=[made.new(booked)]))

    assert booked == await store.record("main", booked.id)
    assert None is await store.record("other", booked.id)
    assert None is await store.version("other", booked.id, 1)
    assert [] == await store.history("other", booked.id)
    assert [] == await store.find("other", "appointment", ("identifier", "A1"))
    assert [] == await made.records(store, "appointment", "other")
    assert [] == await store.aliases("other", booked.id)


async def test_history_has_every_version(store: Store) -> None:
    """Each fresh version is kept as it was, the last one is the record; a version can be read alone."""
    first = made.appointment(1)
    second = made.changed(first, status="arrived")
    third = made.changed(second.after, status="fulfilled")
    for one in (made.new(first), second, third):
        await keep(store, Batch(records=[one]))
    history = await store.history("main", first.id)

    assert [first, second.after, third.after] == [one.record for one in history]
    assert [(1, first.updated_at), (2, second.after.updated_at)] == [(one.version, one.at) for one in history[:2]]
    assert [first, second.after, third.after] == [await store.version("main", first.id, n) for n in (1, 2, 3)]
    assert None is await store.version("main", first.id, 4)


async def test_newer_clocks_make_no_version(store: Store) -> None:
    """A message that only confirms what is known moves the record's clocks and leaves history as it is."""
    first = made.appointment(1)
    await keep(store, Batch(records=[made.new(first)]))
    await keep(store, Batch(records=[made.confirmed(first, 99)]))
    now = replace(first, effective_at=99)

    assert now == await store.record("main", first.id)
    assert [now] == [one.record for one in await store.history("main", first.id)]


STEPS = st.lists(st.tuples(st.sampled_from(["booked", "arrived", "cancelled"]), st.booleans()), max_size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, cuts=st.sets(st.integers(0, 8)))
async def test_groups_do_not_show(store: Store, steps: list[tuple[str, bool]], cuts: set[int]) -> None:
    """However the changes of a record fall into groups, record and history are the same."""
    number = (await store.head()) + 1
    writes: list[Written] = [made.new(made.appointment(number))]
    versions: list[Record] = [writes[0].after]
    for place, (status, fresh) in enumerate(steps):
        before = writes[-1].after
        writes.append(made.changed(before, status=status) if fresh else made.confirmed(before, place))
        versions = [*versions, writes[-1].after] if fresh else [*versions[:-1], writes[-1].after]
    batch = Batch(events=[made.event(number)])
    for place, one in enumerate(writes):
        batch.records.append(one)
        if place in cuts:
            await keep(store, batch)
            batch = Batch()
    await keep(store, batch)

    assert versions[-1] == await store.record("main", versions[-1].id)
    assert versions == [one.record for one in await store.history("main", versions[-1].id)]
    assert [versions[-1].id] == await store.find("main", "appointment", ("identifier", f"A{number}"))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("identifier", "P1"), [JANE]),
        (("identifier", f"{made.MRN}|P1"), [JANE]),
        (("identifier", f" {made.MRN}|P1 "), [JANE]),
        (("identifier", "urn:x|P1"), []),
        (("identifier", "p1"), []),
        (("name", "doe"), [JANE]),
        (("name", "DOE, Jane"), [JANE]),
        (("name", "Doe José"), []),
        (("name", "nunez"), [JOSE]),
        (("name", "JOSÉ"), [JOSE]),
        (("name", "obrien"), [OTHER]),
        (("name", "O\u2019Brien"), [OTHER]),
        (("name", ","), []),
        (("birthdate", "1985-06-12"), [JANE, JOSE, OTHER]),
        (("birthdate", "1985"), []),
    ],
)
async def test_a_patient_is_found_by(store: Store, key: tuple[str, str], expected: list[Record]) -> None:
    """Identifiers match exactly, with or without their system; names word by word without case and accents."""
    await keep(store, Batch(records=[made.new(one) for one in (JANE, JOSE, OTHER)]))

    assert [one.id for one in expected] == await made.records(store, "patient", keys=((key,),))


async def test_a_number_belongs_to_its_system(store: Store) -> None:
    """Many may have one value under many systems: a system tells them apart, on every page and in every order."""
    systems = [f"urn:oid:1.2.{number % 3}" for number in range(9)]
    people = [made.patient(n, identifiers=(made.identifier("7", system),)) for n, system in enumerate(systems)]
    odd = made.patient(9, identifiers=(made.identifier("a|7", "urn:x"),))
    await keep(store, Batch(records=[made.new(one) for one in (*people, odd)]))
    mine = [one.id for one in people[1::3]]
    key = ("identifier", f"{systems[1]}|7")

    for limit in (1, 2, 50):
        assert mine == await made.records(store, "patient", keys=((key,),), limit=limit)
        assert mine[::-1] == await made.records(store, "patient", keys=((key,),), limit=limit, descending=True)
    assert mine == await store.find("main", "patient", key)
    assert [one.id for one in people] == await made.records(store, "patient", keys=((("identifier", "7"),),))
    assert [odd.id] == await made.records(store, "patient", keys=((("identifier", "a|7"),),))
    assert [odd.id] == await made.records(store, "patient", keys=((("identifier", "urn:x|a|7"),),))


async def test_an_appointment_is_found_by_who_takes_part(store: Store) -> None:
    """Patient, provider, location, visit and order each find it; a key that it lost does not."""
    doctor, room = made.provider(1), made.location(1)
    first = made.appointment(
        1,
        JANE.id,
        participants=(made.takes_part(doctor, "provider"), made.takes_part(room, "location")),
        visit=made.identifier("V1"),
        based_on=(made.identifier("O1"),),
    )
    moved = made.changed(first, start="2028-01-01T00:00:00Z", participants=first.participants[:1])
    found_by = {
        ("patient", JANE.id): [first.id],
        ("provider", doctor.id): [first.id],
        ("location", room.id): [],
        ("visit", "V1"): [first.id],
        ("order", f"{made.MRN}|O1"): [first.id],
    }
    await keep(store, Batch(records=[made.new(first)]))
    assert [first.id] == await store.find("main", "appointment", ("location", room.id))
    await keep(store, Batch(records=[moved]))

    assert found_by == {key: await store.find("main", "appointment", key) for key in found_by}


async def test_an_encounter_is_found_by_its_places(store: Store) -> None:
    """A location that an encounter was given finds it."""
    room = made.location(1)
    visit = Encounter(
        id="enc_1",
        tenant="main",
        version=1,
        placements=(Placement(kind="assigned", location=room.id),),
        patient=JANE.id,
    )
    await keep(store, Batch(records=[made.new(visit)]))

    assert ["enc_1"] == await made.records(store, "encounter", keys=((("location", room.id),), (("patient", JANE.id),)))


async def test_keys_are_an_and_of_ors(store: Store) -> None:
    """A record must have one key of every group, and comes once."""
    doctor = made.provider(1)
    part = (made.takes_part(doctor, "provider"),)
    one, two, three = made.appointment(1, JANE.id, participants=part), made.appointment(2, JANE.id), made.appointment(3)
    await keep(store, Batch(records=[made.new(each) for each in (one, two, three)]))
    either = (("patient", JANE.id), ("identifier", "A3"), ("identifier", "A1"))

    assert [one.id, two.id, three.id] == await made.records(store, "appointment", keys=(either,))
    assert [one.id] == await made.records(store, "appointment", keys=(either, (("provider", doctor.id),)))
    assert [] == await made.records(store, "appointment", keys=(either, (("provider", "prv_x"),)))


async def test_merged_patients_are_one(store: Store) -> None:
    """The survivor comes first, then all that were merged into it, whichever of them is asked about."""
    people = [made.patient(number) for number in range(5)]
    await keep(store, Batch(records=[made.new(one) for one in people]))
    into = [made.merged(people[0], people[1]), made.merged(people[2], people[1]), made.merged(people[1], people[3])]
    await keep(store, Batch(records=into))
    names = [one.id for one in people]

    for asked in names[:4]:
        survivor, *others = await store.aliases("main", asked)
        assert (names[3], sorted(names[:3])) == (survivor, sorted(others))
    assert [names[4]] == await store.aliases("main", names[4])
    assert [] == await store.aliases("main", "pat_unknown")
    assert [names[0]] == await store.find("main", "patient", ("identifier", "P0"))


@pytest.mark.parametrize("order", ["created", "start", "updated"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("keys", [(), ((("patient", JANE.id),),), ((("patient", JANE.id), ("patient", JOSE.id)),)])
async def test_pages_are_complete_and_in_order(store: Store, order: Any, descending: bool, keys: Any) -> None:
    """Page after page gives each match once and in order, also where many share a position."""
    days = ["2027-01-02T00:00:00Z", "2027-01-01T00:00:00Z", None]
    booked = [
        made.appointment(n, JANE.id if n % 2 else JOSE.id, start=days[n % 3], updated_at=made.T0 - n % 4)
        for n in range(40)
    ]
    await keep(store, Batch(records=[made.new(one) for one in booked]))
    positions = {"created": lambda one: 0, "start": lambda one: one.start or "", "updated": lambda one: one.updated_at}
    wanted = {identity for group in keys for _, identity in group} or {JANE.id, JOSE.id}
    expected = sorted((one for one in booked if one.patient in wanted), key=positions[order])
    if descending:
        expected = sorted(
            reversed([one for one in booked if one.patient in wanted]), key=positions[order], reverse=True
        )
    asked = {"order": order, "descending": descending, "keys": keys}

    assert [one.id for one in expected] == await made.records(store, "appointment", limit=7, **asked)
    assert [one.id for one in expected] == await made.records(store, "appointment", limit=100, **asked)


async def test_a_page_stays_while_others_come(store: Store) -> None:
    """What is kept between two pages neither repeats nor hides what was there before."""
    booked = [made.appointment(number) for number in range(10)]
    await keep(store, Batch(records=[made.new(one) for one in booked]))
    page = await store.records(RecordQuery(tenant="main", kind="appointment", limit=5))
    late = replace(made.appointment(99), created_at=0, start="2020-01-01T00:00:00Z")
    await keep(store, Batch(records=[made.new(late)]))
    rest = await store.records(RecordQuery(tenant="main", kind="appointment", limit=50, after=page.next))

    assert [one.id for one in (*booked, late)] == [one.id for one in (*page.items, *rest.items)]


MICROS = {"2027-01-01T00:00:00Z": 1_798_761_600_000_000, "2027-02-01T00:00:00Z": 1_801_440_000_000_000}


@pytest.mark.parametrize("keys", [(), ((("patient", JANE.id),),)])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"start_from": MICROS["2027-02-01T00:00:00Z"]}, [2]),
        ({"start_before": MICROS["2027-02-01T00:00:00Z"]}, [1]),
        ({"start_from": MICROS["2027-01-01T00:00:00Z"], "start_before": MICROS["2027-02-01T00:00:00Z"]}, [1]),
        ({"start_from": MICROS["2027-01-01T00:00:00Z"]}, [1, 2]),
        ({"statuses": ("cancelled",)}, [2]),
        ({"statuses": ("cancelled", "booked")}, [1, 2, 3]),
        ({"statuses": ("cancelled", "unheard-of")}, [2]),
        ({"statuses": ("unheard-of",)}, []),
        ({"updated_since": made.T0 + 2}, [2, 3]),
        ({"updated_since": made.T0 + 2, "statuses": ("booked",), "order": "updated"}, [3]),
        ({"start_from": MICROS["2027-01-01T00:00:00Z"], "statuses": ("booked",), "order": "start"}, [1]),
    ],
)
async def test_a_search_is_narrowed_by(store: Store, keys: Any, asked: dict[str, Any], expected: list[int]) -> None:
    """Start, status and time of change narrow a search; what has no start is in no range of starts."""
    booked = {
        1: made.appointment(1, JANE.id, start="2027-01-01T00:00:00Z"),
        2: made.appointment(2, JANE.id, start="2027-02-01T00:00:00Z", status="cancelled"),
        3: made.appointment(3, JANE.id, start=None),
    }
    await keep(store, Batch(records=[made.new(one) for one in (*booked.values(), made.patient(4))]))

    assert [booked[n].id for n in expected] == await made.records(store, "appointment", keys=keys, **asked)


@pytest.mark.parametrize("order", ["created", "start", "updated"])
async def test_a_list_has_every_status(store: Store, order: Any) -> None:
    """Also none at all; in each order, either way, page by page."""
    statuses = ("booked", None, "cancelled", "booked", "noshow", None)
    starts = [f"2027-01-{day}T00:00:00Z" for day in (11, 13, 12, 16, 15, 14)]
    booked = [made.appointment(n, status=statuses[n], start=starts[n]) for n in range(6)]
    await keep(store, Batch(records=[made.new(one) for one in booked]))
    if order == "start":
        booked.sort(key=lambda one: one.start or "")
    for descending, expected in ((False, booked), (True, booked[::-1])):
        asked = {"order": order, "descending": descending}
        assert [one.id for one in expected] == await made.records(store, "appointment", limit=2, **asked)


async def test_a_start_with_an_offset_is_its_instant(store: Store) -> None:
    """Whatever its offset, a start is indexed by its instant; one that cannot be read is none."""
    zoned = made.appointment(1, start="2027-01-01T01:00:00+02:00")
    unread = made.appointment(2, start="soon")
    await keep(store, Batch(records=[made.new(zoned), made.new(unread)]))
    new_year = MICROS["2027-01-01T00:00:00Z"]

    assert [zoned.id] == await made.records(store, "appointment", start_before=new_year)
    assert isinstance(await store.record("main", unread.id), Appointment)
