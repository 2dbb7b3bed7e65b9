"""Appointments beside what Microsoft's converter makes of the same SIU messages: facts, not form.

Where we say otherwise on purpose, the reason stands here and in docs/guides/disagreements.md.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.datatypes import Participant
from canonical.records import Appointment, Location, Patient
from tests.transforms.hl7v2.story import all_of, codes, mapped, only, tell
from transforms.hl7v2.er7 import Unparseable
from transforms.hl7v2.header import header
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.siu import EVENTS

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
MICROSOFT = CORPORA / "microsoft__FHIR-Converter"
UTC_FEED = Profile(tenant="t1", feed="siu", zone="UTC")
KINDS = {"Practitioner": "provider", "Location": "location", "Device": "device", "Patient": "patient"}
pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of others are not on this machine")

ATTENDING = "PV1-7 takes part unless AIP names the same person; they leave it to the encounter"
DELIBERATE = {("SIU-S12-01", "participants"): ATTENDING}
MINUTES = {"theirs": 1, "ours": 50}  # 60 s beside 50 minutes from start to end: the times hold, the sender hears of it


def cases() -> list[Path]:
    """The bundles that were made of SIU messages."""
    return sorted(MICROSOFT.glob("src/**/Expected/Hl7v2/SIU_*/*-expected.json"))


def sample(expected: Path) -> bytes:
    """The message behind a bundle."""
    return (MICROSOFT / "data" / "SampleData" / "Hl7v2" / expected.name.replace("-expected.json", ".hl7")).read_bytes()


def resources(expected: Path) -> dict[str, dict[str, Any]]:
    """The resources of a bundle by their references."""
    bundle = json.loads(expected.read_text(encoding="utf-8-sig"))
    found = (entry["resource"] for entry in bundle["entry"])
    return {f"{one['resourceType']}/{one['id']}": one for one in found}


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_the_facts_of_an_appointment(expected: Path) -> None:
    """Instants, numbers, status and who takes part with which status are the same."""
    known = resources(expected)
    (them,) = (one for one in known.values() if one["resourceType"] == "Appointment")
    us = only(tell(sample(expected), profile=UTC_FEED)[0], Appointment)
    assert (instant(them["start"]), instant(them["end"])) == (instant(us.start), instant(us.end))
    assert them["status"] == us.status
    assert numbers(them) == {(one.type, one.value) for one in us.identifiers}
    listed = [one for one in us.participants if name(expected, "participants") not in DELIBERATE or one.key != "PV1/7"]
    assert sorted(theirs(them, known)) == sorted((one.kind, one.status or "") for one in listed)
    assert MINUTES == {"theirs": them["minutesDuration"], "ours": us.minutes_duration}


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_the_numbers_of_who_takes_part(expected: Path) -> None:
    """Patient, provider and device carry the numbers that they carry there."""
    known = resources(expected)
    (them,) = (one for one in known.values() if one["resourceType"] == "Appointment")
    working, _ = tell(sample(expected), profile=UTC_FEED)
    us, patient = only(working, Appointment), only(working, Patient)
    ours = {one.value for one in patient.identifiers} | {one for who in us.participants for one in held(who)}
    for part in them["participant"]:
        actor = known.get(part["actor"]["reference"], {})
        assert {one["value"] for one in actor.get("identifier", [])} <= ours


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_each_who_takes_part(expected: Path) -> None:
    """Each of theirs is one of ours: of that kind, in that role, with that status, numbers, name or ward."""
    known = resources(expected)
    (them,) = (one for one in known.values() if one["resourceType"] == "Appointment")
    working, _ = tell(sample(expected), profile=UTC_FEED)
    us = only(working, Appointment)
    wards = {one.id: one.point_of_care for one in all_of(working, Location)}
    for part in them["participant"]:
        actor = known.get(part["actor"]["reference"], {"resourceType": "Patient"})
        roles = {coding["code"] for role in part.get("type", []) for coding in role["coding"]}
        (found,) = [
            one
            for one in us.participants
            if one.kind == KINDS[actor["resourceType"]] and one.status == part["status"] and roles <= roles_of(one)
        ]
        if found.kind == "location":
            assert actor["name"] == wards[found.actor or ""]
        elif found.kind != "patient":
            assert {one["value"] for one in actor["identifier"]} == set(held(found))
        for called in actor.get("name", []) if found.kind == "provider" else ():
            assert called["family"] in (found.display or "")


def roles_of(one: Participant) -> set[str]:
    """The codes of a role."""
    return {coding.code for coding in one.role.codings} if one.role else set()


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_what_is_said_about_it(expected: Path) -> None:
    """The comment is our notes, and their type, which is SCH-7, is our reason."""
    (them,) = (one for one in resources(expected).values() if one["resourceType"] == "Appointment")
    us = only(tell(sample(expected), profile=UTC_FEED)[0], Appointment)
    assert them.get("comment", "") == "\n".join(one.text for one in us.notes)
    kinds = {coding["code"] for coding in them["appointmentType"]["coding"]}
    assert kinds <= {coding.code for one in us.reasons for coding in one.codings}


def name(expected: Path, fact: str) -> tuple[str, str]:
    """A fact of a sample, as it is listed."""
    return expected.name.removesuffix("-expected.json"), fact


def instant(text: str | None) -> datetime | None:
    """An RFC 3339 instant, whatever its offset."""
    return datetime.fromisoformat(text) if text else None


def held(who: Participant) -> Iterator[str]:
    """The numbers of a participant."""
    yield from (one.value for one in who.identifiers)


def numbers(them: dict[str, Any]) -> set[tuple[str, str]]:
    """Placer and filler numbers."""
    return {(one["type"]["coding"][0]["code"], one["value"]) for one in them["identifier"]}


def theirs(them: dict[str, Any], known: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Who takes part, as kind and status."""
    for part in them["participant"]:
        actor = known.get(part["actor"]["reference"], {"resourceType": "Patient"})
        yield KINDS[actor["resourceType"]], part["status"]


@pytest.mark.parametrize("expected", cases(), ids=lambda path: path.name.removesuffix("-expected.json"))
def test_what_we_say_otherwise_is_reported(expected: Path) -> None:
    """The length that contradicts the times, and SCH-11 that contradicts TQ1."""
    assert {("DQ-DURATION-CONFLICT", "SCH-9"), ("DQ-TIME-CONFLICT", "SCH-11")} <= codes(
        mapped(sample(expected), UTC_FEED)
    )


def messages() -> list[bytes]:
    """Every SIU message in any corpus."""
    found = (
        path.read_bytes() for path in sorted(CORPORA.rglob("*")) if path.is_file() and path.stat().st_size < 200_000
    )
    return [raw for raw in found if (head := header(raw)) and head.message_type == "SIU"]


def test_every_siu_message_of_every_corpus_is_applied() -> None:
    """Each maps and settles by itself; told again it is no news."""
    applied = 0
    for raw in messages():
        head = header(raw)
        assert head
        try:
            said = mapped(raw, UTC_FEED)
        except Unparseable:
            continue
        assert said.known == (("SIU", head.event) in EVENTS)
        if said.known:
            assert said.anchor_missing is None
            working, (_, again) = tell(raw, raw, profile=UTC_FEED)
            assert 1 == len(all_of(working, Appointment))
            assert [] == again.events
            applied += 1
    assert applied >= 12
