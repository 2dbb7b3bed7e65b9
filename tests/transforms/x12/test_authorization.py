"""278 out and in: decisions by their traces, at services and at the event, beside rejections."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from canonical.datatypes import Diagnosis, Party
from canonical.problems import CODES
from canonical.rollup import of_decisions
from tests.transforms.x12.story import (
    AT,
    AUTHORIZATION,
    PAYER,
    PEOPLE_278,
    RECEIVED,
    REVIEW,
    coded,
    decisions,
    envelope,
    golden,
    numbers,
)
from transforms.x12.authorization import Answer, Review, answer, patches, request
from transforms.x12.codes import BILLS, ICD10, PLACES
from transforms.x12.converters import concept
from transforms.x12.envelope import parse

FIRST = ("HL*5*4*SS*0", "TRN*2*01JD9SS0001*9SENDERID00")
SECOND = ("HL*6*4*SS*0", "TRN*2*01JD9SS0002*9SENDERID00")
ANSWER = golden("278-decided")


def read(raw: bytes, reference: str = "PA01JD9") -> Answer:
    return answer(raw, AUTHORIZATION, PAYER, RECEIVED, reference=reference)


def told(*segments: str) -> dict[str, str]:
    """The decisions of an answer, by item."""
    found = read(decisions(*segments))
    assert found.matched
    return {one.key: one.status for one in found.decisions}


def written(asked: Review = REVIEW) -> list[str]:
    found = request(asked, PAYER, numbers(), AT)
    assert found.raw, [(one.code, one.path, one.detail) for one in found.problems]
    return ["*".join(one) for one in parse(found.raw).transactions[0].segments[1:-1]]


def refused(**given: object) -> list[tuple[str, str]]:
    """What is wrong with the request for another authorization."""
    asked = replace(REVIEW, authorization=replace(AUTHORIZATION, **given))
    found = request(asked, PAYER, numbers(), AT)
    assert found.raw is None
    return [(one.code, one.path) for one in found.problems]


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("A1", "approved"),
        ("A2", "partially-approved"),
        ("A3", "denied"),
        ("A4", "pended"),
        ("A6", "modified"),
        ("C", "cancelled"),
        ("CT", "contact-payer"),
        ("NA", "not-required"),
    ],
)
def test_actions(action: str, status: str) -> None:
    assert {"1": status} == told(*FIRST, f"HCR*{action}")


def test_there_is_no_a5() -> None:
    """No decision is read from a code that is none; the other one holds."""
    raw = decisions(*FIRST, "HCR*A5", *SECOND, "HCR*A1*AUTH2")
    found = read(raw)

    assert ["2"] == [one.key for one in found.decisions]
    assert ("DQ-CODE-UNMAPPED", "2000F/HCR-01", "error") in {
        (one.code, one.path, one.severity) for one in found.problems
    }


def test_by_trace_and_not_by_place() -> None:
    """The services may come in any order."""
    assert {"2": "denied", "1": "approved"} == told(*SECOND, "HCR*A3", *FIRST, "HCR*A1*AUTH1")


def test_a_decision_about_nothing_that_was_asked() -> None:
    """It is left out, and told."""
    found = read(decisions(*FIRST, "HCR*A1", "HL*6*4*SS*0", "TRN*2*SOMEBODYELSE*9SENDERID00", "HCR*A3"))

    assert ["1"] == [one.key for one in found.decisions]
    assert ("unknown-key-identifier", "2000F[2]/TRN-02") in {(one.code, one.path) for one in found.problems}


@pytest.mark.parametrize(
    ("segments", "rolled_up"),
    [
        (("HCR*A1*AUTH0",), "approved"),
        (("HCR*A1*AUTH0", *FIRST, "HCR*A3"), "partially-approved"),
        (("HCR*A1*AUTH0", *FIRST, "HCR*A4"), "pended"),
        (("HCR*A3",), "denied"),
        ((*FIRST, "HCR*A1", *SECOND, "HCR*A1"), "approved"),
        ((*FIRST, "HCR*NA", *SECOND, "HCR*NA"), "not-required"),
        ((*FIRST, "HCR*A1"), "pended"),
    ],
)
def test_the_event_speaks_for_services_without_their_own(segments: Sequence[str], rolled_up: str) -> None:
    """A decision at the service overrides it; what nobody decided is still with the payer."""
    found = read(decisions(*segments))

    assert rolled_up == of_decisions("submitted", AUTHORIZATION.items, found.decisions)


def test_a_decision_whole() -> None:
    """Number, reasons, words and what was authorized stand together."""
    found = read(
        decisions(
            *(*FIRST, "HCR*A6*AUTH1*0A^0B", "REF*NT*ADM1", "DTP*007*D8*20261203", "DTP*036*D8*20261220"),
            *("SV1*HC:73721:26**UN*2", "MSG*FEWER THAN ASKED"),
        )
    )
    [one] = found.decisions

    assert ("modified", "AUTH1", "FEWER THAN ASKED") == (one.status, one.number, one.text)
    assert ["0A", "0B"] == [reason.codings[0].code for reason in one.reasons]
    assert ("2026-12-03", "2026-12-20", "2") == (one.start, one.end, one.quantity and one.quantity.value)
    assert ["ADM1"] == [number.value for number in found.numbers]


def test_documents_are_wanted() -> None:
    """A pended service with PWK, or with LOINC in HI, waits for papers."""
    found = read(decisions(*FIRST, "HCR*A4**0U", "HI*LOI:18842-5", "PWK*77*EL***AC*CTRL1"))

    assert ("AUTH-DOCS", "AUTH-PENDED") == found.exceptions
    assert [("77", "CTRL1", "1"), ("18842-5", None, "1")] == [
        (one.code.codings[0].code, one.control_number, one.item) for one in found.documents
    ]


@pytest.mark.parametrize(
    ("segments", "loop", "item"),
    [
        (("AAA*N**33*C",), "2000E", None),
        ((*FIRST, "AAA*N**AG*C"), "2000F", "1"),
        ((*FIRST, "NM1*SJ*1*JONES*MARCUS", "AAA*N**43*C"), "2010F", "1"),
    ],
)
def test_rejections_have_their_place(segments: Sequence[str], loop: str, item: str | None) -> None:
    found = read(decisions(*segments))

    assert [(loop, item)] == [(one.loop, one.item) for one in found.rejections]
    assert (True, ("AUTH-ERROR",)) == (found.failed, found.exceptions)


def test_a_decision_beside_a_rejection() -> None:
    """They may stand at different levels: both are kept."""
    found = read(decisions(*FIRST, "HCR*A1*AUTH1", *SECOND, "AAA*N**AG*C"))

    assert ({"1": "approved"}, ["2"], False) == (
        {one.key: one.status for one in found.decisions},
        [one.item for one in found.rejections],
        found.failed,
    )


def test_what_stands_elsewhere_decides_nothing() -> None:
    """An HCR under the payer's own loop is out of its place: it is a problem, and no decision."""
    people = [*PEOPLE_278[:2], "HCR*A1*ORPHAN", *PEOPLE_278[2:]]
    found = read(decisions(people=people))

    assert (True, ()) == (found.matched, found.decisions)
    assert "2010A/HCR" in {one.path for one in found.problems}


def test_the_answer_to_another_request() -> None:
    found = read(ANSWER.replace(b"01JD9", b"01JD8"))

    assert (False, (), ("INT-PARSE",)) == (found.matched, found.decisions, found.exceptions)
    assert [] == patches(found, AUTHORIZATION, RECEIVED)


def test_a_request_is_no_answer() -> None:
    """Our own question, sent back, decides nothing."""
    assert not read(golden("278-asked")).matched


def test_a_999_instead() -> None:
    lines = ["AK1*HI*1", "AK2*278*0001", "IK3*UM*15*2000E*3", "IK5*R*5", "AK9*R*1*1*0"]
    found = read(envelope("999", "FA", "005010X231A1", lines))

    assert (True, True, ("INT-ACK-NEG",)) == (found.matched, found.failed, found.exceptions)
    [patch] = patches(found, AUTHORIZATION, RECEIVED)
    assert patch.said
    assert "error" == patch.said.status


def test_patches() -> None:
    """Each decision is set by itself, so that a later answer about one item undoes no other."""
    [patch] = patches(read(ANSWER), AUTHORIZATION, RECEIVED)

    assert [("decisions", "1"), ("decisions", "2")] == [(one.field, one.key) for one in patch.edits]
    assert ("aut_1", None, RECEIVED) == (patch.subject, patch.said, patch.fields["pended_at"])


def test_an_item_of_another_service() -> None:
    """A service that differs from the event says so itself."""
    one, two = AUTHORIZATION.items
    lines = written(
        replace(
            REVIEW,
            authorization=replace(
                AUTHORIZATION,
                items=(one, replace(two, service_type=concept("PT", "1365"), place_of_service=coded("13", BILLS))),
            ),
        )
    )

    assert ["UM*HS*I*62*22:B**E", "UM*HS*I*PT*13:A**E"] == [line for line in lines if line.startswith("UM")]


def test_diagnoses_and_cancelling() -> None:
    """The principal one first, the admitting one as such; a cancel is BHT02 01."""
    several = (
        Diagnosis(code=coded("E11.65", ICD10)),
        Diagnosis(code=coded("R10.9", ICD10), use="admitting"),
        Diagnosis(code=coded("M17.11", ICD10), rank=1),
    )
    lines = written(replace(REVIEW, cancels=True, authorization=replace(AUTHORIZATION, diagnoses=several)))

    assert "HI*ABK:M1711*ABF:E1165*ABJ:R109" in lines
    assert lines[0].startswith("BHT*0007*01*")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"identifiers": ()}, ("required-field-missing", "2000E/TRN-02")),
        ({"category": None}, ("required-field-missing", "2000E/UM-01")),
        ({"certification_type": None}, ("required-field-missing", "2000E/UM-02")),
        (
            {"items": (AUTHORIZATION.items[0], replace(AUTHORIZATION.items[1], identifiers=()))},
            ("required-field-missing", "2000F[2]/TRN-02"),
        ),
        (
            {"items": (replace(AUTHORIZATION.items[0], code=coded("KNEE", "urn:x-main:east:L")),)},
            ("required-field-missing", "2000F/SV1-01"),
        ),
        ({"diagnoses": (Diagnosis(code=coded("KNEE", ICD10)),)}, ("data-type-error", "2000E/HI-01.2")),
        (
            {"participants": (Party(kind="provider", role=concept("DK", "98"), actor="prv_2"),)},
            ("required-field-missing", "2010EA/NM1"),
        ),
    ],
)
def test_what_a_payer_would_refuse_is_not_sent(given: dict[str, object], expected: tuple[str, str]) -> None:
    assert [expected] == refused(**given)


def test_two_items_under_one_trace() -> None:
    """The answers could not be told apart."""
    one, two = AUTHORIZATION.items
    found = refused(items=(one, replace(two, identifiers=one.identifiers)))

    assert [("required-field-missing", "2000F/TRN-02"), ("required-field-missing", "2000F[2]/TRN-02")] == found


def test_a_place_that_no_payer_knows_is_left_out() -> None:
    one, two = AUTHORIZATION.items
    elsewhere = replace(one, place_of_service=coded("11", PLACES))

    assert "UM*HS*I*62*11:B**E" in written(
        replace(REVIEW, authorization=replace(AUTHORIZATION, items=(elsewhere, two)))
    )


@given(st.integers(0, len(ANSWER)))
def test_a_cut_answer_is_not_taken(size: int) -> None:
    assert (size >= len(ANSWER) - 1) == read(ANSWER[:size]).matched


@given(st.integers(0, len(ANSWER) - 1), st.binary(max_size=8), st.integers(0, 60))
def test_any_bytes(at: int, put: bytes, gone: int) -> None:
    """Whatever is changed, the answer can be kept, its problems have public codes, and it tells no value."""
    found = read(ANSWER[:at] + put + ANSWER[at + gone :])

    assert msgspec.json.encode(found)
    assert {one.code for one in found.problems} <= CODES.keys()
    assert not any("SMITH" in one.path + one.detail for one in found.problems)
