"""The Requisition: a department asks for goods or services (DOMAIN 1.7)."""

from canonical.datatypes import Approval, Concept, Entity, Line, Money, Note, Progress
from canonical.records.envelope import Record


class Requisition(Record, frozen=True, tag="requisition", tag_field="resourceType"):
    """A request for supplies (OMS, OMN, ERP). Its identifiers are the placer's, the filler's, the group's, the ERP's.

    `lines` are what is asked for and `progress` what became of it, each kept line by line: who orders and who receives
    never undo each other. The status follows from the progress once there is any (canonical/rollup.py).
    """

    kind: str | None = None  # stock | non-stock | service | blanket
    priority: str | None = None  # routine | urgent | asap | stat
    ordered_at: str | None = None
    needed_by: str | None = None
    requester: Entity | None = None
    department: Concept | None = None
    cost_center: Concept | None = None
    deliver_to: str | None = None
    location: str | None = None
    supplier: Entity | None = None
    patient: str | None = None
    appointment: str | None = None
    encounter: str | None = None
    currency: str | None = None
    total: Money | None = None
    erp_target: str | None = None
    approvals: tuple[Approval, ...] = ()
    lines: tuple[Line, ...] = ()
    progress: tuple[Progress, ...] = ()
    notes: tuple[Note, ...] = ()
