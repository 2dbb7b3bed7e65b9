"""One trace from the MLLP frame to the webhook, and what of it is exported by OTLP."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.isthmus import Isthmus, running, wait
from tests.mllp import Line
from tests.scenarios.collector import Collector
from tests.scenarios.messages import booking, message

FOREIGN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Span(NamedTuple):
    """A span as the collector got it."""

    trace: str
    identity: str
    parent: str
    name: str
    kind: int
    failed: bool
    attributes: dict[str, str]
    links: list[str]


class Watched(NamedTuple):
    """An Isthmus that exports its spans and has one subscriber."""

    isthmus: Isthmus
    spans: Collector
    hooks: Collector


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for all facts of this file."""
    spans, hooks = Collector(), Collector()
    with running(Isthmus(tmp_path_factory.mktemp("trace"), otlp=spans.url)) as isthmus:
        isthmus.get("/v1/subscriptions", True, {"url": hooks.url, "types": ["appointment.*"]})
        yield Watched(isthmus, spans, hooks)
    spans.close()
    hooks.close()


def exported(spans: Collector, trace: str, count: int = 1) -> list[Span]:
    """The spans of a trace, once there are so many: they are sent in batches."""
    wait(lambda: len([one for one in everything(spans) if one.trace == trace]) >= count)
    return [one for one in everything(spans) if one.trace == trace]


def everything(spans: Collector) -> list[Span]:
    """All that was exported so far."""
    found = []
    for request in spans.requests:
        assert "/v1/traces" == request.path
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            for scope in resource.scope_spans:
                found += [
                    Span(
                        one.trace_id.hex(),
                        one.span_id.hex(),
                        one.parent_span_id.hex(),
                        one.name,
                        one.kind,
                        one.status.code == 2,
                        {each.key: each.value.string_value or str(each.value.int_value) for each in one.attributes},
                        [link.trace_id.hex() for link in one.links],
                    )
                    for one in scope.spans
                ]
    return found


def test_one_trace_from_the_frame_to_the_webhook(watched: Watched) -> None:
    """The message's trace is in the API, in the event, in the webhook's traceparent and in the spans, as a chain."""
    isthmus, spans, hooks = watched
    hooks.answer = lambda request: 503 if len(hooks.requests) == 1 else 200
    with Line(isthmus.mllp) as line:
        line.say(booking("F1", "K1"))
    first, second = hooks.wait(2)
    (kept,) = isthmus.all("/v1/messages?controlId=K1")
    wait(lambda: isthmus.all("/v1/deliveries?state=delivered"))
    (delivery,) = isthmus.all("/v1/deliveries")
    mine = exported(spans, kept["trace"], 3)
    received, failed, delivered = sorted(mine, key=lambda one: (one.name != "message", not one.failed))

    assert ["message", "deliver", "deliver"] == [one.name for one in (received, failed, delivered)]
    assert (5, 3, 3) == (received.kind, failed.kind, delivered.kind), "consumer, client, client"
    assert ("", received.identity, received.identity) == (received.parent, failed.parent, delivered.parent)
    assert (False, True, False) == (received.failed, failed.failed, delivered.failed)
    assert [f"00-{kept['trace']}-{one.identity}-01" for one in (failed, delivered)] == [
        request.headers["traceparent"] for request in (first, second)
    ]
    assert kept["trace"] == first.json["traceparent"].split("-")[1] == delivery["trace"]
    assert ("soak", kept["id"]) == (received.attributes["isthmus.feed"], received.attributes["isthmus.message"])
    assert delivery["id"] == delivered.attributes["isthmus.delivery"]


def test_a_request_has_a_trace_of_its_own(watched: Watched) -> None:
    """A server span named by its route, linked to the caller's trace and not part of it; its id is the request id."""
    isthmus, spans, _ = watched
    answered = isthmus.ask("GET", "/v1/patients?name=secret", traceparent=FOREIGN)
    (span,) = exported(spans, answered.headers["x-request-id"])

    assert ("GET /v1/patients", 2, "") == (span.name, span.kind, span.parent)
    assert ("/v1/patients", "200") == (span.attributes["http.route"], span.attributes["http.response.status_code"])
    assert [FOREIGN.split("-")[1]] == span.links
    assert b"secret" not in spans.bytes


def test_a_replay_and_a_resend_stay_in_the_trace(watched: Watched) -> None:
    """What is sent again later is still of the message's trace; what is declined has a span that is an error."""
    isthmus, spans, hooks = watched
    before = len(hooks.requests)
    with Line(isthmus.mllp) as line:
        line.say(booking("F2", "K2"))
        hooks.wait(before + 1)
        wait(lambda: isthmus.all("/v1/deliveries")[0]["state"] == "delivered")
        delivery = isthmus.all("/v1/deliveries")[0]
        assert 202 == isthmus.ask("POST", f"/v1/deliveries/{delivery['id']}/resend").status
        again = hooks.wait(before + 2)[-1]
        isthmus.ask("POST", "/v1/intake/pause")
        line.say(message("ADT^A08", "K3"))
        isthmus.ask("POST", "/v1/intake/release")
    wait(lambda: any(one.name == "message" and one.failed for one in everything(spans)))
    declined = [one for one in everything(spans) if one.name == "message" and one.failed]

    assert delivery["trace"] == again.headers["traceparent"].split("-")[1]
    assert ["held"] == [one.attributes["error.type"] for one in declined]
