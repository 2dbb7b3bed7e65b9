"""Data types of HL7 v2 as canonical values."""

from collections.abc import Callable

import pytest

from canonical.datatypes import Address, Coding, Concept, Name, Telecom
from tests.transforms.hl7v2.story import er7
from transforms.hl7v2.actors import Cast, Person, physical_type
from transforms.hl7v2.converters import coded, codes_of, concept, concepts, flag, gender, integer, number, text
from transforms.hl7v2.er7 import parse
from transforms.hl7v2.identity import identifier, identifiers
from transforms.hl7v2.instants import date_time_or_date, instant, partial_date
from transforms.hl7v2.people import address, name, people, person, spot, telecom, united
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.rows import BadField, Reading

RECEIVED = 1_795_255_800_000_000  # 2026-11-21


def reading(
    codes: dict[str, dict[str, Coding]] | None = None, zone: str | None = "America/New_York", offset: int | None = -300
) -> Reading:
    """A field being read in New York."""
    message = parse(er7(r"MSH|^~\&|APP|NORTH|||20261121||SIU^S12|1|P|2.5"))
    at = Reading(message, Profile(tenant="t1", feed="f1", zone=zone, codes=codes or {}), RECEIVED, offset)
    at.at, at.field = "AIP[2]-4", "role"
    return at


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (" a ", "a"),
        ("", None),
        ("  ", None),
        ('""', None),
        (r"x\.br\y", "x\ny"),
        (r"A\T\B", "A&B"),
        (r"C:\E\temp", "C:\\temp"),
    ],
)
def test_text(sent: str, expected: str | None) -> None:
    """Escapes are undone once, blanks around it go."""
    assert expected == text(sent, reading())


def test_an_unknown_escape_is_kept_and_reported() -> None:
    """The field keeps its value."""
    at = reading()
    assert r"50\%" == text(r"50\%", at)
    assert [("DQ-ESCAPE", "AIP[2]-4", "role")] == [(one.code, one.path, one.field) for one in at.problems]


@pytest.mark.parametrize(
    ("convert", "sent", "expected"),
    [
        (integer, "007", 7),
        (integer, "", None),
        (flag, "Y", True),
        (flag, "n^x", False),
        (flag, "", None),
        (gender, "F", "female"),
        (gender, "n", "other"),
        (gender, "M^Male^HL70001", "male"),
        (number, "1.50", 1.5),
    ],
)
def test_simple_types(convert: Callable[[str, Reading], object], sent: str, expected: object) -> None:
    """NM, SI, ID of table 0136 and 0001."""
    assert expected == convert(sent, reading())


@pytest.mark.parametrize(
    ("convert", "sent"),
    [
        (integer, "x"),
        (integer, "1.5"),
        (flag, "maybe"),
        (gender, "QX9"),
        (number, "NaN"),
        (number, "1,5"),
        (instant, "20261302"),
        (instant, "202602300000"),
        (instant, "20261202"),
        (partial_date, "19851399"),
        (date_time_or_date, "yesterday"),
    ],
)
def test_what_cannot_be_read_says_so_without_quoting_it(convert: Callable[[str, Reading], object], sent: str) -> None:
    """BadField carries a code and a sentence."""
    with pytest.raises(BadField) as caught:
        convert(sent, reading())
    assert sent not in f"{caught.value} {caught.value.detail}"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("202612020930", "2026-12-02T14:30:00Z"),
        ("20261202093000.1234+0215", "2026-12-02T07:15:00.1234Z"),
        ("20270715093000", "2027-07-15T13:30:00Z"),
        ("202612022400", "2026-12-03T05:00:00Z"),
        ("20261202093000^S", "2026-12-02T14:30:00Z"),
        ("00000000", None),
        ('""', None),
    ],
)
def test_a7_instants(sent: str, expected: str | None) -> None:
    """Annex A7: wall clock in the zone of the place, whatever offset MSH-7 had."""
    assert expected == instant(sent, reading())


@pytest.mark.parametrize(
    ("sent", "expected"), [("20261101013000", "2026-11-01T05:30:00Z"), ("20270314023000", "2027-03-14T07:30:00Z")]
)
def test_a7_changes_of_the_clock(sent: str, expected: str) -> None:
    """The first of two, or moved out of the gap; reported."""
    at = reading()
    assert expected == instant(sent, at)
    assert ["DQ-DST"] == [one.code for one in at.problems]


def test_without_a_zone_the_offset_of_msh_7_is_assumed() -> None:
    """Every field that was read so says it: nobody should wonder why an appointment is five hours off."""
    at = reading(zone=None)
    assert ["2026-12-02T14:30:00Z"] * 2 == [instant("20261202093000", at), instant("202612020930", at)]
    assert [("DQ-ZONE-ASSUMED", "warning")] * 2 == [(one.code, one.severity) for one in at.problems]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("1985", "1985"), ("198506", "1985-06"), ("19850612", "1985-06-12"), ("198506122330+0500", "1985-06-12")],
)
def test_dates_keep_their_precision_and_are_never_shifted(sent: str, expected: str) -> None:
    """PID-7."""
    assert expected == partial_date(sent, reading())


@pytest.mark.parametrize(
    ("sent", "system"),
    [
        ("1^x^C4", "http://www.ama-assn.org/go/cpt"),
        ("1^x^I10", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("1^x^LN", "http://loinc.org"),
        ("1^x^SCT", "http://snomed.info/sct"),
        ("1^x^HL70182", "http://terminology.hl7.org/CodeSystem/v2-0182"),
        ("1^x^HL7396", "http://terminology.hl7.org/CodeSystem/v2-0396"),
        ("1^x^L", "urn:x-t1:f1:L"),
        ("1^x^99 HOUSE", "urn:x-t1:f1:99-HOUSE"),
        ("1^x^1.2.840.5", "urn:oid:1.2.840.5"),
        ("1^x^http://a.example/b", "http://a.example/b"),
        ("1^x", None),
        ("1^x^^^^^^^^^^^^1.2.3", "urn:oid:1.2.3"),
    ],
)
def test_coding_systems(sent: str, system: str | None) -> None:
    """Table 0396 and what is not in it."""
    found = concept(sent, reading())
    assert found is not None
    assert system == found.codings[0].system


def test_a_concept_keeps_both_codes_and_the_words() -> None:
    """CWE-1 to -6 and -9."""
    assert Concept(
        codings=(
            Coding(code="a", system="urn:x-t1:f1:L", display="A"),
            Coding(code="b", system="http://loinc.org", display="B"),
        ),
        text="as said",
    ) == concept("a^A^L^b^B^LN^^^as said", reading())
    assert Concept(text="only words") == concept("^only words", reading())
    assert None is concept("^^L", reading())


def test_the_code_map_stands_behind_the_senders_code() -> None:
    """By field, else by table; what counts comes first out of codes_of."""
    meant = Coding(code="doctor", system="urn:roles")
    for key in ("AIP-4", "HL70182"):
        found = coded("0182")("DR^Doctor", reading({key: {"DR": meant}}))
        assert ["doctor", "DR"] == codes_of(found)


def test_a_bad_repetition_costs_only_itself() -> None:
    """Its problem names it."""
    at = reading()
    found = identifiers("1^^^A^MR^^2026xx~2^^^B~~3^^^C", at)
    assert ["1", "2", "3"] == [one.value for one in found or ()]
    assert {("data-type-error", "AIP[2]-4[1].7")} == {
        (one.code, one.path) for one in at.problems if one.severity != "information"
    }
    assert 2 == len(concepts("a^A~~b", reading()) or ())


def test_a_number_that_has_expired_is_an_old_one() -> None:
    """CX-8 before the day of receipt."""
    past, future = identifier("1^^^A^MR^^20100101^20200101", reading()), identifier("1^^^A^MR^^^20300101", reading())
    assert past is not None
    assert future is not None
    assert ("old", "2010-01-01", None) == (past.use, past.start, future.use)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            "Doe^Jane^Q R^Jr^Ms^MD^L",
            Name(family="Doe", given=("Jane", "Q", "R"), suffix="Jr", prefix="Ms", degree="MD", use="official"),
        ),
        ("van der Berg&van der&Berg^Jan", Name(family="van der Berg", given=("Jan",), use="official")),
        ("Old^Name^^^^^M", Name(family="Old", given=("Name",), use="maiden")),
        ("^^^Jr", None),
    ],
)
def test_names(sent: str, expected: Name | None) -> None:
    """XPN."""
    assert expected == name(sent, reading())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (
            "1000&Hospital Lane^Ste. 123^Ann Arbor^MI^99999^USA^M^^W",
            Address(
                lines=("1000 Hospital Lane", "Ste. 123"),
                city="Ann Arbor",
                district="W",
                state="MI",
                postal_code="99999",
                country="USA",
                type="postal",
            ),
        ),
        ("^^^^^^H", None),
    ],
)
def test_addresses(sent: str, expected: Address | None) -> None:
    """XAD."""
    assert expected == address(sent, reading())


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("(617)555-1212^PRN^PH", Telecom(system="phone", value="(617)555-1212", use="home")),
        ("^WPN^PH^^1^555^5550123^9", Telecom(system="phone", value="+1 555 5550123 ext. 9", use="work")),
        ("^NET^Internet^a@b.example", Telecom(system="email", value="a@b.example")),
        ("a@b.example^NET", Telecom(system="email", value="a@b.example")),
        ("555^^CP^x", Telecom(system="phone", value="555", use="mobile")),
        ("^WPN^FX^^^212^5551000", Telecom(system="fax", value="212 5551000", use="work")),
        ("^PRN^PH^^^^^^^^^5550000", Telecom(system="phone", value="5550000", use="home")),
        ("^PRN^PH", None),
    ],
)
def test_telecoms(sent: str, expected: Telecom | None) -> None:
    """XTN: an address in XTN-4, parts, as typed, unformatted."""
    assert expected == telecom(sent, reading())


def test_a_person_has_a_number_with_its_authority_and_a_name() -> None:
    """XCN; the check digit of an NPI is looked at and never enforced."""
    at = reading()
    found = person("1234567890^WATSON^SUSAN^^^DR^^^NPI&2.16.840.1.113883.4.6&ISO", at)
    assert found is not None
    assert ("1234567890", "DR SUSAN WATSON") == (found.identifiers[0].value, found.display)
    assert ["DQ-NPI-CHECK"] == [one.code for one in at.problems]
    assert None is person("^^^", reading())


def test_what_is_remembered_is_complained_of_again() -> None:
    """The second message hears of the NPI too, at its own place."""
    for path in ("AIP-3", "PV1-7"):
        at = reading()
        at.at = path
        people("1234567891^MEMORY^MIA^^^^^^NPI", at)
        assert [("DQ-NPI-CHECK", path)] == [(one.code, one.path) for one in at.problems]


def test_repetitions_of_one_person_are_united() -> None:
    """One name with two numbers is one person; two names are two."""
    both = united(people("1^ONE^ANNA~2^ONE^ANNA~3^TWO", reading()) or ())
    assert [["1", "2"], ["3"]] == [[number.value for number in one.identifiers] for one in both]


def test_a_place_is_its_whole_tuple() -> None:
    """Bed 01 of two wards is two beds; without a facility it is the sender's."""
    here, there = spot("W1^R1^01^EAST", reading()), spot("W2^R1^01^EAST", reading())
    own = spot("W1^R1^01", reading())
    assert here is not None
    assert there is not None
    assert own is not None
    assert 3 == len({one.identifier.value for one in (here, there, own)})
    assert ("EAST///W1/R1/01", "NORTH///W1/R1/01") == (here.identifier.value, own.identifier.value)
    assert ("bd", "W1 R1 01") == (physical_type(here), here.display)
    assert None is spot("^^^^C", reading())


def test_the_cast_names_everyone_once() -> None:
    """The fuller name of two mentions holds; who has no number becomes no record."""
    cast, at = Cast(), reading()
    short, full = person("9^BAKER", at), person("9^BAKER^IRIS^L", at)
    assert ["@0", "@0", None] == [cast.provider(one) for one in (short, full, Person(display="nobody"))]
    (patch,) = cast.patches
    assert [("BAKER", ("IRIS", "L"))] == [(one.family, one.given) for one in patch.fields["names"]]  # type: ignore[attr-defined]  # fields hold any value
