"""What an event code does: the shape in which the mappings of SIU and ADT declare their events (DOMAIN 2.2)."""

from collections.abc import Callable

from msgspec import Struct

from canonical.patches import Mapped

from .rows import Reading


class Action(Struct, frozen=True, kw_only=True):
    """One trigger event.

    `event` is what subscribers hear, `status` what the event itself says about the record (None: nothing), `says` a
    sentence for the reference page. `build` fills `mapped` beside the patches that it collects in `reading.cast`.
    """

    code: str
    event: str
    says: str
    build: Callable[["Action", Reading, Mapped], None]
    status: str | None = None


Events = dict[tuple[str, str], Action]  # (MSH-9.1, MSH-9.2): the structure in MSH-9.3 is only a hint (DOMAIN 2.1)
