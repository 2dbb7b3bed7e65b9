"""Version 1 of the partner API as a wire format: what a canonical record looks like to a caller.

These types are the contract: the OpenAPI document is made from them, and they change only by addition. Facts, stamps,
clocks and the tenant stay inside. Every list of codes is open: clients must tolerate values that they do not know.
"""

from transforms.api.v1.appointment import Appointment
from transforms.api.v1.authorization import Authorization
from transforms.api.v1.coverage import Coverage
from transforms.api.v1.eligibility import EligibilityCheck
from transforms.api.v1.encounter import Encounter
from transforms.api.v1.location import Location
from transforms.api.v1.organization import Organization
from transforms.api.v1.patient import Patient
from transforms.api.v1.presenting import CALLED, KIND, NOBODY, WIRE, known, named, present, problems, transitions
from transforms.api.v1.provider import Provider
from transforms.api.v1.referral import Referral
from transforms.api.v1.requisition import Requisition, RequisitionLine
from transforms.api.v1.resource import OPAQUE, Provenance, Resource, Transition, Wire, in_zone, status_of

AnyResource = (
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

__all__ = [
    "CALLED",
    "KIND",
    "NOBODY",
    "OPAQUE",
    "WIRE",
    "AnyResource",
    "Appointment",
    "Authorization",
    "Coverage",
    "EligibilityCheck",
    "Encounter",
    "Location",
    "Organization",
    "Patient",
    "Provenance",
    "Provider",
    "Referral",
    "Requisition",
    "RequisitionLine",
    "Resource",
    "Transition",
    "Wire",
    "in_zone",
    "known",
    "named",
    "present",
    "problems",
    "status_of",
    "transitions",
]
