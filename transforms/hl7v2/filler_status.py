"""What an SIU event says about the status of an appointment (table 0278; DOMAIN 1.2).

The event decides for S15, S16, S17 and S26, SCH-25 for all others; the status of a single service or resource never
becomes that of the appointment.
"""

from typing import Final

from msgspec.structs import replace

from canonical.datatypes import Coding, Concept
from canonical.machines import APPOINTMENT
from canonical.patches import Said

from .actions import Action
from .codes import APPOINTMENT_STATUSES, BLOCKED, DISCONTINUED, OVERBOOKED
from .converters import UNKNOWN_CODE, coded, codes_of, concept
from .er7 import Segment
from .rows import Reading, Used, take

ENDED: Final = frozenset({"S15", "S16", "S17", "S26"})  # the event itself says that the appointment will not take place
BOOKS: Final = frozenset({"S12", "S13"})  # without SCH-25 these say booked; the others leave a known status alone
WAITING: Final = frozenset({"proposed", "pending", "waitlist"})
IS_A_BLOCK: Final = "Blocked is the status of a time, not of an appointment with a patient; the event's was taken"
STOPPED: Final = Coding(code="discontinued", system="urn:isthmus:status-reason", display="Discontinued")

_filler_status = coded("0278")


def status(action: Action, sch: Segment, reading: Reading) -> tuple[Said, bool | None]:
    """What is said of the status, and whether SCH-25 says that the time is booked twice (None: SCH-25 says nothing)."""
    reading.field = "status"
    traced = len(reading.trace or ())
    source = take(_filler_status, sch, 25, reading) or None
    word = _word(source)
    stated, overbooked = _stated(source, word, reading)
    if reading.trace is not None and (action.code in ENDED or not stated):  # the event decides
        reading.trace[traced:] = [Used("source_status", one.path, one.by) for one in reading.trace[traced:]]
    reading.field = "status_reason"
    reason = (take(concept, sch, 6, reading) or None) if action.code in ENDED else None
    reading.field = None
    if action.code == "S16" or (action.code not in ENDED and word in DISCONTINUED):
        reason = stopped(reason)
    if action.code in ENDED:
        return Said(status=action.status or "cancelled", reason=reason, source=source), overbooked
    if stated:
        weak = action.code == "S27" and stated == "booked"  # a snapshot books nothing that was known to be otherwise
        return Said(status=stated, weak=weak, reason=reason, source=source), overbooked
    books = action.code in BOOKS
    return Said(status="booked", weak=not books, implied=books, source=source), overbooked


def _word(source: Concept | None) -> str:
    """The code of table 0278 that was sent, in capitals without blanks."""
    for one in codes_of(source) or ([source.text] if source and source.text else []):
        word = one.upper().replace(" ", "").replace("-", "")
        if word in APPOINTMENT_STATUSES or word == BLOCKED or one in APPOINTMENT:
            return one if one in APPOINTMENT else word
    return ""


def _stated(source: Concept | None, word: str, reading: Reading) -> tuple[str | None, bool | None]:
    if source is None:
        return None, None
    if word in APPOINTMENT:
        return word, False
    if word in APPOINTMENT_STATUSES:
        return APPOINTMENT_STATUSES[word], word == OVERBOOKED
    reading.complain("DQ-CODE-UNMAPPED", IS_A_BLOCK if word == BLOCKED else UNKNOWN_CODE)
    return None, None


def stopped(reason: Concept | None) -> Concept:
    """The sender's reason, and that it was stopped after it had begun."""
    if reason is None:
        return Concept(codings=(STOPPED,), text="Discontinued")
    return replace(reason, codings=(*reason.codings, STOPPED))


def is_block(sch: Segment, reading: Reading) -> bool:
    """Whether SCH-25 says that a time is kept free: that is about a schedule, not about an appointment."""
    return _word(take(_filler_status, sch, 25, reading) or None) == BLOCKED
