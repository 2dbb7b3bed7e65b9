"""What coverages, eligibility checks and authorizations are made of (IN1, X12 271 and 278)."""

from typing import Annotated

from canonical.datatypes.common import Address, Concept, Entity, Identifier, Money, Name, Quantity, Value
from canonical.datatypes.visits import Procedure
from canonical.meaning import DECIMAL, codes, identity, means, partial_date, roughly, when


class Subscriber(Value, frozen=True):
    """Who holds an insurance, as was said: the patient, or another person (IN1-16 to -19, 2010C)."""

    patient: Annotated[str | None, identity("The id of the person's record, where there is one.", "patient")] = None
    name: Annotated[Name | None, means("The person's name.")] = None
    birth_date: Annotated[str | None, partial_date("Date of birth.")] = None
    gender: Annotated[str | None, codes("Administrative gender.", "female", "male", "other", "unknown")] = None
    identifiers: Annotated[tuple[Identifier, ...], means("The person's numbers, the member id among them.")] = ()
    address: Annotated[Address | None, means("Where the person lives.")] = None


class Copay(Value, frozen=True):
    """What the patient pays of a service (IN2-28)."""

    type: Annotated[Concept | None, means("For what.")] = None
    amount: Annotated[Money | None, means("So much.")] = None
    percent: Annotated[str | None, means("Or this share, as a fraction: `0.2` is 20 %.", pattern=DECIMAL)] = None


class AuthorizationNumber(Value, frozen=True):
    """A number of an authorization as an insurance segment tells it (IN1-14)."""

    number: Annotated[str, means("The number.")]
    date: Annotated[str | None, partial_date("When it was given.")] = None
    source: Annotated[str | None, means("Who gave it, in words.")] = None


class PlanDate(Value, frozen=True):
    """A date or a span of dates, and what of (DTP)."""

    of: Annotated[Concept, means("What it is the date of (X12 374), as `346`, plan begin.")]
    start: Annotated[str | None, partial_date("The date, or the first one.")] = None
    end: Annotated[str | None, partial_date("The last one.")] = None


class Benefit(Value, frozen=True):
    """One statement of a payer about a plan (EB and what stands under it): kept whole, a message belongs to one."""

    information: Annotated[Concept, means("What kind of statement it is (EB01, X12 1390).")]
    coverage_level: Annotated[Concept | None, means("For whom (EB02).")] = None
    service_types: Annotated[tuple[Concept, ...], means("For which services (EB03).")] = ()
    insurance_type: Annotated[Concept | None, means("The type of the plan (EB04).")] = None
    plan: Annotated[str | None, means("The plan, in words (EB05).")] = None
    period: Annotated[Concept | None, means("For which time (EB06).")] = None
    amount: Annotated[Money | None, means("An amount (EB07).")] = None
    percent: Annotated[str | None, means("A share as a fraction (EB08): `0.2` is 20 %.", pattern=DECIMAL)] = None
    quantity: Annotated[Quantity | None, means("So many of what (EB09, EB10).")] = None
    authorization_required: Annotated[str | None, codes("Whether leave is needed (EB11).", "Y", "N", "U")] = None
    in_network: Annotated[str | None, codes("Whether it holds in the network (EB12).", "Y", "N", "U", "W")] = None
    procedure: Annotated[Procedure | None, means("For which procedure (EB13).")] = None
    diagnosis_pointers: Annotated[tuple[int, ...], means("For which of the diagnoses that were sent (EB14).")] = ()
    limits: Annotated[tuple[str, ...], means("How much may be delivered and how often (HSD), element by element.")] = ()
    references: Annotated[tuple[Identifier, ...], means("Numbers that belong to it (REF).")] = ()
    dates: Annotated[tuple[PlanDate, ...], means("Dates that belong to it (DTP).")] = ()
    places_of_service: Annotated[tuple[Concept, ...], means("Where it holds (III).")] = ()
    messages: Annotated[tuple[str, ...], means("What the payer adds in words (MSG); no decision is read from it.")] = ()
    entities: Annotated[tuple[Entity, ...], means("Whom it names (NM1): another payer, a primary care provider.")] = ()


class Rejection(Value, frozen=True):
    """Why a request was not answered (AAA)."""

    loop: Annotated[str | None, means("Where in the request, as `2100C`.")] = None
    valid: Annotated[bool | None, means("Whether the request itself was valid (AAA01).")] = None
    reason: Annotated[Concept | None, means("Why (AAA03).")] = None
    follow_up: Annotated[Concept | None, means("What to do (AAA04).")] = None
    item: Annotated[str | None, means("The `key` of the item that it is about, where it is about one.")] = None


class AuthorizationItem(Value, frozen=True):
    """One service that leave is asked for (2000F, PAS item). Its key is its sequence, the same for life."""

    key: Annotated[str, means("The sequence of the item; it stays for life.")]
    code: Annotated[Concept | None, means("What is to be done.")] = None
    modifiers: Annotated[tuple[Concept, ...], means("What changes its meaning.")] = ()
    service_type: Annotated[Concept | None, means("The type of service (UM03).")] = None
    quantity: Annotated[Quantity | None, means("How many or how much.")] = None
    charge: Annotated[Money | None, means("What is charged for it.")] = None
    start: Annotated[str | None, roughly("From when.")] = None
    end: Annotated[str | None, roughly("Until when.")] = None
    place_of_service: Annotated[Concept | None, means("In what kind of place (UM04).")] = None
    location: Annotated[str | None, identity("The id of the place.", "location")] = None
    provider: Annotated[str | None, identity("The id of who is to give it.", "provider")] = None
    identifiers: Annotated[tuple[Identifier, ...], means("The item's own numbers, its traces among them.")] = ()


class Decision(Value, frozen=True):
    """What a payer said of one item, or of all of them (HCR and what stands beside it)."""

    key: Annotated[str, means("The key of the item; `*` is all that have no decision of their own.")]
    status: Annotated[
        str,
        codes(
            "What was decided.",
            *("approved", "partially-approved", "modified", "denied", "pended", "cancelled", "contact-payer"),
            "not-required",
        ),
    ]
    action: Annotated[Concept | None, means("The payer's code of it (HCR01).")] = None
    number: Annotated[str | None, means("The number of the certification (HCR02).")] = None
    reasons: Annotated[tuple[Concept, ...], means("Why (HCR03).")] = ()
    text: Annotated[str | None, means("What the payer adds in words.")] = None
    at: Annotated[str | None, roughly("When it was decided.")] = None
    code: Annotated[Concept | None, means("What was authorized, where that differs.")] = None
    quantity: Annotated[Quantity | None, means("How much was authorized.")] = None
    start: Annotated[str | None, roughly("From when it holds.")] = None
    end: Annotated[str | None, roughly("Until when it holds.")] = None
    provider: Annotated[str | None, means("For whom it holds, in words, where that differs.")] = None


class DocumentRequest(Value, frozen=True):
    """A document that a payer wants before it decides (PWK, HI with LOINC)."""

    code: Annotated[Concept, means("What document.")]
    item: Annotated[str | None, means("The `key` of the item that it is about; without it all.")] = None
    control_number: Annotated[str | None, means("The number to send it under.")] = None
    due: Annotated[str | None, roughly("Until when.")] = None


class Appeal(Value, frozen=True):
    """A decision that was contested."""

    at: Annotated[str, when("When.")]
    level: Annotated[str | None, codes("How urgently (UM02 1 and 2).", "immediate", "standard")] = None
    note: Annotated[str | None, means("Why.")] = None
