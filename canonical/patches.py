"""What one message says about records: three-valued patches, merges, and how to find what they speak about.

A field that is missing from a patch was not sent, `None` deletes, anything else is the value (DOMAIN 1.0 rule 3).
"""

from typing import TypeAlias

from msgspec import Struct

from canonical.datatypes import (
    AuthorizationItem,
    Concept,
    Decision,
    Identifier,
    Line,
    Participant,
    Placement,
    Procedure,
    Progress,
    Role,
    Service,
)
from canonical.ids import RecordType
from canonical.problems import Problem

Entry: TypeAlias = Participant | Service | Placement | Procedure | Role | AuthorizationItem | Decision | Line | Progress
SELF = "@"  # "@2" in a patch stands for the record that patch number 2 of the same message is about


class Said(Struct, frozen=True, kw_only=True, gc=False):
    """A status as a message states it; the pipeline adds feed and clock and keeps it as a Fact."""

    status: str
    weak: bool = False
    implied: bool = False
    cancels: tuple[str, ...] = ()
    reason: Concept | None = None
    source: Concept | None = None


class Edit(Struct, frozen=True, kw_only=True, gc=False):
    """One change of a list (S18-S22, AIx-2; the fields of PV1): what stands under this key is set, or removed.

    A tuple sets all participants of one field at once: `PV1-8` holds those with the keys `PV1-8/1`, `PV1-8/2`.
    """

    field: str  # one of canonical.draft.LISTS
    key: str
    value: Entry | tuple[Participant, ...] | None


class Patch(Struct, kw_only=True, gc=False):
    """What a message says about one record.

    `subject` is the record by our id, where that is known (a command); else `anchors` find it, best first. These and
    the identifiers in `also` are added to it. `event` is what the sender says happened (`appointment.rescheduled`).
    `retires` are identifiers that become `use=old` (A47), `drops` are those that are another record's now (A43). A
    patch that only `mentions` a record never creates it; one about `every` record amends all that its anchors find
    (A44); one with a `successor` counts only where nothing older is known of the record that patch is about (S13 under
    a new number). `unmoved` is the problem that it is if the patch moves an appointment all the same (S14).
    """

    type: RecordType
    anchors: tuple[Identifier, ...] = ()
    subject: str | None = None
    also: tuple[Identifier, ...] = ()
    fields: dict[str, object] = {}
    said: Said | None = None
    edits: tuple[Edit, ...] = ()
    event: str | None = None
    retires: tuple[Identifier, ...] = ()
    drops: tuple[Identifier, ...] = ()
    mentions: bool = False
    every: bool = False
    successor: int | None = None
    unmoved: Problem | None = None
    problems: tuple[Problem, ...] = ()


class Merge(Struct, frozen=True, kw_only=True, gc=False):
    """The record found by `source` is the one that patch number `survivor` is about (A40 patient, A42 visit)."""

    source: tuple[Identifier, ...]
    survivor: int
    type: RecordType = "patient"


class Tie(Struct, frozen=True, kw_only=True, gc=False):
    """Two patients of one message are linked (A24) or no longer (A37), by patch numbers."""

    one: int
    other: int
    linked: bool = True


class Mapped(Struct, kw_only=True, gc=False):
    """All that a message says, in the order in which it takes effect.

    `event` is the sender's code of what happened, `clock` its time of it in microseconds; `keys` are what the message
    can be searched by, as (kind, value) pairs. A message with `anchor_missing` is parked; one with `known=False` is
    outside the model. `notices` are events that change no record: they are about those that the message names (S23).
    """

    clock: int
    event: str = ""
    known: bool = True
    anchor_missing: Problem | None = None
    patches: list[Patch] = []
    merges: list[Merge] = []
    ties: list[Tie] = []
    problems: list[Problem] = []
    keys: list[tuple[str, str]] = []
    notices: list[str] = []
