"""What changed: the events that partners subscribe to, thin by default (DESIGN 7, CloudEvents 1.0.2)."""

from msgspec import Struct

APPOINTMENT_EVENTS = {
    "appointment.created": "an appointment was heard of for the first time",
    "appointment.updated": "details changed, neither its time nor its status",
    "appointment.rescheduled": "its time changed",
    "appointment.cancelled": "it will not take place",
    "appointment.discontinued": "it was stopped after it had begun (S16)",
    "appointment.deleted": "it was entered in error",
    "appointment.noshow": "the patient did not come",
    "appointment.arrived": "the patient has arrived",
    "appointment.checked_in": "the patient is checked in or the visit has begun",
    "appointment.fulfilled": "it took place",
    "appointment.pending": "it waits for confirmation",
    "appointment.waitlisted": "it is on the waiting list",
    "appointment.booked": "it is booked (again)",
    "appointment.proposed": "it is only proposed",
    "appointment.resource_added": "a service or resource was added (S18)",
    "appointment.resource_changed": "a service or resource was changed (S19)",
    "appointment.resource_cancelled": "a service or resource was cancelled (S20)",
    "appointment.resource_discontinued": "a service or resource was discontinued (S21)",
    "appointment.resource_deleted": "a service or resource was deleted (S22)",
}
ENCOUNTER_EVENTS = {
    "encounter.created": "an encounter was heard of for the first time",
    "encounter.updated": "details changed",
    "encounter.started": "the patient was admitted or the visit began (A01)",
    "encounter.registered": "the patient was registered (A04)",
    "encounter.preadmitted": "an admission is planned (A05, A14)",
    "encounter.transferred": "the patient changed places (A02, A17)",
    "encounter.transfer_cancelled": "a transfer was cancelled (A12)",
    "encounter.transfer_pending": "a transfer is planned (A15)",
    "encounter.discharge_pending": "a discharge is planned (A16)",
    "encounter.departing": "the patient is leaving a place (A09)",
    "encounter.arriving": "the patient arrives at a place (A10)",
    "encounter.finished": "the patient was discharged or the visit ended (A03)",
    "encounter.discharge_cancelled": "the discharge was cancelled (A13)",
    "encounter.admit_cancelled": "the admission was cancelled (A11)",
    "encounter.class_changed": "the class of the visit changed (A06, A07)",
    "encounter.leave_started": "the patient went on leave (A21)",
    "encounter.leave_ended": "the patient came back from leave (A22)",
    "encounter.cancelled": "it will not take place",
    "encounter.deleted": "it was entered in error (A23)",
    "encounter.moved": "it now belongs to another patient or account (A44, A45)",
    "encounter.merged": "a visit was replaced by another (A42)",
    "encounter.identifier_changed": "its visit or account number was replaced (A49, A50, A51)",
}
PATIENT_EVENTS = {
    "patient.created": "a patient was heard of for the first time",
    "patient.updated": "details changed",
    "patient.merged": "a patient record was replaced by another (A34, A36, A40)",
    "patient.linked": "two patient records were linked (A24)",
    "patient.unlinked": "two patient records are no longer linked (A37)",
    "patient.identifier_changed": "an identifier was replaced or moved here (A43, A46, A47)",
    "patient.deactivated": "the patient was deleted at the source (A29)",
    "patient.activated": "the patient is active again",
}
OTHER_EVENTS = {
    "provider.created": "a provider was heard of for the first time",
    "provider.updated": "details of a provider changed",
    "location.created": "a place was heard of for the first time",
    "location.updated": "details of a place changed",
    "slot.blocked": "time of a schedule was blocked (S23)",
    "slot.opened": "blocked time of a schedule was opened again (S24)",
    "feed.silent": "a feed has been quiet for longer than its usual pace",
    "feed.resumed": "a silent feed is heard again",
    "task.created": "work waits for a person (again)",
    "task.updated": "who works on it, or what is said about it, changed",
    "task.completed": "work that waited for a person is done, by a person or because its reason is gone",
    "task.cancelled": "work that waited for a person will not be done",
}
EVENTS: dict[str, str] = APPOINTMENT_EVENTS | ENCOUNTER_EVENTS | PATIENT_EVENTS | OTHER_EVENTS


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """One change of one record. `subject` is the record's id, `patient` the surviving patient it concerns.

    `seq` is the place in the feed of events, given by the store at commit; `at` is in microseconds.
    """

    id: str
    type: str
    tenant: str
    subject: str
    at: int
    seq: int = 0
    patient: str | None = None
    version: int = 0
    message: str | None = None
    feed: str | None = None
    traceparent: str | None = None

    @property
    def lane(self) -> str:
        """What order is kept for: the patient, or the record where there is none."""
        return self.patient or self.subject
