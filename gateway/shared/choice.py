"""Whether limits are shared: over Redis where the settings say where that is, else each process has its own."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gateway.site.references import REDIS, resolved
from gateway.site.settings import RedisSettings
from gateway.store.unusable import Unusable
from policies.metrics import Metrics
from policies.throttle import Limit, Throttle

if TYPE_CHECKING:
    from gateway.deliveries.circuits import Circuits
    from gateway.neighbours import Neighbours
    from gateway.shared.link import Link

SETTING = "redis.url"
Throttles = Callable[[Limit], Throttle]


def link_of(settings: RedisSettings, environment: Mapping[str, str], metrics: Metrics) -> "Link | None":
    """The link of these settings, not yet started; Unusable with what is missing."""
    if settings.url is None:
        return None
    try:
        url = resolved(settings.url, environment, REDIS)
    except Unusable as unusable:
        raise Unusable(str(unusable), SETTING) from None
    try:
        from gateway.shared.link import Link
    except ModuleNotFoundError as missing:
        if missing.name != "redis":
            raise
        raise Unusable("Redis needs the extra `redis`: pip install 'isthmus[redis]'", SETTING) from None
    return Link(url, settings.prefix, metrics)


def throttles(link: "Link | None") -> Throttles:
    """What makes a throttle of a limit."""
    if link is None:
        return lambda limit: Throttle([limit])
    from gateway.shared.limits import Shared

    return lambda limit: Shared(limit, link)


def words(link: "Link", neighbours: "Neighbours", circuits: "Circuits | None", longest: float) -> None:
    """Have this process tell the others what they may want to know, and hear what they say."""
    from gateway.shared.marks import Marks
    from gateway.shared.words import Words

    Words(link, neighbours)
    if circuits:
        Marks(link, circuits, longest)
