"""One trace from our door to the webhook, exported when it was sampled or went wrong."""

import io
import json
import logging
import random
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policies.otel import Export, otlp, traces_of
from policies.redact import OURS, Lines
from policies.tracing import Context, Span, Tracer, parse

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CONTEXT = Context(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True)


def clock() -> Callable[[], int]:
    ticks = iter(range(1_000_000_000, 2_000_000_000, 1000))
    return lambda: next(ticks)


def tracer(spans: list[Span] | None, ratio: float = 1.0) -> Tracer:
    return Tracer(spans.append if spans is not None else None, ratio, clock(), random.Random(7).getrandbits)


@pytest.mark.parametrize(
    ("context", "header"),
    [
        (CONTEXT, THEIRS),
        (CONTEXT._replace(sampled=False), THEIRS[:-2] + "00"),
        (CONTEXT, THEIRS[:-2] + "03"),
        (CONTEXT._replace(sampled=False), THEIRS[:-2] + "fe"),
        (CONTEXT, "01" + THEIRS[2:]),
        (CONTEXT, "cc" + THEIRS[2:] + "-what-comes-later"),
        (None, THEIRS + "-more"),
        (None, "cc" + THEIRS[2:] + "more"),
        (None, "ff" + THEIRS[2:]),
        (None, THEIRS.upper()),
        (None, "00-" + "0" * 32 + "-00f067aa0ba902b7-01"),
        (None, "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01"),
        (None, THEIRS[:-1]),
        (None, " " + THEIRS),
        (None, THEIRS + "\n"),
        (None, ""),
    ],
)
def test_parse(context: Context | None, header: str) -> None:
    """A traceparent is read as W3C Trace Context section 3.2 says, and what it forbids is ignored."""
    assert context == parse(header)


@given(st.integers(0), st.sampled_from([0.0, 1.0]))
def test_what_we_write_can_be_read(seed: int, ratio: float) -> None:
    """Each traceparent of ours is a valid one and says whether it was sampled."""
    trace = Tracer(lambda _: None, ratio, lambda: 0, random.Random(seed).getrandbits).start("message")

    assert parse(trace.traceparent) == Context(trace.trace_id, trace.span_id, ratio == 1.0)
    assert len(trace.id) == 32


def test_ids_are_never_zero() -> None:
    """Dice that show nothing still make a valid trace."""
    trace = Tracer(None, 0, lambda: 0, lambda _: 0).start("message")

    assert parse(trace.traceparent)
    assert parse(Tracer(None, 0, lambda: 0, lambda _: 0).start("delivery", trace).traceparent)


def test_children_share_the_trace() -> None:
    """A delivery started from the kept traceparent of its message is in the message's trace."""
    source = tracer([])
    message = source.start("message")
    delivery = source.start("delivery", message.traceparent, kind="client")

    assert (delivery.trace_id, delivery.parent_id) == (message.trace_id, message.span_id)
    assert delivery.span_id != message.span_id
    assert delivery.sampled


def test_unreadable_parent_starts_anew() -> None:
    """A kept traceparent that cannot be read does not stop a delivery."""
    assert tracer([]).start("delivery", "nonsense").parent_id is None


def test_untrusted_caller_is_a_link() -> None:
    """A partner's trace is kept as a link of ours; two headers, or a bad one, are none."""
    source = tracer([])
    links = source.link([(b"host", b"x"), (b"traceparent", THEIRS.encode())])
    trace = source.start("http.request", links=links)

    assert (trace.links, trace.parent_id) == ((CONTEXT,), None)
    assert trace.trace_id != CONTEXT.trace_id
    assert source.link([(b"traceparent", THEIRS.encode())] * 2) == ()
    assert source.link([(b"traceparent", b"\xff\xfe")]) == ()


def test_ratio_is_decided_once_by_the_trace() -> None:
    """About a tenth of the traces are sampled, and every span follows its root."""
    spans: list[Span] = []
    source = tracer(spans, 0.1)
    for _ in range(2000):
        root = source.start("message")
        source.finish(source.start("delivery", root))
        source.finish(root)

    assert 2 * 130 < len(spans) < 2 * 280
    assert len({span.trace.trace_id for span in spans}) * 2 == len(spans)


def test_errors_are_never_dropped() -> None:
    """A span that ends in an error is exported though its trace was not sampled."""
    spans: list[Span] = []
    source = tracer(spans, 0.0)
    source.finish(source.start("message"))
    source.finish(source.start("message"), "error", code="commit_failed")

    assert [(span.is_error, span.attributes) for span in spans] == [
        (True, {"outcome": "error", "code": "commit_failed"})
    ]


def test_attributes_are_allow_listed() -> None:
    """What may not be logged may not be an attribute."""
    spans: list[Span] = []
    source = tracer(spans)
    source.finish(source.start("message"), feed="ehr", patient_name="CANARYDOE", type="CANARYDOE")

    assert spans[0].attributes == {"outcome": "ok", "feed": "ehr", "type": "?"}


def test_off_means_ids_only() -> None:
    """Without a sink the clock is not read, nothing is sampled, and a traceparent is still there to send."""
    source = Tracer(None, 1.0, lambda: pytest.fail("the clock was read"), random.Random(1).getrandbits)
    trace = source.start("message")
    source.finish(trace, "error")

    assert parse(trace.traceparent) == Context(trace.trace_id, trace.span_id, False)


def exported() -> tuple[ReadableSpan, ReadableSpan]:
    exporter = InMemorySpanExporter()
    source = Tracer(export := Export(SimpleSpanProcessor(exporter), "1.2"), 0.0, clock(), random.Random(7).getrandbits)
    root = source.start("http.request", kind="server", links=(CONTEXT,))
    child = source.start("delivery", root)
    source.finish(child, "error", code="http_503", status=503)
    source.finish(root, "error", method="GET", route="/v1/appointments/{id}", status=500)
    export.close()
    first, second = exporter.get_finished_spans()
    return first, second


def test_exported_spans() -> None:
    """An OpenTelemetry exporter sees names, ids, links, times, kinds, states and attributes as conventions say."""
    child, root = exported()

    assert root.context
    assert child.parent
    assert (root.name, root.kind.name) == ("GET /v1/appointments/{id}", "SERVER")
    assert (child.name, child.kind.name) == ("delivery", "INTERNAL")
    assert child.parent.span_id == root.context.span_id
    assert [link.context.trace_id for link in root.links] == [CONTEXT.trace_id]
    assert root.attributes == {
        "isthmus.outcome": "error",
        "http.request.method": "GET",
        "http.route": "/v1/appointments/{id}",
        "http.response.status_code": 500,
    }
    assert child.attributes == {
        "isthmus.outcome": "error",
        "error.type": "http_503",
        "http.response.status_code": 503,
    }
    assert {span.status.status_code.name for span in (root, child)} == {"ERROR"}
    assert root.start_time
    assert root.end_time
    assert root.end_time > root.start_time
    assert root.resource.attributes["service.name"] == "isthmus"


def test_otlp_can_be_closed() -> None:
    """An export to an endpoint that nobody listens on starts and ends quietly when nothing was sent."""
    otlp("http://127.0.0.1:9/v1/traces").close()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("http://host:4318", "http://host:4318/v1/traces"),
        ("http://host:4318/", "http://host:4318/v1/traces"),
        ("https://host/otlp", "https://host/otlp/v1/traces"),
        ("http://host:4318/v1/traces", "http://host:4318/v1/traces"),
        ("http://host:4318/v1/traces/", "http://host:4318/v1/traces"),
    ],
)
def test_the_base_url_is_enough(endpoint: str, expected: str) -> None:
    """The endpoint is OpenTelemetry's base URL; the path of traces is added where it lacks."""
    assert expected == traces_of(endpoint)


def test_a_failing_export_is_one_line_and_its_end_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The class of the failure is said when it begins, nothing while it lasts, and then that it works again."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Lines())
    logger = logging.getLogger(OURS)
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    statuses = [400, 400, 400]

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(statuses.pop() if statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        export = otlp(f"http://127.0.0.1:{server.server_port}")
        source = Tracer(export, 1.0, clock(), random.Random(7).getrandbits)
        deadline = time.monotonic() + 10
        while "tracing.export_resumed" not in out.getvalue() and time.monotonic() < deadline:
            source.finish(source.start("message"))
            time.sleep(0.03)
        export.close()
        server.shutdown()
    logger.removeHandler(handler)
    logger.setLevel(before)
    said = [json.loads(line) for line in out.getvalue().splitlines()]

    assert ["tracing.export_failed", "tracing.export_resumed"] == [one["event"] for one in said]
    assert "http_400" == said[0]["why"]
