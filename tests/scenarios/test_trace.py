"""One trace from the MLLP frame to the webhook, and what of it is exported by OTLP."""

import re
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
    start: int
    end: int
    attributes: dict[str, str]
    links: list[str]


class Watched(NamedTuple):
    """An Isthmus that exports its spans and has one subscriber."""

    isthmus: Isthmus
    spans: Collector
    hooks: Collector


@pytest.fixture(scope="module")
def watched(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for all facts of this file."""
    spans, hooks = Collector(), Collector()
    made = Isthmus(tmp_path_factory.mktemp("trace"), otlp=spans.url)
    made.client("inside", ["admin"], continues_trace=True)
    with running(made) as isthmus:
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
                        one.start_time_unix_nano,
                        one.end_time_unix_nano,
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
    mine = sorted(exported(spans, kept["trace"], 5), key=lambda one: (one.start, -one.end))
    received, mapped, committed, failed, delivered = mine

    assert ["message", "map", "commit", "deliver", "deliver"] == [one.name for one in mine]
    assert [5, 1, 1, 3, 3] == [one.kind for one in mine], "consumer, internal, internal, client, client"
    assert ["", *[received.identity] * 4] == [one.parent for one in mine]
    assert [failed] == [one for one in mine if one.failed]
    assert received.start <= mapped.start <= mapped.end <= committed.start < committed.end <= received.end
    assert [f"00-{kept['trace']}-{one.identity}-01" for one in (failed, delivered)] == [
        request.headers["traceparent"] for request in (first, second)
    ]
    assert kept["trace"] == first.json["traceparent"].split("-")[1] == delivery["trace"]
    assert ("soak", kept["id"]) == (received.attributes["isthmus.feed"], received.attributes["isthmus.message"])
    assert ("SIU", "1") == (mapped.attributes["isthmus.type"], committed.attributes["isthmus.group"])
    assert delivery["id"] == delivered.attributes["isthmus.delivery"]


def test_only_what_failed_has_an_error(watched: Watched) -> None:
    """An attempt that failed says its class and what went wrong; one that was delivered has no error type at all."""
    isthmus, spans, _ = watched
    (kept,) = isthmus.all("/v1/messages?controlId=K1")
    mine = exported(spans, kept["trace"], 5)
    errors = {one.attributes.get("error.type") for one in mine if not one.failed}
    (failed,) = (one.attributes for one in mine if one.failed)
    (delivered,) = (one.attributes for one in mine if one.name == "deliver" and not one.failed)

    assert errors == {None}
    assert ("http_503", "transient", "503", "1") == tuple(
        failed[name] for name in ("error.type", "isthmus.outcome", "http.response.status_code", "isthmus.attempt")
    )
    assert ("ok", "200", "2") == tuple(
        delivered[name] for name in ("isthmus.outcome", "http.response.status_code", "isthmus.attempt")
    )


def test_spans_hold_nothing_of_the_message(watched: Watched) -> None:
    """What stands in a message is in none of its spans, only codes, ids of ours and counts."""
    isthmus, spans, _ = watched
    (kept,) = isthmus.all("/v1/messages?controlId=K1")
    raw = isthmus.ask("GET", f"/v1/messages/{kept['id']}/raw").body
    words = {word for word in re.split(rb"[\r|^~&\\]", raw) if len(word) > 5}

    assert len(words) > 5
    assert [] == [word for word in sorted(words) if word in spans.bytes]


def test_a_request_has_a_trace_of_its_own(watched: Watched) -> None:
    """A server span named by its route, linked to the caller's trace and not part of it; its id is the request id."""
    isthmus, spans, _ = watched
    answered = isthmus.ask("GET", "/v1/patients?name=secret", traceparent=FOREIGN)
    (span,) = exported(spans, answered.headers["x-request-id"])

    assert ("GET /v1/patients", 2, "") == (span.name, span.kind, span.parent)
    assert ("/v1/patients", "200") == (span.attributes["http.route"], span.attributes["http.response.status_code"])
    assert [FOREIGN.split("-")[1]] == span.links
    assert b"secret" not in spans.bytes


def test_what_a_request_causes_is_of_its_trace(watched: Watched) -> None:
    """A resend, a replay and their webhooks are of the request's trace; a link leads back to the message's."""
    isthmus, spans, hooks = watched
    before = len(hooks.requests)
    with Line(isthmus.mllp) as line:
        line.say(booking("F2", "K2"))
    hooks.wait(before + 1)
    wait(lambda: isthmus.all("/v1/deliveries")[0]["state"] == "delivered")
    delivery = isthmus.all("/v1/deliveries")[0]
    (kept,) = isthmus.all("/v1/messages?controlId=K2")

    asked = isthmus.ask("POST", f"/v1/deliveries/{delivery['id']}/resend")
    again = hooks.wait(before + 2)[-1]
    caused = asked.headers["x-request-id"]
    request, sent = sorted(exported(spans, caused, 2), key=lambda one: (one.start, -one.end))
    assert ("POST /v1/deliveries/{id}/resend", "deliver") == (request.name, sent.name)
    assert (request.identity, [kept["trace"]]) == (sent.parent, sent.links)
    assert f"00-{caused}-{sent.identity}-01" == again.headers["traceparent"]
    assert kept["trace"] == again.json["traceparent"].split("-")[1], "what is sent stays the same"

    asked = isthmus.ask("POST", f"/v1/messages/{kept['id']}/replay", {"emit": True})
    caused = asked.headers["x-request-id"]
    mine = {one.name.partition(" ")[2] or one.name: one for one in exported(spans, caused, 4)}
    replay = mine["replay"]
    assert {"/v1/messages/{id}/replay", "replay", "map", "commit"} == set(mine)
    assert (mine["/v1/messages/{id}/replay"].identity, [kept["trace"]]) == (replay.parent, replay.links)
    assert {replay.identity} == {mine["map"].parent, mine["commit"].parent}
    assert kept["trace"] == asked.json["trace"] == isthmus.get(f"/v1/messages/{kept['id']}")["trace"]


def test_a_bulk_replay_is_of_the_trace_that_began_it(watched: Watched) -> None:
    """A job goes on long after its request was answered, and still in its trace."""
    isthmus, spans, _ = watched
    asked = isthmus.ask("POST", "/v1/messages/_replay", {"controlId": "K1"})
    mine = exported(spans, asked.headers["x-request-id"], 4)

    assert 202 == asked.status
    assert {"POST /v1/messages/_replay", "replay", "map", "commit"} == {one.name for one in mine}


def test_a_trusted_client_goes_on_in_its_own_trace(watched: Watched) -> None:
    """A client whose file says so is answered within its trace; what it sends that is no traceparent is ignored."""
    isthmus, spans, _ = watched
    trace, parent = FOREIGN.split("-")[1:3]
    answered = isthmus.ask("GET", "/v1/tasks", client="inside", traceparent=FOREIGN, tracestate="secret=1")
    (span,) = exported(spans, trace)
    restarted = isthmus.ask("GET", "/v1/tasks", client="inside", traceparent=FOREIGN.upper())
    (own,) = exported(spans, restarted.headers["x-request-id"])

    assert trace == answered.headers["x-request-id"]
    assert (parent, [], "GET /v1/tasks") == (span.parent, span.links, span.name)
    assert ("", []) == (own.parent, own.links)
    assert b"secret=1" not in spans.bytes


def test_what_is_declined_is_an_error(watched: Watched) -> None:
    """A message that is not taken has a span that says why."""
    isthmus, spans, _ = watched
    isthmus.ask("POST", "/v1/intake/pause")
    with Line(isthmus.mllp) as line:
        line.say(message("ADT^A08", "K3"))
    isthmus.ask("POST", "/v1/intake/release")
    wait(lambda: any(one.name == "message" and one.failed for one in everything(spans)))
    (declined,) = (one for one in everything(spans) if one.name == "message" and one.failed)

    assert "held" == declined.attributes["error.type"]
