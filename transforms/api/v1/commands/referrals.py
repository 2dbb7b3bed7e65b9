"""Making a referral, sending it, and answering it."""

from typing import Annotated, Literal

from msgspec import Meta

from canonical.datatypes import Coding, Concept, Diagnosis, Party, Procedure
from canonical.patches import Patch, Said
from canonical.records import Record
from transforms.api.v1.commands.base import (
    Command,
    Identifiers,
    Moment,
    Reasoned,
    Sent,
    day,
    noted,
    record_id,
    sent_fields,
)

ROLES = "http://terminology.hl7.org/CodeSystem/v2-0286"
ProviderId = Annotated[str, record_id("provider", "A provider.")]


class NewReferral(Sent, frozen=True):
    """A referral to be made; it is a draft until it is sent."""

    patient: Annotated[str, record_id("patient", "Who is referred.")]
    referring_provider: Annotated[str, record_id("provider", "Who refers.")] | None = None
    referred_to: Annotated[
        tuple[ProviderId, ...], Meta(description="To whom; several are a choice.", max_length=20)
    ] = ()
    priority: Annotated[Literal["routine", "urgent", "asap", "stat"], Meta(description="How urgent it is.")] = "routine"
    type: Annotated[Concept | None, Meta(description="What kind of care is asked for.")] = None
    category: Annotated[Concept | None, Meta(description="Inpatient, outpatient, emergency.")] = None
    start: Annotated[str, day("From when it holds.")] | None = None
    end: Annotated[str, day("Until when it holds.")] | None = None
    reasons: Annotated[tuple[Concept, ...], Meta(description="Why.", max_length=50)] = ()
    services: Annotated[tuple[Procedure, ...], Meta(description="What is to be done.", max_length=50)] = ()
    diagnoses: Annotated[tuple[Diagnosis, ...], Meta(description="What was found.", max_length=50)] = ()
    coverages: Annotated[
        tuple[Annotated[str, record_id("coverage", "An insurance.")], ...],
        Meta(description="Who pays, the first to pay first.", max_length=10),
    ] = ()
    identifiers: Identifiers = ()
    note: Annotated[str, Meta(description="What is to be remembered.", max_length=4000)] | None = None


def _drafted(body: NewReferral, before: Record | None, moment: Moment) -> Patch:
    fields = sent_fields(body, "referring_provider", "referred_to", "identifiers", "note")
    named = [("RP", body.referring_provider), *(("RT", one) for one in body.referred_to)]
    fields["participants"] = tuple(
        [_party(role, actor, n) for n, (role, actor) in enumerate(named, 1) if actor is not None]
    )
    fields |= noted(None, body.note, moment)
    return Patch(type="referral", anchors=body.identifiers, fields=fields, said=Said(status="draft"))


def _party(role: str, actor: str, number: int) -> Party:
    named = Concept(codings=(Coding(code=role, system=ROLES),))
    return Party(kind="provider", role=named, actor=actor, key=f"PRD/{number}")


def _step(name: str, status: str, event: str, text: str, needs_reason: bool = False) -> Command:
    def patch(body: Reasoned, before: Record | None, moment: Moment) -> Patch:
        said = Said(status=status, reason=body.reason)
        return Patch(type="referral", fields=noted(before, body.note, moment), said=said, event=event)

    return Command(
        name=name, kind="referral", to=status, body=Reasoned, patch=patch, text=text, needs_reason=needs_reason
    )


COMMANDS = (
    Command(
        name="create", kind="referral", body=NewReferral, patch=_drafted, creates=True, text="Make a referral: a draft."
    ),
    _step("send", "requested", "referral.sent", "Send a referral, or send it again after a rejection."),
    _step("accept", "accepted", "referral.accepted", "Accept a referral."),
    _step("reject", "rejected", "referral.rejected", "Reject a referral, and say why.", needs_reason=True),
    _step("complete", "completed", "referral.completed", "Say that what was asked for was done."),
    _step("cancel", "cancelled", "referral.cancelled", "Take a referral back."),
)
