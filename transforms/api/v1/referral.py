"""A referral in API v1."""

from typing import Annotated

from canonical.datatypes import (
    Attachment,
    Concept,
    Contact,
    Diagnosis,
    Money,
    Note,
    Observation,
    Party,
    Procedure,
    Quantity,
)
from canonical.meaning import codes, identity, means, roughly
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class Referral(Resource, frozen=True, tag="referral", tag_field="resourceType"):
    """One provider asks another to see a patient."""

    id: Annotated[str, identity(OPAQUE, "referral")]
    status: Annotated[str | None, status_of("referral")] = None
    priority: Annotated[str | None, codes("How urgent it is.", "routine", "urgent", "asap", "stat")] = None
    priority_original: Annotated[Concept | None, means("What the sender called that.")] = None
    type: Annotated[Concept | None, means("What kind of care is asked for (HL7 table 0281).")] = None
    category: Annotated[Concept | None, means("Inpatient, outpatient, emergency (HL7 table 0284).")] = None
    dispositions: Annotated[tuple[Concept, ...], means("What is to come back (HL7 table 0282).")] = ()
    start: Annotated[str | None, roughly("From when it holds.")] = None
    end: Annotated[str | None, roughly("Until when it holds.")] = None
    processed_at: Annotated[str | None, roughly("When it was processed.")] = None
    reasons: Annotated[tuple[Concept, ...], means("Why.")] = ()
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    participants: Annotated[
        tuple[Party, ...],
        means(
            "Who takes part, by the roles of HL7 table 0286: `RP` refers, `RT` is referred to, `PP` is the primary "
            "care provider, `CP` consults. Several `RT` are a choice."
        ),
    ] = ()
    contacts: Annotated[tuple[Contact, ...], means("Whom to speak to.")] = ()
    services: Annotated[tuple[Procedure, ...], means("What is to be done.")] = ()
    diagnoses: Annotated[tuple[Diagnosis, ...], means("What was found.")] = ()
    units_authorized: Annotated[Quantity | None, means("How many treatments are authorized.")] = None
    units_used: Annotated[Quantity | None, means("How many were used.")] = None
    units_scheduled: Annotated[Quantity | None, means("How many are scheduled.")] = None
    remaining_benefit: Annotated[Money | None, means("What is left of the benefit.")] = None
    coverages: Annotated[tuple[str, ...], means("The ids of the insurances, the first to pay first.")] = ()
    guarantor: Annotated[Contact | None, means("Who answers for the bill.")] = None
    authorizations: Annotated[tuple[str, ...], means("The ids of the authorizations.")] = ()
    appointment: Annotated[str | None, identity("The appointment that was made for it.", "appointment")] = None
    attachments: Annotated[tuple[Attachment, ...], means("Documents that came with it.")] = ()
    observations: Annotated[tuple[Observation, ...], means("What was measured.")] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
