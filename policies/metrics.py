"""What Isthmus counts, as one object with one attribute a measure; labels come from fixed sets, never from content.

A label value outside its set is counted as `other`. Children are resolved once and kept, because prometheus-client's
`labels()` costs more than the counting does.
"""

from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from policies.public import ACK, CODE, MESSAGE_TYPE, METHOD, ROUTE, Shape

Measure = TypeVar("Measure", Counter, Gauge, Histogram)

OTHER: Final = "other"
MOST_CHILDREN: Final = 2000
HTTP_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
LATENCY_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)
COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
GROUP_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def status(value: object) -> bool:
    """Three digits that are an HTTP status."""
    return isinstance(value, str) and len(value) == 3 and value.isdecimal() and "100" <= value < "600"


class Family(Generic[Measure]):
    """A measure with labels, each with the shape its values must have."""

    def __init__(self, measure: Measure, *shapes: Shape) -> None:
        self._measure: Measure = measure
        self._shapes = shapes
        self._children: dict[tuple[str, ...], Measure] = {}

    def child(self, *values: str) -> Measure:
        """The measure for these label values."""
        found = self._children.get(values)
        return found if found is not None else self._resolve(values)

    def _resolve(self, values: tuple[str, ...]) -> Measure:
        is_full = len(self._children) >= MOST_CHILDREN
        known = tuple(
            value if not is_full and shape(value) else OTHER for value, shape in zip(values, self._shapes, strict=True)
        )
        if known not in self._children:
            self._children[known] = self._measure.labels(*known)
        return self._children[known]


class Metrics:
    """Every measure of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, **labels: Shape) -> Family[Counter]:
            return Family(Counter(f"isthmus_{name}", text, tuple(labels), registry=registry), *labels.values())

        def gauge(name: str, text: str, **labels: Shape) -> Family[Gauge]:
            return Family(Gauge(f"isthmus_{name}", text, tuple(labels), registry=registry), *labels.values())

        self.messages = counter(
            "messages", "Messages received, by what became of them.", feed=CODE, type=MESSAGE_TYPE, outcome=CODE
        )
        self.acks = counter("acks", "Acknowledgements sent.", feed=CODE, code=ACK)
        self.mllp_connections = gauge("mllp_connections", "Open MLLP connections.", feed=CODE)
        self.mllp_faults = counter("mllp_faults", "Framing and connection faults.", feed=CODE, fault=CODE)
        self.feed_silent = gauge("feed_silent", "1 while a feed is silent beyond its usual pace.", feed=CODE)
        self.queue_depth = gauge("queue_depth", "Work that waits.", queue=CODE)
        self.queue_age = gauge("queue_age_seconds", "Age of the oldest work that waits.", queue=CODE)
        self.deliveries = counter("deliveries", "Attempts, by the class of their outcome.", outcome=CODE)
        self.throttled = counter("throttled", "Requests refused by a limit.", limit=CODE)
        self.audit_backlog = Gauge("isthmus_audit_backlog", "Audit records not yet kept.", registry=registry)
        self.commit_group = Histogram(
            "isthmus_commit_group_size", "Messages in one commit.", buckets=GROUP_SIZES, registry=registry
        )
        self.commit_seconds = Histogram(
            "isthmus_commit_seconds", "Time of one commit.", buckets=COMMIT_SECONDS, registry=registry
        )
        self.delivery_latency = Histogram(
            "isthmus_feed_to_webhook_seconds",
            "From a message's receipt to a webhook's 2xx.",
            buckets=LATENCY_SECONDS,
            registry=registry,
        )
        # The name and labels of OpenTelemetry's semantic conventions; its _count is the number of requests.
        labels = ("http_route", "http_request_method", "http_response_status_code")
        self.http = Family(
            Histogram(
                "http_server_request_duration_seconds",
                "Time of one HTTP request.",
                labels,
                buckets=HTTP_SECONDS,
                registry=registry,
            ),
            ROUTE,
            METHOD,
            status,
        )

    def request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count one HTTP request."""
        self.http.child(route, method, str(code)).observe(seconds)

    def render(self) -> bytes:
        """The exposition that /metrics serves, in Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
