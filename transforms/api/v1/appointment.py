"""An appointment in API v1."""

from typing import Annotated

from canonical.datatypes import Concept, Contact, Identifier, Note, Participant, Service
from canonical.meaning import codes, identity, means, when
from transforms.api.v1.resource import OPAQUE, Resource, in_zone, status_of


class Appointment(Resource, frozen=True, tag="appointment", tag_field="resourceType"):
    """A booked, offered, kept or missed visit. `start` and `end` are in UTC, `zone` is the place's IANA zone.

    `previousStart` is the last start that was another, by the senders' clocks.
    """

    id: Annotated[str, identity(OPAQUE, "appointment")]
    status: Annotated[str | None, status_of("appointment")] = None
    start: Annotated[str | None, when("When it begins.")] = None
    end: Annotated[str | None, when("When it ends.")] = None
    zone: Annotated[
        str | None, in_zone("The zone of the place: `start` in this zone is the time that the patient was told.")
    ] = None
    minutes_duration: Annotated[int | None, means("How long it takes, in minutes.")] = None
    duration_source: Annotated[
        str | None,
        codes(
            "Whether the sender declared how long it takes, or it was derived from start and end.",
            "declared",
            "derived",
        ),
    ] = None
    previous_start: Annotated[str | None, when("The last start that was another.")] = None
    overbooked: Annotated[bool | None, means("Whether it is booked beside another.")] = None
    occurrence_number: Annotated[str | None, means("Its number in a series.")] = None
    group: Annotated[Identifier | None, means("The number of the series.")] = None
    schedule: Annotated[Concept | None, means("The schedule it is booked in.")] = None
    event_reason: Annotated[Concept | None, means("Why the sender told of it.")] = None
    reasons: Annotated[tuple[Concept, ...], means("Why the patient comes.")] = ()
    appointment_type: Annotated[Concept | None, means("What kind of appointment it is.")] = None
    service_category: Annotated[Concept | None, means("What kind of service it is.")] = None
    services: Annotated[tuple[Service, ...], means("What is done.")] = ()
    priority: Annotated[Concept | None, means("How urgent it is.")] = None
    patient: Annotated[
        str | None,
        identity(
            "The patient's id: that of the survivor of all merges. Of a group, the one who was named first.", "patient"
        ),
    ] = None
    encounter: Annotated[str | None, identity("The visit that it became, where that is known.", "encounter")] = None
    visit: Annotated[Identifier | None, means("The number of that visit, known here or not.")] = None
    participants: Annotated[
        tuple[Participant, ...], means("Who and what takes part: patients, providers, places, devices.")
    ] = ()
    based_on: Annotated[tuple[Identifier, ...], means("The numbers of the orders that it is for.")] = ()
    parents: Annotated[tuple[Identifier, ...], means("The numbers of the appointments that it belongs to.")] = ()
    replaces: Annotated[str | None, identity("The appointment that it stands in for.", "appointment")] = None
    contacts: Annotated[tuple[Contact, ...], means("Who placed it, who fills it and who entered it.")] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    supporting_information: Annotated[tuple[Concept, ...], means("What else is to be known for it.")] = ()
