"""Who pays, for what, and whether they said so: Coverage, EligibilityCheck, Authorization (DOMAIN 1.8 to 1.10)."""

from canonical.datatypes import (
    Appeal,
    Attachment,
    AuthorizationItem,
    AuthorizationNumber,
    Benefit,
    Concept,
    Copay,
    Decision,
    Diagnosis,
    DocumentRequest,
    Entity,
    Money,
    Note,
    Party,
    PlanDate,
    Procedure,
    Rejection,
    Subscriber,
)
from canonical.records.envelope import Record


class Coverage(Record, frozen=True, tag="coverage", tag_field="resourceType"):
    """An insurance of a patient (IN1, IN2, 2000C). The member id is among its identifiers, with the type MB.

    Status draft | active | cancelled. `patient` is the beneficiary; without a `subscriber` that is the patient too.
    """

    patient: str | None = None
    subscriber: Subscriber | None = None
    subscriber_id: str | None = None
    relationship: Concept | None = None  # of the patient to the subscriber: table 0063, X12 1069
    payer: Entity | None = None
    plan: Concept | None = None
    group_number: str | None = None
    group_name: str | None = None
    type: Concept | None = None
    start: str | None = None
    end: str | None = None
    order: int | None = None  # 1 pays first
    coordination: Concept | None = None
    assignment: Concept | None = None
    authorization_numbers: tuple[AuthorizationNumber, ...] = ()
    copays: tuple[Copay, ...] = ()
    verification: Concept | None = None
    verified_at: str | None = None
    verified_by: str | None = None
    last_check: str | None = None  # an eligibility check
    card_images: tuple[Attachment, ...] = ()
    notes: tuple[Note, ...] = ()


class EligibilityCheck(Record, frozen=True, tag="eligibility", tag_field="resourceType"):
    """A question to a payer and its answer (X12 270 and 271). The trace numbers of both sides are its identifiers.

    What the payer says of the subscriber is kept beside the patient and never written over the patient.
    """

    patient: str | None = None
    coverage: str | None = None
    provider: str | None = None
    payer: Entity | None = None
    subscriber: Subscriber | None = None
    appointment: str | None = None
    trigger: str | None = None  # the id of what asked for it
    mode: str | None = None  # realtime | batch
    start: str | None = None  # of the service that is asked about
    end: str | None = None
    service_types: tuple[Concept, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    place_of_service: Concept | None = None
    submitted_at: str | None = None
    checked_at: str | None = None
    outcome: str | None = None  # queued | complete | partial | error
    coverage_state: str | None = None  # active | inactive | pending | not-found | unknown
    plan_name: str | None = None
    plan_dates: tuple[PlanDate, ...] = ()
    benefits: tuple[Benefit, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    primary_care: Entity | None = None
    other_payers: tuple[Entity, ...] = ()
    patient_responsibility: Money | None = None
    corrected_subscriber: Subscriber | None = None
    expires_at: str | None = None
    notes: tuple[Note, ...] = ()


class Authorization(Record, frozen=True, tag="authorization", tag_field="resourceType"):
    """A payer's leave to give care (X12 278, AUT, PAS). `items` are what is asked for, `decisions` what was said.

    An item is known by its sequence for life. The status follows from the decisions once there are any
    (canonical/rollup.py).
    """

    category: Concept | None = None  # UM01: HS, SC, AR
    certification_type: Concept | None = None  # UM02
    level_of_service: Concept | None = None  # UM06
    patient: str | None = None
    coverage: str | None = None
    payer: Entity | None = None
    participants: tuple[Party, ...] = ()  # who asks, and who is to give the care
    diagnoses: tuple[Diagnosis, ...] = ()
    items: tuple[AuthorizationItem, ...] = ()
    decisions: tuple[Decision, ...] = ()
    start: str | None = None
    end: str | None = None
    requested_at: str | None = None
    pended_at: str | None = None
    decided_at: str | None = None
    due_at: str | None = None
    channel: str | None = None  # x12-278 | fhir-pas | portal | phone
    referral: str | None = None
    appointment: str | None = None
    attachments: tuple[Attachment, ...] = ()
    attachments_requested: tuple[DocumentRequest, ...] = ()
    appeals: tuple[Appeal, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    notes: tuple[Note, ...] = ()
