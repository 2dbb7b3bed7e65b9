"""Traces by W3C Trace Context: a trace begins at our door, and its traceparent leaves with the webhook.

A span is a handful of slots; it becomes an OpenTelemetry span (otel.py) only when it is exported. What is sampled
is decided once, at the root, by the trace id; a span that ends in an error is exported whatever was decided.
Attributes pass the same allow-list as logs.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

from policies.public import Value, public

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
SPAN_BITS: Final = 64
SPAN_MASK: Final = (1 << SPAN_BITS) - 1
TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Context(NamedTuple):
    """Someone else's place in a trace."""

    trace_id: int
    span_id: int
    sampled: bool


class Trace:
    """One span under way."""

    __slots__ = ("kind", "links", "name", "parent_id", "sampled", "span_id", "start", "trace_id")

    def __init__(
        self,
        name: str,
        kind: SpanKind,
        trace_id: int,
        span_id: int,
        parent_id: int | None,
        sampled: bool,
        start: int,
        links: tuple[Context, ...],
    ) -> None:
        self.name, self.kind, self.links, self.start = name, kind, links, start
        self.trace_id, self.span_id, self.parent_id, self.sampled = trace_id, span_id, parent_id, sampled

    @property
    def id(self) -> str:
        """The trace id as logs, problems and pages show it."""
        return f"{self.trace_id:032x}"

    @property
    def traceparent(self) -> str:
        """The header for what this span calls, and what the store keeps beside a message."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{'01' if self.sampled else '00'}"

    def go_on_from(self, context: Context) -> None:
        """Become a child of a caller's span instead of the root of a trace; only for callers that are trusted."""
        self.trace_id, self.parent_id, self.sampled, self.links = context.trace_id, context.span_id, context.sampled, ()


class Span(NamedTuple):
    """A span that has ended, as a sink receives it; times in nanoseconds since the epoch."""

    trace: Trace
    end: int
    is_error: bool
    attributes: dict[str, Value]


Sink = Callable[[Span], None]


def parse(traceparent: str) -> Context | None:
    """The context of a traceparent (W3C Trace Context section 3.2); None where it must be ignored."""
    found = TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest is not None):
        return None
    context = Context(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & 1))
    return context if context.trace_id and context.span_id else None


class Tracer:
    """Starts and finishes spans. `clock` gives nanoseconds, `dice(n)` gives n random bits, `ratio` is of root spans."""

    def __init__(self, sink: Sink | None, ratio: float, clock: Callable[[], int], dice: Callable[[int], int]) -> None:
        self._sink, self._clock, self._dice = sink, clock, dice
        self._bound = int(ratio * (1 << SPAN_BITS))

    def start(
        self,
        name: str,
        parent: Trace | Context | str | None = None,
        kind: SpanKind = "internal",
        links: Iterable[Context] = (),
    ) -> Trace:
        """A new span: a child of `parent` (a traceparent we wrote or trust), else the root of a new trace."""
        if isinstance(parent, str):
            parent = parse(parent)
        start = self._clock() if self._sink else 0
        if parent is not None:
            span_id = self._dice(SPAN_BITS) or 1
            return Trace(name, kind, parent.trace_id, span_id, parent.span_id, parent.sampled, start, tuple(links))
        bits = self._dice(3 * SPAN_BITS)
        trace_id, span_id = bits >> SPAN_BITS or 1, bits & SPAN_MASK or 1
        sampled = self._sink is not None and (trace_id & SPAN_MASK) < self._bound
        return Trace(name, kind, trace_id, span_id, None, sampled, start, tuple(links))

    def link(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Context, ...]:
        """An untrusted caller's context, as the link of a trace that we restart; its tracestate is dropped."""
        sent = [value for name, value in headers if name == b"traceparent"]
        context = parse(sent[0].decode("latin-1")) if len(sent) == 1 else None
        return () if context is None else (context,)

    def finish(self, trace: Trace, outcome: str = "ok", **attributes: Value | None) -> None:
        """End a span; any outcome but `ok` is an error, and `code` says which (only an error has one)."""
        if self._sink is None or not (trace.sampled or outcome != "ok"):
            return
        self._sink(Span(trace, self._clock(), outcome != "ok", public({"outcome": outcome, **attributes})))

    def now(self) -> int:
        """The start of what `record` tells of; nothing where nothing is exported."""
        return self._clock() if self._sink else 0

    def record(
        self, name: str, parent: Trace, start: int, end: int, outcome: str = "ok", **attributes: Value | None
    ) -> None:
        """Tell of a step that is over, as a child span. Ask first whether the parent is sampled: this does not."""
        if self._sink is not None:
            span_id = self._dice(SPAN_BITS) or 1
            trace = Trace(name, "internal", parent.trace_id, span_id, parent.span_id, parent.sampled, start, ())
            self._sink(Span(trace, end, outcome != "ok", public({"outcome": outcome, **attributes})))
