"""An event about an appointment as an SIU message: what `siu.py` reads, written for one receiver (2.5.1 ch. 10.3).

The message is a snapshot of the appointment, whatever changed: it says all of it again, so that a receiver that missed
one message is right after the next. The same event always gives the same bytes.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from canonical.records import Appointment, Location, Record

from . import charset as charsets
from .appointment_out import Unwritable, resource_segments, sch, timed, told
from .delimiters import STANDARD
from .patient_out import patient_segments
from .profile import Profile
from .writing import Writing, segment, zone

__all__ = ["EVENTS", "Sender", "Unwritable", "siu"]

EVENTS: Final = {
    "appointment.created": "S12",
    "appointment.booked": "S12",
    "appointment.rescheduled": "S13",
    "appointment.updated": "S14",
    "appointment.proposed": "S14",
    "appointment.pending": "S14",
    "appointment.waitlisted": "S14",
    "appointment.arrived": "S14",
    "appointment.checked_in": "S14",
    "appointment.fulfilled": "S14",
    "appointment.resource_added": "S14",
    "appointment.resource_changed": "S14",
    "appointment.resource_cancelled": "S14",
    "appointment.resource_discontinued": "S14",
    "appointment.resource_deleted": "S14",
    "appointment.cancelled": "S15",
    "appointment.discontinued": "S16",
    "appointment.deleted": "S17",
    "appointment.noshow": "S26",
}


class Sender(Struct, frozen=True, kw_only=True):
    """What MSH says of both ends: HDs with `^`, MSH-11, MSH-12, MSH-18, and whether CA is asked for (MSH-15)."""

    application: str = "ISTHMUS"
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing_id: str = "P"
    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    asks_accept: bool = False

    @property
    def is_modern(self) -> bool:
        """From 2.5 on times stand in TQ1."""
        return tuple(map(int, self.version.split("."))) >= (2, 5)


def siu(
    event: str,
    appointment: Appointment,
    records: Mapping[str, Record],
    profile: Profile,
    sender: Sender,
    control_id: str,
    at: int,
) -> bytes:
    """The message of an event at that instant (microseconds). `records` are those that the appointment names.

    Unwritable where the appointment has no number.
    """
    writing = Writing(profile, records, zone(zone_name(appointment, records, profile)))
    code = EVENTS[event]
    lines = [msh(code, sender, control_id, at, writing), *_body(code, appointment, sender, writing)]
    codec = charsets.codec(sender.charset) or charsets.UTF8
    return charsets.encode("".join(f"{line}{END}" for line in lines), codec)


END: Final = "\r"


def _body(code: str, appointment: Appointment, sender: Sender, writing: Writing) -> Iterator[str]:
    yield sch(code, appointment, writing)
    if sender.is_modern and (tq1 := timed(appointment, writing)):
        yield tq1
    yield from told(appointment.notes, writing)
    yield from patient_segments(appointment, writing)
    yield from resource_segments(appointment, writing)


def msh(code: str, sender: Sender, control_id: str, at: int, writing: Writing) -> str:
    """MSH; its time is the event's, in the zone of the place."""
    now = datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(writing.zone or UTC)
    fields = {
        3: sender.application,
        4: sender.facility,
        5: sender.receiving_application,
        6: sender.receiving_facility,
        7: f"{now:%Y%m%d%H%M%S%z}",
        9: f"SIU^{code}^SIU_S12",
        10: control_id,
        11: sender.processing_id,
        12: sender.version,
        15: "AL" if sender.asks_accept else "",
        16: "NE" if sender.asks_accept else "",
        18: sender.charset,
    }
    rest = segment("MSH", fields).removeprefix(f"MSH{STANDARD.field * 3}")
    return STANDARD.field.join((f"MSH{STANDARD.field}{STANDARD.encoding}", rest))


def zone_name(appointment: Appointment, records: Mapping[str, Record], profile: Profile) -> str | None:
    """The zone of the place, as the receiver's file or the place itself has it, else the appointment's, else the
    receiver's."""
    for one in appointment.participants:
        found = records.get(one.actor or "")
        if one.kind == "location" and isinstance(found, Location):
            parts = (found.point_of_care, found.facility, found.building)
            named = next((profile.location_zones[part] for part in parts if part in profile.location_zones), None)
            if named or found.zone:
                return named or found.zone
    return appointment.zone or profile.zone
