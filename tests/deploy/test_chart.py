"""The Helm chart renders objects that Kubernetes takes, whose pods may do nothing that they need not."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema_rs import Draft7Validator

from gateway.site.settings import Server
from tests.deploy.validators import CHART, SITE, SITE_FILES, documents, judged, tool

KUBERNETES = "1.31.0"
FOREIGN = {"ScaledObject", "PodMonitor"}
WITHIN = {
    "as it is": (),
    "cpu": ("worker.autoscaling.follows=cpu", "api.autoscaling.enabled=true"),
    "queue age": ("worker.autoscaling.follows=queue-age",),
    "queue age by KEDA": ("worker.autoscaling.follows=queue-age-keda", "podMonitor.enabled=true"),
    "TLS": ("httpTls=true", "secretFolders[0].secret=east-tls", "secretFolders[0].path=/run/tls/east"),
    "files of one's own": ("site.existingConfigMap=mine", "site.existingPaths={isthmus.toml,peers/east.toml}"),
    "Redis": ("secrets.redis-url.secret=isthmus", "networkPolicy.redis.port=6379"),
    "bare": ("networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "migrate.enabled=false"),
    "closed": ("networkPolicy.metricsFrom=null", "networkPolicy.mllpFrom=null", "networkPolicy.otlp.port=0"),
}
VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")


def options(*values: str) -> list[str]:
    """Command-line options: our example site, and what a test sets."""
    files = [f"site.files.{name.replace('.', chr(92) + '.')}={SITE / name}" for name in SITE_FILES]
    pairs = [("--set-file", one) for one in files] + [("--set", one) for one in values]
    return ["--kube-version", KUBERNETES, *(part for pair in pairs for part in pair)]


@cache
def rendered(*values: str) -> list[dict[str, Any]]:
    return list(documents(judged(tool("helm"), "template", "mine", CHART, *options(*values))))


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (one["spec"]["template"]["spec"] for one in objects if one["kind"] in ("Deployment", "Job"))


def kinds(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["kind"] == kind]


def test_helm_lints_it() -> None:
    """Not even a warning."""
    judged(tool("helm"), "lint", "--strict", CHART, *options())


@pytest.mark.parametrize("case", WITHIN)
def test_kubernetes_takes_every_object(case: str) -> None:
    """Each fits the schema of its kind, with no field that the kind does not have."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for one in rendered(*WITHIN[case]):
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, KUBERNETES.rpartition(".")[0], strict=True)


@pytest.mark.parametrize("case", WITHIN)
def test_pods_may_do_nothing_that_they_need_not(case: str) -> None:
    """No root, no writing but to /tmp, no capabilities, no token of the cluster."""
    found = list(pods(rendered(*WITHIN[case])))
    assert len(found) >= 3
    for pod in found:
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert "RuntimeDefault" == pod["securityContext"]["seccompProfile"]["type"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert ["ALL"] == container["securityContext"]["capabilities"]["drop"]
        assert {"/tmp"} == {one["mountPath"] for one in container["volumeMounts"] if not one.get("readOnly")}


@pytest.mark.parametrize("case", WITHIN)
def test_secrets_come_by_reference_alone(case: str) -> None:
    """The chart makes no Secret and puts none into an environment: pods mount those of others as files."""
    objects = rendered(*WITHIN[case])
    assert [] == kinds(objects, "Secret")
    for pod in pods(objects):
        assert all("env" not in one and "envFrom" not in one for one in pod["containers"])
        (secrets,) = (one["projected"] for one in pod["volumes"] if one["name"] == "secrets")
        items = [item["path"] for source in secrets["sources"] for item in source["secret"]["items"]]
        assert (["redis-url"] if case == "Redis" else []) + ["site-key", "store-url"] == items


def test_what_the_example_site_refers_to_is_mounted() -> None:
    """Each file under /run/secrets that the site names is one that the chart mounts, once its secret is named."""
    (values,) = documents(VALUES)
    named = set(re.findall(r"/run/secrets/([\w.-]+)", (SITE / "isthmus.toml").read_text(encoding="utf-8")))
    assert named == set(values["secrets"])


@pytest.mark.parametrize("case", ["as it is", "TLS"])
def test_a_pod_is_asked_whether_it_lives_and_whether_it_can_work(case: str) -> None:
    """Liveness never asks for the database, readiness does; both by TLS where the API speaks it."""
    for one in kinds(rendered(*WITHIN[case]), "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert "/health/live" == container["livenessProbe"]["httpGet"]["path"]
        assert "/health/ready" == container["readinessProbe"]["httpGet"]["path"]
        assert ("HTTPS" if case == "TLS" else "HTTP") == container["readinessProbe"]["httpGet"]["scheme"]


def test_a_pod_that_leaves_has_the_time_it_needs() -> None:
    """The balancers' time and the drain's end before it is killed."""
    (values,) = documents(VALUES)
    assert values["drainSeconds"] >= Server().drain_seconds
    for one in kinds(rendered(), "Deployment"):
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        leaving = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod["terminationGracePeriodSeconds"] > leaving + values["drainSeconds"]


def test_a_rollout_never_has_fewer_than_before() -> None:
    """A new pod is ready before an old one leaves; when nodes are emptied at most one of a role is missing."""
    for one in kinds(rendered(), "Deployment"):
        assert {"maxSurge": 1, "maxUnavailable": 0} == one["spec"]["strategy"]["rollingUpdate"]
    budgets = {
        one["metadata"]["name"]: one["spec"]["maxUnavailable"] for one in kinds(rendered(), "PodDisruptionBudget")
    }
    assert {"mine-isthmus-api": 1, "mine-isthmus-feeds": 1, "mine-isthmus-worker": 1} == budgets


def test_each_budget_and_service_selects_one_role() -> None:
    """MLLP goes to feeds, HTTP to api; selectors are those of the deployments."""
    labels = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"]["metadata"]["labels"]
        for one in kinds(rendered(), "Deployment")
    }
    chosen = {one["metadata"]["name"]: one["spec"]["selector"] for one in kinds(rendered(), "Service")}
    chosen |= {
        one["metadata"]["name"] + "-budget": one["spec"]["selector"]["matchLabels"]
        for one in kinds(rendered(), "PodDisruptionBudget")
    }
    for name, selector in chosen.items():
        roles = {role for role, has in labels.items() if selector.items() <= has.items()}
        assert {"feeds" if "mllp" in name or "feeds" in name else "worker" if "worker" in name else "api"} == roles


@pytest.mark.parametrize(
    ("case", "kind"),
    [("as it is", None), ("cpu", "Resource"), ("queue age", "External"), ("queue age by KEDA", "prometheus")],
)
def test_workers_follow_what_they_are_told_to(case: str, kind: str | None) -> None:
    """By CPU, by an external metric, by KEDA, or not at all; a number that is scaled is set nowhere else."""
    objects = rendered(*WITHIN[case])
    (worker,) = (one for one in kinds(objects, "Deployment") if one["metadata"]["name"].endswith("-worker"))
    scalers = [
        one
        for one in kinds(objects, "HorizontalPodAutoscaler") + kinds(objects, "ScaledObject")
        if one["spec"]["scaleTargetRef"]["name"] == worker["metadata"]["name"]
    ]
    triggers = [
        one["type"] for scaler in scalers for one in scaler["spec"].get("metrics", scaler["spec"].get("triggers"))
    ]
    assert ([kind] if kind else []) == triggers
    assert ("replicas" in worker["spec"]) is (kind is None)


def test_the_migration_runs_before_the_rest() -> None:
    """A hook, with a copy of the site that is there before it."""
    objects = rendered()
    (job,) = kinds(objects, "Job")
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert ["ConfigMap", "Job"] == [one["kind"] for one in hooks]
    assert all("pre-install,pre-upgrade" == one["metadata"]["annotations"]["helm.sh/hook"] for one in hooks)
    assert ["migrate", "/site"] == job["spec"]["template"]["spec"]["containers"][0]["args"]
    (volume,) = (one for one in job["spec"]["template"]["spec"]["volumes"] if one["name"] == "site")
    assert volume["configMap"]["name"] == hooks[0]["metadata"]["name"]


def test_another_site_makes_other_pods() -> None:
    """Settings are read at the start, so pods change with them."""
    before, after = rendered(), rendered("site.files.extra\\.toml=x")
    digests = [
        {one["spec"]["template"]["metadata"]["annotations"]["isthmus/site"] for one in kinds(objects, "Deployment")}
        for objects in (before, after)
    ]
    assert not digests[0] & digests[1]


def test_what_is_not_listed_is_closed() -> None:
    """Both directions are closed by default, no rule lets in everyone, and webhooks do not reach inside."""
    (base,) = (one for one in kinds(rendered(), "NetworkPolicy") if one["metadata"]["name"] == "mine-isthmus")
    assert ["Ingress", "Egress"] == base["spec"]["policyTypes"]
    for policy in kinds(rendered(), "NetworkPolicy"):
        assert all(rule["from"] for rule in policy["spec"].get("ingress", ()))
    (worker,) = (one for one in kinds(rendered(), "NetworkPolicy") if one["metadata"]["name"].endswith("-worker"))
    (block,) = (peer["ipBlock"] for peer in worker["spec"]["egress"][0]["to"])
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])
    closed = kinds(rendered(*WITHIN["closed"]), "NetworkPolicy")
    assert [] == [one for one in closed if one["metadata"]["name"].endswith("-feeds")]
    assert [[]] == [one["spec"]["ingress"] for one in closed if one["metadata"]["name"] == "mine-isthmus"]


@pytest.mark.parametrize("case", ["as it is", "Redis"])
def test_redis_is_reached_where_there_is_one(case: str) -> None:
    """By its port, and by nobody where none is named."""
    (base,) = (
        one for one in kinds(rendered(*WITHIN[case]), "NetworkPolicy") if one["metadata"]["name"] == "mine-isthmus"
    )
    ports = {port["port"] for rule in base["spec"]["egress"] for port in rule["ports"]}
    assert {53, 5432, 4318} | ({6379} if case == "Redis" else set()) == ports


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("worker.autoscaling.follow=cpu", "follow"),
        ("worker.autoscaling.follows=hope", "follows"),
        ("image.tag=latest", "tag"),
        ("secrets.store-url=postgresql://me:secret@db", "store-url"),
        ("httpPort=0", "httpPort"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value: str, said: str) -> None:
    """A misspelt name, a word outside its list, a tag that moves, a secret in the values."""
    with pytest.raises(AssertionError, match=said):
        rendered(value)


def test_the_values_of_the_chart_fit_its_schema() -> None:
    """None that stands there is one that the chart refuses."""
    (values,) = documents(VALUES)
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert [] == [error.message for error in Draft7Validator(schema).iter_errors(values)]


def test_a_chart_without_a_site_is_refused() -> None:
    """It says what is missing."""
    with pytest.raises(AssertionError, match=r"site\.files has no isthmus\.toml"):
        judged(tool("helm"), "template", "mine", CHART, "--kube-version", KUBERNETES)


def test_every_value_has_a_sentence() -> None:
    """Each value of the first level stands under a comment, and its schema is known."""
    lines = VALUES.splitlines()
    names = [(number, line.split(":")[0]) for number, line in enumerate(lines) if re.match(r"[a-zA-Z]", line)]
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert {name for _, name in names} == set(schema["properties"]) - {"global"}
    bare = {name for number, name in names if not lines[number - 1].startswith("#")}
    # These stand under the sentence of podLabels.
    assert {"podAnnotations", "nodeSelector", "tolerations", "priorityClassName"} == bare
