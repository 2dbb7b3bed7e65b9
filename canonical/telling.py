"""What to call a change: the sender's word when it took effect, else what anyone can see to have changed."""

from canonical.apply import Cause
from canonical.patches import Patch
from canonical.records import Appointment, Record
from canonical.status import fold

# What a status that was not there before is called.
STATUS_WORDS = {
    "appointment": {
        "proposed": "appointment.proposed",
        "pending": "appointment.pending",
        "waitlist": "appointment.waitlisted",
        "booked": "appointment.booked",
        "arrived": "appointment.arrived",
        "checked-in": "appointment.checked_in",
        "fulfilled": "appointment.fulfilled",
        "cancelled": "appointment.cancelled",
        "noshow": "appointment.noshow",
        "entered-in-error": "appointment.deleted",
    },
    "encounter": {
        "planned": "encounter.preadmitted",
        "arrived": "encounter.registered",
        "in-progress": "encounter.started",
        "onleave": "encounter.leave_started",
        "finished": "encounter.finished",
        "cancelled": "encounter.cancelled",
        "entered-in-error": "encounter.deleted",
    },
    "patient": {
        "active": "patient.activated",
        "inactive": "patient.deactivated",
        "merged": "patient.merged",
    },
    "provider": {
        "active": "provider.activated",
        "suspended": "provider.suspended",
        "inactive": "provider.deactivated",
        "entered-in-error": "provider.deleted",
    },
    "organization": {
        "active": "organization.activated",
        "inactive": "organization.deactivated",
        "entered-in-error": "organization.deleted",
    },
    "location": {
        "active": "location.activated",
        "inactive": "location.deactivated",
        "entered-in-error": "location.deleted",
    },
    "referral": {
        "requested": "referral.sent",
        "received": "referral.received",
        "accepted": "referral.accepted",
        "rejected": "referral.rejected",
        "on-hold": "referral.on_hold",
        "scheduled": "referral.scheduled",
        "in-progress": "referral.started",
        "completed": "referral.completed",
        "cancelled": "referral.cancelled",
        "expired": "referral.expired",
        "entered-in-error": "referral.deleted",
    },
    "coverage": {
        "active": "coverage.activated",
        "cancelled": "coverage.cancelled",
        "entered-in-error": "coverage.deleted",
    },
    "eligibility": {
        "submitted": "eligibility.submitted",
        "completed": "eligibility.checked",
        "failed": "eligibility.failed",
        "timed-out": "eligibility.timed_out",
        "superseded": "eligibility.superseded",
        "expired": "eligibility.expired",
    },
    "authorization": {
        "not-required": "authorization.not_required",
        "required": "authorization.required",
        "draft": "authorization.requested",
        "submitted": "authorization.submitted",
        "pended": "authorization.pended",
        "approved": "authorization.decided",
        "partially-approved": "authorization.decided",
        "modified": "authorization.decided",
        "denied": "authorization.decided",
        "contact-payer": "authorization.decided",
        "error": "authorization.failed",
        "cancelled": "authorization.cancelled",
        "expired": "authorization.expired",
        "closed": "authorization.closed",
        "entered-in-error": "authorization.deleted",
    },
    "requisition": {
        "submitted": "requisition.submitted",
        "pending-approval": "requisition.approval_pending",
        "approved": "requisition.approved",
        "rejected": "requisition.rejected",
        "returned": "requisition.returned",
        "partially-ordered": "requisition.partially_ordered",
        "ordered": "requisition.ordered",
        "partially-received": "requisition.partially_received",
        "received": "requisition.received",
        "closed": "requisition.closed",
        "cancelled": "requisition.cancelled",
        "failed": "requisition.failed",
        "entered-in-error": "requisition.deleted",
    },
}

# What a record may be first heard of by; anything else about an unknown record is its creation.
FIRST_WORDS = frozenset(
    {
        *("appointment.cancelled", "appointment.discontinued", "appointment.deleted", "appointment.noshow"),
        *("encounter.started", "encounter.registered", "encounter.preadmitted", "encounter.finished"),
        *("encounter.admit_cancelled", "encounter.cancelled", "encounter.deleted", "patient.deactivated"),
        *("referral.cancelled", "referral.rejected", "referral.deleted", "coverage.cancelled", "coverage.deleted"),
        *("eligibility.checked", "authorization.decided", "authorization.cancelled", "requisition.cancelled"),
    }
)
GENERAL = (".created", ".updated")
RESCHEDULED = "appointment.rescheduled"  # only told where there is another time
ENDED = frozenset({"fulfilled", "cancelled", "noshow", "entered-in-error"})


def event_type(patch: Patch, before: Record | None, after: Record, cause: Cause, word: str | None = None) -> str:
    """The type of the event for a new version; `word` is what the message did, where it is not in the patch."""
    kind, said, is_newest = patch.type, patch.event or word, before is None or cause.clock >= before.newest
    if before is None:
        return said if said in FIRST_WORDS else f"{kind}.created"
    is_so = said != RESCHEDULED or _times(before) != _times(after)
    if said and not said.endswith(GENERAL) and is_newest and is_so and _took_effect(patch, after, cause):
        return said
    if after.status != before.status and (seen := STATUS_WORDS.get(kind, {}).get(after.status or "")):
        return seen
    return f"{kind}.rescheduled" if is_newest and _moved(before, after) else f"{kind}.updated"


def _moved(before: Record, after: Record) -> bool:
    """Whether an appointment that is still to come is now at another time than was known."""
    if not isinstance(before, Appointment) or not isinstance(after, Appointment) or after.status in ENDED:
        return False
    return before.start is not None and after.start is not None and before.start != after.start


def _times(record: Record) -> tuple[object, ...]:
    return (record.start, record.end, record.minutes_duration) if isinstance(record, Appointment) else ()


def _took_effect(patch: Patch, after: Record, cause: Cause) -> bool:
    """Whether what was said holds: a cancel of what is no longer so did nothing, nor does one feed undo another's S17.

    A weak word says how things probably are, beside what happened.
    """
    if not patch.said or patch.said.weak:
        return True
    now = fold(after.facts)
    return now is not None and now.stamp.message == cause.message
