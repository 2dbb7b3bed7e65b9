"""An encounter in API v1."""

from typing import Annotated

from canonical.datatypes import Concept, Diagnosis, Identifier, Link, Note, Participant, Placement
from canonical.meaning import identity, means, roughly, when
from transforms.api.v1.resource import OPAQUE, Resource, in_zone, status_of


class Encounter(Resource, frozen=True, tag="encounter", tag_field="resourceType"):
    """A visit or a stay."""

    id: Annotated[str, identity(OPAQUE, "encounter")]
    status: Annotated[str | None, status_of("encounter")] = None
    class_: Annotated[
        Concept | None,
        means("Inpatient, ambulatory, emergency: the sender's code and, where there is one, that of v3 ActCode."),
    ] = None
    types: Annotated[tuple[Concept, ...], means("What kind of visit it is.")] = ()
    service_type: Annotated[Concept | None, means("The hospital's service.")] = None
    priority: Annotated[Concept | None, means("How urgent the admission was.")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    participants: Annotated[
        tuple[Participant, ...], means("Who takes part: attending, referring, consulting, admitting.")
    ] = ()
    start: Annotated[str | None, when("When it began.")] = None
    end: Annotated[str | None, when("When it ended.")] = None
    zone: Annotated[str | None, in_zone("The zone of the place.")] = None
    planned_start: Annotated[str | None, roughly("When it is to begin.")] = None
    planned_end: Annotated[str | None, roughly("When it is to end.")] = None
    placements: Annotated[tuple[Placement, ...], means("The places that the patient has, had, or is to have.")] = ()
    reasons: Annotated[tuple[Concept, ...], means("Why the patient came.")] = ()
    diagnoses: Annotated[tuple[Diagnosis, ...], means("What was found.")] = ()
    admit_source: Annotated[Concept | None, means("Where the patient came from.")] = None
    readmission: Annotated[Concept | None, means("Whether it is a readmission.")] = None
    discharge_disposition: Annotated[Concept | None, means("How the patient left.")] = None
    discharged_to: Annotated[Concept | None, means("Where the patient went.")] = None
    diet: Annotated[Concept | None, means("Diet.")] = None
    special_arrangements: Annotated[tuple[Concept, ...], means("Wheelchair, stretcher, interpreter and the like.")] = ()
    special_courtesy: Annotated[Concept | None, means("Courtesies.")] = None
    vip: Annotated[Concept | None, means("Whether and why it is a VIP.")] = None
    arrival_mode: Annotated[Concept | None, means("How the patient arrived.")] = None
    financial_classes: Annotated[tuple[Concept, ...], means("Who is expected to pay.")] = ()
    account: Annotated[Identifier | None, means("The account number.")] = None
    preadmit_number: Annotated[Identifier | None, means("The number under which it was planned.")] = None
    leave_expected_return: Annotated[str | None, when("When the patient is expected back from leave.")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
    links: Annotated[tuple[Link, ...], means("Other visits that this one replaced or was replaced by.")] = ()
