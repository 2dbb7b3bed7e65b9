"""What the rooms of the gateway share, handed down as arguments; chosen once in gateway/app.py."""

from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.clients import Clients
from gateway.clock import Clock
from gateway.shared.choice import Throttles
from gateway.site.settings import Site
from gateway.site.standing import Standing
from gateway.store.protocol import Store
from policies.metrics import Metrics
from policies.tokens import Revocations
from policies.tracing import Tracer

if TYPE_CHECKING:
    from gateway.deliveries.worker import Worker
    from gateway.pipeline import Pipeline
    from gateway.replays import Replays
    from gateway.trail import Trail
    from gateway.watch import Watch


class Services(Struct, frozen=True, kw_only=True):
    """The running parts that routes and commands may use."""

    standing: Standing
    store: Store
    pipeline: "Pipeline"
    worker: "Worker"
    trail: "Trail"
    watch: "Watch"
    metrics: Metrics
    revocations: Revocations
    replays: "Replays"
    tracer: Tracer
    clock: Clock
    clients: Clients
    throttles: Throttles

    @property
    def site(self) -> Site:
        """What the site's files say now."""
        return self.standing.site
