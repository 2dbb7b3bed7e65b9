"""Asking a payer: whether an insurance holds, and for leave to give care."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from canonical.datatypes import AuthorizationItem, Concept, Diagnosis, Party, Procedure
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
    twice,
)


class NewEligibilityCheck(Sent, frozen=True):
    """A question to a payer about an insurance."""

    patient: Annotated[str, record_id("patient", "Whose insurance it is.")]
    coverage: Annotated[str, record_id("coverage", "The insurance.")]
    provider: Annotated[str, record_id("provider", "For whom it is asked.")] | None = None
    appointment: Annotated[str, record_id("appointment", "The appointment that it is for.")] | None = None
    start: Annotated[str, day("The day of the service, or the first one.")] | None = None
    end: Annotated[str, day("The last day of the service.")] | None = None
    service_types: Annotated[
        tuple[Concept, ...], Meta(description="Which services are asked about (X12 1365).", max_length=99)
    ] = ()
    procedures: Annotated[tuple[Procedure, ...], Meta(description="Which procedures.", max_length=99)] = ()
    mode: Annotated[Literal["realtime", "batch"], Meta(description="Whether the answer is waited for.")] = "realtime"


class NewAuthorization(Sent, frozen=True):
    """Leave that is to be asked of a payer."""

    patient: Annotated[str, record_id("patient", "Who needs the care.")]
    coverage: Annotated[str, record_id("coverage", "The insurance that is asked.")]
    items: Annotated[tuple[AuthorizationItem, ...], Meta(description="What is asked for.", min_length=1, max_length=99)]
    requester: Annotated[str, record_id("provider", "Who asks.")] | None = None
    category: Annotated[Concept | None, Meta(description="What kind of review it is (X12 UM01).")] = None
    level_of_service: Annotated[Concept | None, Meta(description="How urgent it is (X12 UM06).")] = None
    diagnoses: Annotated[tuple[Diagnosis, ...], Meta(description="What was found.", max_length=12)] = ()
    start: Annotated[str, day("From when it is needed.")] | None = None
    end: Annotated[str, day("Until when it is needed.")] | None = None
    referral: Annotated[str, record_id("referral", "The referral that it is for.")] | None = None
    appointment: Annotated[str, record_id("appointment", "The appointment that it is for.")] | None = None
    identifiers: Identifiers = ()
    note: Annotated[str, Meta(description="What is to be remembered.", max_length=4000)] | None = None


def _asked(body: NewEligibilityCheck, before: Record | None, moment: Moment) -> Patch:
    return Patch(type="eligibility", fields=sent_fields(body), said=Said(status="created"))


def _requested(body: NewAuthorization, before: Record | None, moment: Moment) -> Patch:
    fields = sent_fields(body, "requester", "identifiers", "note") | {"requested_at": moment.at}
    if body.requester:
        fields["participants"] = (Party(kind="provider", actor=body.requester, key="PRD/1"),)
    fields |= noted(None, body.note, moment)
    return Patch(type="authorization", anchors=body.identifiers, fields=fields, said=Said(status="draft"))


def _wrong_items(body: NewAuthorization, before: Record | None) -> Iterator[tuple[str, str]]:
    return twice("/items", (one.key for one in body.items))


def _cancelled(body: Reasoned, before: Record | None, moment: Moment) -> Patch:
    said = Said(status="cancelled", reason=body.reason)
    fields = noted(before, body.note, moment)
    return Patch(type="authorization", fields=fields, said=said, event="authorization.cancelled")


COMMANDS = (
    Command(
        name="create",
        kind="eligibility",
        body=NewEligibilityCheck,
        patch=_asked,
        creates=True,
        text="Ask for a check of eligibility.",
    ),
    Command(
        name="create",
        kind="authorization",
        body=NewAuthorization,
        patch=_requested,
        check=_wrong_items,
        creates=True,
        text="Ask for an authorization.",
    ),
    Command(
        name="cancel",
        kind="authorization",
        to="cancelled",
        body=Reasoned,
        patch=_cancelled,
        text="Take a request for authorization back.",
    ),
)
