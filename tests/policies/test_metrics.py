"""Measures have labels of fixed sets, and what is outside is `other`."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from policies.metrics import MOST_CHILDREN, Metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_counts_by_label() -> None:
    """A message is counted under its feed, type and outcome."""
    metrics = Metrics()
    for _ in range(2):
        metrics.messages.child("ehr", "SIU^S12", "applied").inc()

    assert sample(metrics, "isthmus_messages_total", feed="ehr", type="SIU^S12", outcome="applied") == 2


@pytest.mark.parametrize("kind", ["CANARYDOE^JOHN", "DOE", "19850612", "", "SIU^S12|PID"])
def test_content_is_never_a_label(kind: str) -> None:
    """A sender's nonsense in MSH-9 is counted as other."""
    metrics = Metrics()
    metrics.messages.child("ehr", kind, "refused").inc()

    assert sample(metrics, "isthmus_messages_total", feed="ehr", type="other", outcome="refused") == 1
    assert "CANARY" not in metrics.render().decode()


def test_children_are_bounded() -> None:
    """However many values come, a measure keeps a bounded number of children."""
    metrics = Metrics()
    for index in range(MOST_CHILDREN + 100):
        metrics.throttled.child(f"limit{index}").inc()

    assert sample(metrics, "isthmus_throttled_total", limit="other") == 100


def test_children_are_resolved_once() -> None:
    """The same labels give the same child."""
    metrics = Metrics()

    assert metrics.acks.child("ehr", "AA") is metrics.acks.child("ehr", "AA")


def test_requests() -> None:
    """A request is counted with its duration under template, method and status, in some of the conventions' buckets."""
    metrics = Metrics()
    metrics.request("/v1/appointments/{id}", "GET", 200, 0.03)
    metrics.request("/v1/appointments/apt_4711", "BREW", 999, 0.03)
    labels = {"http_request_method": "GET", "http_response_status_code": "200", "http_route": "/v1/appointments/{id}"}
    name = "http_server_request_duration_seconds"

    assert sample(metrics, f"{name}_count", **labels) == 1
    assert [sample(metrics, f"{name}_bucket", **labels, le=le) for le in ("0.025", "0.1")] == [0, 1]
    assert sample(metrics, f"{name}_count", **dict.fromkeys(labels, "other")) == 1


def test_a_request_costs_few_lines() -> None:
    """What multiplies (routes by methods by statuses) has nine lines each, and nothing tells when it was made."""
    metrics = Metrics()
    metrics.request("/v1/appointments", "GET", 200, 0.03)
    before = metrics.render().count(b"\n")
    metrics.request("/v1/appointments", "GET", 404, 0.03)

    assert metrics.render().count(b"\n") - before == 9
    assert b"_created" not in metrics.render()


def test_two_instances_do_not_share() -> None:
    """There is no global registry."""
    one, other = Metrics(), Metrics()
    one.audit_backlog.set(3)

    assert (sample(one, "isthmus_audit_backlog"), sample(other, "isthmus_audit_backlog")) == (3, 0)


def test_every_measure_is_described() -> None:
    """The reference tells of each one with its type and labels, as Prometheus is told of it."""
    metrics = Metrics()
    told = {(one.name.removesuffix("_total"), one.kind, one.text) for one in metrics.described}
    known = {(one.name, one.type, one.documentation) for one in metrics.registry.collect()}

    assert told == {one for one in known if not one[0].startswith("process")}
    assert all(one.text.endswith(".") for one in metrics.described)


def test_exposition_can_be_read() -> None:
    """/metrics is what Prometheus parses, and every measure has a sentence."""
    metrics = Metrics()
    metrics.feed_silent.child("ehr").set(1)
    metrics.mllp_connections.child("ehr").inc()
    metrics.mllp_faults.child("ehr", "no_start_block").inc()
    metrics.queue_depth.child("deliveries").set(2)
    metrics.queue_age.child("deliveries").set(0.5)
    metrics.deliveries.child("delivered").inc()
    metrics.commit_group.observe(16)
    metrics.commit_seconds.observe(0.002)
    metrics.delivery_latency.observe(0.2)
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}

    metrics.attempt_seconds.observe(0.1)
    metrics.ack_latency.child("ehr").observe(0.001)
    metrics.declined.child("ehr", "held").inc()
    for name in ("delivery_attempt_seconds", "feed_to_ack_seconds", "declined_total"):
        assert f"isthmus_{name}" in metrics.render().decode()

    assert "isthmus_feed_silent" in families
    assert "isthmus_commit_group_size" in families
    assert all(family.documentation for family in families.values())
