"""ADT, patient administration: what each of its events does (2.5.1 ch. 3.3; DOMAIN 2.2, 2.4).

An event speaks about a visit (A01 to A27, A32, A33, A38, A52 to A62), about a person (A28, A29, A31), about who is whom
(A18, A24, A30, A34 to A51) or about a bed (A20). docs/guides/hl7v2-events.md says why each does what it does.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from canonical.patches import SELF, Mapped, Said
from canonical.problems import Problem

from .actions import Action, Events
from .converters import coded, codes_of
from .merges import (
    link,
    merge_accounts,
    merge_patients,
    merge_visits,
    move_account,
    move_identifiers,
    move_visits,
    rename_patient,
)
from .patient import ACTIVE
from .people import spot
from .resources import refer
from .rows import Reading, take
from .visits import each_patient, visits

Build = Callable[[Action, Reading, Mapped], None]
PERSONS: Final = {"A28": Said(status="active"), "A29": Said(status="inactive"), "A31": ACTIVE}
NO_BED: Final = Problem(
    code="DQ-REQUIRED-MISSING", path="NPU-1", detail="the message names no bed: NPU-1 is empty", severity="error"
)
_bed_status = coded("0116")


def persons(action: Action, reading: Reading, mapped: Mapped) -> None:
    """The patient alone: a PV1 is required by the structure and says nothing (`PV1|1|N`)."""
    for _, who in each_patient(reading, mapped, event=action.event, said=PERSONS[action.code]):
        reading.cast.add(who)


def bed(action: Action, reading: Reading, mapped: Mapped) -> None:
    """NPU: the state of a bed (table 0116)."""
    npu = reading.message.first("NPU")
    place = take(spot, npu, 1, reading) if npu else None
    if not npu or not place:
        mapped.anchor_missing = NO_BED
        return
    status = next(iter(codes_of(take(_bed_status, npu, 2, reading) or None)), None)
    reference = refer(replace(place, status=status or place.status), f"{npu.path}-1", reading)
    if reference and status:
        reading.instead(f"{reference[len(SELF) :]}.operational_status", f"{npu.path}-2", _bed_status.__name__)


# Code, event, status (None: weak, from class and dates), what it says.
_VISITS: Final = (
    ("A01", "encounter.started", "in-progress", "The patient was admitted, or the visit began."),
    ("A02", "encounter.transferred", None, "The patient is in PV1-3 now and was in PV1-6."),
    ("A03", "encounter.finished", "finished", "The patient was discharged, or the visit ended, at PV1-45."),
    ("A04", "encounter.registered", "arrived", "Registered: planned for class P or a start ahead, in progress for E."),
    ("A05", "encounter.preadmitted", "planned", "An admission is planned."),
    ("A06", "encounter.class_changed", "in-progress", "An outpatient became an inpatient."),
    ("A07", "encounter.class_changed", "in-progress", "An inpatient became an outpatient."),
    ("A08", "encounter.updated", None, "Details of the patient or the visit changed."),
    ("A09", "encounter.departing", None, "The patient is leaving a place; the places of PV1 are kept."),
    ("A10", "encounter.arriving", None, "The patient arrives at a place; the places of PV1 are kept."),
    ("A11", "encounter.admit_cancelled", "cancelled", "The admission is cancelled, if the visit has not gone on."),
    ("A12", "encounter.transfer_cancelled", None, "The patient is in PV1-3 again; there is no prior place."),
    ("A13", "encounter.discharge_cancelled", "in-progress", "The discharge did not happen; its end and kind go."),
    ("A14", "encounter.preadmitted", "planned", "An admission is pending."),
    ("A15", "encounter.transfer_pending", None, "A transfer to PV1-42 is planned."),
    ("A16", "encounter.discharge_pending", None, "A discharge is planned, for PV2-9."),
    ("A17", "encounter.transferred", None, "Two patients change beds, in one step."),
    ("A21", "encounter.leave_started", "onleave", "The patient is on leave, back by PV2-47."),
    ("A22", "encounter.leave_ended", "in-progress", "The patient is back from leave."),
    ("A23", "encounter.deleted", "entered-in-error", "The visit was entered in error; the patient stays."),
    ("A25", "encounter.updated", None, "No discharge is planned any more."),
    ("A26", "encounter.updated", None, "No transfer is planned any more: PV1-42 goes."),
    ("A27", "encounter.cancelled", "cancelled", "The pending admission is cancelled."),
    ("A32", "encounter.updated", None, "The patient did not arrive: the temporary place goes."),
    ("A33", "encounter.updated", None, "The patient did not leave: pending and temporary places go."),
    ("A38", "encounter.cancelled", "cancelled", "The pre-admission is cancelled."),
    ("A52", "encounter.leave_ended", "in-progress", "The leave did not begin."),
    ("A53", "encounter.leave_started", "onleave", "The patient did not come back from leave."),
    ("A54", "encounter.updated", None, "Another attending doctor (PV1-7, ROL)."),
    ("A55", "encounter.updated", None, "The former attending doctor again."),
    ("A61", "encounter.updated", None, "Another consulting doctor (PV1-9, ROL)."),
    ("A62", "encounter.updated", None, "The former consulting doctor again."),
)
_OTHERS: Final[tuple[tuple[str, str, str | None, Build, str], ...]] = (
    ("A18", "patient.merged", "merged", merge_patients, "Patient MRG-1 is patient PID-3 (before 2.3.1; now A40)."),
    ("A20", "location.updated", None, bed, "The state of a bed (NPU)."),
    ("A24", "patient.linked", None, link, "Two patients are thought to be one person; both stay."),
    ("A28", "patient.created", "active", persons, "A person was added; PV1 is ignored."),
    ("A29", "patient.deactivated", "inactive", persons, "A person was deleted at the source; never here."),
    ("A30", "patient.merged", "merged", merge_patients, "Patient MRG-1 is patient PID-3 (retained; now A40)."),
    ("A31", "patient.updated", None, persons, "Details of a person changed; PV1 is ignored."),
    ("A34", "patient.merged", "merged", merge_patients, "Patient MRG-1 is patient PID-3 (retained; now A40)."),
    ("A35", "encounter.updated", None, merge_accounts, "Account MRG-3 is account PID-18 (retained; now A41)."),
    ("A36", "patient.merged", "merged", merge_patients, "Patient MRG-1 is PID-3, and account MRG-3 is PID-18."),
    ("A37", "patient.unlinked", None, link, "Two patients are not one person after all."),
    ("A39", "patient.merged", "merged", merge_patients, "Patient MRG-1 is patient PID-3 (retained; now A40)."),
    ("A40", "patient.merged", "merged", merge_patients, "Patient MRG-1 is patient PID-3, in every group."),
    ("A41", "encounter.updated", None, merge_accounts, "Account MRG-3 is account PID-18."),
    ("A42", "encounter.updated", None, merge_visits, "Visit MRG-5 is visit PV1-19."),
    ("A43", "patient.identifier_changed", None, move_identifiers, "Numbers in PID-3 and MRG-1 move to this patient."),
    ("A44", "encounter.moved", None, move_account, "Account PID-18 and its visits belong to this patient."),
    ("A45", "encounter.moved", None, move_visits, "The visits of PV1 belong to this patient and account."),
    ("A46", "patient.identifier_changed", None, rename_patient, "The external number changed (MRG-4 to PID-2)."),
    ("A47", "patient.identifier_changed", None, rename_patient, "The patient's number changed (MRG-1 to PID-3)."),
    ("A48", "patient.identifier_changed", None, rename_patient, "The alternate number changed (MRG-2 to PID-4)."),
    ("A49", "encounter.identifier_changed", None, merge_accounts, "The account's number changed (MRG-3 to PID-18)."),
    ("A50", "encounter.identifier_changed", None, merge_visits, "The visit's number changed (MRG-5 to PV1-19)."),
    ("A51", "encounter.identifier_changed", None, merge_visits, "The alternate number changed (MRG-6 to PV1-50)."),
)
EVENTS: Final[Events] = {
    ("ADT", code): Action(code=code, event=event, says=says, build=build, status=status)
    for code, event, status, build, says in (
        *((code, event, status, visits, says) for code, event, status, says in _VISITS),
        *_OTHERS,
    )
}
