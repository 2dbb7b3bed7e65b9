"""The records of the canonical model, each by its kind (DOMAIN 1)."""

from canonical.records.care import Appointment, Encounter, Mention, Start
from canonical.records.envelope import Fact, Record, Stamp
from canonical.records.money import Authorization, Coverage, EligibilityCheck
from canonical.records.patient import Patient
from canonical.records.providers import Location, Organization, Provider
from canonical.records.referral import Referral
from canonical.records.supply import Requisition

__all__ = [
    "RECORDS",
    "AnyRecord",
    "Appointment",
    "Authorization",
    "Coverage",
    "EligibilityCheck",
    "Encounter",
    "Fact",
    "Location",
    "Mention",
    "Organization",
    "Patient",
    "Provider",
    "Record",
    "Referral",
    "Requisition",
    "Stamp",
    "Start",
]

AnyRecord = (
    Patient
    | Provider
    | Organization
    | Location
    | Appointment
    | Encounter
    | Referral
    | Coverage
    | EligibilityCheck
    | Authorization
    | Requisition
)
RECORDS: dict[str, type[Record]] = {
    "patient": Patient,
    "provider": Provider,
    "organization": Organization,
    "location": Location,
    "appointment": Appointment,
    "encounter": Encounter,
    "referral": Referral,
    "coverage": Coverage,
    "eligibility": EligibilityCheck,
    "authorization": Authorization,
    "requisition": Requisition,
}
