"""SIU events as appointments: status, time, participants, order of receipt (DOMAIN 1.2, 2.2, 2.3; Annex A1, A2, A7)."""

from itertools import permutations
from pathlib import Path

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from canonical.datatypes import Coding, Participant
from canonical.group import each_once
from canonical.records import Appointment, Encounter, Location, Patient, Provider
from canonical.status import history
from tests.transforms.hl7v2.story import (
    EAST,
    all_of,
    appointment,
    codes,
    er7,
    events,
    mapped,
    msh,
    only,
    patch,
    tell,
)
from transforms.hl7v2.profile import Profile
from transforms.hl7v2.rows import Used

GOLDEN = Path(__file__).parents[2] / "golden" / "hl7v2"
A1 = (GOLDEN / "siu-s12-booked" / "in.hl7").read_bytes()
A2 = (GOLDEN / "siu-s15-first" / "in.hl7").read_bytes()


def siu(
    event: str = "S12",
    *segments: str,
    status: str = "Booked",
    at: str = "20261121090000-0500",
    filler: str = "F1^EPICSCH",
    start: str = "20261202093000",
    end: str = "20261202100000",
    reason: str = "",
    duration: str = "|",
    parent: str = "",
) -> bytes:
    """An SIU with what a test is about."""
    sch = f"SCH||{filler}||||{reason}|||{duration}||||||||||||||{parent}|{status}"
    return er7(msh(f"SIU^{event}", at), sch, f"TQ1|1||||||{start}|{end}", *segments)


PID = "PID|1||5^^^EASTMRN^MR||ADAMS^ANNA"


def known(record: Appointment) -> dict[str, object]:
    """What is known of an appointment, whenever and in whatever order it was heard."""
    plain: dict[str, object] = to_builtins(record)
    for field in ("version", "createdAt", "updatedAt", "message", "facts", "stamps", "clocks", "id", "starts"):
        plain.pop(field, None)
    return plain


def keys(record: Appointment) -> list[str]:
    """What the entries are known by; a patient is by the number."""
    return ["PID" if one.kind == "patient" else one.key or "" for one in record.participants]


# Annex A1


def test_a1_is_a_booked_appointment_at_its_instant() -> None:
    """Wall clock and zone of the place give the instant; the declared duration is that of the two times."""
    booked = appointment(A1)
    assert "booked" == booked.status
    assert ("2026-12-02T14:30:00Z", "2026-12-02T15:15:00Z") == (booked.start, booked.end)
    assert ("America/New_York", 45, "declared") == (booked.zone, booked.minutes_duration, booked.duration_source)
    assert () == booked.problems


def test_a1_keeps_numbers_reason_type_service_order_note_priority_and_visit() -> None:
    """Each coded field goes where the standard means it to go."""
    booked = appointment(A1)
    assert {("FILL", "F7001"), ("PLAC", "P9001")} == {(one.type, one.value) for one in booked.identifiers}
    assert ["Knee pain"] == [one.text for one in booked.reasons]
    assert booked.appointment_type is not None
    assert "MRI visit" == booked.appointment_type.text
    assert [Coding(code="73721", system="http://www.ama-assn.org/go/cpt", display="MRI lower extremity joint")] == [
        coding for service in booked.services for coding in service.code.codings
    ]
    assert ["ORD555"] == [one.value for one in booked.based_on]
    assert ["Arrive 15 min early\nBring films"] == [one.text for one in booked.notes]
    assert booked.priority is not None
    assert "Routine" == booked.priority.text
    assert booked.visit is not None
    assert "V4455" == booked.visit.value


def test_a1_has_one_radiologist_although_pv1_names_her_too() -> None:
    """PV1-7 is the person of AIP-3, so she takes part once."""
    working, _ = tell(A1)
    booked = only(working, Appointment)
    doctor, place, patient = only(working, Provider), only(working, Location), only(working, Patient)
    assert [("patient", patient.id), ("location", place.id), ("provider", doctor.id)] == [
        (one.kind, one.actor) for one in booked.participants
    ]
    assert ["1234567893"] == [one.value for one in doctor.identifiers]
    assert ("EAST", "BLDG2", "IMG", "MR1", None) == (
        place.facility,
        place.building,
        place.point_of_care,
        place.room,
        place.bed,
    )


def test_a1_member_number_does_not_find_the_patient() -> None:
    """PID-3 of type MB belongs to a coverage."""
    patient = only(tell(A1)[0], Patient)
    assert ["00123456"] == [one.value for one in patient.identifiers]
    assert ["W11122333301"] == [one.value for one in patient.coverage_members]


def test_the_same_facts_again_change_nothing() -> None:
    """A1 under another control id makes no new version and no event."""
    again = A1.replace(b"|SCH0001|", b"|SCH0009|")
    working, (_, second) = tell(A1, again)
    assert 1 == only(working, Appointment).version
    assert [] == second.events


def test_the_same_control_id_with_another_status_is_processed() -> None:
    """A1 once more as Waitlist."""
    working, done = tell(A1, A1.replace(b"Booked^Booked^HL70278", b"Waitlist^^HL70278"))
    assert "waitlist" == only(working, Appointment).status
    assert ["appointment.created", "appointment.waitlisted"] == events(done)


# Annex A2


def test_a2_first_leaves_a_cancelled_tombstone() -> None:
    """A cancellation of something unknown is kept, without times."""
    gone = appointment(A2)
    assert ("cancelled", None, None) == (gone.status, gone.start, gone.end)
    assert gone.status_reason is not None
    assert "PTREQ" == gone.status_reason.codings[0].code


def test_a2_and_a1_end_the_same_in_both_orders() -> None:
    """The late booking fills in details and does not resurrect."""
    late, early = appointment(A2, A1), appointment(A1, A2)
    actors = {one.key: one.actor for one in late.participants}
    told = {one.key: one.actor for one in early.participants}
    swap = {told[key]: actors[key] for key in actors}
    same = replace(
        early,
        patient=swap[early.patient],
        participants=tuple(replace(one, actor=swap[one.actor]) for one in early.participants),
    )
    assert known(late) == known(same)
    assert ("cancelled", "2026-12-02T14:30:00Z") == (late.status, late.start)
    assert 1 == sum(change.late for change in history("appointment", late.facts))


# Events and status


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [
        ("S12", "", "booked"),
        ("S12", "Pending", "pending"),
        ("S12", " waitlist ^^HL70278", "waitlist"),
        ("S12", "OVERBOOK", "booked"),
        ("S14", "Started", "checked-in"),
        ("S14", "Complete", "fulfilled"),
        ("S14", "canceled", "cancelled"),
        ("S14", "Discontinued", "cancelled"),
        ("S14", "No Show", "noshow"),
        ("S14", "^No Show", "noshow"),
        ("S14", "Deleted", "entered-in-error"),
        ("S15", "Booked", "cancelled"),
        ("S16", "Complete", "cancelled"),
        ("S17", "Booked", "entered-in-error"),
        ("S26", "Booked", "noshow"),
        ("S27", "Complete", "fulfilled"),
        ("S19", "Pending", "pending"),
    ],
)
def test_event_or_filler_status_decides(event: str, status: str, expected: str) -> None:
    """S15, S16, S17 and S26 decide themselves, all others leave it to SCH-25."""
    assert expected == appointment(siu(event, PID, status=status)).status


@pytest.mark.parametrize("event", ["S14", "S18", "S19", "S20", "S21", "S22", "S27"])
def test_a_silent_update_leaves_the_status_alone(event: str) -> None:
    """Without SCH-25 nothing is said about a status that is known."""
    arrived = siu("S14", PID, status="Started")
    assert "checked-in" == appointment(arrived, siu(event, PID, status="", at="20261122090000-0500")).status


def test_a_local_status_goes_through_the_code_map() -> None:
    """`ARR` means what the feed's owner says it means, and stays beside it."""
    profile = replace(EAST, codes={"HL70278": {"ARR": Coding(code="arrived", system="urn:ours")}})
    came = appointment(siu("S14", PID, status="ARR^Arrived^L"), profile=profile)
    assert "arrived" == came.status
    assert came.source_status is not None
    assert "ARR" == came.source_status.codings[0].code


def test_an_unknown_status_leaves_the_events_own_and_is_reported() -> None:
    """The sender's word stays in source_status."""
    raw = siu("S12", PID, status="SOON")
    assert ("DQ-CODE-UNMAPPED", "SCH-25") in codes(mapped(raw))
    booked = appointment(raw)
    assert "booked" == booked.status
    assert ["status"] == [one.field for one in booked.problems]


@pytest.mark.parametrize(("event", "status"), [("S16", ""), ("S14", "Dc")])
def test_stopped_is_cancelled_for_the_reason_discontinued(event: str, status: str) -> None:
    """The reason that the sender gives stands before ours."""
    stopped = appointment(siu(event, PID, status=status, reason="LATE^Ran late^L" if event == "S16" else ""))
    assert stopped.status_reason is not None
    assert "discontinued" == stopped.status_reason.codings[-1].code
    assert (event == "S16") == (stopped.status_reason.codings[0].code == "LATE")


def test_overbooked_is_a_flag_that_a_later_status_takes_back() -> None:
    """Overbook is booked twice; Booked is booked."""
    twice, once = siu(status="Overbook"), siu("S14", status="Booked", at="20261122090000-0500")
    assert True is appointment(twice).overbooked
    assert None is appointment(twice, once).overbooked


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("S13", "appointment.rescheduled"),
        ("S15", "appointment.cancelled"),
        ("S16", "appointment.discontinued"),
        ("S17", "appointment.deleted"),
        ("S18", "appointment.resource_added"),
        ("S19", "appointment.resource_changed"),
        ("S26", "appointment.noshow"),
    ],
)
def test_events_are_told_in_the_senders_word(event: str, expected: str) -> None:
    """What took effect is called what the sender called it."""
    after = siu(event, PID, "AIP|2|A|55^NURSE^NINA", at="20261122090000-0500", start="20261203093000", end="")
    assert ["appointment.created", expected] == events(tell(siu("S12", PID), after)[1])


@pytest.mark.parametrize(
    ("start", "end", "word"),
    [
        ("", "", "updated"),
        ("20261202093000", "20261202100000", "updated"),
        ("20261202093000", "20261202110000", "rescheduled"),
        ("20261203093000", "20261203100000", "rescheduled"),
    ],
)
def test_a_reschedule_is_told_where_the_time_changed(start: str, end: str, word: str) -> None:
    """S13 without a time, or with the one that is known, changes what it says and tells of no other time."""
    first = siu("S12", PID, start="20261202093000", end="20261202100000")
    other = siu("S13", PID, "NTE|1||bring the papers", at="20261122090000-0500", start=start, end=end)
    assert ["appointment.created", f"appointment.{word}"] == events(tell(first, other)[1], "appointment")


def test_an_update_that_moves_the_time_is_a_reschedule() -> None:
    """S14 with another start."""
    moved = siu("S14", PID, start="20261203093000", end="20261203100000", at="20261122090000-0500")
    assert ["appointment.created", "appointment.rescheduled"] == events(tell(siu("S12", PID), moved)[1])


# S13 under a new number


def test_a_new_number_replaces_its_parent() -> None:
    """The old appointment is cancelled, the new one says what it replaces."""
    moved = siu("S13", PID, filler="F2^EPICSCH", parent="F1^EPICSCH", at="20261122090000-0500")
    working, done = tell(siu("S12", PID), moved)
    old, new = all_of(working, Appointment)
    assert ("cancelled", "booked", old.id) == (old.status, new.status, new.replaces)
    assert {"appointment.cancelled", "appointment.created"} == set(events(done[1:]))


def test_a_known_number_does_not_cancel_its_parent() -> None:
    """An occurrence of a series keeps its parent when it moves."""
    series, first = siu("S12", PID), siu("S12", PID, filler="F2^EPICSCH", parent="F1^EPICSCH", at="20261121100000-0500")
    moved = siu("S13", PID, filler="F2^EPICSCH", parent="F1^EPICSCH", at="20261122090000-0500")
    assert ["booked", "booked"] == [one.status for one in all_of(tell(series, first, moved)[0], Appointment)]


def test_a_replacement_ends_the_same_in_any_order() -> None:
    """Booking, replacement and a later change of the new one, in all six orders."""
    told = [
        siu("S12", PID),
        siu("S13", PID, filler="F2^EPICSCH", parent="F1^EPICSCH", at="20261122090000-0500"),
        siu("S14", PID, filler="F2^EPICSCH", at="20261123090000-0500", status="Pending"),
    ]
    ends = []
    for order in permutations(told):
        found = {one.identifiers[0].value: one for one in all_of(tell(*order)[0], Appointment)}
        ends.append([(found[value].status, bool(found[value].replaces)) for value in ("F1", "F2")])
    assert [[("cancelled", False), ("pending", True)]] * 6 == ends


# Slots, anchors, groups


@pytest.mark.parametrize(("event", "expected"), [("S23", "slot.blocked"), ("S24", "slot.opened")])
def test_blocks_are_told_without_an_appointment(event: str, expected: str) -> None:
    """A schedule's time has no patient; who and where is kept."""
    raw = er7(msh(f"SIU^{event}"), "SCH|||||MR1^Scanner|M", "AIL|1||IMG^MR1^^EAST", "AIP|1||9^ADA")
    working, (done,) = tell(raw)
    assert [] == all_of(working, Appointment)
    assert (1, 1) == (len(all_of(working, Location)), len(all_of(working, Provider)))
    assert expected in [event.type for event in done.events]
    assert ("schedule", "MR1") in mapped(raw).keys


def test_a_block_sent_as_s12_is_a_block() -> None:
    """SCH-25 Blocked without a patient."""
    raw = er7(msh("SIU^S12"), "SCH||F1^EPICSCH|||||||||||||||||||||||Blocked", "AIL|1||IMG^MR1")
    assert ["slot.blocked"] == mapped(raw).notices


@pytest.mark.parametrize(
    ("event", "expected"), [*((one, "slot.blocked") for one in ("S13", "S14", "S19", "S27")), ("S15", None)]
)
def test_a_change_of_a_block_is_no_booking(event: str, expected: str | None) -> None:
    """SCH-25 Blocked without a patient, whatever the event; one that ends an appointment ends it."""
    said = mapped(er7(msh(f"SIU^{event}"), "SCH||F1^EPICSCH|||||||||||||||||||||||Blocked", "AIL|1||IMG^MR1"))
    assert ([expected] if expected else []) == said.notices
    assert (expected is None) == ("appointment" in {one.type for one in said.patches})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1^^M30^20261202093000^20261202100000~1^^M30^20261209093000^20261209100000", True),
        ("1^^M30^20261202093000^20261202100000~1^^M30^20261202093000^20261202100000", False),
        ("~1^^M30^20261202093000^20261202100000", False),
        ("1^^M30^20261202093000^20261202100000~", False),
    ],
)
def test_further_occurrences_are_told_and_the_first_is_taken(text: str, told: bool) -> None:
    """SCH-11 repeats for a series; one number is one appointment, so the others are a problem for a person."""
    raw = er7(msh("SIU^S12"), f"SCH||F1^EPICSCH|||||||||{text}||||||||||||||Booked", PID)
    assert told == (("DQ-TIME-CONFLICT", "SCH-11[2]") in codes(mapped(raw)))
    assert ("2026-12-02T14:30:00Z", "2026-12-02T15:00:00Z") == (appointment(raw).start, appointment(raw).end)


def test_further_occurrences_in_tq1_are_told() -> None:
    """One TQ1 is one occurrence."""
    times = "TQ1|1||||||20261202093000|20261202100000", "TQ1|2||||||20261209093000|20261209100000"
    raw = er7(msh("SIU^S12"), "SCH||F1^EPICSCH|||||||||||||||||||||||Booked", *times, PID)
    assert ("DQ-TIME-CONFLICT", "TQ1[2]-7") in codes(mapped(raw))
    assert "2026-12-02T14:30:00Z" == appointment(raw).start
    assert ["start"] == [one.field for one in appointment(raw).problems]


@pytest.mark.parametrize(
    ("event", "status", "start", "told"),
    [
        ("S12", "Booked", "", True),
        ("S12", "Booked", '""', True),
        ("S13", "", "", True),
        ("S12", "Waitlist", "", False),
        ("S12", "Cancelled", "", False),
        ("S14", "Booked", "", False),
        ("S12", "Booked", "20261302093000", False),  # of which something else is told
        ("S12", "Booked", "20261202093000", False),
    ],
)
def test_a_booking_without_a_time_is_told(event: str, status: str, start: str, told: bool) -> None:
    """Who books or moves says when; a waiting list has no time yet."""
    raw = er7(msh(f"SIU^{event}"), f"SCH||F1^EPICSCH|||||||||||||||||||||||{status}", f"TQ1|1||||||{start}", PID)
    assert told == (("DQ-REQUIRED-MISSING", "TQ1-7") in codes(mapped(raw)))


@pytest.mark.parametrize(("event", "code", "told"), [("S18", "Q", True), ("S12", "q", True), ("S18", "A", False)])
def test_an_unknown_action_code_is_told(event: str, code: str, told: bool) -> None:
    """AIx-2 and RGS-2 are of table 0206."""
    said = mapped(er7(msh(f"SIU^{event}"), "SCH||F1^EPICSCH", f"RGS|1|{code}", f"AIL|1|{code}|IMG^MR1"))
    found = [one for one in codes(said) if one[0] == "DQ-CODE-UNMAPPED"]
    assert (sorted([("DQ-CODE-UNMAPPED", "AIL-2"), ("DQ-CODE-UNMAPPED", "RGS-2")]) if told else []) == sorted(found)


@pytest.mark.parametrize("sch", ["SCH", "SCH|^EPICSCH|", 'SCH||""', "ZZZ|1"])
def test_without_a_number_there_is_no_appointment(sch: str) -> None:
    """Neither SCH-1 nor SCH-2: the message is parked."""
    said = mapped(er7(msh("SIU^S12"), sch, PID))
    assert said.anchor_missing is not None
    assert "SCH-2" == said.anchor_missing.path


def test_several_patients_make_a_group() -> None:
    """One appointment; each patient takes part, and it is that of the first."""
    working, _ = tell((GOLDEN / "siu-s14-group" / "in.hl7").read_bytes())
    group = only(working, Appointment)
    assert [one.id for one in all_of(working, Patient)] == [
        one.actor for one in group.participants if one.kind == "patient"
    ]
    assert all_of(working, Patient)[0].id == group.patient


def pids(*numbers: int) -> list[str]:
    """A PID for each patient of a group, with set ids from 1 on in every message."""
    return [f"PID|{at}||{number}^^^EASTMRN^MR||P{number}" for at, number in enumerate(numbers, 1)]


def members(*messages: bytes) -> list[str]:
    """The numbers of the patients who take part, the appointment's own patient first and once more."""
    working, _ = tell(*messages)
    people = {one.id: one.identifiers[0].value for one in all_of(working, Patient)}
    booked = only(working, Appointment)
    return [people[booked.patient or ""], *(people[one.actor or ""] for one in patients(booked))]


def patients(booked: Appointment) -> list[Participant]:
    """The patients who take part."""
    return [one for one in each_once(booked.participants) if one.kind == "patient"]


AIP = "AIP|1||1^ONE"
GROUP = siu("S12", *pids(1, 2, 3), AIP)


@pytest.mark.parametrize(
    ("event", "segments", "expected"),
    [
        ("S14", pids(1, 3), ["1", "1", "3"]),
        ("S14", pids(3, 1), ["1", "1", "3"]),
        ("S14", pids(2), ["1", "1", "2", "3"]),
        ("S14", pids(4), ["1", "1", "2", "3", "4"]),
        ("S14", [*pids(3, 2), AIP], ["2", "2", "3"]),
        ("S15", pids(2), ["1", "1", "2", "3"]),
        ("S15", pids(2, 3), ["1", "1", "2", "3"]),
        ("S18", [*pids(3), "AIP|2|A|2^TWO"], ["1", "1", "2", "3"]),
    ],
)
def test_nobody_of_a_group_takes_anothers_place(event: str, segments: list[str], expected: list[str]) -> None:
    """A group that is named is the group; one of its patients is an addition; the first one stays its patient."""
    later = siu(event, *segments, at="20261122090000-0500")

    assert expected == members(GROUP, later)
    assert sorted(expected) == sorted(members(later, GROUP))
    assert expected[0] == members(later, GROUP)[0]


def test_a_patient_of_two_numbers_takes_part_once() -> None:
    """Whichever number a message finds a person by."""
    both = "PID|1||1^^^EASTMRN^MR~71^^^EASTACC^PI||P1"
    other = "PID|1||71^^^EASTACC^PI||P1"

    assert ["1", "1"] == members(siu("S12", both), siu("S14", other, at="20261122090000-0500"))


def test_an_attending_doctor_whom_no_resource_names_takes_part() -> None:
    """PV1-7 of a feed that sends no AIP."""
    raw = siu("S12", PID, "PV1|1|O|||||12^MEYER^EVA")
    assert ["patient", "provider"] == [one.kind for one in appointment(raw).participants]


def test_numbers_without_authority_do_not_meet() -> None:
    """A placer's 12 is not a filler's 12."""
    one = er7(msh("SIU^S12"), "SCH|12|34", PID)
    other = er7(msh("SIU^S12", at="20261122090000-0500"), "SCH|34|12", PID)
    assert 2 == len(all_of(tell(one, other)[0], Appointment))


def test_a_visit_is_linked_and_made_only_where_the_feed_says_so() -> None:
    """`siu_creates_encounter`: planned, until registration says more; a cancellation makes none."""
    raw = siu("S12", PID, "PV1|1|O|||||||||||||||||V1^^^EASTVN")
    assert [] == all_of(tell(raw)[0], Encounter)
    profile = replace(EAST, siu_creates_encounter=True)
    working, _ = tell(raw, profile=profile)
    visit, booked = only(working, Encounter), only(working, Appointment)
    assert booked.visit is not None
    assert ("planned", [booked.visit.value]) == (visit.status, [one.value for one in visit.identifiers])
    assert [] == all_of(tell(raw.replace(b"SIU^S12", b"SIU^S15"), profile=profile)[0], Encounter)


def test_times_are_read_in_the_zone_of_the_place() -> None:
    """The place of a resource before the feed's zone."""
    profile = replace(EAST, location_zones={"DENVER": "America/Denver"})
    there = appointment(siu("S12", PID, "AIL|1||IMG^MR1^^DENVER"), profile=profile)
    assert ("2026-12-02T16:30:00Z", "America/Denver") == (there.start, there.zone)


# Snapshot and action


def test_a_snapshot_replaces_the_list() -> None:
    """A resource that S14 does not name no longer takes part."""
    both = siu("S12", PID, "AIP|1||1^ONE", "AIP|2||2^TWO")
    fewer = siu("S14", PID, "AIP|2||2^TWO", at="20261122090000-0500")
    assert ["PID", "AIP/2"] == keys(appointment(both, fewer))


def test_a_message_without_resources_leaves_them_alone() -> None:
    """S15 with patient alone keeps who was booked."""
    cancelled = siu("S15", PID, at="20261122090000-0500")
    assert ["PID", "AIP/1"] == keys(appointment(siu("S12", PID, "AIP|1||1^ONE"), cancelled))


@pytest.mark.parametrize(
    ("event", "segments", "expected"),
    [
        ("S18", ["AIP|2|A|2^TWO"], ["PID", "AIS/1", "AIP/1", "AIP/2"]),
        ("S18", ["AIP|1|X|9^OTHER", "AIP|2||2^TWO"], ["PID", "AIS/1", "AIP/1", "AIP/2"]),
        ("S20", ["AIP|1|D|1^ONE"], ["PID", "AIS/1"]),
        ("S20", ["AIP|1||1^ONE"], ["PID", "AIS/1"]),
        ("S22", ["AIS|1|D|A^Scan", "AIP|1||1^ONE"], ["PID", "AIP/1"]),
        ("S21", ["RGS|1|D", "AIP|1||1^ONE"], ["PID", "AIS/1"]),
    ],
)
def test_action_codes_edit_the_lists(event: str, segments: list[str], expected: list[str]) -> None:
    """A and U set, D removes, X leaves alone; RGS-2 stands for segments without a code."""
    booked = siu("S12", PID, "RGS|1", "AIS|1||A^Scan", "AIP|1||1^ONE")
    after = appointment(booked, siu(event, PID, *segments, at="20261122090000-0500"))
    assert sorted(expected) == sorted([*keys(after), *(one.key or "" for one in after.services)])


def test_a_feed_in_action_mode_edits_with_every_event() -> None:
    """list_mode = "action"."""
    profile = replace(EAST, list_mode="action")
    booked = siu("S12", PID, "AIP|1|A|1^ONE")
    more = siu("S14", PID, "AIP|2|A|2^TWO", at="20261122090000-0500")
    assert ["PID", "AIP/1", "AIP/2"] == keys(appointment(booked, more, profile=profile))


def test_resources_of_several_groups_have_names_of_their_own() -> None:
    """Set ids start again in each RGS of many senders."""
    raw = siu("S12", PID, "RGS|1", "AIP|1||1^ONE", "RGS|2", "AIP|1||2^TWO", "AIP|1||3^SAME")
    assert ["PID", "AIP/1", "AIP/2.1", "AIP/2.1#3"] == keys(appointment(raw))


def test_a_general_resource_is_a_device_a_room_or_a_person() -> None:
    """AIG-4 says which; a person whom AIP names too takes part once."""
    raw = siu("S12", "AIG|1||7^Scanner|EQ", "AIG|2||8^Room 8|ROOM", "AIG|3||1^One|P^Physician", "AIP|1||1^ONE")
    kinds = [(one.kind, one.key) for one in appointment(raw).participants]
    assert [("device", "AIG/1"), ("location", "AIG/2"), ("provider", "AIP/1")] == kinds


def test_repeated_numbers_of_one_person_are_one_participant() -> None:
    """AIP-3 with a local number and an NPI."""
    raw = siu("S12", "AIP|1||1^ONE^ANNA~1234567893^ONE^ANNA^^^^^^NPI")
    (one,) = appointment(raw).participants
    assert ["1", "1234567893"] == [number.value for number in one.identifiers]


def test_resource_statuses_stay_with_the_resource() -> None:
    """AIP-12 never becomes the status of the appointment."""
    raw = siu("S12", "AIP|1||1^ONE|||||||||Cancelled^^HL70278")
    booked = appointment(raw)
    assert ("booked", "declined") == (booked.status, booked.participants[0].status)


# Lineage


def test_every_field_of_every_patch_has_a_lineage() -> None:
    """Whatever a message brings can say which of its fields it came from."""
    trace: list[Used] = []
    said = mapped(A1, trace=trace)
    brought = {f"{number}.{field}" for number, one in enumerate(said.patches) for field in one.fields}
    assert set() == brought - {used.field for used in trace}


def test_a_derived_time_comes_from_what_it_was_derived_from() -> None:
    """The end of a booking with start and length."""
    trace: list[Used] = []
    mapped(siu("S12", PID, end="", duration="30|min"), trace=trace)
    assert {"TQ1-7", "SCH-9", "SCH-10"} == {used.path for used in trace if used.field.endswith(".end")}
    assert {"TQ1-7"} == {used.path for used in trace if used.field.endswith(".start")}


def test_times_of_the_feed_without_a_zone_are_told() -> None:
    """MSH-7's offset is taken where nothing better is known."""
    raw = siu("S12", PID)
    said = mapped(raw, Profile(tenant="t1", feed="f"))
    assert "2026-12-02T14:30:00Z" == patch(said).fields["start"]
    assert "DQ-ZONE-ASSUMED" in {one.code for one in said.problems}


# Problems that come and go


def problems(*messages: bytes) -> list[tuple[str, str | None]]:
    """The problems of the one appointment, as (code, field)."""
    return [(one.code, one.field) for one in appointment(*messages).problems]


def test_a_status_that_could_not_be_read_is_forgotten_with_the_next() -> None:
    """The problem stays until a newer message states a status, in whatever order they come."""
    local = siu("S12", PID, status="ZZZ^local")
    silent = siu("S14", PID, status="", at="20261122090000-0500")
    booked = siu("S14", PID, at="20261123090000-0500")
    cancelled = siu("S15", PID, status="", at="20261123090000-0500")

    assert [("DQ-CODE-UNMAPPED", "status")] == problems(local) == problems(local, silent) == problems(silent, local)
    assert [] == problems(local, booked) == problems(booked, local) == problems(silent, local, cancelled)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_details_that_come_with_another_time(order: tuple[int, ...]) -> None:
    """An S14 that moves an appointment is a reschedule and a problem, until somebody who may says that time, too."""
    booked = siu("S12", PID)
    moved = siu("S14", PID, start="20261203093000", end="20261203100000", at="20261122090000-0500")
    again = moved.replace(b"20261122090000", b"20261123090000")
    meant = again.replace(b"SIU^S14", b"SIU^S13")

    assert [("DQ-TIME-CONFLICT", "start")] == problems(*([booked, moved, again][place] for place in order))
    assert [] == problems(*([booked, moved, meant][place] for place in order))


def test_a_message_is_told_what_only_the_record_knows() -> None:
    """The problem is the message's as well, at the place of the time; the same time again is none."""
    booked, same = siu("S12", PID), siu("S14", PID, at="20261122090000-0500")
    moved = siu("S14", PID, start="20261203093000", end="20261203100000", at="20261123090000-0500")
    _, (_, unchanged, changed) = tell(booked, same, moved)
    told = [(one.code, one.path) for one in changed.problems if one.severity != "information"]

    assert [("DQ-TIME-CONFLICT", "TQ1-7")] == told
    assert "DQ-TIME-CONFLICT" not in {one.code for one in unchanged.problems}
    assert ["appointment.rescheduled"] == events([changed])


@pytest.mark.parametrize("known", ["S15", "S16", "S17", "S26"])
def test_a_snapshot_books_nothing_again(known: str) -> None:
    """S27 never makes booked what was known to be otherwise, whatever its SCH-25."""
    ended = siu(known, PID, status="")
    snapshot = siu("S27", PID, at="20261122090000-0500")

    assert appointment(ended).status == appointment(ended, snapshot).status == appointment(snapshot, ended).status
    assert "booked" == appointment(snapshot).status


def test_a_snapshot_that_cancels_holds() -> None:
    """What it says beside booked is news."""
    snapshot = siu("S27", PID, status="Cancelled", at="20261122090000-0500")

    assert "cancelled" == appointment(siu("S12", PID), snapshot).status


@pytest.mark.parametrize(
    ("event", "status", "expected"),
    [("S13", "", "entered-in-error"), ("S12", "", "entered-in-error"), ("S13", "Booked", "booked")],
)
def test_only_an_explicit_status_brings_back_what_was_deleted(event: str, status: str, expected: str) -> None:
    """An S13 of an appointment that was entered in error says where it would be, not that it is."""
    deleted = siu("S17", PID, status="")
    later = siu(event, PID, status=status, at="20261122090000-0500")

    assert expected == appointment(deleted, later).status == appointment(later, deleted).status
    assert "booked" == appointment(siu("S15", PID), siu("S13", PID, status="", at="20261122090000-0500")).status


def test_blocked_is_no_status_of_a_patients_appointment() -> None:
    """The code is known: it is about a time. The event says what is so."""
    raw = siu("S12", PID, status="Blocked^^HL70278")
    (problem,) = appointment(raw).problems

    assert "booked" == appointment(raw).status
    assert ("DQ-CODE-UNMAPPED", "SCH-25") == (problem.code, problem.path)
    assert "neither the table" not in problem.detail


@pytest.mark.parametrize("event", ["S23", "S24"])
def test_a_slot_is_told_by_its_resources(event: str) -> None:
    """Whose time it is can be read from the records of the message, and the events are about them."""
    raw = er7(msh(f"SIU^{event}"), "RGS|1", "AIP|1||1234567893^WATSON^SUSAN^^^^^^NPI", "AIL|1||IMG^MR1^^EAST")
    working, (done,) = tell(raw)
    ours = [only(working, Provider).id, only(working, Location).id]

    assert ours == done.records
    assert ours == [one.subject for one in done.events if one.type.startswith("slot.")]


def test_a_slot_of_nothing_is_parked() -> None:
    """Neither a schedule nor a resource."""
    assert mapped(er7(msh("SIU^S24"))).anchor_missing is not None
    assert mapped(er7(msh("SIU^S24"), "SCH|||||IMG^Imaging")).anchor_missing is None


def test_a_patient_without_a_number_is_told() -> None:
    """The patient takes part by name, and the appointment says what is missing."""
    booked = appointment(siu("S12", "PID|1||||DOE^JANE"))

    assert [("required-field-missing", "PID-3", "patient")] == [
        (one.code, one.path, one.field) for one in booked.problems
    ]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("30|", [("DQ-UOM", "information")]),
        ("1e1|min", [("data-type-error", "warning")]),
        ("NaN|min", [("data-type-error", "warning")]),
        ("30.0|min", []),
    ],
)
def test_a_length_is_a_number_with_a_unit(duration: str, expected: list[tuple[str, str]]) -> None:
    """Minutes that were assumed are listed; what is not an NM is left out."""
    found = appointment(siu("S12", PID, duration=duration)).problems
    assert expected == [(one.code, one.severity) for one in found]


@pytest.mark.parametrize(("start", "severity"), [("20261202090000", "warning"), ("20261202150000", "information")])
def test_a_resource_at_another_time_is_told(start: str, severity: str) -> None:
    """Before the appointment it is wrong, after its start it may be meant; the record lists both."""
    (problem,) = appointment(siu("S12", PID, f"AIS|1||A^Scan|{start}")).problems
    assert ("DQ-TIME-CONFLICT", "AIS", severity) == (problem.code, problem.path, problem.severity)


def test_a_zone_that_was_guessed_is_told() -> None:
    """A feed without a zone: the appointment lists it at the place of its time."""
    found = appointment(siu("S12", PID), profile=replace(EAST, zone=None)).problems
    assert ("DQ-ZONE-ASSUMED", "TQ1-7", "warning") in {(one.code, one.path, one.severity) for one in found}
