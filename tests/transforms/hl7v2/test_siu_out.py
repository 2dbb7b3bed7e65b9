"""What is written is what was meant: an appointment encoded and decoded again is the same, but for a declared list."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical.datatypes import Coding, Concept, Contact, Identifier, Name, Note, Participant, Service, Telecom
from canonical.events import APPOINTMENT_EVENTS
from canonical.records import Appointment, Location, Patient, Provider, Record
from tests.transforms.hl7v2.story import EAST, RECEIVED, mapped, tell
from transforms.hl7v2 import appointment as tables
from transforms.hl7v2 import appointment_out, patient, patient_out
from transforms.hl7v2.header import header
from transforms.hl7v2.profile import Profile, Registered
from transforms.hl7v2.siu_out import EVENTS, Sender, Unwritable, siu
from transforms.hl7v2.turned import unwritten

GOLDEN = Path(__file__).parents[2] / "golden" / "hl7v2"
CASES = sorted(one.name for one in GOLDEN.glob("siu-*/") if "blocked" not in one.name)

HUB = Sender()

# What an encoded appointment does not bring back, and why.
LOST = {
    # who said it and when: the message is another one
    *("id", "version", "createdAt", "updatedAt", "effectiveAt", "newest", "message", "feed", "problems"),
    *("facts", "stamps", "clocks", "starts", "named", "previousStart", "tenant"),
    "replaces",  # a record of ours; the number of the other stands in `parents`
    "sourceStatus",  # the sender's word where it means the status, else that of table 0278
    "patient",  # compared as the first of the participants
}


def meaning(one: Appointment, records: Mapping[str, Record]) -> dict[str, Any]:
    """An appointment without what is lost, and with its people and places by what they are instead of by id."""
    plain: dict[str, Any] = msgspec.to_builtins(one)
    plain["identifiers"] = sorted(plain["identifiers"], key=lambda number: (number["type"], number["value"]))
    for part in plain.get("participants", ()):
        found = records.get(part.pop("actor", ""))
        part["actor"] = _known(found) if found else None
    for part in (*plain.get("participants", ()), *plain.get("services", ())):
        part.setdefault("group", "1")  # what stands in no group is written in the first
        if part.get("kind") == "patient":
            part["key"] = "PID"  # a digest of the number
    kept: dict[str, Any] = _without_originals({name: value for name, value in plain.items() if name not in LOST})
    return kept


def _known(found: Record) -> Any:
    if isinstance(found, Location):
        return [found.facility, found.building, found.floor, found.point_of_care, found.room, found.bed]
    assert isinstance(found, Patient | Provider)
    names = [msgspec.to_builtins(one) for one in found.names]
    return [sorted((one.system, one.value, one.type or "") for one in found.identifiers), names]


def _without_originals(value: Any) -> Any:
    """How a sender wrote an authority is its own."""
    if isinstance(value, dict):
        return {name: _without_originals(one) for name, one in value.items() if name != "original"}
    return [_without_originals(one) for one in value] if isinstance(value, list | tuple) else value


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not what they were."""
    return {name: (before.get(name), after.get(name)) for name in before | after if before.get(name) != after.get(name)}


def the_appointment(records: Mapping[str, Record]) -> Appointment:
    return [one for one in records.values() if isinstance(one, Appointment)][-1]


def again(event: str, one: Appointment, records: Mapping[str, Record], sender: Sender = HUB) -> tuple[Any, Any]:
    """What an appointment means, and what it means once encoded and decoded by the receiver."""
    raw = siu(event, one, records, EAST, sender, "C1", RECEIVED)
    read, _ = tell(raw)
    return meaning(one, records), meaning(the_appointment(read.records), read.records)


def event_of(name: str) -> str:
    code = name.split("-")[1].upper()
    return (
        next(event for event, written in EVENTS.items() if written == code)
        if code in EVENTS.values()
        else ("appointment.updated")
    )


@pytest.mark.parametrize("name", CASES)
def test_a_golden_message_comes_back(name: str) -> None:
    """What a message meant, it means again."""
    working, _ = tell((GOLDEN / name / "in.hl7").read_bytes())
    before, after = again(event_of(name), the_appointment(working.records), working.records)

    assert {} == differing(before, after)


# Any appointment

WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12)
TEXTS = WORDS.map(str.strip).filter(lambda text: text and text != '""')
LINES = st.lists(TEXTS, min_size=1, max_size=3).map("\n".join)
DAYS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2090, 1, 1))
INSTANTS = DAYS.map(lambda at: at.replace(microsecond=0).isoformat() + "Z")
MRNS = st.builds(Identifier, value=TEXTS, system=st.just("urn:oid:2.16.840.1.113883.3.999.2"), type=st.just("MR"))
VISITS = st.builds(Identifier, value=TEXTS, system=st.just("urn:x-t1:east:visits"), type=st.just("VN"))
SYSTEMS = st.sampled_from(
    [
        "urn:x-t1:east-sch:EPICSCH",
        "urn:oid:1.2.3.4",
        "urn:uuid:00000000-0000-4000-8000-000000000000",
        "https://a.example/&^",
    ]
)


def entities(kind: str) -> st.SearchStrategy[Identifier]:
    """Numbers of a placer or a filler; one number is never both."""
    return st.builds(Identifier, value=TEXTS.map(f"{kind[0]}{{}}".format), system=SYSTEMS, type=st.just(kind))


@st.composite
def concepts(draw: st.DrawFn, table: str = "") -> Concept:
    """One or two codings, and the text that stands for them."""
    system = st.sampled_from(["http://www.ama-assn.org/go/cpt", "http://terminology.hl7.org/CodeSystem/v2-0276"])
    if table:
        system = st.just(f"http://terminology.hl7.org/CodeSystem/v2-{table}")
    coding = st.builds(Coding, code=TEXTS, system=system, display=st.none() | TEXTS)
    codings = tuple(draw(st.lists(coding, min_size=1, max_size=2)))
    shown = next((one.display for one in codings if one.display), None)
    return Concept(codings=codings, text=draw(TEXTS | st.just(shown)) or shown)


NAMES = st.builds(
    Name,
    family=TEXTS,
    given=st.lists(TEXTS.filter(lambda text: " " not in text and len(text.split()) == 1), max_size=3).map(tuple),
    prefix=st.none() | TEXTS,
    suffix=st.none() | TEXTS,
    use=st.just("official"),
)


def shown(name: Name) -> str:
    return " ".join(part for part in (name.prefix, *name.given, name.family, name.suffix) if part)


@st.composite
def appointments(draw: st.DrawFn) -> tuple[Appointment, dict[str, Record]]:
    """Any appointment that messages could have told of, with whom and what it names."""
    who = Patient(id="pat_1", tenant="t1", identifiers=(draw(MRNS),), names=(draw(NAMES),), birth_date="1985-06-12")
    doctor = Provider(id="prv_1", tenant="t1", identifiers=(draw(MRNS),), names=(draw(NAMES),))
    place = Location(id="loc_1", tenant="t1", facility=draw(TEXTS), point_of_care=draw(TEXTS), bed=draw(TEXTS))
    start, minutes = draw(INSTANTS), draw(st.integers(1, 600))
    end = (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    length, role = st.none() | st.integers(1, 600), st.none() | concepts()
    notes = st.lists(st.builds(Note, text=LINES, type=st.none() | TEXTS), max_size=1).map(tuple)
    shared: Any = {"start": draw(st.none() | st.just(start)), "minutes": draw(length), "group": "1"}
    participants = (
        Participant(kind="patient", actor="pat_1", status="accepted"),
        Participant(
            kind="location",
            actor="loc_1",
            role=draw(role),
            display=f"{place.point_of_care} {place.bed}",
            key="AIL/1",
            **shared,
        ),
        Participant(
            kind="provider",
            actor="prv_1",
            identifiers=doctor.identifiers,
            role=draw(role),
            display=shown(doctor.names[0]),
            key="AIP/1",
            notes=tuple(msgspec.structs.replace(one, scope="participant") for one in draw(notes)),
            **shared,
        ),
    )
    services = (
        Service(
            code=draw(concepts()),
            key="AIS/1",
            notes=tuple(msgspec.structs.replace(one, scope="service") for one in draw(notes)),
            supplemental=tuple(dict.fromkeys(draw(st.lists(concepts(), max_size=2)))),
            **shared,
        ),
    )
    desk = Contact(
        role="placer",
        name=draw(NAMES),
        identifiers=(draw(MRNS),),
        telecoms=(Telecom(system="phone", value=draw(TEXTS), use="work"),),
        location=draw(st.none() | TEXTS),
    )
    return Appointment(
        id="apt_1",
        tenant="t1",
        version=1,
        status="booked",
        identifiers=(draw(entities("FILL")), draw(entities("PLAC"))),
        start=start,
        end=end,
        zone="America/New_York",
        minutes_duration=minutes,
        duration_source=draw(st.sampled_from(["declared", "derived"])),
        overbooked=draw(st.sampled_from([None, True])),
        occurrence_number=draw(st.none() | TEXTS),
        schedule=draw(st.none() | concepts()),
        event_reason=draw(st.none() | concepts()),
        reasons=tuple(draw(st.lists(concepts(), max_size=3))),
        appointment_type=draw(st.none() | concepts("0277")),
        priority=draw(st.none() | concepts("0485")),
        parents=tuple(draw(st.lists(entities("FILL"), max_size=2))),
        based_on=tuple(draw(st.lists(entities("PLAC"), max_size=2))),
        visit=draw(st.none() | VISITS),
        contacts=(desk,),
        notes=tuple(msgspec.structs.replace(one, scope="appointment") for one in draw(notes)),
        supporting_information=tuple(dict.fromkeys(draw(st.lists(concepts(), max_size=2)))),
        services=services,
        participants=participants,
        patient="pat_1",
    ), {"pat_1": who, "prv_1": doctor, "loc_1": place}


@given(appointments())
@settings(max_examples=60, deadline=None)
def test_any_appointment_comes_back(made: tuple[Appointment, dict[str, Record]]) -> None:
    """Whatever stands in its texts: encoded and decoded it is the same, but for what is declared."""
    assert {} == differing(*again("appointment.created", *made))


# One by one


def written(event: str, sender: Sender = HUB, profile: Profile = EAST, **given: Any) -> list[list[str]]:
    """The segments of the golden booking as another event, with some fields changed."""
    working, _ = tell((GOLDEN / "siu-s12-booked" / "in.hl7").read_bytes())
    one = msgspec.structs.replace(the_appointment(working.records), **given)
    raw = siu(event, one, working.records, profile, sender, "C1", RECEIVED)
    return [line.split("|") for line in raw.decode().split("\r") if line]


def field(segments: list[list[str]], name: str, number: int) -> str:
    """A field of the first segment of a name."""
    found = next(one for one in segments if one[0] == name)
    return found[number - (name == "MSH")] if number - (name == "MSH") < len(found) else ""


def test_every_event_has_its_trigger() -> None:
    """Each event about appointments is written, by a trigger whose decoding ends in the same status."""
    assert set(EVENTS) == set(APPOINTMENT_EVENTS)
    for event, code in EVENTS.items():
        assert f"SIU^{code}^SIU_S12" == field(written(event), "MSH", 9)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ("appointment.created", "booked"),
        ("appointment.created", "pending"),
        ("appointment.proposed", "proposed"),
        ("appointment.waitlisted", "waitlist"),
        ("appointment.rescheduled", "booked"),
        ("appointment.arrived", "arrived"),
        ("appointment.checked_in", "checked-in"),
        ("appointment.fulfilled", "fulfilled"),
        ("appointment.cancelled", "cancelled"),
        ("appointment.noshow", "noshow"),
        ("appointment.deleted", "entered-in-error"),
    ],
)
def test_a_status_comes_back(event: str, status: str) -> None:
    """What the status is, the receiver takes it for, also where table 0278 has no word for it."""
    lines = written(event, status=status, source_status=None)
    read, _ = tell("".join("|".join(line) + "\r" for line in lines).encode())

    assert status == the_appointment(read.records).status


def test_msh() -> None:
    """Both ends, the event's time on the wall clock of the place, and what is asked for, stand in MSH."""
    sender = Sender(
        application="HUB",
        facility="EAST^1.2^ISO",
        receiving_application="LAB",
        receiving_facility="L",
        asks_accept=True,
    )
    lines = written("appointment.created", sender)
    raw = "".join("|".join(line) + "\r" for line in lines).encode()
    head = header(raw)

    assert head is not None
    assert ("HUB", "EAST^1.2^ISO", "LAB", "L") == (
        head.sending_application,
        head.sending_facility,
        head.receiving_application,
        head.receiving_facility,
    )
    assert ("C1", "AL", "NE", "UNICODE UTF-8") == (head.control_id, head.accept_ack, head.application_ack, head.charset)
    assert "20261211094000-0500" == head.timestamp


@pytest.mark.parametrize(("start", "wall"), [("2026-12-02T14:30:00Z", "0930"), ("2026-07-02T14:30:00Z", "1030")])
def test_times_are_those_of_the_place(start: str, wall: str) -> None:
    """Wall clock and offset are those of the day of the appointment, not of the day of the message."""
    offset = {"0930": "-0500", "1030": "-0400"}[wall]

    assert f"{start[:10].replace('-', '')}{wall}00{offset}" == field(
        written("appointment.created", start=start, end=None), "TQ1", 7
    )


def test_the_zone_of_the_place_goes_first() -> None:
    """Where the receiver's file says in which zone a facility is, its appointments are written in that."""
    west = msgspec.structs.replace(EAST, location_zones={"EAST": "America/Los_Angeles"})

    assert "20261202063000-0800" == field(written("appointment.created", profile=west), "TQ1", 7)


def test_numbers_are_those_that_the_receiver_knows() -> None:
    """A receiver hears the numbers of its own authorities, under its own names for them, and no others."""
    lab = Profile(tenant="t1", feed="lab", authorities={"MRN^": Registered(system="urn:x")})
    knows = Profile(
        tenant="t1",
        feed="lab",
        authorities={"LABMRN&1.9&ISO": Registered(system="urn:oid:2.16.840.1.113883.3.999.2")},
    )

    assert "00123456^^^LABMRN&1.9&ISO^MR" == field(written("appointment.created", profile=knows), "PID", 3)
    assert "00123456^^^&2.16.840.1.113883.3.999.2&ISO^MR" == field(
        written("appointment.created", profile=lab), "PID", 3
    )
    assert "F7001^^urn:x-t1:east-sch:EPICSCH^URI" == field(written("appointment.created", profile=lab), "SCH", 2)


def test_a_social_security_number_stays_here() -> None:
    """It goes to those alone whose registry names its authority."""
    ssn = Identifier(value="123456789", system="http://hl7.org/fhir/sid/us-ssn", type="SS")
    who = Patient(id="pat_1", tenant="t1", identifiers=(ssn,))
    one = Appointment(
        id="apt_1",
        tenant="t1",
        identifiers=(Identifier(value="1", system="urn:x", type="FILL"),),
        participants=(Participant(kind="patient", actor="pat_1"),),
    )
    open_to = msgspec.structs.replace(EAST, authorities={"SSA": Registered(system=ssn.system)})

    assert b"123456789" not in siu("appointment.created", one, {"pat_1": who}, EAST, Sender(), "C1", RECEIVED)
    assert b"123456789" in siu("appointment.created", one, {"pat_1": who}, open_to, Sender(), "C1", RECEIVED)


def test_charset() -> None:
    """MSH-18 names the character set that the bytes are in; what it does not have becomes a question mark."""
    who = Patient(id="pat_1", tenant="t1", identifiers=(), names=(Name(family="Müller", given=("李",)),))
    one = Appointment(
        id="apt_1",
        tenant="t1",
        identifiers=(Identifier(value="1", system="urn:x", type="FILL"),),
        participants=(Participant(kind="patient", actor="pat_1"),),
    )
    raw = siu("appointment.created", one, {"pat_1": who}, EAST, Sender(charset="8859/1"), "C1", RECEIVED)

    assert "Müller^?".encode("latin-1") in raw
    assert b"|8859/1\r" in raw


def test_without_a_number() -> None:
    """An appointment that nobody could find again is not written."""
    with pytest.raises(Unwritable):
        siu("appointment.created", Appointment(id="apt_1", tenant="t1"), {}, EAST, Sender(), "C1", RECEIVED)


def test_a_version_before_tq1() -> None:
    """Before 2.5 times stand in SCH-11 alone, and are read from there."""
    lines = written("appointment.created", Sender(version="2.4"))
    said = mapped("".join("|".join(line) + "\r" for line in lines).encode())

    assert "TQ1" not in {line[0] for line in lines}
    assert "2026-12-02T14:30:00Z" == [one for one in said.patches if one.type == "appointment"][-1].fields["start"]


def test_what_cannot_be_written_says_so() -> None:
    """Every row and rule of the tables has an inverse, is written elsewhere, or says why it is not."""
    everywhere = appointment_out.ELSEWHERE.keys() | appointment_out.UNWRITTEN.keys()
    joint = {field for joint in tables.SCH.joints for field in joint.fields}

    assert unwritten(tables.SCH, appointment_out.RULES) | joint <= everywhere
    assert set() == unwritten(tables.REASON, {}) | unwritten(tables.PV1, {})
    assert set() == unwritten(patient.PID, patient_out.RULES) - patient_out.UNWRITTEN.keys()
