"""Patients beside what Microsoft's converter makes of the same SIU and ADT messages: facts, not form.

Where we say otherwise on purpose, the reason stands here and in docs/guides/disagreements.md.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.records import Patient
from tests.transforms.hl7v2.story import all_of, tell
from transforms.hl7v2.profile import Profile

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
MICROSOFT = CORPORA / "microsoft__FHIR-Converter"
UTC_FEED = Profile(tenant="t1", feed="adt", zone="UTC")
pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of others are not on this machine")

OUTSIDE = ("GT1", "IN1", "IN2", "DB1")  # guarantor, insured, disability: their numbers and names are not the patient's
CALLED_BY = "Addsm"  # XPN-14, the name somebody is called by, is none of the given names
WITHDRAWN = "2222"  # XTN-11, the speed dial code; XTN-1 and XTN-5 to XTN-8 say the number


def cases() -> list[Path]:
    """The bundles that hold a patient of a message that the model knows."""
    found = [path for kind in ("ADT", "SIU") for path in MICROSOFT.glob(f"src/**/Expected/Hl7v2/{kind}_*/*.json")]
    return sorted(path for path in found if "ADT-A60" not in path.name and theirs(path))


def theirs(expected: Path) -> list[dict[str, Any]]:
    """Their patients; of merges and moves they make none."""
    bundle = json.loads(expected.read_text(encoding="utf-8-sig"))
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient"]


def message(expected: Path) -> bytes:
    """The message behind a bundle."""
    return (MICROSOFT / "data" / "SampleData" / "Hl7v2" / expected.name.replace("-expected.json", ".hl7")).read_bytes()


def pair(expected: Path) -> tuple[dict[str, Any], Patient, str]:
    """Their patient, ours who has most of the same numbers, and what stands in segments about others."""
    (them, *_), raw = theirs(expected), message(expected)
    known = {one["value"] for one in them.get("identifier", []) if "value" in one}
    ours = all_of(tell(raw, profile=UTC_FEED)[0], Patient)
    us = max(ours, key=lambda one: len(known & {number.value for number in one.identifiers}))
    lines = raw.decode("utf-8-sig").replace("\n", "\r").split("\r")
    return them, us, "\n".join(line for line in lines if line.startswith(OUTSIDE))


each = pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))


@each
def test_numbers(expected: Path) -> None:
    """Every number of the patient's own, with the account and the member numbers; of an SSN the digits count."""
    them, us, others = pair(expected)
    held = {one.value for one in (*us.identifiers, *us.accounts, *us.coverage_members)}
    sent = {one["value"] for one in them.get("identifier", []) if one.get("value")}

    assert not [one for one in sent if one not in others and not {one, one.replace("-", "")} & held]


@each
def test_names(expected: Path) -> None:
    """Family and given names, of the patient alone."""
    them, us, others = pair(expected)
    families = {one["family"] for one in them.get("name", []) if one.get("family")}
    given = {name for one in them.get("name", []) for name in one.get("given", []) if name != CALLED_BY}

    assert {one for one in families if one not in others} <= {one.family for one in us.names}
    assert {one for one in given if one not in others} <= {name for one in us.names for name in one.given}
    assert us.names or not families


@each
def test_birth_sex_and_death(expected: Path) -> None:
    """The day of birth, the sex, the instant of death, the marital status."""
    them, us, _ = pair(expected)
    died = them.get("deceasedDateTime")

    assert (them.get("birthDate"), them.get("gender")) == (us.birth_date, us.gender)
    assert (instant(died), them.get("deceasedBoolean")) == (
        instant(us.deceased_at),
        us.deceased if "deceasedBoolean" in them else None,
    )
    ours = us.marital_status.codings if us.marital_status else ()
    assert set(codes(them.get("maritalStatus"))) <= {one.code for one in ours}


@each
def test_where_to_reach_them(expected: Path) -> None:
    """Town and postal code; the digits of a telephone."""
    them, us, others = pair(expected)
    towns = {(one.get("city", "").strip(), one.get("postalCode")) for one in them.get("address", []) if one.get("city")}
    numbers = {digits(one.get("value", "")) for one in them.get("telecom", [])} - {"", WITHDRAWN}

    assert {one for one in towns if one[0] not in others} <= {(one.city, one.postal_code) for one in us.addresses}
    assert {one for one in numbers if one not in digits(others)} <= {digits(one.value) for one in us.telecoms}


def instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant."""
    return datetime.fromisoformat(text) if text else None


def codes(concept: dict[str, Any] | None) -> Iterator[str]:
    """The codes of a concept of theirs."""
    yield from (one["code"] for one in (concept or {}).get("coding", []))


def digits(text: Iterable[str]) -> str:
    """The digits alone."""
    return "".join(one for one in text if one.isdigit())
