"""PID, PD1 and NK1 as a patient."""

import pytest

from canonical.patches import Patch
from tests.transforms.hl7v2.story import EAST, er7, msh
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.patient import patient
from transforms.hl7v2.rows import Reading, Used

RECEIVED = 1_795_255_800_000_000


def reading(*segments: str, trace: list[Used] | None = None) -> Reading:
    """An ADT being read."""
    return Reading(parse(er7(msh("ADT^A08"), *segments)), EAST, RECEIVED, -300, trace)


def said(*segments: str) -> Patch:
    """What the first PID says."""
    at = reading(*segments)
    pid = at.message.first("PID")
    assert pid is not None
    found = patient(at, pid)
    assert found is not None
    return found


def pid(numbers: str = "5^^^EASTMRN^MR", *, older: str = "", other: str = "", **fields: str) -> str:
    """A PID with some of its fields, by number: `pid(f7="19800214")`."""
    parts = ["PID", "1", older, numbers, other, *[""] * 36]
    for index, text in fields.items():
        parts[int(index[1:])] = text
    return "|".join(parts)


@pytest.mark.parametrize(
    ("segment", "anchors", "also"),
    [
        (pid("5^^^EASTMRN^MR~900-11-2222^^^SSA^SS~W1^^^ABCHP^MB"), ["5"], ["900112222"]),
        (pid("5^^^EASTMRN^MR", older="1^^^EXT", other="2^^^ALT"), ["5"], ["1", "2"]),
        (pid("", older="1^^^EXT", other="2^^^ALT"), ["1"], ["2"]),
        (pid("900-11-2222^^^SSA^SS", other="2^^^ALT"), ["2"], ["900112222"]),
        (pid("5^^^EASTMRN^MR", f19="900-11-2222"), ["5"], ["900112222"]),
        (pid("~^^^EASTMRN~5^^^EASTMRN"), ["5"], []),
    ],
)
def test_only_numbers_of_the_person_find_the_person(segment: str, anchors: list[str], also: list[str]) -> None:
    """PID-3 without member numbers and SSN; PID-2 and PID-4 only where it has none."""
    found = said(segment)
    assert anchors == [one.value for one in found.anchors]
    assert also == [one.value for one in found.also]


@pytest.mark.parametrize("numbers", ["", '""', "900-11-2222^^^SSA^SS", "W1^^^ABCHP^MB", "^^^EASTMRN"])
def test_who_has_no_number_is_nobody(numbers: str) -> None:
    """No patch, so no patient who cannot be told from another."""
    at = reading(pid(numbers, f5="DOE^JANE"))
    segment = at.message.first("PID")
    assert segment is not None
    assert None is patient(at, segment)


def test_a_period_that_is_no_date_is_told_by_its_component() -> None:
    """The number stands; CX-8 of the second repetition does not."""
    found = said(pid("5^^^EASTMRN^MR~6^^^EASTMRN^MR^^20200101^20201301"))
    assert ["5", "6"] == [one.value for one in (*found.anchors, *found.also)]
    assert [("data-type-error", "PID-3[2].8")] == [(one.code, one.path) for one in found.problems]


def test_fields_of_a_patient() -> None:
    """Each field that was sent, none that was not."""
    found = said(
        pid(
            f5="DOE^JANE^Q^^MS^^L~DOE^JANIE^^^^^N",
            f7="198002140530-0500",
            f8="F",
            f9="ROE^JANE",
            f10="2106-3^White^HL70005",
            f11="1 MAIN^^TOWN^NY^10001^USA^H",
            f12="KINGS",
            f13="5551000^^PH~j@x.example^NET",
            f14="5552000",
            f15="eng",
            f16="M",
            f24="Y",
            f25="2",
            f29="20260101",
            f30="N",
        )
    ).fields
    names = [(one.given[0], one.use) for one in found["names"]]  # type: ignore[attr-defined]  # fields hold any value
    assert [("JANE", "official"), ("JANIE", "nickname"), ("JANE", "old")] == names
    assert ("1980-02-14", "1980-02-14T10:30:00Z") == (found["birth_date"], found["birth_time"])
    assert ("female", True, 2, False) == tuple(
        found[field] for field in ("gender", "multiple_birth", "birth_order", "deceased")
    )
    assert ["KINGS"] == [one.district for one in found["addresses"]]  # type: ignore[attr-defined]  # as above
    telecoms = [(one.system, one.use) for one in found["telecoms"]]  # type: ignore[attr-defined]  # as above
    assert [("phone", "home"), ("email", None), ("phone", "work")] == telecoms
    assert "2026-01-01" == found["deceased_at"]  # often only the day is known
    assert "religion" not in found


def test_a_null_deletes_and_an_empty_field_says_nothing() -> None:
    """The two are not the same (DOMAIN 1.0 rule 3)."""
    found = said(pid(f5='""', f7='""', f8='""', f13='""', f16="")).fields
    assert {"names": (), "birth_date": None, "birth_time": None, "gender": None, "gender_original": None} == {
        field: found[field] for field in ("names", "birth_date", "birth_time", "gender", "gender_original")
    }
    assert () == found["telecoms"]
    assert "marital_status" not in found


def test_a_bad_field_costs_itself_alone() -> None:
    """The rest of the patient is there, the problems name their fields."""
    found = said(pid(f5="DOE^JANE", f7="19801340", f8="X", f25="two"))
    assert {"names", "gender_original"} == set(found.fields)
    assert {("PID-7", "birth_date"), ("PID-8", "gender"), ("PID-25", "birth_order")} == {
        (one.path, one.field) for one in found.problems
    }


def test_the_second_message_about_a_patient_says_the_same() -> None:
    """What is remembered comes with its problems, and is nobody's to change."""
    first, second = (said(pid("77^^^EASTMRN^MR", f5="SAME^SAM", f8="X")) for _ in range(2))
    assert first == second
    assert first.fields is not second.fields
    assert 1 == len(second.problems)


def test_next_of_kin_belong_to_the_patient_before_them() -> None:
    """NK1 up to the next PID."""
    at = reading(pid(), "NK1|1|KIN^ONE|MTH^Mother|HOUSE|5551^^PH|5552", "NK1|2", pid("6^^^EASTMRN"), "NK1|1|KIN^TWO")
    ones = [patient(at, segment) for segment in at.message.all("PID")]
    contacts = [[one.name.family for one in found.fields["contacts"]] for found in ones if found]  # type: ignore[attr-defined]  # fields hold any value
    assert [["KIN"], ["KIN"]] == contacts


def test_the_family_doctor_is_a_provider() -> None:
    """PD1-4 becomes a reference to a record of its own."""
    at = reading(pid(), "PD1||||9^HOUSE^GREG")
    segment = at.message.first("PID")
    assert segment is not None
    found = patient(at, segment)
    assert found is not None
    assert ("@0",) == found.fields["general_practitioners"]
    assert ["provider"] == [one.type for one in at.cast.patches]


def test_every_field_says_where_it_came_from() -> None:
    """Lineage names the patch by its number."""
    trace: list[Used] = []
    at = reading(pid("5^^^EASTMRN^MR", f5="DOE^JANE", f13="5551"), trace=trace)
    segment = at.message.first("PID")
    assert segment is not None
    patient(at, segment)
    assert {("0.identifiers", "PID-3"), ("0.status", "PID-3"), ("0.names", "PID-5"), ("0.telecoms", "PID-13")} == {
        (one.field, one.path) for one in trace
    }
