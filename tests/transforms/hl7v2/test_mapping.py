"""From a parsed message to its mapping: whatever parses comes out, and says when it was so and how to find it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.patches import Mapped
from tests.transforms.hl7v2.story import EAST, RECEIVED, codes, er7, mapped, msh
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.header import header
from transforms.hl7v2.mapping import EVENTS, map_message
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.rows import Used
from transforms.hl7v2.timing import FIELDS as TIMING

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "corpora"
GOLDEN = sorted((ROOT / "tests" / "golden" / "hl7v2").glob("*/in.hl7"))
CORPUS = sorted(SHARED.rglob("*.hl7")) if SHARED.is_dir() else []
SECOND = 1_000_000
AT = 1_795_269_600 * SECOND  # 2026-11-21 09:00 in New York

JUNK = st.one_of(
    st.sampled_from(
        [
            *('""', "^", "~~", "&&&", "^^^^^^^^^^^^^^^", "20261302", "99991231235959", "00000000", "0", "-1", "1e999"),
            *("@0", "@99", "\\", "\\X0D\\", "NaN"),
        ]
    ),
    st.text(st.characters(exclude_characters="\r\n|", codec="utf-8"), max_size=12),
)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("SIU^S12", True),
        ("SIU^S12^WRONG_S99", True),
        ("SIU^S25", False),
        ("ORU^R01", False),
        ("", False),
        ("SIU", False),
    ],
)
def test_the_event_decides_whether_a_message_is_known(kind: str, known: bool) -> None:
    """MSH-9.1 and MSH-9.2; the structure is a hint and often wrong."""
    assert known == mapped(er7(msh(kind), "SCH||F1^X")).known


def test_every_scheduling_event_is_known() -> None:
    """S12 to S24, S26 and S27."""
    expected = {f"S{number}" for number in (*range(12, 25), 26, 27)}
    assert expected == {event for kind, event in EVENTS if kind == "SIU"}


def test_an_unmapped_message_is_found_by_its_patient_and_its_order() -> None:
    """A result that nobody maps is still searchable, and changes nothing."""
    said = mapped(er7(msh("ORU^R01"), "PID|1||5^^^EASTMRN||DOE^JANE||1980", "ORC|RE|77^LAB|88", "OBR|1|77^LAB"))
    assert {("identifier", "5"), ("name", "doe"), ("birthdate", "1980"), ("order", "77"), ("order", "88")} <= set(
        said.keys
    )
    assert [] == said.patches


@pytest.mark.parametrize(
    ("segments", "clock", "code"),
    [
        ([msh("ADT^A08"), "EVN|A08|20261121083000|||op|20261121080000"], AT - 3600 * SECOND, None),
        ([msh("ADT^A08"), "EVN|A08|20261121083000"], AT - 1800 * SECOND, None),
        ([msh("ADT^A08"), "EVN|A08|broken"], AT, "data-type-error"),
        ([msh("SIU^S12")], AT, None),
        ([msh("SIU^S12", at="20261121140000+0000")], AT, None),
        ([msh("SIU^S12", at="")], RECEIVED, "DQ-REQUIRED-MISSING"),
        ([msh("SIU^S12", at="20261121")], RECEIVED, "DQ-PRECISION"),
        ([msh("SIU^S12", at="20291121090000")], RECEIVED, "DQ-FUTURE-CLOCK"),
    ],
)
def test_the_clock_is_the_senders_where_it_can_be_believed(segments: list[str], clock: int, code: str | None) -> None:
    """EVN-6, EVN-2, MSH-7; never far ahead of ours."""
    said = mapped(er7(*segments, "SCH||F1^X"))
    assert clock == said.clock
    if code:
        assert code in {one.code for one in said.problems}


def test_problems_of_the_parser_are_listed_too() -> None:
    """An LF instead of a CR."""
    said = mapped(er7(msh("SIU^S12"), "SCH||F1^X").replace(b"\r", b"\n"))
    assert "DQ-MSGSTRUCT" in {one.code for one in said.problems}


@pytest.mark.parametrize(
    ("processing", "version", "told"),
    [
        *((one, "2.5.1", []) for one in ("P", "T", "D", "P^T", "t")),
        *(("P", one, []) for one in ("2.1", "2.3.1", "2.5^USA", "2.8.2", "2.9")),
        ("Q", "2.5.1", [("unsupported-processing-id", "MSH-11.1")]),
        ("", "2.5.1", [("required-field-missing", "MSH-11")]),
        ("P", "2.10", [("unsupported-version-id", "MSH-12.1")]),
        ("P", "3.0^USA", [("unsupported-version-id", "MSH-12.1")]),
        ("P", "", [("required-field-missing", "MSH-12")]),
    ],
)
def test_an_odd_version_or_processing_id_is_told_and_costs_nothing(
    processing: str, version: str, told: list[tuple[str, str]]
) -> None:
    """What MSH-11 and MSH-12 hold is judged, and the message is read all the same."""
    head = msh("SIU^S12").replace("|T|2.5.1", f"|{processing}|{version}")
    said = mapped(er7(head, "SCH||F1^X"))
    assert told == [(one.code, one.path) for one in said.problems if one.path.startswith("MSH-1")]
    assert ["appointment"] == [one.type for one in said.patches]


@pytest.mark.parametrize(("at", "told"), [("2026x", 1), ("20261399", 1), ("20261121090000", 0)])
def test_an_unreadable_msh_7_is_told_once(at: str, told: int) -> None:
    """Also where EVN says when it was so."""
    for evn in ("EVN|A08|20261121083000", "EVN|A08"):
        said = mapped(er7(msh("ADT^A08", at=at), evn, "PID|1||5^^^EASTMRN"))
        found = [one for one in said.problems if (one.code, one.path) == ("data-type-error", "MSH-7")]
        assert told == len(found)


def test_a_field_that_is_too_long_is_left_out() -> None:
    """More than a page of text is no name; it stays in the message, and the rest is applied."""
    said = mapped(er7(msh("ADT^A08"), "EVN|A08|20261121", f"PID|1||5^^^EASTMRN||DOE^{'J' * 70_000}||19800229|F"))
    assert ("value-too-long", "PID-5") in codes(said)
    assert "names" not in said.patches[0].fields
    assert "1980-02-29" == said.patches[0].fields["birth_date"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_tracing_changes_nothing(path: Path) -> None:
    """With lineage and without it a message says the same."""
    raw, trace = path.read_bytes(), list[Used]()
    assert mapped(raw) == mapped(raw, trace=trace)
    assert all(used.field.partition(".")[0].isdecimal() for used in trace if not used.path.startswith("MRG"))


def loaded(paths: list[Path]) -> list[bytes]:
    return [raw for path in paths if len(raw := path.read_bytes()) < 20_000 and header(raw)]


MESSAGES = loaded(GOLDEN) + loaded(CORPUS)


def read(raw: bytes, trace: list[Used] | None = None) -> Mapped | None:
    """The mapping of what may not even parse."""
    head = header(raw)
    try:
        message = parse(raw)
    except Unparseable:
        return None
    return map_message(message, head, EAST, RECEIVED, trace) if head else None


@pytest.mark.skipif(not CORPUS, reason="the corpora do not lie beside the project")
def test_every_message_of_the_corpora_comes_out() -> None:
    """Nothing that parses raises, with a profile and without one."""
    for raw in MESSAGES:
        head = header(raw)
        assert head is not None
        try:
            message = parse(raw)
        except Unparseable:
            continue
        for profile in (EAST, Profile(), Profile(zone="Asia/Tokyo", list_mode="action", offset_policy="spec")):
            map_message(message, head, profile, RECEIVED)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_mutation_makes_mapping_raise(data: st.DataObject) -> None:
    """Any field of any message may hold anything."""
    raw = data.draw(st.sampled_from(MESSAGES))
    segments = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").decode("latin-1").split("\r")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(segments) - 1))
        fields = segments[place].split("|")
        first = 2 if place == 0 else 0
        if len(fields) > first:
            index = data.draw(st.integers(first, len(fields) - 1))
            fields[index] = data.draw(JUNK)
        segments[place] = "|".join(fields)
    read("\r".join(segments).encode())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_mutated_field_costs_no_other_field(data: st.DataObject) -> None:
    """What does not come from the field that was broken is as it was."""
    raw = data.draw(st.sampled_from(GOLDEN)).read_bytes()
    segments = raw.decode().split("\r")
    place = data.draw(st.sampled_from([at for at, one in enumerate(segments) if one[:3] in HARMLESS]))
    fields = segments[place].split("|")
    index = data.draw(st.sampled_from([at for at in range(1, len(fields)) if at not in HARMLESS[fields[0]]] or [0]))
    if index == 0:
        return
    trace: list[Used] = []
    before = read(raw, trace)
    assert before is not None
    broken = f"{fields[0]}-{index}"
    fields[index] = data.draw(JUNK)
    segments[place] = "|".join(fields)
    after = read("\r".join(segments).encode(), trace)
    assert after is not None
    touched = {used.field for used in trace if _field(used.path) == broken}
    if touched & TOGETHER:
        touched |= TOGETHER
    for number, patch in enumerate(before.patches):
        for field, value in patch.fields.items():
            if f"{number}.{field}" not in touched:
                assert value == after.patches[number].fields.get(field), f"{broken} cost {patch.type}.{field}"


# The fields whose loss is a loss of identity: they decide which records a message is about.
HARMLESS = {
    "PID": {2, 3, 4, 18, 19},
    "SCH": {1, 2, 3, 23, 24, 25},
    "TQ1": set(),
    "NTE": set(),
    "NK1": set(),
}


# Without a start there are no times at all, nor those that are counted from it.
TOGETHER = {f"{number}.{field}" for number in range(9) for field in (*TIMING, "participants", "services")}


def _field(path: str) -> str:
    segment, _, field = path.partition("-")
    return f"{segment.partition('[')[0]}-{field.partition('[')[0].partition('.')[0]}"


@pytest.mark.parametrize("kind", ["ADT^A28", "ORU^R01"])
def test_a_message_without_a_control_id_says_so(kind: str) -> None:
    """It is applied; whether it comes again is told by its content."""
    said = mapped(er7(msh(kind, control=""), "PID|1||5^^^EASTMRN^MR"))

    assert {("required-field-missing", "MSH-10")} == codes(said)
    assert None is said.anchor_missing


def test_control_characters_are_no_text() -> None:
    """They are left out of every value, sent as they are or escaped, and each field that had one says so."""
    raw = er7(
        msh("ADT^A31"), "EVN||20261121", "PID|1||5^^^EASTMRN^MR||D\x00OE^JA\x07NE||1985\x7f0612", "NK1|1|SM\\X00\\ITH"
    )
    message = parse(raw)
    head = header(raw)
    assert head
    said = map_message(message, head, EAST, RECEIVED)
    values = msgspec.json.encode([patch.fields for patch in said.patches]).decode()

    assert ("DOE" in values, "JANE" in values, "1985-06-12" in values, "SMITH" in values) == (True,) * 4
    assert "\\u00" not in values
    assert "\x7f" not in values
    assert [("DQ-CHARSET", "PID-5"), ("DQ-CHARSET", "PID-7")] == [
        (one.code, one.path) for one in said.problems if "control" in one.detail
    ][:2]
    assert "D\x00OE^JA\x07NE" == message.value("PID-5"), "what was parsed stays as it came"


@pytest.mark.parametrize("kind", ["adt^a31", "Adt^A31^adt_a05", "ADT^a31"])
def test_a_type_in_lower_case_is_read(kind: str) -> None:
    """As if it were in upper case, with a problem."""
    raw = er7(msh(kind), "EVN||20261121", "PID|1||5^^^EASTMRN^MR||DOE^JANE")
    said, head = mapped(raw), header(raw)

    assert head
    assert ("ADT", "A31", True) == (head.message_type, said.event, said.known)
    assert ("DQ-MSGSTRUCT", "MSH-9") in [(one.code, one.path) for one in said.problems]


def test_a_clock_that_is_ahead_makes_nothing_older_of_the_same_second() -> None:
    """The time of receipt is taken to the second, as senders tell theirs: a cancel that follows at once is not late."""
    raw = er7(msh("SIU^S12").replace("20261121", "20291121"), "SCH||F1^EASTSCH")
    message, head = parse(raw), header(raw)
    assert head
    received = RECEIVED - RECEIVED % SECOND + 123_456

    assert received - 123_456 == map_message(message, head, EAST, received).clock
