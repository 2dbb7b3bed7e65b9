"""One patient, one payer and what they say to each other: the people of DOMAIN Annex A9 and A10."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from canonical.datatypes import (
    AuthorizationItem,
    Coding,
    Concept,
    Diagnosis,
    Entity,
    Identifier,
    Money,
    Name,
    Party,
    Quantity,
    Subscriber,
    Telecom,
)
from canonical.records import Authorization, Coverage, EligibilityCheck, Patient, Provider
from transforms.x12.codes import CPT, ICD10, NPI, PLACES
from transforms.x12.converters import concept, trace_number
from transforms.x12.eligibility import Inquiry
from transforms.x12.profile import Payer
from transforms.x12.review import Review
from transforms.x12.writer import Ends, Numbers

GOLDEN = Path(__file__).parents[2] / "golden" / "x12"
AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
RECEIVED = "2026-11-21T09:00:05Z"
PAYER = Payer(
    tenant="t1",
    feed="abc",
    ends=Ends(sender="SENDERID", receiver="PAYERID"),
    name="ABC HEALTH PLAN",
    payer_id="84261",
    originator="9SENDERID00",
)
GOOD_NPI = Identifier(value="1234567893", system=NPI, type="NPI")
CLINIC = Entity(name="BONE AND JOINT CLINIC", identifiers=(GOOD_NPI,))
ROBERT = Name(family="SMITH", given=("ROBERT",))
PATIENT = Patient(id="pat_1", tenant="t1", names=(ROBERT,), birth_date="1943-05-19", gender="male")
MEMBER = Identifier(value="W11122333301", system="urn:x-t1:payer:84261", type="MB")
COVERAGE = Coverage(id="cov_1", tenant="t1", identifiers=(MEMBER,), patient="pat_1")


def ours(value: str) -> Identifier:
    """A trace number of ours."""
    return trace_number(value, PAYER.originator, PAYER)


def coded(code: str, system: str) -> Concept:
    return Concept(codings=(Coding(code=code, system=system),))


def check(*service_types: str, on: str = "2026-12-02") -> EligibilityCheck:
    """A check of these service types on a day."""
    return EligibilityCheck(
        id="elg_1",
        tenant="t1",
        patient="pat_1",
        coverage="cov_1",
        identifiers=(ours("01JD8ELG0001"),),
        subscriber=Subscriber(name=ROBERT, birth_date="1943-05-19", gender="male"),
        start=on,
        service_types=tuple(concept(one, "1365") for one in service_types),
    )


CHECK = check("98", "62")
INQUIRY = Inquiry(check=CHECK, patient=PATIENT, coverage=COVERAGE, provider=CLINIC, reference="ELG01JD8")


def item(key: str, code: str, charge: str, count: str, end: str) -> AuthorizationItem:
    return AuthorizationItem(
        key=key,
        code=coded(code, CPT),
        service_type=concept("62", "1365"),
        place_of_service=coded("22", PLACES),
        quantity=Quantity(value=count, code="UN"),
        charge=Money(amount=charge, currency="USD"),
        start="2026-12-02",
        end=end,
        identifiers=(ours(f"01JD9SS000{key}"),),
    )


AUTHORIZATION = Authorization(
    id="aut_1",
    tenant="t1",
    patient="pat_1",
    coverage="cov_1",
    identifiers=(ours("01JD9EV0001"),),
    category=concept("HS", "1525"),
    certification_type=concept("I", "1322"),
    level_of_service=concept("E", "1338"),
    diagnoses=(Diagnosis(code=coded("M17.11", ICD10), rank=1),),
    items=(item("1", "73721", "900.00", "1", "2026-12-31"), item("2", "97110", "80", "12", "2027-01-31")),
    participants=(Party(kind="provider", role=concept("DK", "98"), actor="prv_1"),),
    requested_at="2026-11-21T09:05:00Z",
)
SUSAN = Provider(id="prv_1", tenant="t1", names=(Name(family="WATSON", given=("SUSAN",)),), identifiers=(GOOD_NPI,))
REVIEW = Review(
    authorization=AUTHORIZATION,
    patient=PATIENT,
    coverage=COVERAGE,
    requester=CLINIC,
    contact="PRIOR AUTH DESK",
    telecoms=(Telecom(system="phone", value="5555550100"),),
    people={"prv_1": SUSAN},
    reference="PA01JD9",
)


def numbers(interchange: int = 1) -> Numbers:
    return Numbers(interchange=interchange)


def golden(name: str) -> bytes:
    """A vector of Annex A, without the line ends that stand in it for people."""
    return (GOLDEN / f"{name}.x12").read_bytes().replace(b"\n", b"")


def envelope(kind: str, group: str, guide: str, segments: Sequence[str], usage: str = "T") -> bytes:
    """Segments of a transaction in an envelope whose counts are right, made without our writer."""
    lines = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{'PAYERID':15}*ZZ*{'SENDERID':15}*261121*0900*^*00501*000000202*0*{usage}*:",
        f"GS*{group}*PAYERID*SENDERID*20261121*0900*1*X*{guide}",
        f"ST*{kind}*0001*{guide}",
        *segments,
        f"SE*{len(segments) + 2}*0001",
        "GE*1*1",
        "IEA*1*000000202",
    ]
    return "".join(f"{line}~" for line in lines).encode()


PEOPLE_271 = (
    "HL*1**20*1",
    "NM1*PR*2*ABC HEALTH PLAN*****PI*84261",
    "HL*2*1*21*1",
    "NM1*1P*2*BONE AND JOINT CLINIC*****XX*1234567893",
    "HL*3*2*22*0",
    "TRN*2*01JD8ELG0001*9SENDERID00",
    "NM1*IL*1*SMITH*ROBERT****MI*W11122333301",
)


def benefits(*segments: str, people: Sequence[str] = PEOPLE_271) -> bytes:
    """A 271 about the patient that says this."""
    header = "BHT*0022*11*ELG01JD8*20261121*0900"
    return envelope("271", "HB", "005010X279A1", [header, *people, *segments])


PEOPLE_278 = (
    "HL*1**20*1",
    "NM1*X3*2*ABC HEALTH PLAN*****PI*84261",
    "HL*2*1*21*1",
    "NM1*1P*2*BONE AND JOINT CLINIC*****XX*1234567893",
    "HL*3*2*22*1",
    "NM1*IL*1*SMITH*ROBERT****MI*W11122333301",
    "HL*4*3*EV*1",
    "TRN*2*01JD9EV0001*9SENDERID00",
    "UM*HS*I*62",
)


def decisions(*segments: str, people: Sequence[str] = PEOPLE_278, purpose: str = "18") -> bytes:
    """A 278 about the request that says this."""
    header = f"BHT*0007*11*PA01JD9*20261121*0905*{purpose}"
    return envelope("278", "HI", "005010X217", [header, *people, *segments])
