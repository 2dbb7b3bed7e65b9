"""A canonical record in the form of API v1."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from msgspec.structs import asdict, fields, replace

from canonical import records
from canonical.datatypes import Participant
from canonical.group import each_once
from canonical.problems import Problem
from canonical.records import Record
from canonical.rollup import line_status
from canonical.status import history
from transforms.api.cloudevent import instant
from transforms.api.masking import is_masking, masked
from transforms.api.v1.appointment import Appointment
from transforms.api.v1.authorization import Authorization
from transforms.api.v1.coverage import Coverage
from transforms.api.v1.eligibility import EligibilityCheck
from transforms.api.v1.encounter import Encounter
from transforms.api.v1.location import Location
from transforms.api.v1.organization import Organization
from transforms.api.v1.patient import Patient
from transforms.api.v1.provider import Provider
from transforms.api.v1.referral import Referral
from transforms.api.v1.requisition import Requisition, RequisitionLine
from transforms.api.v1.resource import Provenance, Resource, Transition

NOBODY: Mapping[str, str] = {}
WIRE: dict[type[Record], type[Resource]] = {
    records.Patient: Patient,
    records.Provider: Provider,
    records.Organization: Organization,
    records.Location: Location,
    records.Appointment: Appointment,
    records.Encounter: Encounter,
    records.Referral: Referral,
    records.Coverage: Coverage,
    records.EligibilityCheck: EligibilityCheck,
    records.Authorization: Authorization,
    records.Requisition: Requisition,
}


def present(
    record: Record,
    patient: str | None = None,
    encounter: str | None = None,
    survivors: Mapping[str, str] = NOBODY,
    whole: bool = False,
) -> Resource:
    """A record as the API shows it; `patient` is the surviving patient and `encounter` the visit, where known.

    `survivors` are those of other patients who take part. Unless it is shown whole, private numbers are masked.
    """
    names, read = _COPIED[type(record)]
    values: dict[str, Any] = dict(zip(names, read(record), strict=True))
    if "patient" in values:
        if patient and patient != values["patient"]:
            survivors = {**survivors, values["patient"]: patient}
            values["patient"] = patient
        if survivors and "participants" in values:
            values["participants"] = tuple([_standing(one, survivors) for one in values["participants"]])
        if getattr(record, "named", None):
            values["participants"] = tuple([known(one) for one in each_once(values["participants"])])
    if not whole and is_masking(record):
        masked(values)
    if encounter:
        values["encounter"] = encounter
    if isinstance(record, records.Requisition):
        values["lines"] = lines(record)
    created, updated = record.created_at, record.updated_at
    return WIRE[type(record)](
        version_id=str(record.version),
        created_at=(first := instant(created)),
        updated_at=first if updated == created else instant(updated),
        effective_at=instant(record.effective_at) if record.effective_at else None,
        status_history=transitions(record),
        problems=problems(record) if record.problems else (),
        provenance=Provenance(feed=record.feed, message=record.message),
        **values,
    )


def _standing(one: Participant, survivors: Mapping[str, str]) -> Participant:
    survivor = survivors.get(one.actor or "")
    return replace(one, actor=survivor) if survivor else one


def known(one: Participant) -> Participant:
    """A patient under the id of the record; what it is known by within is made of a number."""
    return replace(one, key=f"PID/{one.actor}") if one.kind == "patient" and one.actor else one


def transitions(record: Record) -> tuple[Transition, ...]:
    """What was said about the status, in the order of the senders' clocks."""
    if not record.facts:
        return ()
    return tuple(
        Transition(
            from_=change.before,
            to=change.after,
            at=instant(change.fact.stamp.at),
            recorded_at=instant(change.fact.recorded_at),
            event=change.fact.event or None,
            message=change.fact.stamp.message,
            actor=change.fact.actor,
            anomaly=change.anomaly,
            late=change.late,
            effective=change.effective,
        )
        for change in history(KIND[type(record)], record.facts)
    )


def lines(record: records.Requisition) -> tuple[RequisitionLine, ...]:
    """The lines of a requisition, each with how far it has come."""
    return tuple([RequisitionLine(**asdict(line), status=line_status(line, record.progress)) for line in record.lines])


def problems(record: Record) -> tuple[Problem, ...]:
    """What is wrong with the record's sources, with fields called as the API calls them."""
    called = CALLED[type(record)]
    return tuple(replace(one, field=called.get(one.field or "", one.field)) for one in record.problems)


def named(problem: Problem) -> Problem:
    """A problem of a message, with its field called as the API calls it."""
    return replace(problem, field=_ANYWHERE.get(problem.field or "", problem.field))


KIND = {record: str(record.__struct_config__.tag) for record in WIRE}
CALLED = {record: {field.name: field.encode_name for field in fields(wire)} for record, wire in WIRE.items()}
_ANYWHERE = {name: called for names in CALLED.values() for name, called in names.items()}
_MADE = {"created_at", "updated_at", "effective_at", "problems"}  # they are shown otherwise than they are kept


def _copied(record: type[Record]) -> tuple[tuple[str, ...], Callable[[Record], tuple[object, ...]]]:
    """The fields that the wire takes from the record as they stand, and what reads them all at once."""
    held = set(record.__struct_fields__) - _MADE
    names = tuple(field.name for field in fields(WIRE[record]) if field.name in held)
    return names, attrgetter(*names)


_COPIED = {record: _copied(record) for record in WIRE}
