"""Version 1 of the API as a wire format."""

import msgspec
import pytest
from msgspec.structs import fields

from canonical.datatypes import Identifier, Participant
from canonical.problems import Problem
from canonical.records import RECORDS, Appointment, Fact, Mention, Patient, Record, Stamp
from transforms.api import v1

INSIDE = {"facts", "stamps", "clocks", "tenant", "version", "feed", "message", "newest"}
DAY = 86_400_000_000


@pytest.mark.parametrize("record", RECORDS.values())
def test_nothing_is_forgotten(record: type[Record]) -> None:
    """Every canonical field is on the wire, but those that stay inside."""
    shown = {field.name for field in fields(v1.WIRE[record])}

    assert INSIDE == {field.name for field in fields(record)} - shown - {"named", "starts"}


@pytest.mark.parametrize("record", RECORDS.values())
def test_an_empty_record(record: type[Record]) -> None:
    """What is empty is left out; what every resource has is there."""
    shown = msgspec.to_builtins(v1.present(record(id="x_1", tenant="main", version=1)))

    assert {"resourceType", "id", "versionId", "createdAt", "updatedAt"} <= set(shown)
    assert set(shown) <= {"resourceType", "id", "versionId", "createdAt", "updatedAt", "provenance", "kind"}


def said(status: str, clock: int, received: int, event: str = "S12", late: bool = False) -> Fact:
    return Fact(status, Stamp(0, clock, f"msg_{event}"), "north", event, received, late=late)


def test_status_history() -> None:
    """In the order of the senders' clocks, with what came late and what was out of the ordinary."""
    facts = (
        said("booked", DAY, 3 * DAY, late=True),
        said("fulfilled", 2 * DAY, 2 * DAY, "S14"),
        said("booked", 4 * DAY, 4 * DAY),
    )
    appointment = Appointment(id="apt_1", tenant="main", version=3, facts=facts)
    shown = msgspec.to_builtins(v1.present(appointment))["statusHistory"]

    assert [
        ("1970-01-02T00:00:00Z", "1970-01-04T00:00:00Z", None, "booked", "S12"),
        ("1970-01-03T00:00:00Z", "1970-01-03T00:00:00Z", "booked", "fulfilled", "S14"),
        ("1970-01-05T00:00:00Z", "1970-01-05T00:00:00Z", "fulfilled", "booked", "S12"),
    ] == [tuple(line.get(name) for name in ("at", "recordedAt", "from", "to", "event")) for line in shown]
    assert [True, None, None] == [line.get("late") for line in shown]
    assert [None, None, True] == [line.get("anomaly") for line in shown]


def test_problems_speak_the_language_of_the_api() -> None:
    """A problem names the field as the API does."""
    problem = Problem(code="DQ-DATE", path="PID-7", field="birth_date")
    shown = v1.present(Patient(id="pat_1", tenant="main", problems=(problem,)))

    assert ("birthDate", "PID-7") == (shown.problems[0].field, shown.problems[0].path)


def test_what_is_resolved() -> None:
    """The surviving patient and the encounter come from outside; a patient has neither."""
    appointment = Appointment(id="apt_1", tenant="main", patient="pat_1", visit=Identifier(value="V1", system="urn:x"))
    shown = msgspec.to_builtins(v1.present(appointment, "pat_2", "enc_1"))

    assert ("pat_2", "enc_1") == (shown["patient"], shown["encounter"])
    assert "patient" not in msgspec.to_builtins(v1.present(Patient(id="pat_2", tenant="main"), "pat_2"))


def test_a_patient_takes_part_once() -> None:
    """Two whom a merge made one are one, and nobody is known by what was made of a number."""
    members = [Participant(kind="patient", actor=f"pat_{at}", key=f"PID/hash{at}") for at in (1, 2)]
    named = {one.key or "": Mention(0, 1, at) for at, one in enumerate(members)}
    doctor = Participant(kind="provider", actor="prv_1", key="AIP/1")
    appointment = Appointment(id="apt_1", tenant="main", patient="pat_1", participants=(*members, doctor), named=named)
    shown = msgspec.to_builtins(v1.present(appointment, "pat_9", survivors={"pat_2": "pat_9"}))

    assert [("pat_9", "PID/pat_9"), ("prv_1", "AIP/1")] == [(one["actor"], one["key"]) for one in shown["participants"]]
    assert "named" not in shown
