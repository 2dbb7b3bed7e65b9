"""Booking an appointment, moving it, and saying what became of it."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from canonical.datatypes import Concept, Participant, Service
from canonical.patches import Patch, Said
from canonical.records import Record
from transforms.api.v1.commands.base import (
    Command,
    Identifiers,
    Moment,
    Reasoned,
    Sent,
    instant,
    noted,
    record_id,
    sent_fields,
)

TO_COME = frozenset({"proposed", "pending", "waitlist", "booked"})


class NewAppointment(Sent, frozen=True):
    """An appointment to be made."""

    patient: Annotated[str, record_id("patient", "Whose it is.")]
    start: Annotated[str, instant("When it begins.")]
    end: Annotated[str, instant("When it ends.")]
    status: Annotated[
        Literal["proposed", "pending", "waitlist", "booked"], Meta(description="How firm it is from the start.")
    ] = "booked"
    zone: Annotated[str, Meta(description="The IANA zone of the place.", max_length=64)] | None = None
    provider: Annotated[str, record_id("provider", "Who sees the patient.")] | None = None
    location: Annotated[str, record_id("location", "Where.")] | None = None
    appointment_type: Annotated[Concept | None, Meta(description="What kind of appointment it is.")] = None
    reasons: Annotated[tuple[Concept, ...], Meta(description="Why the patient comes.", max_length=50)] = ()
    services: Annotated[tuple[Service, ...], Meta(description="What is done.", max_length=50)] = ()
    priority: Annotated[Concept | None, Meta(description="How urgent it is.")] = None
    identifiers: Identifiers = ()
    note: Annotated[str, Meta(description="What is to be remembered.", max_length=4000)] | None = None


class NewTime(Reasoned, frozen=True, kw_only=True):
    """Another time for an appointment."""

    start: Annotated[str, instant("When it now begins.")]
    end: Annotated[str, instant("When it now ends.")]


def _booked(body: NewAppointment, before: Record | None, moment: Moment) -> Patch:
    patient = Participant(kind="patient", actor=body.patient, status="accepted", key=f"PID/{body.patient}")
    others = [
        Participant(kind=kind, actor=actor, status="accepted", key=key)
        for kind, actor, key in (("provider", body.provider, "AIP/1"), ("location", body.location, "AIL/1"))
        if actor
    ]
    fields = sent_fields(body, "status", "provider", "location", "identifiers", "note")
    fields |= _time(body.start, body.end) | noted(None, body.note, moment)
    fields["participants"] = (patient, *others)
    fields["services"] = tuple(
        [Service(code=one.code, start=one.start, minutes=one.minutes, key=f"AIS/{n}") for n, one in _count(body)]
    )
    return Patch(type="appointment", anchors=body.identifiers, fields=fields, said=Said(status=body.status))


def _count(body: NewAppointment) -> enumerate[Service]:
    return enumerate(body.services, 1)


def _moved(body: NewTime, before: Record | None, moment: Moment) -> Patch:
    said: dict[str, object] = {"event_reason": body.reason} if body.reason else {}
    fields = said | _time(body.start, body.end) | noted(before, body.note, moment)
    return Patch(type="appointment", fields=fields, event="appointment.rescheduled")


def _time(start: str, end: str) -> dict[str, object]:
    begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
    minutes = round((ends - begins).total_seconds() / 60)
    return {"start": _utc(begins), "end": _utc(ends), "minutes_duration": minutes, "duration_source": "derived"}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _wrong_time(body: NewAppointment | NewTime, before: Record | None) -> Iterator[tuple[str, str]]:
    """A time that there is, and an end after the start."""
    times: dict[str, datetime] = {}
    for name in ("start", "end"):
        with suppress(ValueError, OverflowError):
            times[name] = datetime.fromisoformat(getattr(body, name)).astimezone(UTC)
        if name not in times:
            yield f"/{name}", "There is no such time."
    if len(times) == 2 and times["end"] <= times["start"]:
        yield "/end", "It must end after it begins."
    zone = getattr(body, "zone", None)
    if zone is not None and not _is_zone(zone):
        yield "/zone", "An IANA zone is needed, as America/New_York."


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # which of them depends on how the zones are installed
        return False
    return True


def _became(status: str, event: str) -> Command:
    def patch(body: Reasoned, before: Record | None, moment: Moment) -> Patch:
        said = Said(status=status, reason=body.reason)
        return Patch(type="appointment", fields=noted(before, body.note, moment), said=said, event=event)

    texts = {
        "cancelled": "Cancel an appointment.",
        "checked-in": "Check the patient in.",
        "noshow": "Say that the patient did not come.",
    }
    names = {"cancelled": "cancel", "checked-in": "check-in", "noshow": "no-show"}
    return Command(name=names[status], kind="appointment", to=status, body=Reasoned, patch=patch, text=texts[status])


COMMANDS = (
    Command(
        name="book",
        kind="appointment",
        body=NewAppointment,
        patch=_booked,
        check=_wrong_time,
        creates=True,
        text="Book an appointment, or offer one.",
    ),
    Command(
        name="reschedule",
        kind="appointment",
        body=NewTime,
        patch=_moved,
        check=_wrong_time,
        only_from=TO_COME,
        text="Move an appointment to another time.",
    ),
    _became("cancelled", "appointment.cancelled"),
    _became("checked-in", "appointment.checked_in"),
    _became("noshow", "appointment.noshow"),
)
