"""The Referral: one provider asks another to see a patient (DOMAIN 1.4)."""

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
from canonical.records.envelope import Record


class Referral(Record, frozen=True, tag="referral", tag_field="resourceType"):
    """A request for care by another (REF, OMG, 360X). Its identifiers are the originating, the external ones, the
    filler's; its participants carry the roles of HL7 table 0286: RP referring, RT referred to, PP primary care, CP
    consulting. Several who are referred to are a choice.
    """

    priority: str | None = None  # routine | urgent | asap | stat
    priority_original: Concept | None = None
    type: Concept | None = None  # table 0281
    category: Concept | None = None  # table 0284
    dispositions: tuple[Concept, ...] = ()  # table 0282
    start: str | None = None
    end: str | None = None
    processed_at: str | None = None
    reasons: tuple[Concept, ...] = ()
    patient: str | None = None
    participants: tuple[Party, ...] = ()
    contacts: tuple[Contact, ...] = ()
    services: tuple[Procedure, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    units_authorized: Quantity | None = None
    units_used: Quantity | None = None
    units_scheduled: Quantity | None = None
    remaining_benefit: Money | None = None
    coverages: tuple[str, ...] = ()
    guarantor: Contact | None = None
    authorizations: tuple[str, ...] = ()
    appointment: str | None = None
    attachments: tuple[Attachment, ...] = ()
    observations: tuple[Observation, ...] = ()
    notes: tuple[Note, ...] = ()
