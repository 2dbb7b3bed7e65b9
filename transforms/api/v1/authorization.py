"""An authorization in API v1."""

from typing import Annotated

from canonical.datatypes import (
    Appeal,
    Attachment,
    AuthorizationItem,
    Concept,
    Decision,
    Diagnosis,
    DocumentRequest,
    Entity,
    Note,
    Party,
    Rejection,
)
from canonical.meaning import codes, identity, means, roughly, when
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class Authorization(Resource, frozen=True, tag="authorization", tag_field="resourceType"):
    """A payer's leave to give care. `items` are what is asked for, `decisions` what the payer said of them."""

    id: Annotated[str, identity(OPAQUE, "authorization")]
    status: Annotated[str | None, status_of("authorization")] = None
    category: Annotated[Concept | None, means("Health services, specialty care, admission (X12 UM01).")] = None
    certification_type: Annotated[Concept | None, means("Initial, revised, an appeal (X12 UM02).")] = None
    level_of_service: Annotated[Concept | None, means("How urgent it is (X12 UM06).")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    coverage: Annotated[str | None, identity("The insurance that it is asked of.", "coverage")] = None
    payer: Annotated[Entity | None, means("Who is asked.")] = None
    participants: Annotated[tuple[Party, ...], means("Who asks, and who is to give the care.")] = ()
    diagnoses: Annotated[tuple[Diagnosis, ...], means("What was found.")] = ()
    items: Annotated[tuple[AuthorizationItem, ...], means("What is asked for, each by a key that stays for life.")] = ()
    decisions: Annotated[tuple[Decision, ...], means("What the payer said of each item.")] = ()
    start: Annotated[str | None, roughly("From when it holds.")] = None
    end: Annotated[str | None, roughly("Until when it holds.")] = None
    requested_at: Annotated[str | None, when("When it was asked for.")] = None
    pended_at: Annotated[str | None, when("When the payer put it off.")] = None
    decided_at: Annotated[str | None, when("When the payer decided.")] = None
    due_at: Annotated[str | None, when("When the payer must have decided.")] = None
    channel: Annotated[str | None, codes("How the payer is asked.", "x12-278", "fhir-pas", "portal", "phone")] = None
    referral: Annotated[str | None, identity("The referral that it is for.", "referral")] = None
    appointment: Annotated[str | None, identity("The appointment that it is for.", "appointment")] = None
    attachments: Annotated[tuple[Attachment, ...], means("Documents that came with it.")] = ()
    attachments_requested: Annotated[tuple[DocumentRequest, ...], means("Documents that the payer wants.")] = ()
    appeals: Annotated[tuple[Appeal, ...], means("Decisions that were contested.")] = ()
    rejections: Annotated[tuple[Rejection, ...], means("Why the request was not taken.")] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
