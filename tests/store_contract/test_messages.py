"""Messages: found by what stands in them, newest first."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from canonical.problems import Problem
from gateway.store.keys import words
from gateway.store.protocol import Batch, Kept, MessageQuery, Store
from tests.store_contract import made
from tests.store_contract.conftest import keep

PROBLEM = Problem(code="DQ-DATE", path="PID-7", detail="this is not a date", field="birth_date")
KEYS = (("identifier", "urn:x|123"), ("name", "Doe"), ("date", "2027-01-15"))
FIRST = made.message(1, keys=KEYS, records=("apt_1", "pat_1", ""), problems=(PROBLEM,), traceparent="00-1", site="abc")
SECOND = made.message(2, keys=KEYS[:1], records=("apt_2", "pat_1"), feed="lab", type="ADT", event="A01")
THIRD = made.message(3, state="parked")


async def test_a_message_is_kept_as_it_was(store: Store) -> None:
    """Every column, the bytes and the answer come back; another tenant sees nothing."""
    await keep(store, Batch(messages=[FIRST]))

    assert await store.message("main", FIRST.id) == FIRST
    assert None is await store.message("other", FIRST.id)


async def test_a_list_has_no_bytes(store: Store) -> None:
    """A search gives everything but what went over the wire."""
    await keep(store, Batch(messages=[FIRST]))
    (listed,) = (await store.messages(MessageQuery(tenant="main"))).items

    assert (b"", b"", (PROBLEM,)) == (listed.raw, listed.ack, listed.problems)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [THIRD, SECOND, FIRST]),
        ({"keys": (("identifier", "urn:x|123"),)}, [SECOND, FIRST]),
        ({"keys": (("identifier", "urn:x|124"),)}, []),
        ({"keys": (("name", "DOE"),)}, [FIRST]),
        ({"keys": (("name", "DOE"), ("date", "2027-01-15"))}, [FIRST]),
        ({"keys": (("name", "DOE"), ("date", "2027-01-16"))}, []),
        ({"keys": (("name", "-"),)}, []),
        ({"keys": (("control_id", "M3"),)}, [THIRD]),
        ({"record": "pat_1"}, [SECOND, FIRST]),
        ({"record": "pat_1", "feed": "lab"}, [SECOND]),
        ({"record": "apt_1"}, [FIRST]),
        ({"feed": "lab"}, [SECOND]),
        ({"state": "parked"}, [THIRD]),
        ({"state": "applied"}, [SECOND, FIRST]),
        ({"type": "ADT"}, [SECOND]),
        ({"event": "S12"}, [THIRD, FIRST]),
        ({"received_from": made.T0 + 2}, [THIRD, SECOND]),
        ({"received_before": made.T0 + 3}, [SECOND, FIRST]),
        ({"received_before": made.T0 + 2, "record": "pat_1"}, [FIRST]),
        ({"received_from": made.T0 + 2, "record": "pat_1"}, [SECOND]),
        ({"received_from": made.T0 + 9, "record": "pat_1"}, []),
    ],
)
async def test_a_message_is_found_by(store: Store, asked: dict[str, Any], expected: list[Kept]) -> None:
    """Any key, record, feed, state, type and time, and any of them together."""
    await keep(store, Batch(messages=[FIRST, SECOND, THIRD]))

    assert [one.id for one in expected] == await made.found(store, **asked)
    assert [one.id for one in expected] == await made.found(store, limit=1, **asked)
    assert [] == await made.found(store, tenant="other", **asked)


async def test_a_rare_key_is_found_among_many(store: Store) -> None:
    """However many messages came since, a key finds its own, and a common one finds all, page by page."""
    many = [made.message(number, keys=(("name", "common"),)) for number in range(2, 3000)]
    await keep(store, Batch(messages=[FIRST, *many]))

    assert [FIRST.id] == await made.found(store, keys=(("name", "doe"),))
    assert [one.id for one in reversed(many)] == await made.found(store, keys=(("name", "common"),), limit=701)


async def test_a_rare_one_is_listed_among_many(store: Store) -> None:
    """What a list is narrowed by is found however many came since, and so is a time long ago."""
    many = [made.message(number) for number in range(4, 3000)]
    await keep(store, Batch(messages=[FIRST, SECOND, THIRD]))
    await keep(store, Batch(messages=many))

    assert [SECOND.id] == await made.found(store, feed="lab", event="A01")
    assert [SECOND.id] == await made.found(store, type="ADT", received_before=made.T0 + 3)
    assert [THIRD.id] == await made.found(store, state="parked", feed="ehr")
    assert [] == await made.found(store, state="parked", feed="lab")
    assert [FIRST.id] == await made.found(store, feed="ehr", received_before=made.T0 + 2)
    assert [one.id for one in many[:1:-1]] == await made.found(store, feed="ehr", received_from=made.T0 + 6, limit=999)


@pytest.mark.parametrize("since", [0, 1020, 2100])
async def test_a_message_mapped_again_is_found_by_what_it_says_now(store: Store, since: int) -> None:
    """However many messages came since, and when more come after; and not by what it was found by before."""
    await keep(store, Batch(messages=[FIRST, SECOND]))
    for first in range(10, 10 + since, 60):
        await keep(store, Batch(messages=[made.message(number) for number in range(first, first + 60)]))
    again = replace(FIRST, keys=(("name", "roe"), KEYS[2]), records=("apt_9",), state="unmapped", event="S13")
    await keep(store, Batch(messages=[made.message(5000)], replayed=[again]))

    async def assert_found() -> None:
        both: dict[str, Any] = {"keys": (("date", "2027-01-15"),)}
        for asked in ({"keys": (("name", "roe"),)}, {"record": "apt_9"}, {"state": "unmapped"}, {"event": "S13"}, both):
            assert [FIRST.id] == await made.found(store, **asked)
        for asked in ({"keys": (("name", "doe"),)}, {"record": "apt_1"}):
            assert [] == await made.found(store, **asked)

    await assert_found()
    await keep(store, Batch(messages=[made.message(number) for number in range(6000, 7100)]))
    await assert_found()


async def test_an_identifier_finds_the_messages_that_have_it(store: Store) -> None:
    """Kept with the records that hold it or without them: what has the identifier is found, and only that."""
    person = made.patient(1, identifiers=(made.identifier("P1"), made.identifier("900", "urn:ssn")))
    mrn, ssn = ("identifier", f"{made.MRN}|P1"), ("identifier", "urn:ssn|900")
    both, one, other = ((mrn, ssn), (mrn,), (("identifier", f"{made.MRN}|P2"),))
    applied = [made.message(n, keys=keys, records=(person.id,)) for n, keys in enumerate((both, one, other, both))]
    unmapped = made.message(9, keys=(ssn,), state="unmapped")
    await keep(store, Batch(messages=applied[:3], records=[made.new(person)]))
    await keep(store, Batch(messages=[applied[3], unmapped], records=[made.confirmed(person, 1)]))

    assert [unmapped.id, applied[3].id, applied[0].id] == await made.found(store, keys=(ssn,), limit=1)
    assert [applied[n].id for n in (3, 1, 0)] == await made.found(store, keys=(mrn,), limit=1)
    assert [applied[3].id, applied[0].id] == await made.found(store, keys=(mrn, ssn))
    assert [applied[2].id] == await made.found(store, keys=other)
    assert [applied[n].id for n in (3, 2, 1, 0)] == await made.found(store, record=person.id, limit=1)


async def test_pages_go_on_where_they_ended(store: Store) -> None:
    """What comes in between two pages does not move the second."""
    await keep(store, Batch(messages=[FIRST, SECOND]))
    page = await store.messages(MessageQuery(tenant="main", limit=1))
    await keep(store, Batch(messages=[THIRD]))
    rest = await store.messages(MessageQuery(tenant="main", limit=1, after=page.next))

    assert ([SECOND.id], [FIRST.id]) == ([one.id for one in page.items], [one.id for one in rest.items])
    assert None is rest.next


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_words_of_words_are_themselves(text: str) -> None:
    """Folding a name's words again changes nothing, so that what is asked meets what was kept."""
    found = words(text)

    assert found == [one for word in found for one in words(word)]
