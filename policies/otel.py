"""Finished spans handed to OpenTelemetry; imported only where an export is configured, since the SDK is heavy."""

import logging
from collections.abc import Sequence
from typing import Any, Final

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from policies.redact import log
from policies.tracing import Context, Span

TRACES: Final = "/v1/traces"
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)

# Semantic conventions 1.44 where they have a word; url.path and url.query stay out, they carry identifiers.
NAMES: Final = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "code": "error.type",
}


class Export:
    """A tracing sink that exports; call `close` when the house is closed, it sends what is left."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        self._processor = processor
        self._resource = Resource.create({"service.name": "isthmus", "service.version": version})
        self._scope = InstrumentationScope("isthmus", version)

    def __call__(self, span: Span) -> None:
        trace = span.trace
        parent = _context(trace.trace_id, trace.parent_id) if trace.parent_id is not None else None
        self._processor.on_end(
            ReadableSpan(
                name=_name(span),
                context=_context(trace.trace_id, trace.span_id),
                parent=parent,
                resource=self._resource,
                attributes={_attribute(key): value for key, value in span.attributes.items()},
                links=[_link(context) for context in trace.links],
                kind=SpanKind[trace.kind.upper()],
                status=Status(StatusCode.ERROR if span.is_error else StatusCode.UNSET),
                start_time=trace.start,
                end_time=span.end,
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        self._processor.shutdown()


class _Session(requests.Session):
    """Remembers how the last request ended: the exporter itself only says whether it did well."""

    failed = "other"

    def request(self, *arguments: Any, **options: Any) -> requests.Response:  # Any: whatever requests takes
        try:
            answer = super().request(*arguments, **options)
        except requests.RequestException as error:
            self.failed = _class(error)
            raise
        self.failed = f"http_{answer.status_code}"
        return answer


def _class(error: requests.RequestException) -> str:
    """The class of a failure; those that are kinds of others come first."""
    kinds = {
        requests.exceptions.SSLError: "tls",
        requests.Timeout: "timeout",
        requests.ConnectionError: "unreachable",
    }
    return next((name for kind, name in kinds.items() if isinstance(error, kind)), "other")


class Watched(SpanExporter):
    """An exporter that says once that it fails, and once that it works again."""

    def __init__(self, exporter: SpanExporter, session: _Session) -> None:
        self._exporter, self._session = exporter, session
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._is_failing:
            log("tracing.export_failed", level="warning", why=self._session.failed)
        elif self._is_failing and not fails:
            log("tracing.export_resumed")
        self._is_failing = fails
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def otlp(endpoint: str, headers: dict[str, str] | None = None, version: str = "0") -> Export:
    """Export in the background to an OTLP/HTTP endpoint; what the library itself logs says nothing that may be seen."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    session = _Session()
    exporter = OTLPSpanExporter(endpoint=traces_of(endpoint), headers=headers, session=session)
    return Export(BatchSpanProcessor(Watched(exporter, session)), version)


def traces_of(endpoint: str) -> str:
    """Where traces go: below the base URL, as OTEL_EXPORTER_OTLP_ENDPOINT has it, or right there."""
    return f"{endpoint.rstrip('/').removesuffix(TRACES)}{TRACES}"


def _name(span: Span) -> str:
    """`{method} {route}` where a request has them, else the span's own name."""
    method, route = span.attributes.get("method"), span.attributes.get("route")
    return f"{method} {route}" if method and route else span.trace.name


def _attribute(key: str) -> str:
    return NAMES.get(key, f"isthmus.{key}")


def _context(trace_id: int, span_id: int) -> SpanContext:
    # Marked as sampled because it is exported: an error is, even where its trace was not sampled.
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=SAMPLED)


def _link(context: Context) -> Link:
    flags = SAMPLED if context.sampled else TraceFlags(TraceFlags.DEFAULT)
    return Link(SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags))
