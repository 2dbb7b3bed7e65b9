"""A parsed message becomes what it says: patches, merges, problems and search keys (DESIGN 2).

Pure, and total: whatever parses comes out as mapped, as lacking its anchor, or as outside the model. The event is taken
from MSH-9.1 and MSH-9.2; the structure in MSH-9.3 is often wrong and decides nothing (DOMAIN 2.1).
"""

from typing import Final

from canonical.patches import Mapped
from canonical.problems import Problem

from . import adt, siu, times
from .actions import Events
from .envelope import complaints
from .er7 import Message, silenced
from .header import Header
from .instants import point
from .keys import keys_of, keys_of_unmapped
from .profile import Profile
from .rows import BadField, Reading, Used

EVENTS: Final[Events] = {**siu.EVENTS, **adt.EVENTS}
SECOND: Final = 1_000_000
MOST: Final = 20_000  # segments and repetitions: more than that would keep everyone else waiting
MOST_MERGES: Final = 250  # each takes up all that is known of both
FEW: Final = 2 * MOST  # characters that cannot hold as many
TOO_MUCH: Final = Problem(
    code="value-too-long",
    path="MSH",
    detail="the message has more segments and repetitions, or merges, than are read at once",
    severity="error",
)
AHEAD: Final = 300_000_000  # microseconds that a sender's clock may be ahead of ours
CLOCK: Final = (("EVN", 6), ("EVN", 2), ("MSH", 7))


def map_message(
    message: Message, header: Header, profile: Profile, received_at: int, trace: list[Used] | None = None
) -> Mapped:
    """What a message says, in the order in which it takes effect."""
    if message.has_controls:
        message = silenced(message)
    reading = Reading(message, profile, received_at, msh_offset(header, message.problems), trace)
    mapped = Mapped(clock=clock(reading), event=header.event or _event(message))
    message.problems += complaints(header, message.segments[0].get(9))
    action = EVENTS.get((header.message_type, mapped.event))
    if action is None:
        mapped.known = False
        mapped.keys += keys_of_unmapped(reading)
        mapped.problems = list(message.problems)
        return mapped
    if len(message.text) > FEW and _pieces(message) > MOST:
        mapped.anchor_missing = TOO_MUCH
        mapped.problems = list(message.problems)
        return mapped
    action.build(action, reading, mapped)
    if len(mapped.merges) + len(mapped.ties) > MOST_MERGES:
        mapped.anchor_missing = TOO_MUCH
    mapped.patches = reading.cast.patches
    mapped.keys += keys_of(mapped)
    mapped.problems = [*message.problems, *reading.problems]
    return mapped


def _pieces(message: Message) -> int:
    """How much there is to read: work grows with segments and repetitions, not with the length of a text."""
    repetition = message.delimiters.repetition
    return len(message.segments) + (message.text.count(repetition) if repetition else 0)


def _event(message: Message) -> str:
    """EVN-1, where MSH-9 holds a message code alone as before version 2.3."""
    evn = message.first("EVN")
    return evn.get(1).strip() if evn else ""


def msh_offset(header: Header, problems: list[Problem]) -> int | None:
    """The offset of MSH-7 in minutes east of UTC; one that cannot be read is a problem, even if nothing needs it."""
    try:
        moment = times.parse_dtm(header.timestamp.partition(header.delimiters.component)[0].strip())
    except times.BadTime as bad:
        problems.append(Problem(code=bad.code, path="MSH-7", detail=times.REASONS[bad.code]))
        return None
    return moment.offset if moment else None


def clock(reading: Reading) -> int:
    """When what the message says was so, in microseconds: EVN-6, EVN-2 or MSH-7, never far ahead of our own clock."""
    for name, index in CLOCK:
        segment = reading.message.first(name)
        text = segment.get(index) if segment else ""
        if not text:
            continue
        reading.at = f"{name}-{index}"
        try:
            found = point(text, reading)
        except BadField as bad:
            if name != "MSH" or bad.code != times.DATA_TYPE:  # which was said
                reading.complain(bad.code, bad.detail)
            continue
        if found and found.micros > reading.received_at + AHEAD:
            reading.complain("DQ-FUTURE-CLOCK", "the sender's clock is ahead of ours; the time of receipt was taken")
            return _receipt(reading)
        if found:
            return found.micros
    reading.complain("DQ-REQUIRED-MISSING", "no readable time of the event; the time of receipt was taken", at="MSH-7")
    return _receipt(reading)


def _receipt(reading: Reading) -> int:
    """The second of the receipt: as senders tell time, so that what one sends in that same second is not older."""
    return reading.received_at - reading.received_at % SECOND
