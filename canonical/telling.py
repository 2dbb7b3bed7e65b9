"""What to call a change: the sender's word when it took effect, else what anyone can see to have changed."""

from canonical.apply import Cause
from canonical.patches import Patch
from canonical.records import Record
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
}

# What a record may be first heard of by; anything else about an unknown record is its creation.
FIRST_WORDS = frozenset(
    {
        *("appointment.cancelled", "appointment.discontinued", "appointment.deleted", "appointment.noshow"),
        *("encounter.started", "encounter.registered", "encounter.preadmitted", "encounter.finished"),
        *("encounter.admit_cancelled", "encounter.cancelled", "encounter.deleted", "patient.deactivated"),
    }
)
GENERAL = (".created", ".updated")


def event_type(patch: Patch, before: Record | None, after: Record, cause: Cause, word: str | None = None) -> str:
    """The type of the event for a new version; `word` is what the message did, where it is not in the patch."""
    kind, said = patch.type, patch.event or word
    if before is None:
        return said if said in FIRST_WORDS else f"{kind}.created"
    if said and not said.endswith(GENERAL) and cause.clock >= before.effective_at and _took_effect(patch, after, cause):
        return said
    if after.status != before.status and (seen := STATUS_WORDS.get(kind, {}).get(after.status or "")):
        return seen
    moved = kind == "appointment" and getattr(before, "start", None) != getattr(after, "start", None)
    return f"{kind}.rescheduled" if moved else f"{kind}.updated"


def _took_effect(patch: Patch, after: Record, cause: Cause) -> bool:
    """A cancel of something that is not so any more did nothing."""
    if not patch.said or not patch.said.cancels:
        return True
    now = fold(after.facts)
    return now is not None and now.stamp.message == cause.message
