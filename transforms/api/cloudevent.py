"""An event as partners receive it: a CloudEvents 1.0.2 object in structured form, thin unless data is given.

Thin says that something changed and where to read it (the spec of Standard Webhooks argues the same): what was read
is then audited, and no PHI leaves by push. `seq` and `version` are extension attributes.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Struct

from canonical.events import EVENTS, Event
from canonical.meaning import codes, identity, means, when

EPOCH = datetime(1970, 1, 1)
TRACEPARENT = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of CloudEvents 1.0.2 section 3, ours among them."""

    specversion: Annotated[str, means("The version of CloudEvents: `1.0`.")]
    id: Annotated[str, identity("Take each id once.", "event")]
    source: Annotated[str, means("Where the event is from.", format="uri-reference")]
    type: Annotated[str, codes("What happened.", *EVENTS)]
    time: Annotated[str, when("When it happened here.")]
    subject: Annotated[str, means("The id of what it is about: read it.")]
    seq: Annotated[int, means("Its place in the feed of events, to go on after.", minimum=0)]
    version: Annotated[int, means("The `versionId` that the subject had then, as a number; it may be newer by now.")]
    datacontenttype: Annotated[str | None, means("Of `data`, where there is any.")] = None
    traceparent: Annotated[str | None, means("The trace that caused it (W3C Trace Context).", pattern=TRACEPARENT)] = (
        None
    )
    data: Annotated[object, means("The subject as it was then; only in full events.")] = None


def cloud_event(event: Event, data: object = None, source: str = "/v1/events") -> CloudEvent:
    """The event in its envelope; `data` is the subject in the form of an API version."""
    return CloudEvent(
        specversion="1.0",
        id=event.id,
        source=source,
        type=event.type,
        time=instant(event.at),
        subject=event.subject,
        seq=event.seq,
        version=event.version,
        datacontenttype=None if data is None else "application/json",
        traceparent=event.traceparent,
        data=data,
    )


def encode(envelope: CloudEvent) -> bytes:
    """The body that is signed and sent: the same bytes at every attempt."""
    return msgspec.json.encode(envelope)


def instant(micros: int) -> str:
    """Microseconds since the epoch as RFC 3339 in UTC."""
    second, rest = divmod(micros, 1_000_000)
    return f"{_second(second)}.{rest:06}Z" if rest else _second(second) + "Z"


@lru_cache(maxsize=8192)
def _second(second: int) -> str:
    # The instants of one record lie together, and formatting them was half of what presenting one cost.
    return (EPOCH + timedelta(seconds=second)).isoformat()
