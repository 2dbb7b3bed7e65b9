"""Encounters beside what Microsoft's converter makes of the same ADT messages: facts, not form.

Where we say otherwise on purpose, the reason stands here and in docs/guides/disagreements.md.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.apply import Cause
from canonical.records import Encounter, Location
from canonical.settle import Settled, Working, settle
from tests.transforms.hl7v2.story import RECEIVED, all_of, mapped, tell
from transforms.hl7v2.adt import EVENTS
from transforms.hl7v2.er7 import Unparseable, parse
from transforms.hl7v2.header import header
from transforms.hl7v2.profile import Profile

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
MICROSOFT = CORPORA / "microsoft__FHIR-Converter"
UTC_FEED = Profile(tenant="t1", feed="adt", zone="UTC")
pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of others are not on this machine")

PERSONS_ALONE = "A28, A29 and A31 are about a person; their PV1 is there because the structure asks for it"
REGISTERED = "A04 is arrived, or planned when class or date say so (DOMAIN 2.2)"
DELIBERATE = {
    ("ADT-A28-01", "encounter"): PERSONS_ALONE,
    ("ADT-A29-01", "encounter"): PERSONS_ALONE,
    ("ADT-A31-01", "encounter"): PERSONS_ALONE,
    ("ADT-A60-01", "encounter"): "allergies are outside the model",
    ("ADT-A04-01", "status"): REGISTERED,
    ("ADT04-23", "status"): REGISTERED,
    ("ADT04-28", "status"): REGISTERED,
    ("ADT-A45-01", "status"): "a move says nothing about the state of the visit: class O is arrived, as for A04",
}
# Where a place stands in another state than with them, in which: they call every temporary and pending place planned.
HELD = {"temporary": "planned", "pending": "planned"}
OVER = frozenset({"cancelled", "finished"})  # they leave the places of such a visit without a state, or planned


def cases() -> list[Path]:
    """The bundles that were made of ADT messages."""
    return sorted(MICROSOFT.glob("src/**/Expected/Hl7v2/ADT_*/*-expected.json"))


def sample(expected: Path) -> Path:
    """The message behind a bundle."""
    return MICROSOFT / "data" / "SampleData" / "Hl7v2" / expected.name.replace("-expected.json", ".hl7")


def resources(expected: Path, kind: str) -> list[dict[str, Any]]:
    """The resources of a kind in a bundle."""
    bundle = json.loads(expected.read_text(encoding="utf-8-sig"))
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_the_facts_of_an_encounter(expected: Path) -> None:
    """Status, numbers, class, instants and staff are the same, but for what is listed above."""
    name = expected.name.removesuffix("-expected.json")
    theirs = resources(expected, "Encounter")
    raw = sample(expected).read_bytes()
    if (name, "encounter") in DELIBERATE:
        assert not [one for one in mapped(raw, UTC_FEED).patches if one.type == "encounter"]
        return
    ours = all_of(tell(raw, profile=UTC_FEED)[0], Encounter)
    if not theirs:
        assert all(one.status == "unknown" for one in ours), "a merge of accounts remembers what it has not seen"
        return
    (us,), (them,) = ours, theirs

    assert (name, "status") in DELIBERATE or them["status"] == us.status
    assert {one["value"] for one in them.get("identifier", []) if one["value"].strip()} <= {
        one.value for one in us.identifiers
    }
    assert us.class_
    assert them["class"]["code"] in {one.code for one in us.class_.codings}
    period = them.get("period", {})
    assert instant(period.get("start")) in {instant(us.start), instant(us.planned_start)}  # they show PV2-8 there too
    assert instant(period.get("end")) in {instant(us.end), instant(us.planned_end)}
    assert set(staff(expected, them)) <= {
        (one.role.codings[0].code, number.value) for one in us.participants if one.role for number in one.identifiers
    }


def pairs() -> Iterator[tuple[Path, dict[str, Any], Encounter, dict[str, str | None]]]:
    """Their encounter beside ours, and the ward of each of our locations."""
    for expected in cases():
        theirs = resources(expected, "Encounter")
        working, _ = tell(sample(expected).read_bytes(), profile=UTC_FEED)
        ours = all_of(working, Encounter)
        if theirs and ours:
            wards = {one.id: one.point_of_care for one in all_of(working, Location)}
            yield expected, theirs[0], ours[0], wards


def test_the_places_of_an_encounter() -> None:
    """Every place of ours is one of theirs, in the same state but for `HELD`, and where the status is another."""
    compared, wrong = 0, []
    for expected, them, us, wards in pairs():
        names = {one["id"]: one.get("name") for one in resources(expected, "Location")}
        theirs = [(names[one["location"]["reference"].partition("/")[2]], one.get("status")) for one in places(them)]
        follows = us.status in OVER or (expected.name.removesuffix("-expected.json"), "status") in DELIBERATE
        for place in us.placements:
            compared += 1
            ward, state = wards[place.location or ""], HELD.get(place.kind, place.status)
            if not any(ward == name and (state == said or follows) for name, said in theirs):
                wrong.append((expected.name, place.kind, ward, state, theirs))
    assert not wrong
    assert compared > 80


def places(them: dict[str, Any]) -> list[dict[str, Any]]:
    """The places of their encounter."""
    return list(them.get("location", []))


def test_the_codes_of_an_encounter() -> None:
    """Where from, where to, which service, why, in which way: their codes are among ours."""
    for expected, them, us, _ in pairs():
        stay = them.get("hospitalization", {})
        for theirs, ours in (
            ([stay.get("admitSource")], (us.admit_source,)),
            ([stay.get("dischargeDisposition")], (us.discharge_disposition,)),
            ([them.get("serviceType")], (us.service_type,)),
            (them.get("reasonCode", []), us.reasons),
            (them.get("type", []), us.types),
        ):
            said = {coding["code"] for one in theirs if one for coding in one.get("coding", []) if coding.get("code")}
            assert said <= {coding.code for one in ours if one for coding in one.codings}, expected.name
        number = stay.get("preAdmissionIdentifier", {}).get("value")
        assert number is None or (us.preadmit_number and number == us.preadmit_number.value), expected.name


def instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant."""
    return datetime.fromisoformat(text) if text else None


def staff(expected: Path, them: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who took part, in which role, by number."""
    people = {one["id"]: one for one in resources(expected, "Practitioner")}
    for one in them.get("participant", []):
        role = next((coding["code"] for kind in one.get("type", []) for coding in kind.get("coding", [])), "")
        person = people.get(one.get("individual", {}).get("reference", "").rpartition("/")[2], {})
        for number in person.get("identifier", []):
            if role:
                yield role, number["value"]


def messages() -> list[Path]:
    """Every ADT message in any corpus."""
    found = []
    for path in sorted(CORPORA.rglob("*")):
        head = header(path.read_bytes()) if path.is_file() and path.stat().st_size < 200_000 else None
        if head and head.message_type == "ADT":
            found.append(path)
    return found


def heard(working: Working, raw: bytes, number: int) -> Settled | None:
    """Settle a message if it can be; unparseable and parked ones are other tests' matter."""
    head = header(raw)
    assert head
    try:
        parse(raw)
    except Unparseable:
        return None
    said = mapped(raw, UTC_FEED, RECEIVED + number)
    if not said.known or said.anchor_missing:
        return None
    cause = Cause(
        message=f"msg_{number}", tenant="t1", feed="adt", clock=number, received_at=RECEIVED + number, event=head.event
    )
    return settle(working, said, cause)


def test_every_supported_message_is_applied() -> None:
    """Each file of each corpus maps and settles by itself; told again it is no news."""
    applied = 0
    for path in messages():
        raw, working = path.read_bytes(), Working()
        if first := heard(working, raw, 1):
            applied += 1
            again = heard(working, raw, 2)
            assert first.after
            assert again is not None
            assert again.events == []
    assert applied > 80


def test_only_what_has_no_patient_or_no_event_is_left_out() -> None:
    """Supported events are parked for one reason alone: no number of a patient."""
    for path in messages():
        head = header(path.read_bytes())
        assert head
        try:
            said = mapped(path.read_bytes(), UTC_FEED)
        except Unparseable:
            continue
        assert said.known == (("ADT", head.event) in EVENTS)
        if said.anchor_missing:
            assert said.anchor_missing.path == "PID-3"
