"""What is asked says what was meant: questions written and read back are the same, whatever is asked and however."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from canonical.datatypes import AuthorizationItem, Diagnosis, Money, Name, Procedure, Quantity
from canonical.records import Patient
from tests.transforms.x12.story import (
    AT,
    AUTHORIZATION,
    CHECK,
    INQUIRY,
    PATIENT,
    PAYER,
    REVIEW,
    coded,
    golden,
    numbers,
    ours,
)
from transforms.x12 import authorization, eligibility
from transforms.x12.asked import inquiries, requests
from transforms.x12.codes import CPT, ICD10, PLACES
from transforms.x12.converters import concept, write_decimal
from transforms.x12.delimiters import Delimiters
from transforms.x12.envelope import parse
from transforms.x12.guides import INQUIRY as TABLE_270
from transforms.x12.guides import REVIEW_REQUEST
from transforms.x12.keys import identity, keys
from transforms.x12.reader import read
from transforms.x12.rows import Reading

LETTERS = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ'- "), min_size=1, max_size=20).map(str.strip).filter(bool)
DAYS = st.dates(min_value=AT.date().replace(year=1900), max_value=AT.date().replace(year=2100)).map(str)
PROCEDURE = st.from_regex(r"\A[0-9]{5}\Z")
CODES = st.lists(st.from_regex(r"\A[0-9A-Z]{1,2}\Z"), max_size=6, unique=True)
DELIMITERS = st.sampled_from([Delimiters(), Delimiters("|", ">", "!", "\n"), Delimiters("\x1d", "\x1f", "\x1c", "~")])


@st.composite
def patients(draw: st.DrawFn) -> Patient:
    given_names = tuple(draw(st.lists(LETTERS, min_size=1, max_size=2)))
    name = Name(family=draw(LETTERS), given=given_names)
    return replace(PATIENT, names=(name,), birth_date=draw(DAYS), gender=draw(st.sampled_from(["male", "female"])))


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, str | None]:
    """A day, or a first and a last one that differ."""
    first, last = sorted((draw(DAYS), draw(DAYS)))
    return first, draw(st.sampled_from([None, last])) if last != first else None


@given(patients(), spans(), CODES, st.lists(PROCEDURE, max_size=3), st.sampled_from([None, "11", "22"]), DELIMITERS)
def test_a_270_says_what_the_check_asks(
    patient: Patient,
    span: tuple[str, str | None],
    types: list[str],
    procedures: list[str],
    place: str | None,
    delimiters: Delimiters,
) -> None:
    """Patient, day, services, procedures, place and trace come back as they went."""
    wanted: dict[str, Any] = {
        "start": span[0],
        "end": span[1],
        "service_types": tuple(concept(one, "1365") for one in types),
        "procedures": tuple(Procedure(code=coded(one, CPT), modifiers=(concept("26", "1339"),)) for one in procedures),
        "place_of_service": coded(place, PLACES) if place else None,
    }
    payer = replace(PAYER, delimiters=delimiters)
    asked = replace(INQUIRY, patient=patient, check=replace(CHECK, subscriber=None, **wanted))
    written = eligibility.request(asked, payer, numbers(), AT)
    assert written.raw, [(one.code, one.path) for one in written.problems]
    tree = read(parse(written.raw).transactions[0], TABLE_270)
    [found] = inquiries(tree, Reading(payer, delimiters))

    if not types and not procedures:
        wanted["service_types"] = (concept("30", "1365"),)
    assert wanted == {name: found.fields.get(name, () if name.endswith("s") else None) for name in wanted}
    assert CHECK.identifiers == found.fields["identifiers"]
    person = found.fields["subscriber"]
    assert (patient.names[0], patient.birth_date, patient.gender) == (person.name, person.birth_date, person.gender)


@st.composite
def items(draw: st.DrawFn) -> tuple[AuthorizationItem, ...]:
    """Services that differ in everything that a 278 can say of them."""
    found = []
    for key in range(1, draw(st.integers(1, 4)) + 1):
        first, last = draw(spans())
        amount = draw(st.decimals(0, 10**6, allow_nan=False, places=2))
        found.append(
            AuthorizationItem(
                key=str(key),
                identifiers=(ours(f"TRACE{key}"),),
                code=coded(draw(PROCEDURE), CPT),
                modifiers=tuple(coded(one, "https://codesystem.x12.org/005010/1339") for one in draw(MODIFIERS)),
                service_type=concept(draw(st.sampled_from(["62", "PT"])), "1365"),
                place_of_service=coded(draw(st.sampled_from(["11", "22"])), PLACES),
                quantity=Quantity(
                    value=str(draw(st.integers(1, 999))), code="UN", system="https://codesystem.x12.org/005010/355"
                ),
                charge=Money(amount=str(amount), currency="USD"),
                start=first,
                end=last,
            )
        )
    return tuple(found)


MODIFIERS = st.lists(st.from_regex(r"\A[0-9A-Z]{2}\Z"), max_size=4)


def plain(item: AuthorizationItem) -> AuthorizationItem:
    """An item whose charge has no zeros that say nothing: `900.00` is written as `900`."""
    assert item.charge
    amount = write_decimal(item.charge.amount)
    return replace(item, charge=Money(amount=f"0{amount}" if amount[0] == "." else amount, currency="USD"))


@given(items(), st.sampled_from([Diagnosis(code=coded("M17.11", ICD10), rank=1)]), DELIMITERS)
def test_a_278_says_what_the_authorization_asks(
    wanted: tuple[AuthorizationItem, ...], diagnosis: Diagnosis, delimiters: Delimiters
) -> None:
    """Every item with its trace, its service and its time comes back as it went."""
    payer = replace(PAYER, delimiters=delimiters)
    asked = replace(REVIEW, authorization=replace(AUTHORIZATION, items=wanted, diagnoses=(diagnosis,)))
    written = authorization.request(asked, payer, numbers(), AT)
    assert written.raw, [(one.code, one.path) for one in written.problems]
    tree = read(parse(written.raw).transactions[0], REVIEW_REQUEST)
    [found] = requests(tree, Reading(payer, delimiters))

    assert tuple(map(plain, wanted)) == found.fields["items"]
    assert (diagnosis,) == found.fields["diagnoses"]
    assert AUTHORIZATION.identifiers == found.fields["identifiers"]
    assert AUTHORIZATION.category == found.fields["category"]
    assert ["SUSAN WATSON"] == [one.display for one in found.fields["participants"]]


def test_what_an_interchange_is_known_by() -> None:
    """The same again is the same; a number, a name in any case and a date of birth find it."""
    answer = golden("271-covered")
    found = parse(answer)

    assert identity(found) == identity(parse(answer.replace(b"~", b"~\n")))
    assert identity(found) != identity(parse(answer.replace(b"000000202", b"000000203")))
    assert {
        ("identifier", "W11122333301"),
        ("identifier", "01JD8ELG0001"),
        ("identifier", "GRP778"),
        ("name", "smith"),
        ("birthdate", "1943-05-19"),
    } <= set(keys(found))
