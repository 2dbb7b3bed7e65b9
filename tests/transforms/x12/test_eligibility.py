"""270 out and 271 in: whom an answer belongs to, what is refused before it is sent, what any bytes come to."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from canonical.datatypes import Identifier, Name, Procedure, Subscriber
from canonical.problems import CODES
from canonical.records import EligibilityCheck
from tests.transforms.x12.story import (
    AT,
    CHECK,
    COVERAGE,
    INQUIRY,
    PATIENT,
    PAYER,
    PEOPLE_271,
    RECEIVED,
    benefits,
    check,
    coded,
    envelope,
    golden,
    numbers,
    ours,
)
from transforms.x12.codes import CPT, PLACES
from transforms.x12.converters import concept
from transforms.x12.delimiters import Delimiters
from transforms.x12.eligibility import Answer, Inquiry, answer, next_search, patches, request
from transforms.x12.envelope import parse
from transforms.x12.profile import Payer

ANSWER = golden("271-covered")


def written(asked: Inquiry = INQUIRY, payer: Payer = PAYER) -> list[str]:
    """The segments of the 270 between BHT and SE."""
    found = request(asked, payer, numbers(), AT)
    assert found.raw, [(one.code, one.path, one.detail) for one in found.problems]
    [transaction] = parse(found.raw).transactions
    return ["*".join(one) for one in transaction.segments[2:-1]]


def refused(asked: Inquiry = INQUIRY, payer: Payer = PAYER) -> list[tuple[str, str]]:
    found = request(asked, payer, numbers(), AT)
    assert found.raw is None
    return [(one.code, one.path) for one in found.problems]


def asking(**given: object) -> Inquiry:
    """The inquiry with another check."""
    return replace(INQUIRY, check=replace(CHECK, **given))


def read(raw: bytes, asked: EligibilityCheck = CHECK, reference: str = "ELG01JD8") -> Answer:
    return answer(raw, asked, PAYER, RECEIVED, reference=reference)


def test_the_plan_is_asked_for_where_nothing_else_is() -> None:
    assert "EQ*30" == written(asking(service_types=()))[-1]


def test_procedures_and_places() -> None:
    """Each procedure is a question of its own; where it is to be done stands under each."""
    one = Procedure(code=coded("73721", CPT), modifiers=(concept("26", "1339"),))
    lines = written(asking(service_types=(), procedures=(one,), place_of_service=coded("11", PLACES)))

    assert ["EQ**HC:73721:26", "III*ZZ*11"] == lines[-2:]


def test_a_span_of_days() -> None:
    assert "DTP*291*RD8*20261202-20261205" in written(asking(end="2026-12-05"))


def test_the_patient_beneath_the_subscriber() -> None:
    """Only where members have no ids of their own; the trace, the day and the question are the patient's."""
    father = Subscriber(name=Name(family="SMITH", given=("JOHN",)), birth_date="1920-01-01", gender="male")
    child = replace(COVERAGE, relationship=coded("19", "x"), subscriber=father)
    asked = Inquiry(
        check=replace(CHECK, subscriber=None),
        patient=PATIENT,
        coverage=child,
        provider=INQUIRY.provider,
        reference="R1",
    )
    lines = written(asked, replace(PAYER, members_only=False))

    assert [
        "HL*3*2*22*1",
        "NM1*IL*1*SMITH*JOHN****MI*W11122333301",
        "DMG*D8*19200101*M",
        "HL*4*3*23*0",
        "TRN*1*01JD8ELG0001*9SENDERID00",
        "NM1*03*1*SMITH*ROBERT",
        "DMG*D8*19430519*M",
        "DTP*291*D8*20261202",
        "EQ*98^62",
    ] == lines[4:]
    assert "HL*3*2*22*0" in written(replace(asked, check=CHECK))


def test_accents_and_capitals() -> None:
    """What X12's characters cannot say is said with those that they have."""
    asked = replace(INQUIRY, patient=replace(PATIENT, names=(Name(family="Muñoz", given=("Zoë",)),)))

    assert "NM1*IL*1*Munoz*Zoe****MI*W11122333301" in written(asked)
    assert "NM1*IL*1*MUNOZ*ZOE****MI*W11122333301" in written(asked, replace(PAYER, upper_case=True))


def test_the_next_search() -> None:
    """The payer's other combinations leave out what they do without."""
    payer = replace(
        PAYER, searches=(("member", "name", "birth_date"), ("member", "birth_date"), ("name", "birth_date"))
    )

    assert "NM1*IL*1******MI*W11122333301" in written(replace(INQUIRY, search=1), payer)
    assert "NM1*IL*1*SMITH*ROBERT" in written(replace(INQUIRY, search=2), payer)


def test_other_delimiters_and_line_ends() -> None:
    payer = replace(PAYER, delimiters=Delimiters("|", ">", "!", "'"), line_ends="\r\n")
    found = request(INQUIRY, payer, numbers(), AT)
    assert found.raw

    assert b"EQ|98!62'\r\n" in found.raw
    assert [] == list(parse(found.raw).every_fault())


def test_a_delimiter_in_a_name() -> None:
    """It is a problem with its place, and nothing is sent."""
    asked = replace(INQUIRY, patient=replace(PATIENT, names=(Name(family="SM~TH", given=("ROBERT",)),)))

    assert [("X12-SEP", "NM1-03")] == refused(asked)


@pytest.mark.parametrize(
    ("asked", "payer", "expected"),
    [
        (
            replace(INQUIRY, coverage=replace(COVERAGE, identifiers=())),
            PAYER,
            ("required-field-missing", "2100C/NM1-09"),
        ),
        (
            replace(INQUIRY, patient=replace(PATIENT, birth_date="1943")),
            PAYER,
            ("required-field-missing", "2100C/DMG-02"),
        ),
        (asking(identifiers=()), PAYER, ("required-field-missing", "2000C/TRN-02")),
        (replace(INQUIRY, provider=None), PAYER, ("required-field-missing", "2100B/NM1")),
        (INQUIRY, replace(PAYER, most_service_types=1), ("X12-PARTNER", "2110C/EQ-01")),
        (INQUIRY, replace(PAYER, days_ahead=7), ("X12-PARTNER", "2100C/DTP-03")),
        (asking(start="2020-01-01"), replace(PAYER, days_back=365), ("X12-PARTNER", "2100C/DTP-03")),
        (
            replace(INQUIRY, patient=replace(PATIENT, names=(Name(family="S" * 61),))),
            PAYER,
            ("value-too-long", "2100C/NM1-03"),
        ),
    ],
)
def test_what_a_payer_would_refuse_is_not_sent(asked: Inquiry, payer: Payer, expected: tuple[str, str]) -> None:
    """It is told before anything leaves, with its place."""
    assert [expected] == refused(asked, payer)


def test_a_wrong_npi_is_not_sent() -> None:
    """SNIP type 5: the check digit."""
    assert INQUIRY.provider is not None
    number = Identifier(value="1234567890", system="http://hl7.org/fhir/sid/us-npi")
    asked = replace(INQUIRY, provider=replace(INQUIRY.provider, identifiers=(number,)))

    assert [("data-type-error", "2100B/NM1-09")] == refused(asked)


def test_an_answer_by_its_trace() -> None:
    """Whatever BHT03 says."""
    assert read(ANSWER, reference="OTHER").matched


@pytest.mark.parametrize("reference", ["ELG01JD8", "OTHER"])
def test_the_answer_to_another_question(reference: str) -> None:
    """It changes nothing, even under our own BHT03."""
    found = read(ANSWER.replace(b"01JD8ELG0001", b"01JD8ELG0002"), reference=reference)

    assert (False, None, {}) == (found.matched, found.status, found.fields)
    assert "unknown-key-identifier" in {one.code for one in found.problems}
    assert [] == patches(found, CHECK)


@pytest.mark.parametrize(("reference", "matched"), [("ELG01JD8", True), ("OTHER", False), ("", False)])
def test_an_answer_without_a_trace(reference: str, matched: bool) -> None:
    """BHT03 decides, where there is only one patient."""
    raw = benefits("EB*1**98", people=[one for one in PEOPLE_271 if not one.startswith("TRN")])

    assert matched == read(raw, reference=reference).matched


def test_one_of_several_patients() -> None:
    """A payer may answer several questions at once: each check takes its own."""
    other = [one.replace("HL*3", "HL*4").replace("ELG0001", "ELG0002") for one in PEOPLE_271[4:]]
    raw = benefits("EB*1**98", *other, "EB*6**98")

    assert "active" == read(raw).state
    assert "inactive" == read(raw, replace(CHECK, identifiers=(ours("01JD8ELG0002"),))).state


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"IEA*1*000000202", b"IEA*1*000000203"),
        (b"SE*23*0001", b"SE*23*0002"),
        (b"SE*23*0001", b"SE*22*0001"),
        (b"GE*1*1", b"GE*1*2"),
        (b"*0*T*", b"*0*P*"),
        (b"HL*3*2*22", b"HL*3*7*22"),
        (b"271*0001*005010X279A1", b"271*0001*004010X092A1"),
    ],
)
def test_an_answer_that_cannot_be_trusted(was: bytes, becomes: bytes) -> None:
    """Counts, control numbers, hierarchy, environment and guide must agree, or nothing of it is taken."""
    assert was in ANSWER
    found = read(ANSWER.replace(was, becomes))

    assert (False, ("INT-PARSE",)) == (found.matched, found.exceptions)
    assert "error" in {one.severity for one in found.problems}


def test_one_bad_field_costs_itself() -> None:
    """An amount that is none is left out with its place; the rest is taken."""
    found = read(ANSWER.replace(b"*29*412.5*", b"*29*4l2.5*").replace(b"346*D8*20260101", b"346*D8*20260199"))

    assert "active" == found.state
    assert {("data-type-error", "2110C[4]/EB-07"), ("data-type-error", "2100C/DTP-03")} <= {
        (one.code, one.path) for one in found.problems
    }
    assert None is found.fields["benefits"][3].amount


def test_a_code_outside_of_its_table() -> None:
    """It is kept as it was sent, with a problem."""
    found = read(benefits("EB*1**98", "EB*QQ**98"))

    assert "QQ" == found.fields["benefits"][1].information.codings[0].code
    assert [("DQ-CODE-UNMAPPED", "2110C[2]/EB-01")] == [(one.code, one.path) for one in found.problems]


def test_a_rejection_says_where() -> None:
    """The loop, the reason and what to do: also those of the levels above the patient."""
    people = [*PEOPLE_271[:2], "AAA*Y**42*R", *PEOPLE_271[2:]]
    found = read(benefits("AAA*N**71*C", people=people))
    told = [
        (one.loop, one.valid, one.reason.codings[0].code, one.follow_up.codings[0].code)
        for one in found.fields["rejections"]
    ]

    assert [("2100A", True, "42", "R"), ("2100C", False, "71", "C")] == told
    assert ("error", "completed") == (found.fields["outcome"], found.status)


def test_a_rejection_without_a_patient() -> None:
    """The answer may end at the level that it fails at."""
    raw = benefits(people=[*PEOPLE_271[:4], "AAA*N**50*N"])
    found = read(raw.replace(b"HL*2*1*21*1", b"HL*2*1*21*0"))

    assert (True, "failed", "2100B") == (found.matched, found.status, found.fields["rejections"][0].loop)


def test_a_999_instead() -> None:
    """It failed, with what was wrong with ours, and where."""
    lines = ["AK1*HS*1", "AK2*270*0001", "IK3*NM1*9*2100C*8", "IK4*9*67*1", "IK5*R*5", "AK9*R*1*1*0"]
    found = read(envelope("999", "FA", "005010X231A1", lines))

    assert (True, "failed", ("INT-ACK-NEG",)) == (found.matched, found.status, found.exceptions)
    assert ("required-field-missing", "2100C/NM1-09") in {(one.code, one.path) for one in found.problems}


def test_a_999_that_accepts() -> None:
    """In real time that is no answer: the question stays open."""
    lines = ["AK1*HS*1", "AK2*270*0001", "IK5*A", "AK9*A*1*1*1"]
    found = read(envelope("999", "FA", "005010X231A1", lines))

    assert (False, None, ()) == (found.matched, found.status, found.exceptions)


def test_the_next_search_is_tried_once() -> None:
    """After AAA 75, where the payer has another combination; never a third time, and never for another reason."""
    payer = replace(PAYER, searches=(("member", "name", "birth_date"), ("member", "birth_date")))
    nobody, busy = read(benefits("AAA*N**75*C")), read(benefits("AAA*Y**42*R"))
    again = next_search(nobody, INQUIRY, payer)

    assert again
    assert 1 == again.search
    assert [None, None, None] == [
        next_search(nobody, again, payer),
        next_search(busy, INQUIRY, payer),
        next_search(nobody, INQUIRY, PAYER),
    ]


def test_a_procedure_that_is_not_covered() -> None:
    """What is said of a procedure (EB13) is about that procedure."""
    one = Procedure(code=coded("73721", CPT))
    asked = replace(CHECK, service_types=(), procedures=(one,))
    found = read(benefits("EB*1**30", "EB*I************HC:73721"), asked)

    assert ("active", {"73721": "not-covered"}, ("ELG-SERVICE-NOTCOVERED",)) == (
        found.state,
        found.services,
        found.exceptions,
    )


def test_an_answer_is_silent_in_a_log() -> None:
    assert "SMITH" not in repr(read(ANSWER))


def test_patches() -> None:
    """The check is answered and the coverage verified; nothing else."""
    check_, coverage = patches(read(ANSWER), CHECK)

    assert ("elg_1", "completed") == (check_.subject, check_.said and check_.said.status)
    assert ("cov_1", "elg_1", "2026-01-01") == (
        coverage.subject,
        coverage.fields["last_check"],
        coverage.fields["start"],
    )


@given(st.integers(0, len(ANSWER)))
def test_a_cut_answer_is_not_taken(size: int) -> None:
    """Not even if only its end is missing: the statement that matters may be what is gone."""
    assert (size >= len(ANSWER) - 1) == read(ANSWER[:size]).matched


@given(st.integers(0, len(ANSWER) - 1), st.binary(max_size=8), st.integers(0, 60))
def test_any_bytes(at: int, put: bytes, gone: int) -> None:
    """Whatever is changed, the answer can be kept, its problems have public codes, and it tells no value."""
    found = read(ANSWER[:at] + put + ANSWER[at + gone :])

    assert msgspec.json.encode(found)
    assert {one.code for one in found.problems} <= CODES.keys()
    assert not any("SMITH" in one.path + one.detail or "W111" in one.path + one.detail for one in found.problems)


def test_the_check_of_nothing_in_particular() -> None:
    """Asked about the plan as such, the plan is the answer."""
    assert {"30": "covered"} == read(benefits("EB*1**30"), check()).services
