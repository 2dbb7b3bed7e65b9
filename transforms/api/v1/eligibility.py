"""A check of eligibility in API v1."""

from typing import Annotated

from canonical.datatypes import Benefit, Concept, Entity, Money, Note, PlanDate, Procedure, Rejection, Subscriber
from canonical.meaning import codes, identity, means, partial_date, when
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class EligibilityCheck(Resource, frozen=True, tag="eligibility", tag_field="resourceType"):
    """A question to a payer, and the answer."""

    id: Annotated[str, identity(OPAQUE, "eligibility")]
    status: Annotated[str | None, status_of("eligibility")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    coverage: Annotated[str | None, identity("The insurance that is asked about.", "coverage")] = None
    provider: Annotated[str | None, identity("The provider for whom it is asked.", "provider")] = None
    payer: Annotated[Entity | None, means("Who is asked.")] = None
    subscriber: Annotated[Subscriber | None, means("Who holds the insurance, as was asked.")] = None
    appointment: Annotated[str | None, identity("The appointment that it is for.", "appointment")] = None
    trigger: Annotated[str | None, means("The id of what asked for it.")] = None
    mode: Annotated[str | None, codes("Whether the answer is waited for.", "realtime", "batch")] = None
    start: Annotated[str | None, partial_date("The day of the service, or the first one.")] = None
    end: Annotated[str | None, partial_date("The last day of the service.")] = None
    service_types: Annotated[
        tuple[Concept, ...], means("Which services are asked about (X12 1365); `30` is the plan as such.")
    ] = ()
    procedures: Annotated[tuple[Procedure, ...], means("Which procedures are asked about.")] = ()
    place_of_service: Annotated[Concept | None, means("In what kind of place.")] = None
    submitted_at: Annotated[str | None, when("When the payer was asked.")] = None
    checked_at: Annotated[str | None, when("When the payer answered.")] = None
    outcome: Annotated[
        str | None, codes("How the question was answered.", "queued", "complete", "partial", "error")
    ] = None
    coverage_state: Annotated[
        str | None,
        codes("What the answer says of the insurance.", "active", "inactive", "pending", "not-found", "unknown"),
    ] = None
    plan_name: Annotated[str | None, means("The plan as the payer calls it.")] = None
    plan_dates: Annotated[tuple[PlanDate, ...], means("Dates of the plan.")] = ()
    benefits: Annotated[tuple[Benefit, ...], means("What the payer says, statement by statement.")] = ()
    rejections: Annotated[tuple[Rejection, ...], means("Why the question was not answered.")] = ()
    primary_care: Annotated[Entity | None, means("The primary care provider as the payer knows it.")] = None
    other_payers: Annotated[tuple[Entity, ...], means("Who else pays.")] = ()
    patient_responsibility: Annotated[Money | None, means("What the patient is estimated to pay.")] = None
    corrected_subscriber: Annotated[
        Subscriber | None,
        means("The subscriber as the payer knows it, where that differs."),
    ] = None
    expires_at: Annotated[str | None, when("Until when the answer can be relied on.")] = None
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
