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
PROVIDER_EVENTS = {
    "provider.created": "a provider was heard of for the first time",
    "provider.updated": "details of a provider changed",
    "provider.activated": "the provider is active again",
    "provider.suspended": "the provider may not work for now",
    "provider.deactivated": "the provider has left, or was deleted at the source (MDC, MDL)",
    "provider.deleted": "it was entered in error",
    "organization.created": "an organisation was heard of for the first time",
    "organization.updated": "details of an organisation changed",
    "organization.activated": "the organisation is active again",
    "organization.deactivated": "the organisation is no longer active",
    "organization.deleted": "it was entered in error",
    "location.created": "a place was heard of for the first time",
    "location.updated": "details of a place changed",
    "location.activated": "the place is in use again",
    "location.deactivated": "the place is no longer in use",
    "location.deleted": "it was entered in error",
}
REFERRAL_EVENTS = {
    "referral.created": "a referral was heard of for the first time",
    "referral.updated": "details changed",
    "referral.sent": "it was sent, or sent again after a rejection (I12)",
    "referral.received": "whom it was sent to has it",
    "referral.accepted": "whom it was sent to will see the patient",
    "referral.rejected": "whom it was sent to will not see the patient",
    "referral.on_hold": "it waits for something, as for what is missing",
    "referral.scheduled": "an appointment was made for it",
    "referral.started": "the care that was asked for has begun",
    "referral.completed": "the care that was asked for was given",
    "referral.cancelled": "it was taken back (I14)",
    "referral.expired": "its time is over",
    "referral.deleted": "it was entered in error",
}
REQUISITION_EVENTS = {
    "requisition.created": "a requisition was heard of for the first time",
    "requisition.updated": "details or quantities changed",
    "requisition.submitted": "it was sent to be approved and ordered",
    "requisition.approval_pending": "it waits for approval",
    "requisition.approved": "it was approved",
    "requisition.rejected": "it was not approved, and is over",
    "requisition.returned": "it was given back to be changed",
    "requisition.partially_ordered": "some of it was ordered",
    "requisition.ordered": "all of it was ordered",
    "requisition.partially_received": "some of it has arrived",
    "requisition.received": "all of it has arrived",
    "requisition.closed": "nothing more will come of it",
    "requisition.cancelled": "it will not be ordered, or no longer",
    "requisition.failed": "the purchasing system did not take it",
    "requisition.deleted": "it was entered in error",
}
PAYMENT_EVENTS = {
    "coverage.created": "an insurance of a patient was heard of for the first time",
    "coverage.updated": "details of an insurance changed",
    "coverage.activated": "the insurance holds (again)",
    "coverage.cancelled": "the insurance has ended",
    "coverage.deleted": "it was entered in error",
    "eligibility.created": "a check of eligibility is wanted",
    "eligibility.updated": "details of a check changed",
    "eligibility.submitted": "the payer was asked",
    "eligibility.checked": "the payer has answered",
    "eligibility.failed": "the payer could not or would not answer",
    "eligibility.timed_out": "the payer has not answered in time; an answer that comes later is still taken",
    "eligibility.superseded": "a newer check took its place",
    "eligibility.expired": "the answer is too old to rely on",
    "authorization.created": "an authorization was heard of for the first time",
    "authorization.updated": "details of an authorization changed",
    "authorization.not_required": "none is needed",
    "authorization.required": "one is needed",
    "authorization.requested": "one is to be asked of the payer",
    "authorization.submitted": "the payer was asked, also for a revision or on appeal",
    "authorization.pended": "the payer will decide later",
    "authorization.decided": "the payer has decided; the status says how",
    "authorization.failed": "the payer could not read or would not take the request",
    "authorization.cancelled": "it was taken back",
    "authorization.expired": "its time is over",
    "authorization.closed": "it was denied, and nothing more will be done",
    "authorization.deleted": "it was entered in error",
}
OTHER_EVENTS = {
    "slot.blocked": "time of a schedule was blocked (S23)",
    "slot.opened": "blocked time of a schedule was opened again (S24)",
    "message.received": "a message was kept that a route of the site sends on",
    "feed.silent": "a feed has been quiet for longer than its usual pace",
    "feed.resumed": "a silent feed is heard again",
    "task.created": "work waits for a person (again)",
    "task.updated": "who works on it, or what is said about it, changed",
    "task.completed": "work that waited for a person is done, by a person or because its reason is gone",
    "task.cancelled": "work that waited for a person will not be done",
}
SECTIONS: dict[str, dict[str, str]] = {
    "Appointments": APPOINTMENT_EVENTS,
    "Encounters": ENCOUNTER_EVENTS,
    "Patients": PATIENT_EVENTS,
    "Providers, organisations and places": PROVIDER_EVENTS,
    "Referrals": REFERRAL_EVENTS,
    "Requisitions": REQUISITION_EVENTS,
    "Coverage, eligibility and authorization": PAYMENT_EVENTS,
    "Everything else": OTHER_EVENTS,
}
EVENTS: dict[str, str] = {name: when for section in SECTIONS.values() for name, when in section.items()}


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
