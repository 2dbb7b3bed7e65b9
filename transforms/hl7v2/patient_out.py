"""Patients of an appointment as PID and PV1, with diagnoses and what was observed behind the first (DOMAIN 2.3, 2.4).

The tables of `patient.py` say which field goes where; what is not written says why in `UNWRITTEN`.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from canonical.datatypes import Name, Participant, Telecom
from canonical.records import Appointment, Patient, Record

from . import patient as tables
from .appointment_out import first_reason, is_attending
from .turned import Rules, written
from .writing import Writing, address, called, concept, identifier, name, numbers, people, repeated, segment, telecom

UNKNOWN_CLASS: Final = "U"  # table 0004: an appointment does not say what class its visit is of


def names(value: Sequence[Name], writing: Writing) -> dict[str, str]:
    """PID-5; those no longer in use say so by their type."""
    return {"PID-5": repeated(name, value, writing)}


def addresses(value: Sequence[object], writing: Writing) -> dict[str, str]:
    """PID-11."""
    return {"PID-11": repeated(address, value, writing)}


def telecoms(value: Sequence[Telecom], writing: Writing) -> dict[str, str]:
    """PID-13, and PID-14 for those at work."""
    work = [one for one in value if one.use == "work"]
    home = [one for one in value if one.use != "work"]
    return {"PID-13": repeated(telecom, home, writing), "PID-14": repeated(telecom, work, writing)}


RULES: Final[Rules] = {tables.all_names: names, tables.all_addresses: addresses, tables.all_telecoms: telecoms}
UNWRITTEN: Final = {"gender_original": "PID-8 says `gender`, in the codes of table 0001."}


def patient_segments(appointment: Appointment, writing: Writing) -> Iterator[str]:
    """A PID for each patient; the visit, what was observed and further reasons behind the first."""
    for place, one in enumerate(_patients(appointment), 1):
        yield pid(one, place, writing)
        if place == 1:
            yield from _visit(appointment, writing)
            yield from _observed(appointment, writing)
            yield from _diagnoses(appointment, writing)


def _patients(appointment: Appointment) -> list[Participant]:
    found = [one for one in appointment.participants if one.kind == "patient"]
    if found or not appointment.patient:
        return found
    return [Participant(kind="patient", actor=appointment.patient)]


def pid(one: Participant, place: int, writing: Writing) -> str:
    """One patient: the numbers that the receiver knows, and what its tables say of the person."""
    record = writing.records.get(one.actor or "")
    fields = {1: str(place), 3: repeated(identifier, numbers(one.identifiers, record, writing), writing)}
    if isinstance(record, Patient):
        fields |= written(tables.PID, record, writing, RULES, but=UNWRITTEN)
    elif one.display:
        fields[5] = name(Name(family=one.display), writing)
    return segment("PID", fields)


def _visit(appointment: Appointment, writing: Writing) -> Iterator[str]:
    """PV1: the visit that it belongs to, and who attends without being booked."""
    attending = [one for one in appointment.participants if is_attending(one)]
    if not appointment.visit and not attending:
        return
    doctors = (_attends(one, writing.records.get(one.actor or ""), writing) for one in attending)
    visit = identifier(appointment.visit, writing) if appointment.visit else ""
    yield segment("PV1", {1: "1", 2: UNKNOWN_CLASS, 7: "~".join(doctors), 19: visit})


def _attends(one: Participant, record: Record | None, writing: Writing) -> str:
    return people(numbers(one.identifiers, record, writing), called(record, one.display), writing)


def _observed(appointment: Appointment, writing: Writing) -> Iterator[str]:
    for place, one in enumerate(appointment.supporting_information, 1):
        yield segment("OBX", {1: str(place), 3: concept(one, writing), 11: "F"})


def _diagnoses(appointment: Appointment, writing: Writing) -> Iterator[str]:
    """The reasons that SCH-7 has no room for."""
    first = first_reason(appointment)
    others = [one for one in appointment.reasons if one is not first]
    for place, one in enumerate(others, 1):
        yield segment("DG1", {1: str(place), 3: concept(one, writing), 6: "W"})
