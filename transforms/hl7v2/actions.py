"""What an event code does: the shape in which the mappings of SIU and ADT declare their events (DOMAIN 2.2)."""

from collections.abc import Callable

from msgspec import Struct

from canonical.patches import Mapped

from .er7 import Message
from .rows import Reading, Used


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


def decided(field: str, event: str, message: Message) -> Used:
    """Lineage of what no field says but the event itself, which stands in MSH-9.2, before version 2.3 in EVN-1."""
    path = "MSH-9.2" if message.value("MSH-9.2") else "EVN-1"
    return Used(field, path, f"event {message.value('MSH-9.1')}^{event}")
