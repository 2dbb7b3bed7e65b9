"""How long each message is kept: the first class that speaks of it decides, else what is said of all. Pure."""

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from gateway.site.settings import MessageClass, RetentionSettings
from gateway.store.protocol import Old


class Life(Struct, frozen=True):
    """The life of one class of messages, by its number among the classes; number 0 is all that no class speaks of."""

    number: int
    days: int | None
    of: MessageClass | None = None


def lives_of(settings: RetentionSettings) -> list[Life]:
    """The lives that there are, in the order in which they are asked."""
    classes = [Life(number, one.days, one) for number, one in enumerate(settings.classes, 1)]
    return [*classes, Life(0, settings.messages)]


def life_of(tenant: str, message: Old, lives: Sequence[Life]) -> Life:
    """The life of a tenant's message."""
    its = (tenant, message.feed, message.type, message.event)
    return next(one for one in lives if one.of is None or speaks_of(one.of, *its))


def speaks_of(of: MessageClass, tenant: str | None, feed: str | None, kind: str | None, event: str | None) -> bool:
    """Whether a class speaks of these messages."""
    asked = ((of.tenant, tenant), (of.feed, feed), (of.type, kind), (of.event, event))
    return all(wanted in (None, there) for wanted, there in asked)


def longest(lives: Sequence[Life]) -> int | None:
    """The days after which nothing is kept of what came before; None where something is kept for ever."""
    days = [one.days for one in lives]
    return None if None in days else max(one for one in days if one is not None)


def mark_of(tenant: str, life: Life, lives: Sequence[Life]) -> str:
    """The name under which is kept how far a life has been followed: with other classes it is followed anew."""
    of = repr([(one.of.tenant, one.of.feed, one.of.type, one.of.event) for one in lives if one.of])
    return f"retention:{tenant}:{life.number}:{blake2b(of.encode(), digest_size=8).hexdigest()}"
