"""What the places of a visit are to its patient: that follows from where the visit has come to (DOMAIN 1.6).

No single message can say it. A discharge need not repeat the bed, and the cancel of an admission may have no effect.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from canonical.datatypes import Placement

OVER: Final = frozenset({"finished", "cancelled", "entered-in-error"})
USUAL: Final = {
    "assigned": "active",
    "temporary": "active",
    "pending": "reserved",
    "prior": "completed",
    "prior-temporary": "completed",
}


def held(placements: Sequence[Placement], status: str | None) -> tuple[Placement, ...]:
    """The places of a visit that has this status."""
    return tuple([replace(one, status=_status(one.kind, status)) for one in placements])


def _status(kind: str, status: str | None) -> str:
    if status in OVER:
        return "completed"
    return "planned" if status == "planned" and USUAL[kind] == "active" else USUAL[kind]
