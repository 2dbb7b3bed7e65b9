"""Legal holds: what they cover, whatever its days. Pure; each store asks this of what it is about to purge."""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

Covered = Mapping[str, frozenset[str]]  # the ids of each record on hold: its own, and those that were merged with it


class Hold(Struct, frozen=True, kw_only=True, rename="camel"):
    """What may not be purged before it is released: all about a record, one message, or what a feed brought in a time.

    `received_from` is the first instant that is covered, `received_before` the first that no longer is. `name` and
    `reason` are what people wrote, and are sealed.
    """

    id: str
    tenant: str
    name: str
    reason: str
    by: str
    created_at: int
    record: str | None = None
    message: str | None = None
    feed: str | None = None
    received_from: int | None = None
    received_before: int | None = None
    released_at: int | None = None
    released_by: str | None = None


class Held(Struct, frozen=True, kw_only=True, gc=False):
    """What of a message decides whether a hold covers it."""

    id: str
    feed: str
    received_at: int
    records: Collection[str] = ()


def records_of(holds: Iterable[Hold]) -> set[str]:
    """The records that are on hold."""
    return {one.record for one in holds if one.record}


def is_held(message: Held, holds: Iterable[Hold], aliases: Covered) -> bool:
    """Whether one of the holds covers a message."""
    return any(_covers(one, message, aliases) for one in holds)


def _covers(hold: Hold, message: Held, aliases: Covered) -> bool:
    if hold.message:
        return message.id == hold.message
    if hold.record:
        return not aliases.get(hold.record, frozenset((hold.record,))).isdisjoint(message.records)
    is_late = hold.received_from is not None and message.received_at < hold.received_from
    is_early = hold.received_before is not None and message.received_at >= hold.received_before
    return message.feed == hold.feed and not is_late and not is_early
