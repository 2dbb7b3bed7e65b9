"""Asking for supplies, approving that, and taking them in."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from canonical.datatypes import Approval, Concept, Entity, Line, Progress
from canonical.patches import Edit, Patch, Said
from canonical.records import Record, Requisition
from canonical.rollup import number
from transforms.api.v1.commands.base import (
    QUANTITY,
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

IN_DELIVERY = frozenset({"partially-ordered", "ordered", "partially-received"})


class NewRequisition(Sent, frozen=True):
    """A requisition to be made; it is a draft until it is submitted."""

    lines: Annotated[tuple[Line, ...], Meta(description="What is asked for.", min_length=1, max_length=500)]
    kind: Annotated[Literal["stock", "non-stock", "service", "blanket"], Meta(description="What is asked for.")] = (
        "stock"
    )
    priority: Annotated[Literal["routine", "urgent", "asap", "stat"], Meta(description="How urgent it is.")] = "routine"
    needed_by: Annotated[str, day("When it is needed.")] | None = None
    location: Annotated[str, record_id("location", "The place that it is for.")] | None = None
    deliver_to: Annotated[str, Meta(description="Where it is to be brought.", max_length=200)] | None = None
    department: Annotated[Concept | None, Meta(description="The department.")] = None
    cost_center: Annotated[Concept | None, Meta(description="The cost centre.")] = None
    supplier: Annotated[Entity | None, Meta(description="Who is to supply it.")] = None
    patient: Annotated[str, record_id("patient", "The patient that it is for.")] | None = None
    appointment: Annotated[str, record_id("appointment", "The appointment that it is for.")] | None = None
    currency: Annotated[str, Meta(description="The currency of its prices.", pattern="^[A-Z]{3}$")] | None = None
    identifiers: Identifiers = ()
    note: Annotated[str, Meta(description="What is to be remembered.", max_length=4000)] | None = None


class ReceivedLine(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much of a line arrived now."""

    key: Annotated[str, Meta(description="The key of the line.", min_length=1, max_length=100)]
    quantity: Annotated[str, Meta(description="How many arrived, in the unit of the line.", pattern=QUANTITY)]


class Receipt(Reasoned, frozen=True, kw_only=True):
    """What arrived: it is added to what arrived before."""

    lines: Annotated[
        tuple[ReceivedLine, ...],
        Meta(description="The lines of which something arrived.", min_length=1, max_length=500),
    ]


def _drafted(body: NewRequisition, before: Record | None, moment: Moment) -> Patch:
    fields = sent_fields(body, "identifiers", "note") | {"ordered_at": moment.at}
    fields |= noted(None, body.note, moment)
    return Patch(type="requisition", anchors=body.identifiers, fields=fields, said=Said(status="draft"))


def _received(body: Receipt, before: Record | None, moment: Moment) -> Patch:
    assert isinstance(before, Requisition)
    lines = {line.key: line for line in before.lines}
    known = {one.key: number(one.quantity.value) for one in before.progress}
    arrived: dict[str, Decimal] = {}
    for one in body.lines:
        arrived[one.key] = arrived.get(one.key, known.get(f"{one.key}/received", Decimal())) + number(one.quantity)
    progress = [_arrival(lines[key], total, moment.at[:10]) for key, total in arrived.items() if key in lines]
    return Patch(
        type="requisition",
        fields=noted(before, body.note, moment),
        edits=tuple(Edit(field="progress", key=one.key, value=one) for one in progress),
    )


def _arrival(line: Line, total: Decimal, day: str) -> Progress:
    quantity = replace(line.quantity, value=str(total))
    return Progress(line=line.key, what="received", quantity=quantity, date=day)


def _wrong_lines(body: NewRequisition, before: Record | None) -> Iterator[tuple[str, str]]:
    yield from twice("/lines", (one.key for one in body.lines))
    for place, one in enumerate(body.lines):
        if not re.fullmatch(QUANTITY, one.quantity.value, re.ASCII) or number(one.quantity.value) <= 0:
            yield f"/lines/{place}/quantity/value", "A decimal number above zero is needed."


def _wrong_receipt(body: Receipt, before: Record | None) -> Iterator[tuple[str, str]]:
    known = {line.key for line in getattr(before, "lines", ())}
    for place, one in enumerate(body.lines):
        if one.key not in known:
            yield f"/lines/{place}/key", "The requisition has no such line."
        if number(one.quantity) <= 0:
            yield f"/lines/{place}/quantity", "More than nothing must have arrived."


def _step(name: str, status: str, event: str, text: str, needs_reason: bool = False) -> Command:
    def patch(body: Reasoned, before: Record | None, moment: Moment) -> Patch:
        fields = noted(before, body.note, moment)
        if status in ("approved", "rejected"):
            held: tuple[Approval, ...] = getattr(before, "approvals", ())
            fields["approvals"] = (*held, Approval(decision=status, at=moment.at, by=moment.client))
        said = Said(status=status, reason=body.reason)
        return Patch(type="requisition", fields=fields, said=said, event=event)

    return Command(
        name=name, kind="requisition", to=status, body=Reasoned, patch=patch, text=text, needs_reason=needs_reason
    )


COMMANDS = (
    Command(
        name="create",
        kind="requisition",
        body=NewRequisition,
        patch=_drafted,
        check=_wrong_lines,
        creates=True,
        text="Make a requisition: a draft.",
    ),
    _step("submit", "submitted", "requisition.submitted", "Submit a requisition."),
    _step("approve", "approved", "requisition.approved", "Approve a requisition."),
    _step("reject", "rejected", "requisition.rejected", "Reject a requisition, and say why.", needs_reason=True),
    _step("cancel", "cancelled", "requisition.cancelled", "Cancel a requisition."),
    Command(
        name="receive",
        kind="requisition",
        body=Receipt,
        patch=_received,
        check=_wrong_receipt,
        only_from=IN_DELIVERY,
        text="Say what of a requisition has arrived.",
    ),
)
