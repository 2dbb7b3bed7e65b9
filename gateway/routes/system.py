"""What operators and tools ask: is it alive, is it ready, what does it count, what is its contract."""

from typing import Annotated, Literal

from msgspec import Struct

from canonical.meaning import means
from gateway.problems import unavailable
from gateway.routes.serving import Answer, Call, Open, Unaudited, answer, serves

PROBED = Open("probes and scrapers have no token, and it holds codes and counts alone")
HOLDS_NOTHING = Unaudited("it holds nothing about anyone")
TEXT = "text/plain"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Health(Struct, frozen=True, kw_only=True):
    """How it is, and by part."""

    status: Annotated[Literal["alive", "ready"], means("How it is.")]
    checks: Annotated[dict[str, str], means("Each part, as `ok` or what is the matter with it.")]


@serves("GET", "/health/live", guard=PROBED, audit=HOLDS_NOTHING, gives=Health, tag="system")
async def live(call: Call) -> Answer:
    """The process answers."""
    return answer(Health(status="alive", checks={}))


@serves("GET", "/health/ready", guard=PROBED, audit=HOLDS_NOTHING, gives=Health, fails=("unavailable",), tag="system")
async def ready(call: Call) -> Answer:
    """It can do its work: the store answers and takes writes, audit is kept, and it is not about to leave.

    An intake that a person holds is said in `checks` and is no fault: the API goes on, and no restart would mend it.
    """
    services = call.api.services
    try:
        await services.store.head()
        store = "ok" if await services.pipeline.can_keep() else "unwritable"
    except Exception:  # whatever it is, it is not ready
        store = "unreachable"
    leaving = call.api.bell.leaving.is_set()
    intake = "draining" if leaving else "paused" if "intake" in services.pipeline.switches else "ok"
    audit = "failing" if services.trail.is_failing else "ok"
    checks = {"store": store, "intake": intake, "audit": audit}
    if store != "ok" or audit != "ok" or leaving:
        raise unavailable("It is not ready; `checks` say why.", checks=checks)
    return answer(Health(status="ready", checks=checks))


@serves("GET", "/metrics", guard=PROBED, audit=HOLDS_NOTHING, gives=str, media=TEXT, tag="system")
async def metrics(call: Call) -> Answer:
    """What is counted, in Prometheus text format. Labels are codes; there is no PHI in it."""
    return Answer(call.api.services.metrics.render(), media=EXPOSITION.encode())


@serves("GET", "/schema/openapi.json", guard=PROBED, audit=HOLDS_NOTHING, gives=dict[str, object], tag="system")
async def openapi(call: Call) -> Answer:
    """This document."""
    return Answer(call.api.document, headers=((b"cache-control", b"public, max-age=300"),))


ROUTES = (live, ready, metrics, openapi)
