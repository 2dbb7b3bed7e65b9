"""What records are found by, and that digests tell keys apart."""

import pytest

from canonical.records import Location, Patient
from gateway.store.keys import OWN, UNDATED, Digests, asked, message_keys, record_keys, start_of
from tests.store_contract import made


def test_a_digest_depends_on_all_of_a_key() -> None:
    """Tenant, scope, kind, value and the store's secret each make another digest."""
    one = ("main", "record:patient", "identifier", "1")
    others = [(*one[:at], "x", *one[at + 1 :]) for at in range(4)]
    digests = {Digests(b"a")(*each) for each in (one, *others)} | {Digests(b"b")(*one)}

    assert 6 == len(digests)
    assert Digests(b"a")(*one) == Digests(b"a")(*one)
    assert all(-(1 << 63) <= digest < 1 << 63 for digest in digests)


@pytest.mark.parametrize("scope", ["dedup", "record:appointment", "record:encounter"])
def test_numbers_given_out_in_turn_stand_together(scope: str) -> None:
    """A hundred neighbours are close in the index and yet all different; others are elsewhere."""
    digest = Digests(b"a")
    hundred = [digest("main", scope, "identifier", f"F1234{last:02}") for last in range(100)]

    assert 100 == len(set(hundred))
    assert 1 == len({one >> OWN for one in hundred})
    assert hundred[0] >> OWN != digest("main", scope, "identifier", "F123500") >> OWN
    assert hundred[0] >> OWN != digest("other", scope, "identifier", "F123400") >> OWN


@pytest.mark.parametrize("key", [("record:patient", "identifier"), ("record:appointment", "patient")])
def test_people_do_not_stand_beside_those_with_a_similar_number(key: tuple[str, str]) -> None:
    """Nothing can be learnt of a person's number from where it stands."""
    digest = Digests(b"a")

    assert 100 == len({digest("main", *key, f"9001122{last:02}") >> OWN for last in range(100)})


def test_the_keys_of_a_patient() -> None:
    """Identifiers, accounts, words of names and the birth date; never what coverage alone may be found by."""
    someone = Patient(
        id="pat_1",
        tenant="main",
        identifiers=(made.identifier("1"),),
        names=made.patient(1, "Doe", "Jane", "Ann").names,
        accounts=(made.identifier("A"),),
        birth_date="1985",
        coverage_members=(made.identifier("SECRET"),),
    )
    identifiers = {("identifier", "1"), ("identifier", f"{made.MRN}|1"), ("account", "A"), ("account", f"{made.MRN}|A")}
    names = {("name", "doe"), ("name", "jane"), ("name", "ann"), ("birthdate", "1985")}

    assert identifiers | names == record_keys(someone)


def test_the_keys_of_others() -> None:
    """A provider and a place are found by their names."""
    assert {("name", "ada"), ("name", "doctor1")} <= record_keys(made.provider(1))
    assert {("name", "north"), ("name", "2")} <= record_keys(Location(id="loc_1", tenant="main", name="North 2"))


def test_the_keys_of_a_message() -> None:
    """Names word by word, records without the gaps that mentions leave, the control id when there is one."""
    kept = made.message(1, keys=(("name", "Doe^Jane"), ("date", " x ")), records=("", "apt_1"))
    expected = {("name", "doe"), ("name", "jane"), ("date", "x"), ("record", "apt_1")}

    assert expected | {("control_id", "M1")} == message_keys(kept)
    assert expected == message_keys(made.message(1, keys=kept.keys, records=kept.records, control_id=""))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (((("name", "Jane DOE"),),), [(("name", "jane"),), (("name", "doe"),)]),
        (((("name", "Jane"), ("identifier", " 1 ")),), [(("name", "jane"), ("identifier", "1"))]),
        (((("name", "-"),),), [()]),
        ((), []),
    ],
)
def test_what_is_asked_is_folded_like_what_was_kept(
    groups: tuple[tuple[tuple[str, str], ...], ...], expected: object
) -> None:
    """A name alone must match with all its words; one of nothing but signs matches nothing."""
    assert expected == asked(groups)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59Z", -1_000_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00", 0),
        ("later", UNDATED),
        (None, UNDATED),
    ],
)
def test_a_start_is_an_instant_in_microseconds(text: str | None, expected: int) -> None:
    """To the microsecond, whatever the offset; what cannot be read has no start."""
    assert expected == start_of(made.appointment(1, start=text))
