"""The main job from end to end: what an EHR sends over MLLP, a partner reads from the API, with where it came from."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.isthmus import Isthmus, running
from tests.mllp import Line, code
from tests.scenarios.messages import NORTH, SYSTEM, booking, merge, message, person, scheduled, visit

FIRST = booking("F100", "K100")
PLACES = {
    "start": "TQ1-7",
    "end": "TQ1-8",
    "reasons": "SCH-7",
    "appointmentType": "SCH-8",
    "minutesDuration": "SCH-9",
    "status": "SCH-25",
    "patient": "PID-3",
    "services": "AIS-3",
    f"identifiers/{SYSTEM}|F100": "SCH-2",
    f"identifiers/{SYSTEM}|PF100": "SCH-1",
}


@pytest.fixture(scope="module")
def isthmus(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isthmus]:
    """One gateway for all facts of this file; each has its own patients and appointments."""
    with running(Isthmus(tmp_path_factory.mktemp("story"))) as started:
        yield started


@pytest.fixture
def line(isthmus: Isthmus) -> Iterator[Line]:
    """The EHR's connection."""
    with Line(isthmus.mllp) as opened:
        yield opened


@pytest.fixture
def booked(isthmus: Isthmus, line: Line) -> dict[str, Any]:
    """The appointment F100; sent before every fact that needs it, which changes nothing after the first time."""
    assert "AA" == code(line.say(FIRST))
    return only(isthmus, "appointments", "F100")


def only(isthmus: Isthmus, kind: str, number: str) -> dict[str, Any]:
    """The one record that has an identifier."""
    (found,) = isthmus.all(f"/v1/{kind}?identifier={number}")
    return found


def told(isthmus: Isthmus, subject: str) -> list[str]:
    """The types of all events about a record, in the order of the feed."""
    return [one["type"] for one in isthmus.get("/v1/events?limit=500")["items"] if one["subject"] == subject]


def events_after(isthmus: Isthmus, place: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = isthmus.get(f"/v1/events?after={place}&limit=500")["items"]
    return items


def heard_now(isthmus: Isthmus) -> str:
    """The place that the feed of events has reached."""
    return str(isthmus.get("/v1/events?limit=500")["next"])


# -- read and search


def test_a_booking_is_an_appointment_as_soon_as_it_is_acknowledged(booked: dict[str, Any]) -> None:
    """The canonical facts of an S12: status, instants in UTC beside the zone, who, where, what."""
    assert ("booked", "2027-06-01T13:00:00Z", "2027-06-01T13:30:00Z", "America/New_York", 30) == tuple(
        booked[field] for field in ("status", "start", "end", "zone", "minutesDuration")
    )
    assert {("F100", "FILL"), ("PF100", "PLAC")} == {(one["value"], one["type"]) for one in booked["identifiers"]}
    assert ["patient", "location", "provider"] == [one["kind"] for one in booked["participants"]]
    assert "99213" == booked["services"][0]["code"]["codings"][0]["code"]


@pytest.mark.parametrize("said", ["F100", f"{SYSTEM}|F100"])
def test_found_by_identifier_in_both_forms_and_ways(isthmus: Isthmus, booked: dict[str, Any], said: str) -> None:
    """`value` and `system|value` find it, as a query and in the body of `_search`; another system does not."""
    by_body = isthmus.ask("POST", "/v1/appointments/_search", {"identifier": said}).json["items"]

    assert [booked] == isthmus.all(f"/v1/appointments?identifier={said}") == by_body
    assert [] == isthmus.all("/v1/appointments?identifier=urn:x-other|F100")


@pytest.mark.parametrize(
    ("finds", "misses"),
    [
        ("patient={patient}", "patient=pat_00000000000000000000000000"),
        ("provider={provider}", "provider=prv_00000000000000000000000000"),
        ("location={location}", "location=loc_00000000000000000000000000"),
        ("status=booked", "status=cancelled"),
        ("status=noshow,booked", "status=noshow&status=waitlist"),
        ("dateFrom=2027-06-01", "dateFrom=2027-06-02"),
        ("dateTo=2027-06-01", "dateTo=2027-05-31"),
        ("dateFrom=2027-06-01T13:00:00Z&dateTo=2027-06-01T13:00:00Z", "dateFrom=2027-06-01T13:00:01Z"),
        ("dateFrom=2027-06-01T09:00:00-04:00", "dateTo=2027-06-01T08:59:59-04:00"),
        ("updatedSince={updatedAt}", "updatedSince=2100-01-01"),
    ],
)
def test_found_by_what_it_says(isthmus: Isthmus, booked: dict[str, Any], finds: str, misses: str) -> None:
    """Each filter finds the appointment by its value and not by another one."""
    actors = {one["kind"]: one["actor"] for one in booked["participants"]}
    wanted = finds.format(**{**actors, "patient": booked["patient"], "updatedAt": booked["updatedAt"]})

    assert booked["id"] in [one["id"] for one in isthmus.all(f"/v1/appointments?identifier=F100&{wanted}")]
    assert [] == isthmus.all(f"/v1/appointments?identifier=F100&{misses}")


def test_the_version_is_the_etag(isthmus: Isthmus, booked: dict[str, Any]) -> None:
    """A read gives the version as a strong ETag; who has it is answered 304 with nothing."""
    path = f"/v1/appointments/{booked['id']}"
    read = isthmus.ask("GET", path)
    again = isthmus.ask("GET", path, If_None_Match=read.headers["etag"])

    assert (200, f'"{booked["versionId"]}"', booked) == (read.status, read.headers["etag"], read.json)
    assert (304, b"") == (again.status, again.body)
    assert 200 == isthmus.ask("GET", path, If_None_Match='"77"').status


def test_lineage_names_message_place_and_mapping(isthmus: Isthmus, line: Line, booked: dict[str, Any]) -> None:
    """Every field says from which field of which message it came, and by which mapping, exactly."""
    (sent,) = isthmus.all("/v1/messages?controlId=K100")
    lines = isthmus.get(f"/v1/appointments/{booked['id']}/lineage")["items"]
    said = {(one["field"], one["path"]) for one in lines}

    assert set() == set(PLACES.items()) - said
    assert {(sent["id"], True)} == {(one["message"], one["exact"]) for one in lines}
    assert {"zone"} == {one["field"] for one in lines if not one["path"]}
    assert [["feed.zone"]] == [one["derivedFrom"] for one in lines if one["derivedFrom"]]
    assert all(one["mapping"] for one in lines)


def test_the_feed_of_events_is_in_order(isthmus: Isthmus, line: Line) -> None:
    """What one message changed is told patient first, appointment last, and `next` goes on behind it."""
    before = heard_now(isthmus)
    line.say(booking("F101", "K101", mrn="M101"))
    told = events_after(isthmus, before)

    assert ["patient.created", "appointment.created"] == [
        one["type"] for one in told if one["type"].startswith(("patient", "appointment"))
    ]
    assert sorted(one["seq"] for one in told) == [one["seq"] for one in told]
    assert told[1:] == events_after(isthmus, str(told[0]["seq"]))
    assert [] == events_after(isthmus, heard_now(isthmus))


# -- the message itself


@pytest.mark.parametrize("by", ["identifier=F100", f"identifier={SYSTEM}|F100", "controlId=K100", "record={id}"])
def test_the_message_is_found(isthmus: Isthmus, booked: dict[str, Any], by: str) -> None:
    """By any identifier it names, by its control id, and by a record that it was about."""
    found = isthmus.all(f"/v1/messages?{by.format(**booked)}")

    assert [("K100", "applied", "SIU", "S12", "AA")] == [
        tuple(one[field] for field in ("controlId", "state", "type", "event", "ackCode")) for one in found
    ]
    assert booked["id"] in found[0]["records"]


def test_the_bytes_are_kept_as_they_came(isthmus: Isthmus, booked: dict[str, Any]) -> None:
    """`raw` is what was sent, byte for byte, and the tree has every segment and field by name."""
    identity = booked["provenance"]["message"]
    raw = isthmus.ask("GET", f"/v1/messages/{identity}/raw")
    tree = isthmus.get(f"/v1/messages/{identity}/tree")["items"]

    assert (FIRST, "application/hl7-v2") == (raw.body, raw.headers["content-type"])
    assert [part[:3].decode() for part in FIRST.split(b"\r")] == [one["path"][:3] for one in tree]


def test_a_replay_changes_nothing(isthmus: Isthmus, booked: dict[str, Any]) -> None:
    """A message that is mapped again gives the same ids, no new version and no event."""
    before, place = isthmus.get(f"/v1/appointments/{booked['id']}"), heard_now(isthmus)
    (sent,) = isthmus.all("/v1/messages?controlId=K100")
    again = isthmus.ask("POST", f"/v1/messages/{sent['id']}/replay", {})

    assert (200, sent["records"], "applied") == (again.status, again.json["records"], again.json["state"])
    assert before == isthmus.get(f"/v1/appointments/{booked['id']}")
    assert [] == events_after(isthmus, place)


# -- the life of an appointment


def test_rescheduled(isthmus: Isthmus, line: Line) -> None:
    """S13 moves it, keeps its id, tells `appointment.rescheduled`, and history shows both versions."""
    line.say(booking("F110", "K110", mrn="M110"))
    before = only(isthmus, "appointments", "F110")
    moved = {"start": "20270602100000", "end": "20270602103000", "at": "20250111090000-0500"}
    assert "AA" == code(line.say(booking("F110", "K111", "S13", mrn="M110", **moved)))
    after = only(isthmus, "appointments", "F110")

    assert (before["id"], "2", "booked", "2027-06-02T14:00:00Z") == tuple(
        after[field] for field in ("id", "versionId", "status", "start")
    )
    assert ["appointment.created", "appointment.rescheduled"] == told(isthmus, after["id"])
    assert [after, before] == isthmus.get(f"/v1/appointments/{after['id']}/history")["items"]


@pytest.mark.parametrize(
    ("number", "event", "status", "kind"),
    [("F120", "S15", "cancelled", "appointment.cancelled"), ("F121", "S26", "noshow", "appointment.noshow")],
)
def test_ended(isthmus: Isthmus, line: Line, number: str, event: str, status: str, kind: str) -> None:
    """S15 cancels and S26 is a no-show, whatever SCH-25 says; the reason is kept and the time stays."""
    mrn = f"M{number}"
    line.say(booking(number, f"K{number}", mrn=mrn))
    later = booking(number, f"L{number}", event, mrn=mrn, at="20250111090000-0500", reason="SICK^Is ill^L")
    assert "AA" == code(line.say(later))
    found = only(isthmus, "appointments", number)

    assert (status, "SICK", "2027-06-01T13:00:00Z") == (
        found["status"],
        found["statusReason"]["codings"][0]["code"],
        found["start"],
    )
    assert ["booked", status] == [one["to"] for one in found["statusHistory"]]
    assert ["appointment.created", kind] == told(isthmus, found["id"])


def test_a_cancel_that_comes_before_its_booking(isthmus: Isthmus, line: Line) -> None:
    """The late booking fills what is missing and does not bring it back (DOMAIN annex A2)."""
    cancel = message(
        "SIU^S15",
        "K131",
        scheduled("F130", "PTREQ^Patient request^L", ""),
        person("M130"),
        "RGS|1",
        at="20250111090000-0500",
    )
    assert "AA" == code(line.say(cancel))
    early = only(isthmus, "appointments", "F130")
    assert "AA" == code(line.say(booking("F130", "K130", mrn="M130")))
    found = only(isthmus, "appointments", "F130")

    assert ("cancelled", "PTREQ", None) == (
        early["status"],
        early["statusReason"]["codings"][0]["code"],
        early.get("start"),
    )
    assert (early["id"], "cancelled", "2027-06-01T13:00:00Z", 30) == tuple(
        found[field] for field in ("id", "status", "start", "minutesDuration")
    )
    assert [("booked", True), ("cancelled", False)] == [
        (one["to"], one.get("late", False)) for one in found["statusHistory"]
    ]
    assert {"F130", "PF130"} == {one["value"] for one in found["identifiers"]}


# -- the same again


def test_a_duplicate_is_given_the_first_answer(isthmus: Isthmus, line: Line) -> None:
    """The same bytes again are answered with the same bytes, are counted, and change nothing."""
    sent = booking("F140", "K140", mrn="M140")
    first = line.say(sent)
    before = only(isthmus, "appointments", "F140"), heard_now(isthmus)

    assert [first, first] == [line.say(sent), line.say(sent + b"\r")]
    assert before == (only(isthmus, "appointments", "F140"), heard_now(isthmus))
    assert [2] == [one["duplicates"] for one in isthmus.all("/v1/messages?controlId=K140")]


def test_a_control_id_that_is_used_again(isthmus: Isthmus, line: Line) -> None:
    """Other content under a known control id is no duplicate: it is applied, and the problem is told."""
    line.say(booking("F150", "K150", mrn="M150"))
    again = booking("F150", "K150", "S14", mrn="M150", status="Waitlist", at="20250111090000-0500")
    assert "AA" == code(line.say(again))
    newest, oldest = isthmus.all("/v1/messages?controlId=K150")

    assert "waitlist" == only(isthmus, "appointments", "F150")["status"]
    assert "DQ-CTRLID-REUSE" in [one["code"] for one in newest["problems"]]
    assert "DQ-CTRLID-REUSE" not in [one["code"] for one in oldest["problems"]]


# -- visits and people


def test_a_stay(isthmus: Isthmus, line: Line) -> None:
    """A01, A02, A03 and A13: admitted, moved, discharged, and the discharge taken back."""
    seen = []
    for event, at, more in (
        ("A01", "20250110080000-0500", {"f44": "20250110080000-0500"}),
        ("A02", "20250111080000-0500", {"place": "ICU^2^B^NORTH"}),
        ("A03", "20250112080000-0500", {"place": "ICU^2^B^NORTH", "f45": "20250112080000-0500"}),
        ("A13", "20250112090000-0500", {"place": "ICU^2^B^NORTH"}),
    ):
        assert "AA" == code(line.say(visit(event, f"V{event}", "V160", at, mrn="M160", **more)))
        found = only(isthmus, "encounters", "V160")
        assigned = next(one for one in found["placements"] if one["kind"] == "assigned")
        seen.append((found["status"], assigned["display"], found.get("end")))

    assert [
        ("in-progress", "W1 101 A", None),
        ("in-progress", "ICU 2 B", None),
        ("finished", "ICU 2 B", "2025-01-12T13:00:00Z"),
        ("in-progress", "ICU 2 B", None),
    ] == seen
    assert "2025-01-10T13:00:00Z" == found["start"]
    assert [
        "encounter.started",
        "encounter.transferred",
        "encounter.finished",
        "encounter.discharge_cancelled",
    ] == [kind for kind in told(isthmus, found["id"]) if kind not in ("encounter.created", "encounter.updated")]


def test_an_event_from_before_version_2_3(isthmus: Isthmus, line: Line) -> None:
    """Where MSH-9 holds a message code alone, the event is the one in EVN: on the message and in the history."""
    old = visit("A01", "V161", "V161", "20250110080000-0500", mrn="M161").replace(b"|ADT^A01|", b"|ADT|")
    assert "AA" == code(line.say(old.replace(b"|2.5.1", b"|2.2")))
    (kept,) = isthmus.all("/v1/messages?controlId=V161&event=A01")
    encounter = only(isthmus, "encounters", "V161")

    assert ("applied", "A01") == (kept["state"], kept["event"])
    assert ["A01"] == [one["event"] for one in encounter["statusHistory"]]


def test_lineage_of_the_entries_of_a_list(isthmus: Isthmus, line: Line) -> None:
    """Each number and each place of a list has the place that it was read from, not that of its neighbours."""
    line.say(visit("A01", "V165", "V165", "20250110080000-0500", mrn="M165", f6="ER^1^1^NORTH"))
    line.say(merge("V166", "M166", "M165", "20250111080000-0500"))
    encounter = only(isthmus, "encounters", "V165")
    lines = isthmus.get(f"/v1/encounters/{encounter['id']}/lineage")["items"]
    lines += isthmus.get(f"/v1/patients/{only(isthmus, 'patients', 'M166')['id']}/lineage")["items"]
    told = [one for one in lines if one["field"] != "placements/pending"]  # which the arrival emptied

    assert {
        "placements/assigned": "PV1-3",
        "placements/prior": "PV1-6",
        "identifiers/urn:x-main:soak:NORTH|V165": "PV1-19",
        "identifiers/urn:x-main:soak:NORTH|M165": "MRG-1",
        "identifiers/urn:x-main:soak:NORTH|M166": "PID-3",
    } == {one["field"]: one["path"] for one in told if one["field"].startswith(("identifiers", "placements"))}


def test_an_admission_that_is_taken_back(isthmus: Isthmus, line: Line) -> None:
    """A11 cancels the visit."""
    line.say(visit("A01", "V170", "V170", "20250110080000-0500", mrn="M170"))
    assert "AA" == code(line.say(visit("A11", "V171", "V170", "20250110090000-0500", mrn="M170")))
    found = only(isthmus, "encounters", "V170")

    assert "cancelled" == found["status"]
    assert "encounter.admit_cancelled" in told(isthmus, found["id"])


def test_two_numbers_are_one_person(isthmus: Isthmus, line: Line) -> None:
    """A40: the old number leads to the survivor, with everything that was said about it, and that is told in order."""
    line.say(booking("F180", "K180", mrn="M180"))
    line.say(booking("F181", "K181", mrn="M181"))
    retired, survivor = (only(isthmus, "appointments", number)["patient"] for number in ("F180", "F181"))
    place = heard_now(isthmus)
    assert "AA" == code(line.say(merge("K182", "M181", "M180", "20250111080000-0500")))
    line.say(booking("F180", "K183", "S13", mrn="M180", at="20250112090000-0500", start="20270603090000"))
    stands = isthmus.get(f"/v1/patients/{survivor}")
    gone = isthmus.get(f"/v1/patients/{retired}")
    after = events_after(isthmus, place)

    assert {"M180", "M181"} == {one["value"] for one in stands["identifiers"]}
    assert ("merged", "replaced-by", survivor) == (gone["status"], gone["links"][0]["type"], gone["links"][0]["other"])
    assert survivor in [one["id"] for one in isthmus.all(f"/v1/patients?identifier={NORTH}|M180")]
    assert {"F180", "F181"} == {
        one["value"]
        for found in isthmus.all(f"/v1/appointments?patient={survivor}")
        for one in found["identifiers"]
        if one["type"] == "FILL"
    }
    assert [survivor] * 2 == [only(isthmus, "appointments", number)["patient"] for number in ("F180", "F181")]
    kinds = [one["type"] for one in after]
    assert kinds.index("patient.merged") < kinds.index("appointment.rescheduled")
