"""What a feed's owner says about its dialect: zone, authorities, local codes, list semantics. Values only, no files."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from canonical.datatypes import Coding

if TYPE_CHECKING:
    from .changes import Change

OffsetPolicy = Literal["zone", "spec", "ignore"]
ListMode = Literal["auto", "snapshot", "action"]


class Registered(Struct, frozen=True, kw_only=True):
    """What the authority registry says about one assigning authority (DOMAIN 1.1)."""

    system: str
    enterprise: bool = False
    volatile: bool = False


class Profile(Struct, frozen=True, kw_only=True):
    """How one feed is read.

    `authorities` is keyed by namespace id, by universal id, or by `namespace&universal&type`, the most exact first.
    `codes` holds, for a table or field (`HL70278`, `AIP-4`), the local code and what it stands for.
    `ranks` lets one feed outrank another in what it says about a record type (ADT over SIU for patients).
    `changes` are what a site changes of the mapping, by record type.
    """

    tenant: str = "main"
    feed: str = "feed"
    zone: str | None = None
    offset_policy: OffsetPolicy = "zone"
    charset: str | None = None
    authorities: dict[str, Registered] = {}
    codes: dict[str, dict[str, Coding]] = {}
    location_zones: dict[str, str] = {}
    list_mode: ListMode = "auto"
    siu_creates_encounter: bool = False
    encounters_without_number: bool = True
    ranks: dict[str, int] = {}
    changes: "Mapping[str, Sequence[Change]]" = {}
