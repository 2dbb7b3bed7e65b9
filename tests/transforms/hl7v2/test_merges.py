"""Merges, moves, renames and links: MRG and the events that carry it (DOMAIN 2.4)."""

from itertools import permutations

import pytest

from canonical.records import Encounter, Patient
from canonical.settle import Working
from tests.transforms.hl7v2.adt_story import adt, mrg, pid, pv1
from tests.transforms.hl7v2.story import all_of, codes, events, mapped, tell


def person(working: Working, number: str) -> Patient:
    """The patient to whom a number belongs and whom nobody replaced."""
    (found,) = [one for one in all_of(working, Patient) if number in numbers(one) and one.status != "merged"]
    return found


def numbers(record: Patient | Encounter) -> dict[str, str | None]:
    """A record's numbers and their use."""
    return {one.value: one.use for one in record.identifiers}


def stays(working: Working) -> dict[str, Encounter]:
    """The encounters that stand, each under each of its numbers."""
    return {
        number: one for one in all_of(working, Encounter) if one.status != "entered-in-error" for number in numbers(one)
    }


# -- patients


@pytest.mark.parametrize("code", ["A18", "A30", "A34", "A36", "A39", "A40"])
def test_a_merge_is_a_merge_by_any_event(code: str) -> None:
    """PID survives, MRG-1 is replaced; messages with the old number are about the survivor."""
    working, done = tell(
        adt("A31", 1, pid("OLD", f7="1970")),
        adt(code, 2, pid("NEW"), mrg("OLD")),
        adt("A31", 3, pid("OLD", f8="F")),
    )
    record = person(working, "NEW")

    assert {"NEW": None, "OLD": None} == numbers(record), "the sender uses the old number again"
    assert (record.birth_date, record.gender) == ("1970", "female")
    assert {"active", "merged"} == {one.status for one in all_of(working, Patient)}
    assert ["patient.created", "patient.merged", "patient.created", "patient.updated"] == events(done, "patient")


def test_every_group_is_a_merge_of_its_own() -> None:
    """A40 repeats its group; one group may name several numbers of its source."""
    raw = adt("A40", 1, pid("A"), mrg("B"), pid("C", place=2), "MRG|D^^^EASTMRN^MR~E^^^EASTMRN^MR")
    working, _ = tell(raw)

    assert [{"A", "B"}, {"C", "D", "E"}] == [
        set(numbers(one)) for one in all_of(working, Patient) if one.status == "active"
    ]


def test_visits_of_a_merged_patient_are_the_survivor_s() -> None:
    """Events of the visit name the survivor; the record keeps whom it was said of."""
    working, done = tell(
        adt("A01", 1, pid("OLD"), pv1("V1")),
        adt("A40", 2, pid("NEW"), mrg("OLD")),
        adt("A03", 3, pid("OLD"), pv1("V1")),
    )

    assert {person(working, "NEW").id} == {event.patient for event in done[2].events}
    assert stays(working)["V1"].patient in {one.id for one in all_of(working, Patient) if one.status == "merged"}


def test_older_numbers_find_where_mrg_1_does_not() -> None:
    """MRG-4 and MRG-2, as PID-2 and PID-4, before 2.3.1; beside MRG-1 they are only retired."""
    working, _ = tell(adt("A34", 1, "PID|1|NEW^^^EASTMRN", mrg(f4="OLD^^^EASTMRN")))
    assert {"NEW", "OLD"} == set(numbers(person(working, "NEW")))

    working, _ = tell(adt("A34", 1, pid("NEW"), mrg("OLD", f4="EXT^^^EASTMRN")))
    assert numbers(person(working, "NEW")) == {"NEW": None, "OLD": "old", "EXT": "old"}


@pytest.mark.parametrize("event", ["A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47", "A48"])
@pytest.mark.parametrize("source", [(), ("MRG|",), ("MRG|W1^^^ABCHP^MB",)])
def test_a_merge_without_a_source_is_parked(event: str, source: tuple[str, ...]) -> None:
    """No MRG, an empty MRG-1, or a member number alone: a person must find out who was meant."""
    said = mapped(adt(event, 1, pid("A"), *source))

    assert said.anchor_missing is not None
    assert ("DQ-REQUIRED-MISSING", "MRG-1") == (said.anchor_missing.code, said.anchor_missing.path)
    assert "error" == said.anchor_missing.severity


def test_one_group_without_a_source_costs_no_other() -> None:
    """The merge that can be made is made; the other is a problem."""
    said = mapped(adt("A40", 1, pid("A"), mrg("B"), pid("C"), "MRG|"))

    assert (None, 1) == (said.anchor_missing, len(said.merges))
    assert {("DQ-REQUIRED-MISSING", "MRG[2]-1")} == codes(said)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_merges_and_visits_in_any_order(order: tuple[int, ...]) -> None:
    """Two merges in a chain and a visit under the oldest number: one patient, one visit."""
    told = [
        adt("A01", 1, pid("A"), pv1("V1")),
        adt("A40", 2, pid("B"), mrg("A")),
        adt("A40", 3, pid("C"), mrg("B")),
        adt("A03", 4, pid("A"), pv1("V1")),
    ]
    working, _ = tell(*(told[place] for place in order))

    assert [{"A", "B", "C"}] == [set(numbers(one)) for one in all_of(working, Patient) if one.status != "merged"]
    assert stays(working)["V1"].status == "finished"


@pytest.mark.parametrize(
    ("code", "now", "before"),
    [
        ("A47", pid("NEW"), mrg("OLD")),
        ("A46", "PID|1|NEW^^^EASTMRN", mrg(f4="OLD^^^EASTMRN")),
        ("A48", "PID|1|||NEW^^^EASTMRN", mrg(f2="OLD^^^EASTMRN")),
    ],
)
def test_a_changed_number_keeps_the_patient(code: str, now: str, before: str) -> None:
    """A46, A47, A48: one record throughout; the old number still finds it."""
    working, done = tell(adt("A31", 1, pid("OLD")), adt(code, 2, now, before), adt("A31", 3, pid("NEW")))

    (record,) = all_of(working, Patient)
    assert numbers(record) == {"NEW": None, "OLD": "old"}
    assert "patient.identifier_changed" in events(done, "patient")


def test_what_both_lists_name_is_not_changed() -> None:
    """A47 with whole lists: the enterprise number in PID-3 and MRG-1 stays in use."""
    changed = "PID|1||NEW^^^EASTMRN^MR~E1^^^EMPI", "MRG|OLD^^^EASTMRN^MR~E1^^^EMPI"
    working, _ = tell(adt("A47", 1, *changed))

    assert numbers(all_of(working, Patient)[0]) == {"NEW": None, "E1": None, "OLD": "old"}


def test_a_number_moves_to_another_patient() -> None:
    """A43: what PID-3 and MRG-1 share leaves whom the rest of MRG-1 names."""
    listed = "PID|1||A^^^EASTMRN^MR~E1^^^EMPI||SMITH"
    working, done = tell(
        adt("A31", 1, listed),
        adt("A43", 2, "PID|1||A^^^EASTMRN^MR~E2^^^EMPI||SMITH", "MRG|A^^^EASTMRN^MR~E1^^^EMPI"),
        adt("A31", 3, pid("A", f7="1970")),
    )

    assert [{"E1": None}, {"A": None, "E2": None}] == [numbers(one) for one in all_of(working, Patient)]
    assert [None, "1970"] == [one.birth_date for one in all_of(working, Patient)]
    assert "patient.identifier_changed" in events(done[1:2], "patient")


def test_a_move_without_a_common_number_moves_nothing() -> None:
    """It would be a merge in disguise: the problem is listed, both patients stay."""
    said = mapped(adt("A43", 1, pid("A"), mrg("B")))

    assert {("DQ-REQUIRED-MISSING", "MRG-1")} == codes(said)
    assert len(said.patches) == 1


def test_two_patients_are_linked_and_unlinked() -> None:
    """A24, A37: both stay, each names the other."""
    both = pid("A"), pid("B", place=2)
    working, done = tell(adt("A24", 1, *both))
    one, other = all_of(working, Patient)

    assert [("seealso", other.id)] == [(link.type, link.other) for link in one.links]
    assert ["patient.linked"] * 2 == events(done, "patient")
    working, _ = tell(adt("A24", 1, *both), adt("A37", 2, *both))
    assert not any(one.links for one in all_of(working, Patient))


def test_a_link_needs_two() -> None:
    """One patient alone is updated, and the problem listed."""
    assert {("DQ-REQUIRED-MISSING", "PID-3")} == codes(mapped(adt("A24", 1, pid("A"))))


# -- accounts and visits


@pytest.mark.parametrize("code", ["A35", "A36", "A41", "A49"])
def test_accounts_merge(code: str) -> None:
    """Every visit on MRG-3 is on PID-18; the old number still finds it."""
    told = [
        adt("A01", 1, pid("A", "X"), pv1("V1")),
        adt("A01", 2, pid("A", "X"), pv1("V2")),
        adt(code, 3, pid("A", "Y"), mrg("B" if code == "A36" else "A", f3="X^^^EASTACC")),
    ]
    working, _ = tell(*told)
    found = stays(working)

    assert ["Y", "Y"] == [one.account.value for one in (found["V1"], found["V2"]) if one.account]
    assert numbers(found["V1"]) == {"V1": None, "Y": None, "X": "old"}


def test_an_account_merged_before_its_visit_is_heard_of() -> None:
    """The visit that comes late is on the new account."""
    late = adt("A01", 1, pid("A", "X"), pv1("V1"))
    working, _ = tell(adt("A41", 2, pid("A", "Y"), mrg("A", f3="X^^^EASTACC")), late)
    record = stays(working)["V1"]

    assert record.account
    assert (record.account.value, record.status) == ("Y", "in-progress")


@pytest.mark.parametrize("segments", [(pid("A"), mrg("A", f3="X^^^EASTACC")), (pid("A", "Y"), mrg("A"))])
def test_a_merge_of_accounts_needs_both(segments: tuple[str, str]) -> None:
    """The patient is updated, the problem listed."""
    said = mapped(adt("A41", 1, *segments))

    assert ["patient"] == [one.type for one in said.patches]
    assert ["DQ-REQUIRED-MISSING"] == [code for code, _ in codes(said)]


def test_an_account_moves_with_its_visits() -> None:
    """A44: they belong to the patient of PID; the patients stay two."""
    working, done = tell(
        adt("A01", 1, pid("A", "X"), pv1("V1")),
        adt("A01", 2, pid("A", "X"), pv1("V2")),
        adt("A44", 3, pid("B", "X"), mrg("A", f3="X^^^EASTACC")),
    )
    found = stays(working)

    assert {person(working, "B").id} == {found["V1"].patient, found["V2"].patient}
    assert ["encounter.moved"] * 2 == events(done[2:], "encounter")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_visits_move_one_by_one(order: tuple[int, ...]) -> None:
    """A45: each visit of the message, to another patient and account, in any order of receipt."""
    told = [
        adt("A01", 1, pid("A", "X"), pv1("V1")),
        adt("A01", 2, pid("A", "X"), pv1("V2")),
        adt("A45", 3, pid("B", "Y"), mrg("A", f3="X^^^EASTACC", f5="V1^^^EASTVN"), pv1("V1")),
    ]
    working, _ = tell(*(told[place] for place in order))
    found = stays(working)

    assert (found["V1"].patient, found["V2"].patient) == (person(working, "B").id, person(working, "A").id)
    assert numbers(found["V1"]) == {"V1": None, "Y": None}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_visits_merge(order: tuple[int, ...]) -> None:
    """A42: two encounters become one; what was said of either stands on it."""
    told = [
        adt("A01", 1, pid("A"), pv1("V1", f10="ORT")),
        adt("A01", 2, pid("A"), pv1("V2", f14="7")),
        adt("A42", 3, pid("A"), mrg("A", f5="V1^^^EASTVN"), pv1("V2")),
    ]
    working, _ = tell(*(told[place] for place in order))
    record = stays(working)["V2"]

    assert record is stays(working)["V1"]
    assert (bool(record.service_type), bool(record.admit_source), record.status) == (True, True, "in-progress")


@pytest.mark.parametrize(
    ("code", "field", "now"), [("A50", "f5", pv1("V2")), ("A51", "f6", pv1("", f50="V2^^^EASTVN"))]
)
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_visit_is_known_by_another_number(code: str, field: str, now: str, order: tuple[int, ...]) -> None:
    """A50 and A51: one encounter, found by both."""
    told = [
        adt("A01", 1, pid("A"), pv1("V1", f10="ORT")),
        adt(code, 2, pid("A"), mrg("A", **{field: "V1^^^EASTVN"}), now),
        adt("A03", 3, pid("A"), pv1("V2")),
    ]
    working, _ = tell(*(told[place] for place in order))
    record = stays(working)["V2"]

    assert record is stays(working)["V1"]
    assert numbers(record) == {"V2": None, "V1": "old"}
    assert (bool(record.service_type), record.status) == (True, "finished")


@pytest.mark.parametrize("code", ["A42", "A50", "A51"])
def test_a_merge_of_visits_needs_the_former_number(code: str) -> None:
    """The patient is updated, the problem listed."""
    said = mapped(adt(code, 1, pid("A"), mrg("A"), pv1("V2")))

    assert ["patient"] == [one.type for one in said.patches]
    assert ["DQ-REQUIRED-MISSING"] == [one for one, _ in codes(said)]
