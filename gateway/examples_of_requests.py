"""What the OpenAPI document shows of referrals, payers and supplies: the story of examples.py goes on.

Mrs Archer's knee was referred to Dr Baker; her insurance was asked, gave leave, and a coil pad was ordered for the day.
"""

from typing import Any

from msgspec import Struct

from canonical.datatypes import (
    AuthorizationItem,
    Benefit,
    Coding,
    Concept,
    Decision,
    Entity,
    Identifier,
    Item,
    Party,
    Procedure,
    Progress,
    Quantity,
)
from gateway.routes import (
    authorizations,
    coverages,
    eligibility_checks,
    organizations,
    referrals,
    requisitions,
)
from transforms.api import v1
from transforms.api.v1 import commands

ORGANIZATION = "org_01M88RY5ZGBZVN7KQXPWZZ735G"
REFERRAL = "ref_01M88RY5ZG9QZ3EJSA53T7BZ3N"
COVERAGE = "cov_01M88RY5ZG9QZ3EJSA53T7BZ3N"
ELIGIBILITY = "elg_01M88RY5ZQ4NYYPQJRRENKWJXY"
AUTHORIZATION = "aut_01M88RY5ZQ4NYYPQJRRENKWJXY"
REQUISITION = "req_01M88RY5ZQ4NYYPQJRRENKWJXY"
_PATIENT = "pat_01M88RY5ZG9QZ3EJSA53T7BZ3N"
_PROVIDER = "prv_01M88RY5ZGBZVN7KQXPWZZ735G"
_APPOINTMENT = "apt_01M88RY5ZG6C7KPVG5CFPMQMNS"
_FIRST, _THEN = "2026-11-25T07:15:20.176851Z", "2026-11-25T07:15:20.192242Z"
_CPT = "http://www.ama-assn.org/go/cpt"
MRI = Concept(codings=(Coding(code="73721", system=_CPT, display="MRI of a lower extremity joint"),))
_REFERRED_TO = Concept(codings=(Coding(code="RT", system="http://terminology.hl7.org/CodeSystem/v2-0286"),))
_PAYER = Entity(
    name="ABC Health Plan",
    identifiers=(Identifier(value="84261", system="urn:oid:2.16.840.1.113883.6.300", type="NIIP"),),
)


def _x12(code: str, element: int) -> Concept:
    return Concept(codings=(Coding(code=code, system=f"https://codesystem.x12.org/005010/{element}"),))


def _number(value: str, kind: str) -> Identifier:
    return Identifier(value=value, system="urn:x-main:east:NORTH", type=kind)


OF_TYPES: dict[Any, Struct] = {
    v1.Organization: v1.Organization(
        id=ORGANIZATION,
        version_id="1",
        created_at=_FIRST,
        updated_at=_FIRST,
        status="active",
        identifiers=(_number("IMG", "XX"),),
        name="North Imaging",
    ),
    v1.Referral: v1.Referral(
        id=REFERRAL,
        version_id="2",
        created_at=_FIRST,
        updated_at=_THEN,
        status="accepted",
        identifiers=(_number("R1", "PLAC"),),
        priority="routine",
        start="2026-11-21",
        end="2027-02-20",
        patient=_PATIENT,
        participants=(Party(kind="provider", role=_REFERRED_TO, actor=_PROVIDER, display="Iris L Baker", key="PRD/1"),),
        services=(Procedure(code=MRI, key="1"),),
        coverages=(COVERAGE,),
    ),
    v1.Coverage: v1.Coverage(
        id=COVERAGE,
        version_id="1",
        created_at=_FIRST,
        updated_at=_FIRST,
        status="active",
        identifiers=(_number("W11122333301", "MB"),),
        patient=_PATIENT,
        relationship=_x12("18", 1069),
        payer=_PAYER,
        group_number="GRP778",
        start="2026-01-01",
        order=1,
    ),
    v1.EligibilityCheck: v1.EligibilityCheck(
        id=ELIGIBILITY,
        version_id="3",
        created_at=_FIRST,
        updated_at=_THEN,
        status="completed",
        patient=_PATIENT,
        coverage=COVERAGE,
        appointment=_APPOINTMENT,
        start="2027-06-02",
        service_types=(_x12("30", 1365),),
        checked_at=_THEN,
        outcome="complete",
        coverage_state="active",
        benefits=(Benefit(information=_x12("1", 1390), service_types=(_x12("30", 1365),)),),
    ),
    v1.Authorization: v1.Authorization(
        id=AUTHORIZATION,
        version_id="3",
        created_at=_FIRST,
        updated_at=_THEN,
        status="approved",
        identifiers=(_number("AUTH778001", "XX"),),
        patient=_PATIENT,
        coverage=COVERAGE,
        items=(AuthorizationItem(key="1", code=MRI, quantity=Quantity(value="1")),),
        decisions=(Decision(key="1", status="approved", number="AUTH778001"),),
        appointment=_APPOINTMENT,
    ),
    v1.Requisition: v1.Requisition(
        id=REQUISITION,
        version_id="4",
        created_at=_FIRST,
        updated_at=_THEN,
        status="partially-received",
        identifiers=(_number("REQ1", "PGN"),),
        kind="stock",
        needed_by="2027-06-01",
        lines=(
            v1.RequisitionLine(
                key="1",
                item=Item(identifiers=(_number("100234", "XX"),), description="Knee coil pad"),
                quantity=Quantity(value="10", code="EA"),
                status="partially-received",
            ),
        ),
        progress=(Progress(line="1", what="received", quantity=Quantity(value="4", code="EA")),),
    ),
}
OF_BODIES: dict[type[Struct], dict[str, object]] = {
    organizations.OrganizationSearch: {"name": "north imaging"},
    referrals.ReferralSearch: {"patient": _PATIENT, "status": ["requested", "received"]},
    coverages.CoverageSearch: {"identifier": ["W11122333301"]},
    eligibility_checks.EligibilityCheckSearch: {"coverage": COVERAGE, "dateFrom": "2027-06-01"},
    authorizations.AuthorizationSearch: {"appointment": _APPOINTMENT},
    requisitions.RequisitionSearch: {"item": "100234", "status": ["ordered", "partially-received"]},
}
_PRICED: dict[str, object] = {"item": {"description": "Knee coil pad"}, "quantity": {"value": "10", "code": "EA"}}
_WHY: dict[str, object] = {"reason": {"text": "Patient asked"}}
OF_BODIES |= {
    commands.appointments.NewAppointment: {
        "patient": _PATIENT,
        "provider": _PROVIDER,
        "start": "2027-06-02T10:00:00-04:00",
        "end": "2027-06-02T10:45:00-04:00",
        "zone": "America/New_York",
    },
    commands.appointments.NewTime: {"start": "2027-06-03T14:00:00Z", "end": "2027-06-03T14:45:00Z"} | _WHY,
    commands.base.Reasoned: _WHY,
    commands.referrals.NewReferral: {"patient": _PATIENT, "referredTo": [_PROVIDER], "priority": "routine"},
    commands.payers.NewEligibilityCheck: {"patient": _PATIENT, "coverage": COVERAGE, "start": "2027-06-02"},
    commands.payers.NewAuthorization: {
        "patient": _PATIENT,
        "coverage": COVERAGE,
        "items": [{"key": "1", "code": {"codings": [{"code": "73721", "system": _CPT}]}}],
    },
    commands.requisitions.NewRequisition: {"lines": [{"key": "1"} | _PRICED], "neededBy": "2027-06-01"},
    commands.requisitions.Receipt: {"lines": [{"key": "1", "quantity": "4"}]},
}
OF_PATHS = {
    "organization": ORGANIZATION,
    "referral": REFERRAL,
    "coverage": COVERAGE,
    "eligibility": ELIGIBILITY,
    "authorization": AUTHORIZATION,
    "requisition": REQUISITION,
}
