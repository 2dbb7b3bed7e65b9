"""PV1, PV2, DG1 and ROL: which visit is meant, what is said of it, where the patient is and with whom."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from canonical.datatypes import Coding
from canonical.records import Encounter
from tests.transforms.hl7v2.adt_story import DOCTOR, OTHER, PID, adt, mrg, pid, pv1, segment, visit
from tests.transforms.hl7v2.story import EAST, all_of, codes, mapped, patch, tell
from transforms.hl7v2.rows import Used


def staff(record: Encounter) -> list[tuple[str, str | None]]:
    """Who takes part, by role."""
    return [(one.role.codings[0].code if one.role else "", one.display) for one in record.participants]


def places(record: Encounter) -> dict[str, tuple[str | None, str | None]]:
    """Where the patient is, was or is expected."""
    return {one.kind: (one.display, one.status) for one in record.placements}


# -- which visit


@pytest.mark.parametrize(
    "numbers",
    [
        {"visit": "V1"},
        {"visit": "", "f50": "ALT1^^^EASTVN"},
        {"visit": "", "f5": "PRE1^^^EASTVN"},
    ],
)
def test_a_visit_is_found_by_any_of_its_numbers(numbers: dict[str, str]) -> None:
    """PV1-19, PV1-50 and PV1-5 each find what the first message made."""
    whole = pv1("V1", f50="ALT1^^^EASTVN", f5="PRE1^^^EASTVN")

    assert visit(adt("A01", 1, pid("A"), whole), adt("A08", 2, pid("A"), pv1(**numbers, f10="ORT"))).service_type


def test_an_account_finds_a_visit_where_its_own_number_does_not() -> None:
    """PID-18; but two visit numbers on one account are two visits."""
    first = adt("A01", 1, pid("A", "X"), pv1("V1"))

    assert visit(first, adt("A08", 2, pid("A", "X"), pv1("", f10="ORT"))).service_type
    working, _ = tell(first, adt("A01", 2, pid("A", "X"), pv1("V2")))
    assert len(all_of(working, Encounter)) == 2


def test_a_number_without_a_type_is_of_the_type_of_its_place() -> None:
    """PV1-19 is a visit number, PID-18 an account."""
    record = visit(adt("A01", 1, pid("A", f18="ACC"), pv1(f19="V1")))

    assert {"VN", "AN"} == {one.type for one in record.identifiers}


def test_a_visit_without_a_number_is_told_by_patient_and_admission() -> None:
    """The number is made of both, so the discharge finds the admission, and a second stay is another."""
    first = adt("A01", 1, pid("A"), pv1("", f2="I", f44="20261120080000"))
    last = adt("A03", 2, pid("A"), pv1("", f2="I", f44="20261120080000", f45="20261121100000"))
    record = visit(first, last)

    assert record.status == "finished"
    assert record.identifiers[0].system == "urn:x-t1:east-sch:visit-of-patient"
    assert "A" not in record.identifiers[0].value
    working, _ = tell(first, adt("A01", 3, pid("A"), pv1("", f2="I", f44="20261121080000")))
    assert len(all_of(working, Encounter)) == 2


def test_a_visit_that_nothing_tells_from_others_is_left_out() -> None:
    """Without a number or a time of admission only the patient is kept, and the problem is listed."""
    said = mapped(adt("A01", 1, pid("A"), pv1("", f2="I", f3="4W^401^A")))

    assert ["patient"] == [one.type for one in said.patches]
    assert {("DQ-REQUIRED-MISSING", "PV1-19")} == codes(said)


def test_a_feed_can_forgo_visits_without_numbers() -> None:
    """`encounters_without_number` is off: a time of admission is not enough."""
    profile = replace(EAST, encounters_without_number=False)
    said = mapped(adt("A01", 1, pid("A"), pv1("", f2="I", f44="20261120080000")), profile)

    assert ["patient"] == [one.type for one in said.patches]


# -- what is said of it


@pytest.mark.parametrize(
    ("sent", "classes"),
    [("I", ["I", "IMP"]), ("O", ["O", "AMB"]), ("E", ["E", "EMER"]), ("P", ["P", "PRENC"]), ("R", ["R"])],
)
def test_the_class_has_its_v3_code_beside_the_sender_s(sent: str, classes: list[str]) -> None:
    """Table 0004; what v3 has no word for keeps its own."""
    record = visit(adt("A01", 1, PID, pv1(f2=sent)))

    assert record.class_
    assert classes == [one.code for one in record.class_.codings]


def test_a_local_class_is_kept_and_said_to_be_unknown() -> None:
    """Until the feed's code map knows it."""
    raw = adt("A08", 1, PID, pv1(f2="OBS"))
    observation = Coding(code="OBSENC", system="http://terminology.hl7.org/CodeSystem/v3-ActCode")
    known = replace(EAST, codes={"HL70004": {"OBS": observation}})

    assert {("DQ-CODE-UNMAPPED", "PV1-2")} == codes(mapped(raw))
    assert codes(mapped(raw, known)) == set()
    record = visit(raw, profile=known)
    assert record.class_
    assert ["OBS", "OBSENC"] == [one.code for one in record.class_.codings]


def test_a_stay_is_read_in_the_zone_of_its_place() -> None:
    """PV1-44 is wall-clock time where the patient is (DOMAIN 2.10)."""
    profile = replace(EAST, location_zones={"WEST": "America/Los_Angeles"})
    raw = adt("A01", 1, PID, pv1(f3="4W^1^A^WEST", f44="20261121080000"))

    assert (visit(raw).start, visit(raw).zone) == ("2026-11-21T13:00:00Z", "America/New_York")
    record = visit(raw, profile=profile)
    assert (record.start, record.zone) == ("2026-11-21T16:00:00Z", "America/Los_Angeles")


def test_an_admission_on_a_date_stays_a_date() -> None:
    """Precision is never widened (DOMAIN 1.0 rule 7)."""
    assert visit(adt("A01", 1, PID, pv1(f44="20261121"))).start == "2026-11-21"


def test_a_code_with_a_date_is_a_code() -> None:
    """PV1-20 (FC) and PV1-37 (DLD)."""
    record = visit(adt("A01", 1, PID, pv1(f20="HMO^20260101~SELF&Self pay^20260101", f37="SNF^20261121")))

    assert [("HMO", None), ("SELF", "Self pay")] == [
        (one.codings[0].code, one.text) for one in record.financial_classes
    ]
    assert record.discharged_to
    assert record.discharged_to.text is None


def test_the_last_of_several_discharges_counts() -> None:
    """PV1-45 repeats where a discharge was cancelled and made again."""
    assert visit(adt("A03", 1, PID, pv1(f45="20261120080000~20261121080000"))).end == "2026-11-21T13:00:00Z"


def test_diagnoses_are_a_list_of_their_own() -> None:
    """Use, rank, day, presence on admission; DG1-21 D takes one away; a new list replaces the old."""
    first = adt(
        "A01",
        1,
        PID,
        pv1(),
        "DG1|1||M17.11^Arthritis^I10||20261120|A|||||||||1|||||||||||Y",
        "DG1|2||I10^^I10|Hypertension||w|||||||||2",
        "DG1|3||E11.9^Diabetes^I10|||W|||||||||||||||D",
    )
    record = visit(first)

    assert [("M17.11", "admitting", 1, "2026-11-20", "Y"), ("I10", "working", 2, None, None)] == [
        (one.code.codings[0].code, one.use, one.rank, one.at, one.present_on_admission) for one in record.diagnoses
    ]
    assert record.diagnoses[1].code.text == "Hypertension"
    assert len(visit(first, adt("A08", 2, PID, pv1(), "DG1|1||I10^^I10")).diagnoses) == 1
    assert len(visit(first, adt("A08", 2, PID, pv1())).diagnoses) == 2


def test_a_protected_visit_is_labelled() -> None:
    """PV2-22 Y is confidentiality R; N takes the label away."""
    protected = adt("A01", 1, PID, pv1(), segment("PV2", {"f22": "Y"}))
    opened = adt("A08", 2, PID, pv1(), segment("PV2", {"f22": "N"}))

    assert ["R"] == [one.codings[0].code for one in visit(protected).security_labels]
    assert visit(protected, opened).security_labels == ()


def test_a_bad_field_costs_itself_only() -> None:
    """A thirteenth month in PV1-44: the rest is kept, and the record says what is wrong with it."""
    record = visit(adt("A01", 1, PID, pv1(f3="4W^401^A", f44="20261301")))

    assert record.start is None
    assert places(record)["assigned"] == ("4W 401 A", "active")
    assert [("data-type-error", "PV1-44", "start")] == [(one.code, one.path, one.field) for one in record.problems]


def test_null_empties_a_field() -> None:
    """`""` is a deletion, nothing sent is none (DOMAIN 1.0 rule 3)."""
    first = adt("A01", 1, PID, pv1(f10="ORT", f3="4W^401^A", f7=DOCTOR))
    record = visit(first, adt("A08", 2, PID, pv1(f10='""', f3='""', f7='""')))

    assert (record.service_type, record.placements, record.participants) == (None, (), ())
    again = visit(first, adt("A08", 2, PID, pv1()))
    assert (bool(again.service_type), len(again.placements), len(again.participants)) == (True, 1, 1)


# -- where, and with whom


def test_each_place_has_its_kind() -> None:
    """PV1-3, -6, -11, -42, -43."""
    record = visit(adt("A02", 1, PID, pv1(f3="4W^1^A", f6="5E^2^B", f11="XRAY", f42="ICU^3", f43="ED^4")))

    assert {
        "assigned": ("4W 1 A", "active"),
        "temporary": ("XRAY", "active"),
        "pending": ("ICU 3", "reserved"),
        "prior": ("5E 2 B", "completed"),
        "prior-temporary": ("ED 4", "completed"),
    } == places(record)


def test_places_speak_for_themselves() -> None:
    """A message that says where the patient is says nothing of where he is expected."""
    record = visit(adt("A15", 1, PID, pv1(f3="4W^1^A", f42="ICU^3")), adt("A08", 2, PID, pv1(f3="4W^1^B")))

    assert {"assigned": ("4W 1 B", "active"), "pending": ("ICU 3", "reserved")} == places(record)


def test_staff_of_one_role_replaces_itself_alone() -> None:
    """A transfer that repeats the attending doctor does not lose the referring ones."""
    first = adt("A01", 1, PID, pv1(f7=DOCTOR, f8=f"{DOCTOR}~{OTHER}", f9=OTHER, f17=DOCTOR, f52=OTHER))

    assert [
        ("ATND", "SUSAN WATSON"),
        ("REF", "SUSAN WATSON"),
        ("REF", "MARCUS JONES"),
        ("CON", "MARCUS JONES"),
        ("ADM", "SUSAN WATSON"),
        ("PART", "MARCUS JONES"),
    ] == staff(visit(first))
    record = visit(first, adt("A02", 2, PID, pv1(f7=OTHER, f8=OTHER)))
    assert [("ATND", "MARCUS JONES"), ("REF", "MARCUS JONES")] == staff(record)[:2]
    assert len(record.participants) == 5


def test_roles_of_the_visit_are_staff_too() -> None:
    """ROL behind PV1; not that of a procedure, nor one whom PV1 names in that role already."""
    raw = adt(
        "A01",
        1,
        PID,
        f"ROL|1|AD|PP^^HL70443|{OTHER}",
        pv1(f7=DOCTOR),
        "PV2|",
        f"ROL|2|AD|AT^^HL70443|{DOCTOR}",
        f"ROL|3|AD|FHCP^^HL70443|{OTHER}",
        "PR1|1||X^Y^L",
        f"ROL|4|AD|CP^^HL70443|{OTHER}",
    )
    record = visit(raw)

    assert [("ATND", "SUSAN WATSON"), ("FHCP", "MARCUS JONES")] == staff(record)
    gone = adt("A08", 2, PID, pv1(), f"ROL|3|DE|FHCP^^HL70443|{OTHER}")
    assert [("ATND", "SUSAN WATSON")] == staff(visit(raw, gone))


def test_every_field_can_say_where_it_came_from() -> None:
    """Lineage names the patch, the field and the place."""
    trace: list[Used] = []
    said = mapped(adt("A01", 1, PID, pv1(f2="I", f7=DOCTOR, f44="20261121080000")), trace=trace)
    number = said.patches.index(patch(said, "encounter"))

    found = {(one.field, one.path) for one in trace}

    assert {
        (f"{number}.class_", "PV1-2"),
        (f"{number}.start", "PV1-44"),
        (f"{number}.participants", "PV1-7"),
        (f"{number}.identifiers", "PV1-19"),
        (f"{number}.account", "PID-18"),
        ("0.birth_date", "PID-7"),
    } <= found


@pytest.mark.parametrize("number", ["V1", ""])
@pytest.mark.parametrize("event", ["A06", "A07"])
def test_a_change_of_class_may_change_the_account(event: str, number: str) -> None:
    """MRG-3 of an A06 is the account that the visit had: one visit, in any order, with and without a visit number."""
    first = adt("A04", 1, pid("A", "ACC0"), pv1(number, f2="O"))
    changed = adt(event, 2, pid("A", "ACC1"), mrg("A", f3="ACC0^^^EASTACC^AN"), pv1(number, f2="I"))
    for order in ((first, changed), (changed, first)):
        record = visit(*order)
        assert ("in-progress", "ACC1") == (record.status, record.account.value if record.account else "")
        assert {("ACC0", "old"), ("ACC1", None)} | ({("V1", None)} if number else set()) == {
            (one.value, one.use) for one in record.identifiers
        }


def test_a_change_of_class_may_change_the_visit_number() -> None:
    """MRG-5 of an A06; a MRG that repeats the numbers changes none."""
    first = adt("A04", 1, pid("A", "ACC1"), pv1("V1", f2="O"))
    renumbered = adt("A06", 2, pid("A", "ACC1"), mrg("A", f5="V1^^^EASTVN^VN"), pv1("V2", f2="I"))
    same = adt("A06", 2, pid("A", "ACC1"), mrg("A", f3="ACC1^^^EASTACC^AN", f5="V1^^^EASTVN^VN"), pv1("V1", f2="I"))

    assert {"ACC1": None, "V1": "old", "V2": None} == {
        one.value: one.use for one in visit(first, renumbered).identifiers
    }
    assert {"ACC1": None, "V1": None} == {one.value: one.use for one in visit(first, same).identifiers}


def test_a_class_that_the_event_implies_comes_from_the_event() -> None:
    """A06 without PV1-2."""
    trace: list[Used] = []
    mapped(adt("A06", 1, PID, pv1(f10="ORT")), trace=trace)
    assert ["MSH-9.2"] == [one.path for one in trace if one.field.endswith(".class_")]


def test_a_discharge_ends_what_was_reserved() -> None:
    """Nobody waits for a patient who has left, whether the A03 repeats PV1-42 or not."""
    planned = adt("A15", 2, PID, pv1(f3="4W^401^A", f42="5E^1^B"))
    for discharge in (adt("A03", 3, PID, pv1(f3="4W^401^A", f42="5E^1^B")), adt("A03", 3, PID, pv1(f3="4W^401^A"))):
        assert {"assigned": ("4W 401 A", "completed")} == places(visit(planned, discharge))


@pytest.mark.parametrize("event", ["A01", "A06", "A11", "A23", "A27", "A38"])
def test_an_admission_and_its_cancel_end_what_was_reserved(event: str) -> None:
    """The bed of an A14 is taken or set free, though the message does not repeat it."""
    pending = adt("A14", 1, PID, pv1(f2="P", f42="4W^401^A"))
    assert {"pending": ("4W 401 A", "reserved")} == places(visit(pending))
    assert {} == places(visit(pending, adt(event, 2, PID, pv1(f2="I"))))


@pytest.mark.parametrize(
    ("told", "held"),
    [
        ("A01 A03", "completed"),
        ("A01 A03 A13", "active"),
        ("A05 A01", "active"),
        ("A05 A38", "completed"),
        ("A05 A01 A38", "active"),  # without effect: the patient is there
        ("A01 A03 A11", "completed"),
        ("A01 A23", "completed"),
        ("A01 A21", "active"),
    ],
)
@pytest.mark.parametrize("place", [{}, {"f3": "4W^401^A"}], ids=["once", "each time"])
def test_a_place_is_what_the_course_of_the_visit_makes_it(told: str, held: str, place: dict[str, str]) -> None:
    """Whoever is discharged has left the bed, whether that message names it or not, in any order of receipt."""
    first, *then = told.split()
    messages = [adt(first, 1, PID, pv1(f3="4W^401^A"))]
    messages += [adt(event, clock, PID, pv1(**place)) for clock, event in enumerate(then, 2)]
    for order in permutations(messages):
        assert {"assigned": ("4W 401 A", held)} == places(visit(*order))


def test_an_update_does_not_end_a_place() -> None:
    """An A08 with PV1-45 is no discharge: the visit goes on, and so does the bed."""
    record = visit(
        adt("A01", 1, PID, pv1(f3="4W^1")), adt("A08", 2, PID, pv1(f3="4W^1", f42="5E^1", f45="202611211000"))
    )
    assert {"assigned": ("4W 1", "active"), "pending": ("5E 1", "reserved")} == places(record)


def test_an_arrival_ends_the_temporary_place() -> None:
    """A10: the patient is where PV1-3 says."""
    away = adt("A09", 2, PID, pv1(f3="4W^401^A", f11="XRAY^1"))
    back = adt("A10", 3, PID, pv1(f3="4W^401^A"))

    assert {"assigned", "temporary"} == set(places(visit(away)))
    assert {"assigned"} == set(places(visit(away, back)))
