"""An insurance in API v1."""

from typing import Annotated

from canonical.datatypes import Attachment, AuthorizationNumber, Concept, Copay, Entity, Note, Subscriber
from canonical.meaning import identity, means, partial_date, roughly
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class Coverage(Resource, frozen=True, tag="coverage", tag_field="resourceType"):
    """An insurance of a patient. The member id is among its identifiers, with the type `MB`."""

    id: Annotated[str, identity(OPAQUE, "coverage")]
    status: Annotated[str | None, status_of("coverage")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    subscriber: Annotated[Subscriber | None, means("Who holds the insurance, where that is not the patient.")] = None
    subscriber_id: Annotated[str | None, means("The subscriber's number.")] = None
    relationship: Annotated[Concept | None, means("What the patient is to the subscriber.")] = None
    payer: Annotated[Entity | None, means("Who pays.")] = None
    plan: Annotated[Concept | None, means("The plan.")] = None
    group_number: Annotated[str | None, means("The number of the group.")] = None
    group_name: Annotated[str | None, means("The name of the group.")] = None
    type: Annotated[Concept | None, means("What kind of insurance it is.")] = None
    start: Annotated[str | None, partial_date("Since when it holds.")] = None
    end: Annotated[str | None, partial_date("Until when it holds.")] = None
    order: Annotated[int | None, means("Which one pays: 1 is first.")] = None
    coordination: Annotated[Concept | None, means("Whether benefits are coordinated.")] = None
    assignment: Annotated[Concept | None, means("Whether benefits are assigned to the provider.")] = None
    authorization_numbers: Annotated[
        tuple[AuthorizationNumber, ...], means("Numbers of authorizations that were told with it.")
    ] = ()
    copays: Annotated[tuple[Copay, ...], means("What the patient pays.")] = ()
    verification: Annotated[Concept | None, means("Whether it was verified.")] = None
    verified_at: Annotated[str | None, roughly("When it was verified.")] = None
    verified_by: Annotated[str | None, means("Who verified it, in words.")] = None
    last_check: Annotated[str | None, identity("The last check of eligibility.", "eligibility")] = None
    card_images: Annotated[tuple[Attachment, ...], means("Pictures of the card.")] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
