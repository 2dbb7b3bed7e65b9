"""ADT events: what each does to a visit, a person, a bed (DOMAIN 2.2)."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.events import EVENTS as CATALOGUE
from canonical.records import Encounter, Location, Patient
from canonical.status import MACHINES
from tests.transforms.hl7v2.adt_story import DOCTOR, OTHER, PID, adt, patient, pid, pv1, segment, visit
from tests.transforms.hl7v2.story import RECEIVED, all_of, codes, er7, events, mapped, msh, only, tell
from transforms.hl7v2.adt import EVENTS

IN_BED = pv1(f2="I", f3="4W^401^A", f7=DOCTOR)


@pytest.mark.parametrize("code", sorted(code for _, code in EVENTS))
def test_every_event_speaks_in_known_words(code: str) -> None:
    """Its event is one that partners can subscribe to, its status one that a machine knows, its sentence ends."""
    action = EVENTS["ADT", code]

    assert action.code == code
    assert action.event in CATALOGUE
    assert action.status is None or any(action.status in machine for machine in MACHINES.values())
    assert action.says.endswith(".")


def test_the_events_that_were_asked_for_are_there() -> None:
    """A01-A17, A21-A23, A28, A29, A31, A34-A36, A40, A44-A47."""
    asked = [*range(1, 18), 21, 22, 23, 28, 29, 31, 34, 35, 36, 40, 44, 45, 46, 47]

    assert {f"A{number:02d}" for number in asked} <= {code for _, code in EVENTS}


# -- the course of a visit


@pytest.mark.parametrize(
    ("course", "status"),
    [
        ("A01", "in-progress"),
        ("A01 A03", "finished"),
        ("A01 A03 A13", "in-progress"),
        ("A01 A11", "cancelled"),
        ("A01 A02 A11", "cancelled"),
        ("A01 A03 A11", "finished"),
        ("A01 A03 A13 A11", "cancelled"),
        ("A04", "arrived"),
        ("A04 A11", "cancelled"),
        ("A04 A06", "in-progress"),
        ("A06 A07", "in-progress"),
        ("A05", "planned"),
        ("A05 A38", "cancelled"),
        ("A05 A01 A38", "in-progress"),
        ("A14 A27", "cancelled"),
        ("A14 A01 A27", "in-progress"),
        ("A01 A21", "onleave"),
        ("A01 A21 A22", "in-progress"),
        ("A01 A21 A52", "in-progress"),
        ("A01 A21 A22 A53", "onleave"),
        ("A01 A21 A08", "onleave"),
        ("A01 A23", "entered-in-error"),
        ("A01 A23 A08", "entered-in-error"),
        ("A02", "in-progress"),
        ("A08", "in-progress"),
        ("A15", "in-progress"),
        ("A12", "in-progress"),
        ("A11", "cancelled"),
        ("A13", "in-progress"),
        ("A01 A16 A25 A15 A26 A09 A33 A10 A32 A12 A54 A55 A61 A62", "in-progress"),
        ("A05 A16", "planned"),
    ],
)
def test_the_status_after_a_course_of_events(course: str, status: str) -> None:
    """In order, and in any order of receipt where the course is short."""
    messages = [adt(code, place, PID, IN_BED) for place, code in enumerate(course.split(), 1)]
    orders = list(permutations(messages)) if len(messages) < 5 else [messages, messages[::-1]]

    assert {status} == {visit(*order).status for order in orders}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"f2": "O"}, "arrived"),
        ({"f2": "I"}, "arrived"),
        ({"f2": "E"}, "in-progress"),
        ({"f2": "P"}, "planned"),
        ({"f2": "O", "f44": "20261122080000"}, "planned"),
        ({"f2": "E", "f44": "20261122080000"}, "planned"),
        ({"f2": "O", "f44": "20261120080000"}, "arrived"),
        ({"f2": "O", "f44": "20261122"}, "arrived"),
        ({"f2": "O", "f45": "20261120080000"}, "arrived"),
    ],
)
def test_who_is_registered_is_planned_arrived_or_in_progress(fields: dict[str, str], status: str) -> None:
    """A04 by class and by whether PV1-44 lies ahead of the message (DOMAIN 2.2)."""
    assert visit(adt("A04", 1, PID, pv1(**fields))).status == status


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"f2": "I"}, "in-progress"),
        ({"f2": "E"}, "in-progress"),
        ({"f2": "O"}, "arrived"),
        ({"f2": "P"}, "planned"),
        ({"f2": "I", "f44": "20261122080000"}, "planned"),
        ({"f2": "P", "f45": "20261120080000"}, "finished"),
    ],
)
def test_an_update_of_an_unknown_visit_guesses_its_status(fields: dict[str, str], status: str) -> None:
    """A08 by discharge, class and admission; any other event overrules the guess, older ones too."""
    update = adt("A08", 2, PID, pv1(**fields))

    assert visit(update).status == status
    assert visit(update, adt("A05", 1, PID, pv1())).status == "planned"


def test_an_update_says_nothing_about_the_status_of_a_known_visit() -> None:
    """Not even when it carries a discharge date."""
    late = adt("A08", 2, PID, pv1(f2="I", f45="20261120080000"))

    assert visit(adt("A01", 1, PID, IN_BED), late).status == "in-progress"


def test_a_discharge_that_did_not_happen_leaves_no_trace_of_it() -> None:
    """A13 takes the end and the kind of the discharge away."""
    out = adt("A03", 2, PID, pv1(f36="01", f37="HOME", f45="20261120080000"))
    record = visit(adt("A01", 1, PID, IN_BED), out, adt("A13", 3, PID, IN_BED))

    assert (record.status, record.end, record.discharge_disposition, record.discharged_to) == (
        "in-progress",
        None,
        None,
        None,
    )


def test_a_transfer_and_its_cancel() -> None:
    """A02 moves and settles what was pending; A12 puts the patient back."""
    first = adt("A01", 1, PID, IN_BED)
    pending = adt("A15", 2, PID, pv1(f3="4W^401^A", f42="ICU^1"))
    moved = adt("A02", 3, PID, pv1(f3="ICU^1", f6="4W^401^A"))
    back = adt("A12", 4, PID, pv1(f3="4W^401^A"))

    def places(*messages: bytes) -> dict[str, str | None]:
        return {one.kind: one.display for one in visit(*messages).placements}

    assert {"assigned": "4W 401 A", "pending": "ICU 1"} == places(first, pending)
    assert {"assigned": "4W 401 A"} == places(first, pending, adt("A26", 3, PID, pv1()))
    assert {"assigned": "4W 401 A"} == places(first, pending, adt("A26", 3, PID, pv1(f42="ICU^1")))
    assert {"assigned": "ICU 1", "prior": "4W 401 A"} == places(first, pending, moved)
    assert {"assigned": "4W 401 A"} == places(first, pending, moved, back)


def test_a_cancel_may_name_what_it_cancels() -> None:
    """A25 with the date of PV2-9 takes it away, A33 the place of PV1-42; where PV1-11 says the patient is, she is."""
    first = adt("A01", 1, PID, IN_BED)
    expected = visit(first, adt("A16", 2, PID, IN_BED, "PV2|||||||||20261205"))
    called_off = visit(
        first, adt("A16", 2, PID, IN_BED, "PV2|||||||||20261205"), adt("A25", 3, PID, IN_BED, "PV2|||||||||20261205")
    )
    departing = adt("A09", 2, PID, pv1(f3="4W^401^A", f42="ICU^1"))
    stayed = visit(first, departing, adt("A33", 3, PID, pv1(f3="4W^401^A", f11="HALL", f42="ICU^1")))

    assert ("2026-12-05", None) == (expected.planned_end, called_off.planned_end)
    assert {"assigned": "4W 401 A", "temporary": "HALL"} == {one.kind: one.display for one in stayed.placements}


def test_the_places_of_a_planned_visit_are_planned() -> None:
    """Nobody is anywhere yet, in a temporary place either."""
    planned = adt("A05", 1, PID, pv1(f3="4W^401^A", f11="WAIT^1", f42="ICU^1"))

    assert {"assigned": "planned", "temporary": "planned", "pending": "reserved"} == {
        one.kind: one.status for one in visit(planned).placements
    }


def test_a_bed_swap_is_one_message() -> None:
    """A17: two patients, two visits, in one transaction."""
    swap = adt(
        "A17",
        2,
        pid("A", place=1),
        pv1("V1", f3="4W^2", f6="4W^1"),
        pid("B", place=2),
        pv1("V2", f3="4W^1", f6="4W^2"),
    )
    working, done = tell(swap)

    one, other = all_of(working, Encounter)
    assert {"4W 2", "4W 1"} == {place.display for place in one.placements}
    assert (one.placements[0].location, one.patient) == (other.placements[1].location, all_of(working, Patient)[0].id)
    assert ["encounter.created"] * 2 == events(done, "encounter")


def test_a_leave_has_an_expected_end() -> None:
    """PV2-47; who is back is not expected any more."""
    out = adt("A21", 2, PID, pv1(), segment("PV2", {"f47": "20261123"}))

    assert visit(out).leave_expected_return == "2026-11-23"
    assert visit(out, adt("A22", 3, PID, pv1())).leave_expected_return is None


@pytest.mark.parametrize(("code", "expected"), [("A06", "IMP"), ("A07", "AMB")])
def test_a_change_of_class_needs_no_class(code: str, expected: str) -> None:
    """Where PV1-2 is empty the event says it."""
    record = visit(adt(code, 1, PID, pv1()))

    assert record.class_
    assert expected in {one.code for one in record.class_.codings}


def test_a_cancel_has_the_reason_of_the_event() -> None:
    """EVN-4 (table 0062)."""
    raw = adt("A11", 1, PID, IN_BED).replace(b"EVN|A11|20261121100100-0500", b"EVN|A11|20261121100100-0500||01^Changed")
    record = visit(raw)

    assert record.status_reason
    assert record.status_reason.text == "Changed"


def test_the_attending_doctor_changes() -> None:
    """A54 names another; A55 the former one again."""
    course = [adt("A01", 1, PID, IN_BED), adt("A54", 2, PID, pv1(f7=OTHER)), adt("A55", 3, PID, pv1(f7=DOCTOR))]

    assert [["MARCUS JONES"], ["SUSAN WATSON"]] == [
        [one.display for one in visit(*course[:count]).participants] for count in (2, 3)
    ]


@pytest.mark.parametrize(
    ("course", "told"),
    [
        ("A05 A01 A02 A03", "preadmitted started transferred finished"),
        ("A01 A21 A22", "started leave_started leave_ended"),
        ("A01 A03 A13", "started finished discharge_cancelled"),
        ("A01 A11 A11", "started admit_cancelled"),
        ("A01 A03 A11", "started finished updated"),
        ("A04 A06 A07", "registered class_changed class_changed"),
        ("A01 A23", "started deleted"),
        ("A08 A08", "created"),
    ],
)
def test_what_subscribers_hear_of_a_course(course: str, told: str) -> None:
    """The sender's words, and nothing where nothing changed."""
    places = {"A02": "5E^9", "A06": "6N^1", "A07": "7S^1"}
    messages = [
        adt(code, at, PID, pv1(f2="I", f3=places.get(code, "4W^401^A"), f45="20261121080000" if code == "A03" else ""))
        for at, code in enumerate(course.split(), 1)
    ]
    heard = events(tell(*messages)[1], "encounter")

    assert [f"encounter.{word}" for word in told.split()] == heard


# -- persons and beds


@pytest.mark.parametrize("code", ["A28", "A29", "A31"])
@pytest.mark.parametrize("visit_segment", ["PV1|1|N", IN_BED])
def test_person_events_make_no_encounter(code: str, visit_segment: str) -> None:
    """Their PV1 is required by the structure and says nothing."""
    working, _ = tell(adt(code, 1, PID, visit_segment))

    assert not all_of(working, Encounter)


def test_a_dummy_visit_is_none_anywhere() -> None:
    """`PV1|1|N` of an A08, though PID-18 would be a number for it; an update of a person is no fault."""
    said = mapped(adt("A08", 1, PID, "PV1|1|N"))

    assert ["patient"] == [one.type for one in said.patches]
    assert codes(said) == set()


def test_a_deleted_person_is_inactive_until_added_again() -> None:
    """A29 never purges; messages about visits do not bring the person back, A28 does."""
    gone = adt("A29", 2, PID, "PV1|1|N")

    assert patient(adt("A28", 1, PID), gone).status == "inactive"
    assert patient(gone, adt("A28", 1, PID)).status == "inactive"
    assert patient(gone, adt("A01", 3, PID, IN_BED)).status == "inactive"
    assert patient(gone, adt("A28", 3, PID)).status == "active"


def test_a_bed_has_a_status() -> None:
    """A20: NPU, without any patient (table 0116)."""
    working, _ = tell(adt("A20", 1, "NPU|4W^401^A|H"))
    record = only(working, Location)

    assert (record.name, record.operational_status) == ("4W 401 A", "H")
    missing = mapped(adt("A20", 1)).anchor_missing
    assert missing
    assert missing.path == "NPU-1"


# -- what cannot be done


@pytest.mark.parametrize("segments", [(), ("PID|1",), ("PID|1||^^^EASTMRN",), ("PID|1||W1^^^ABCHP^MB", IN_BED)])
def test_without_a_patient_a_message_is_parked(segments: tuple[str, ...]) -> None:
    """No PID, no number in it, or a member number alone."""
    missing = mapped(adt("A01", 1, *segments)).anchor_missing

    assert missing
    assert (missing.code, missing.path) == ("DQ-REQUIRED-MISSING", "PID-3")


def test_one_of_two_patients_without_a_number_costs_the_other_nothing() -> None:
    """The message is applied for whom it can be, and the problem is listed."""
    said = mapped(adt("A17", 1, pid("A"), pv1("V1", f3="4W^1"), "PID|2||||DOE", pv1("V2", f3="4W^2")))

    assert said.anchor_missing is None
    assert {("DQ-REQUIRED-MISSING", "PID[2]-3")} == codes(said)
    assert [one.type for one in said.patches].count("encounter") == 1


def test_an_event_about_a_visit_without_one_is_about_the_patient() -> None:
    """The patient is kept, and the problem listed."""
    said = mapped(adt("A01", 1, PID))

    assert ["patient"] == [one.type for one in said.patches]
    assert {("DQ-REQUIRED-MISSING", "PV1")} == codes(said)


def test_old_versions_name_their_event_in_evn() -> None:
    """MSH-9 without an event, as before 2.3."""
    raw = er7(msh("ADT"), "EVN|A01|20261121090000-0500", PID, IN_BED)

    assert visit(raw).status == "in-progress"


NASTY = st.text(alphabet=st.sampled_from('A1^~&\\|"\r.-P '), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(code for _, code in EVENTS)),
    st.lists(st.tuples(st.sampled_from(["PID", "PV1", "PV2", "MRG", "DG1", "ROL", "NPU", "EVN"]), NASTY), max_size=6),
)
def test_nothing_that_parses_is_too_much(code: str, parts: list[tuple[str, str]]) -> None:
    """Any content in any segment maps without an exception, and problems never quote it."""
    raw = adt(code, 1, *(f"{name}|1|{text}|A^^^B|{text}|{text}" for name, text in parts))

    said = mapped(raw, received_at=RECEIVED)

    assert said.known
    assert all(len(one.detail) < 120 for one in said.problems)
