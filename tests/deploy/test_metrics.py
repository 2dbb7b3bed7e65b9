"""What the dashboard, the alarms and the autoscaler ask for is what the code exports."""

import json
import re
import sys
from typing import Any, NamedTuple

import pytest

from policies.metrics import Described, Metrics
from tests.deploy.promql import Matcher, spoken
from tests.deploy.validators import CHART, DEPLOY, ROOT, documents, judged, read, tool

PROMETHEUS_OWN = {"up", "ALERTS"}
PROCESS = {
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
    *("process_open_fds", "process_max_fds", "process_start_time_seconds"),
}
TARGET_LABELS = {"job", "instance", "role", "le"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
FROM_A_LIST = {"outcome", "reason", "queue", "state"}
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "isthmus.json").read_text(encoding="utf-8"))


class Asked(NamedTuple):
    """An expression and where it stands."""

    place: str
    expression: str


def exported() -> dict[str, Described]:
    """Every series name of ours with the measure it is of."""
    return {one.name + suffix: one for one in Metrics().described for suffix in SUFFIXES[one.kind]}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def of_the_dashboard() -> list[Asked]:
    found = [
        Asked(f"panel {panel['title']}", target["expr"]) for panel in panels() for target in panel.get("targets", ())
    ]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            selector = variable["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
            found.append(Asked(f"variable {variable['name']}", selector))
    found += [Asked(f"annotation {one['name']}", one["expr"]) for one in DASHBOARD["annotations"]["list"]]
    return found


def of_the_alarms() -> list[Asked]:
    groups = read("prometheus", "alerts.yaml")["groups"]
    return [Asked(f"alarm {rule['alert']}", rule["expr"]) for group in groups for rule in group["rules"]]


def of_the_autoscaler() -> list[Asked]:
    (values,) = documents((CHART / "values.yaml").read_text(encoding="utf-8"))
    return [Asked("values.yaml", values["worker"]["autoscaling"]["query"])]


ASKED = [*of_the_dashboard(), *of_the_alarms(), *of_the_autoscaler()]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.place)
def test_every_metric_that_is_asked_for_exists(asked: Asked) -> None:
    """No panel stays empty and no alarm stays quiet because a name is wrong."""
    metrics = spoken(asked.expression).metrics
    assert metrics
    assert set() == set(metrics) - set(exported()) - PROCESS - PROMETHEUS_OWN


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.place)
def test_every_label_that_is_asked_for_exists(asked: Asked) -> None:
    """Matchers and groups name labels that the metric has, or that scraping gives it."""
    ours = exported()
    metrics, groups = spoken(asked.expression)
    known = {name: TARGET_LABELS | set(ours[name].labels if name in ours else ()) for name in metrics}
    for name, matchers in metrics.items():
        assert set() == {matcher.label for matcher in matchers} - known[name]
    assert set() == groups - set().union(*known.values())


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.place)
def test_every_word_that_is_asked_for_is_one_that_the_metric_explains(asked: Asked) -> None:
    """A value from a fixed list (`reason="unavailable"`) stands in the description of its metric."""
    ours = exported()
    for name, matchers in spoken(asked.expression).metrics.items():
        for word in (word for matcher in matchers for word in words_of(matcher)):
            assert f"`{word}`" in ours[name].text


def words_of(matcher: Matcher) -> list[str]:
    return matcher.value.split("|") if matcher.label in FROM_A_LIST else []


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    """What is worth counting is worth seeing."""
    seen = {name for asked in of_the_dashboard() for name in spoken(asked.expression).metrics}
    ours = exported()
    assert set() == {one.name for one in ours.values()} - {ours[name].name for name in seen if name in ours}


@pytest.mark.skipif(sys.platform != "linux", reason="the process metrics come from /proc")
def test_the_process_metrics_are_exported() -> None:
    """Those of prometheus-client that we ask for are in the exposition."""
    exposition = Metrics().render().decode()
    assert set() == {name for name in PROCESS if not re.search(rf"^{name} ", exposition, re.MULTILINE)}


def test_an_adapter_is_told_to_ask_what_keda_asks() -> None:
    """The guide's rule for prometheus-adapter is the query of values.yaml."""
    (query,) = (" ".join(asked.expression.split()) for asked in of_the_autoscaler())
    assert query in " ".join((ROOT / "docs" / "guides" / "deployment.md").read_text(encoding="utf-8").split())


def test_an_expression_is_taken_apart_whole() -> None:
    """A metric that does not exist, a label of a group and one of a matcher are all found."""
    metrics, groups = spoken(
        'histogram_quantile(0.9, sum by (le, nobody) (rate(isthmus_none_bucket{a="x",b=~"y|z"}[5m]))) > 80e6'
        " and on (feed) max(bare offset 10m) or vector(0)"
    )
    assert {"isthmus_none_bucket": [Matcher("a", "=", "x"), Matcher("b", "=~", "y|z")], "bare": []} == metrics
    assert {"le", "nobody", "feed"} == groups


def test_every_panel_says_what_it_means() -> None:
    """At three in the morning a title is not enough."""
    assert [] == [panel["title"] for panel in panels() if len(panel["description"]) < 15]


def test_panels_have_places_of_their_own() -> None:
    """Ids are unique, nothing is wider than the page, nothing covers another."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_every_alarm_says_how_urgent_it_is_and_what_to_look_at() -> None:
    """A page or a ticket, a summary, a description."""
    for group in read("prometheus", "alerts.yaml")["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert rule["annotations"]["summary"]
            assert rule["annotations"]["description"]


def test_promtool_is_content_with_the_rules() -> None:
    """Prometheus can read them."""
    judged(tool("promtool"), "check", "rules", DEPLOY / "prometheus" / "alerts.yaml")
    judged(tool("promtool"), "check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yaml")


def test_the_alarms_of_a_night_are_those_that_are_meant() -> None:
    """deploy/prometheus/alerts.test.yaml: what fires on which series."""
    judged(tool("promtool"), "test", "rules", DEPLOY / "prometheus" / "alerts.test.yaml")
