"""What a site changes of the mapping: another place, a value, nothing; and where lineage says it comes from."""

import pytest

from canonical.datatypes import Coding, Concept
from tests.transforms.hl7v2.story import msh
from transforms.hl7v2.changeable import TABLES, BadChange, changeable, fixed, left_out, read_from
from transforms.hl7v2.changes import Change
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import map_message
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.rows import Used

SCH = "SCH|P1^EPICSCH|F1^EPICSCH||||||MRI^MRI scan^L|45|min|||||||||||||||Booked^^HL70278"
TQ1 = "TQ1|1|||||45^min|20261202093000|20261202101500"
PID = "PID|1||0001^^^EASTMRN^MR||Eastwick^Ada^^^^^L||19850612|F|||||||||CAT"


def fields(
    record: str, changes: list[Change], *more: str, trace: list[Used] | None = None
) -> tuple[dict[str, object], list[str]]:
    """What a booking with these segments besides says of a record under these changes, and what is wrong."""
    raw = ("\r".join([msh("SIU^S12^SIU_S12"), SCH, TQ1, PID, *more]) + "\r").encode()
    head = header(raw)
    assert head is not None
    profile = Profile(zone="America/New_York", changes={record: changes})
    found = map_message(parse(raw), head, profile, 1_800_000_000_000_000, trace)
    patch = next(patch for patch in found.patches if patch.type == record)
    return patch.fields, [f"{one.code} {one.path}" for one in found.problems if one.severity != "information"]


def test_a_field_from_a_segment_of_the_site() -> None:
    """A Z segment fills what PID-17 filled, by the row's own converter; lineage names the place and the site."""
    trace: list[Used] = []
    said, _ = fields("patient", [read_from("patient", "religion", "ZPI-3", None)], "ZPI|1|x|BAP", trace=trace)

    religion = said["religion"]
    assert isinstance(religion, Concept)
    assert [Coding(code="BAP", system="http://terminology.hl7.org/CodeSystem/v2-0006")] == list(religion.codings)
    assert [("ZPI-3", "site")] == [(one.path, one.by) for one in trace if one.field.endswith("religion")]


def test_the_same_patient_with_another_segment() -> None:
    """What is remembered of a PID does not remember the segment beside it."""
    change = [read_from("patient", "religion", "ZPI-3", None)]
    codes = []
    for code in ("BAP", "JEW", '""', ""):
        said, _ = fields("patient", change, f"ZPI|1|x|{code}")
        religion = said.get("religion", "not sent")
        codes.append(religion.codings[0].code if isinstance(religion, Concept) else religion)

    assert ["BAP", "JEW", None, "not sent"] == codes


def test_a_component_and_a_reader() -> None:
    """A field that no row fills, from one component, as text."""
    said, _ = fields("appointment", [read_from("appointment", "service_category", "ZAP-2.3", "code")], "ZAP|1|a^b^RAD")

    category = said["service_category"]
    assert isinstance(category, Concept)
    assert "RAD" == category.codings[0].code


def test_a_time_is_read_in_the_zone_of_the_feed() -> None:
    """The start of an appointment from elsewhere is an instant all the same."""
    said, _ = fields("appointment", [read_from("appointment", "start", "ZAP-2", None)], "ZAP|1|20261203080000")

    assert "2026-12-03T13:00:00Z" == said["start"]


def test_what_cannot_be_read_is_a_problem_at_its_place() -> None:
    """A bad value costs itself only, and what the table said does not come back."""
    said, wrong = fields("appointment", [read_from("appointment", "start", "ZAP-2", None)], "ZAP|1|soon")

    assert "start" not in said
    assert any(one.endswith(" ZAP-2") for one in wrong)


def test_fixed_and_left_out() -> None:
    """A value that is always the same, one that replaces what was said, and a field that is never said."""
    trace: list[Used] = []
    changes = [
        fixed("patient", "religion", "ATH", "urn:x"),
        fixed("patient", "protection", True, None),
        left_out("birth_date"),
    ]
    said, _ = fields("patient", changes, trace=trace)

    assert Concept(codings=(Coding(code="ATH", system="urn:x"),)) == said["religion"]
    assert said["protection"] is True
    assert "birth_date" not in said
    assert not [one for one in trace if one.field.endswith("birth_date")]


@pytest.mark.parametrize(
    ("field", "by", "sentence"),
    [("religion", "flag", "read as code"), ("names", None, "only be dropped"), ("birth_date", "text", "date-time")],
)
def test_a_reader_that_does_not_fit(field: str, by: str | None, sentence: str) -> None:
    """A field is read as what it holds."""
    with pytest.raises(BadChange, match=sentence):
        read_from("patient", field, "ZPI-3", by)


@pytest.mark.parametrize(
    ("field", "value", "system"),
    [
        ("birth_date", "1985", None),
        ("protection", "yes", None),
        ("birth_place", "York", "urn:x"),
        ("accounts", "1", None),
    ],
)
def test_a_value_that_does_not_fit(field: str, value: object, system: str | None) -> None:
    """A value is of the field's kind, and only a code has a system."""
    with pytest.raises(BadChange):
        fixed("patient", field, value, system)


def test_every_row_of_a_field_that_may_change_can_be_read_from_elsewhere() -> None:
    """Rows whose fields may change give what the record holds, so that their converter may read another place."""
    for record, tables in TABLES.items():
        for row in (row for table in tables for row in table.rows):
            if row.field in changeable(record):
                assert read_from(record, row.field, "ZZZ-1", None).convert is row.convert
