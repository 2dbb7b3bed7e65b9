"""A requisition in API v1."""

from typing import Annotated

from canonical.datatypes import Approval, Concept, Entity, Line, Money, Note, Progress
from canonical.meaning import codes, identity, means, partial_date, when
from canonical.rollup import STAGES
from transforms.api.v1.resource import OPAQUE, Resource, status_of


class RequisitionLine(Line, frozen=True):
    """What is asked for in one line, and how far it has come."""

    status: Annotated[
        str | None,
        codes(
            "How far the line has come by itself; left out while nothing is known of it.",
            *STAGES[1:],
            "cancelled",
            "rejected",
        ),
    ] = None


class Requisition(Resource, frozen=True, tag="requisition", tag_field="resourceType"):
    """A request for supplies. Its status follows from its lines, once it was approved."""

    id: Annotated[str, identity(OPAQUE, "requisition")]
    status: Annotated[str | None, status_of("requisition")] = None
    kind: Annotated[str | None, codes("What is asked for.", "stock", "non-stock", "service", "blanket")] = None
    priority: Annotated[str | None, codes("How urgent it is.", "routine", "urgent", "asap", "stat")] = None
    ordered_at: Annotated[str | None, when("When it was asked for.")] = None
    needed_by: Annotated[str | None, partial_date("When it is needed.")] = None
    requester: Annotated[Entity | None, means("Who asks.")] = None
    department: Annotated[Concept | None, means("The department.")] = None
    cost_center: Annotated[Concept | None, means("The cost centre.")] = None
    deliver_to: Annotated[str | None, means("Where it is to be brought, in words.")] = None
    location: Annotated[str | None, identity("The place that it is for.", "location")] = None
    supplier: Annotated[Entity | None, means("Who supplies it.")] = None
    patient: Annotated[str | None, identity("The patient's id: that of the survivor of all merges.", "patient")] = None
    appointment: Annotated[str | None, identity("The appointment that it is for.", "appointment")] = None
    encounter: Annotated[str | None, identity("The visit that it is for.", "encounter")] = None
    currency: Annotated[str | None, means("The currency of its prices (ISO 4217).", pattern="^[A-Z]{3}$")] = None
    total: Annotated[Money | None, means("What it costs.")] = None
    erp_target: Annotated[str | None, means("The purchasing system that it goes to.")] = None
    approvals: Annotated[tuple[Approval, ...], means("Who approved or rejected it.")] = ()
    lines: Annotated[tuple[RequisitionLine, ...], means("What is asked for.")] = ()
    progress: Annotated[
        tuple[Progress, ...], means("How much of each line was approved, ordered, received and so on.")
    ] = ()
    notes: Annotated[tuple[Note, ...], means("What was written about it.")] = ()
