"""What Isthmus counts, as one object with one attribute a measure; labels come from fixed sets, never from content.

A label value outside its set is counted as `other`. Children are resolved once and kept, because prometheus-client's
`labels()` costs more than the counting does.
"""

from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from policies.public import ACK, CODE, MESSAGE_TYPE, METHOD, ROUTE, Shape

Measure = TypeVar("Measure", Counter, Gauge, Histogram)

OTHER: Final = "other"
MOST_CHILDREN: Final = 2000
HTTP_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
# Of those, what tells a fast request from a slow one: each route has them once for every status it answers with.
REQUEST_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 2.5, 10)
LATENCY_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)
COMMIT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
ACK_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
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
            self._children[known] = self._measure.labels(*known) if known else self._measure
        return self._children[known]


class Described(NamedTuple):
    """A measure as the reference page tells of it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


class Metrics:
    """Every measure of one process, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a line beside every counter and histogram, which says when this process began
        self.registry = CollectorRegistry()
        self.described: list[Described] = []
        ProcessCollector(registry=self.registry)

        counter, gauge = self._counter, self._gauge
        self.messages = counter(
            "messages",
            "Messages that came, by what became of them: a state (`applied`, `unmapped`, `parked`, `refused`), "
            "`duplicate`, `declined` (not kept; its sender tries again), `turned_away` (no feed takes it), `oversize` "
            "(longer than `max-bytes`, and not kept).",
            feed=CODE,
            type=MESSAGE_TYPE,
            outcome=CODE,
        )
        self.declined = counter(
            "declined",
            "Messages not kept, by why: `held` by a person, `full` (too many wait for a commit), `unavailable` "
            "(the store refused), `failed` (a fault of ours), `leaving` (a stop).",
            feed=CODE,
            reason=CODE,
        )
        self.acks = counter(
            "acks",
            "Acknowledgements that were sent, by their code: also to what came again, and to what was not kept. What "
            "no feed takes is counted under the first of its port.",
            feed=CODE,
            code=ACK,
        )
        self.ack_latency = self._histogram(
            "feed_to_ack_seconds",
            "From a message's receipt to its acknowledgement, which waits for the commit.",
            ACK_SECONDS,
            feed=CODE,
        )
        self.mllp_connections = gauge(
            "mllp_connections", "Open MLLP connections; of a port that feeds share, under the first.", feed=CODE
        )
        self.mllp_faults = counter(
            "mllp_faults",
            "Framing faults, and TLS handshakes that failed (`tls`); of a port that feeds share, under the first.",
            feed=CODE,
            fault=CODE,
        )
        self.feed_heard = gauge(
            "feed_last_message_timestamp_seconds",
            "When the last message came, as Unix time; absent for a feed that was never heard.",
            feed=CODE,
        )
        self.feed_silent = gauge("feed_silent", "1 while a feed is silent beyond its usual pace.", feed=CODE)
        self.feed_held = gauge("feed_held", "1 while a person holds a feed, or intake as a whole.", feed=CODE)
        self.queue_depth = gauge(
            "queue_depth",
            "Work that waits: messages for their commit (`intake`), `deliveries` that are due, under way or to be "
            "tried again, `parked` deliveries.",
            queue=CODE,
        )
        self.queue_age = gauge(
            "queue_age_seconds",
            "How long the oldest has waited: `deliveries` since it became due for the first time.",
            queue=CODE,
        )
        self.tasks_open = gauge("tasks_open", "Tasks that wait for a person.", queue=CODE)
        self.subscriptions = gauge(
            "subscriptions",
            "Subscriptions: `active`, held by a person (`paused`), `disabled` as failing or gone.",
            state=CODE,
        )
        self.deliveries = counter(
            "deliveries",
            "Attempts by the class of their outcome: `delivered`, `transient`, `ambiguous`, `permanent`, `gone`; "
            "`held` were not made, since their receiver fails.",
            outcome=CODE,
        )
        self.attempt_seconds = self._histogram(
            "delivery_attempt_seconds", "Time of one attempt, until its receiver answered or failed.", HTTP_SECONDS
        ).child()
        self.delivery_latency = self._histogram(
            "feed_to_webhook_seconds", "From a message's receipt to a webhook's 2xx.", LATENCY_SECONDS
        ).child()
        self.commit_group = self._histogram("commit_group_size", "Messages in one commit.", GROUP_SIZES).child()
        self.commit_seconds = self._histogram("commit_seconds", "Time of one commit.", COMMIT_SECONDS).child()
        self.throttled = counter("throttled", "Requests refused by a limit.", limit=CODE)
        self.redis_up = gauge(
            "redis_up",
            "1 while Redis answers, 0 while processes go by what each knows itself; absent where there is none.",
            prefix=CODE,
        )
        self.redis_falls = counter(
            "redis_falls",
            "How often a process went on by itself: Redis was `gone`, said nothing (`silent`), or was too `late` for a "
            "request.",
            reason=CODE,
        )
        self.purged = counter(
            "purged",
            "Rows that retention took away, by what they were: `messages` by the number of their [[retention.class]] "
            "(`class-0` is of none), those `aside` for a legal hold among them, `deliveries`, `events`, `audit`, "
            "`tombstones` of messages.",
            kind=CODE,
            life=CODE,
        )
        self.dropped = counter("dropped_months", "Months that retention dropped whole (PostgreSQL).", kind=CODE)
        self.oldest_message = gauge(
            "oldest_message_timestamp_seconds",
            "When the oldest message was received that is kept, as Unix time; 0 where this process did not look.",
        ).child()
        self.retention_round = gauge(
            "retention_last_round_timestamp_seconds",
            "When this process last ended a round of retention, as Unix time; 0 where another does it.",
        ).child()
        self.audit_backlog = gauge("audit_backlog", "Audit records not yet kept.").child()
        # The name and labels of OpenTelemetry's semantic conventions.
        self.http = self._histogram(
            "http_server_request_duration_seconds",
            "Time of one HTTP request; its `_count` is the number of requests.",
            REQUEST_SECONDS,
            prefix="",
            http_route=ROUTE,
            http_request_method=METHOD,
            http_response_status_code=status,
        )

    def _counter(self, name: str, text: str, **labels: Shape) -> Family[Counter]:
        self.described.append(Described(f"isthmus_{name}_total", "counter", tuple(labels), text))
        return Family(Counter(f"isthmus_{name}", text, tuple(labels), registry=self.registry), *labels.values())

    def _gauge(self, name: str, text: str, **labels: Shape) -> Family[Gauge]:
        self.described.append(Described(f"isthmus_{name}", "gauge", tuple(labels), text))
        return Family(Gauge(f"isthmus_{name}", text, tuple(labels), registry=self.registry), *labels.values())

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], prefix: str = "isthmus_", **labels: Shape
    ) -> Family[Histogram]:
        self.described.append(Described(f"{prefix}{name}", "histogram", tuple(labels), text))
        made = Histogram(f"{prefix}{name}", text, tuple(labels), buckets=buckets, registry=self.registry)
        return Family(made, *labels.values())

    def request(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count one HTTP request."""
        self.http.child(route, method, str(code)).observe(seconds)

    def render(self) -> bytes:
        """The exposition that /metrics serves, in Prometheus text format 0.0.4."""
        return generate_latest(self.registry)
