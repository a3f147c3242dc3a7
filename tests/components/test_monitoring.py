"""Prometheus and Alertmanager: their configuration, arguments, rights and network policies."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerting import routing
from components.kubernetes.checksum import ANNOTATION
from components.metrics import prometheus_config
from local.toolchain import tool
from settings.eks.secret_references import placeholder
from tests.mock_engine import SECRETS, Recorded

Program = Callable[..., Recorded]


def container(recorded: Recorded, name: str) -> dict[str, Any]:
    pod = recorded.one("StatefulSet", name).pod
    assert pod
    return pod["spec"]["containers"][0]


def config(**changes: Any) -> str:
    values: dict[str, Any] = {"cluster": "c1", "scrape_interval": "30s", "evaluation_interval": "15s"}
    return prometheus_config.render(**(values | {"alertmanagers": ["a-0:9093", "a-1:9093"]} | changes))


@pytest.mark.parametrize(("interval", "remote"), [("5s", ""), ("2m", "https://m.example.com/write")])
def test_prometheus_accepts_its_configuration(interval: str, remote: str, tmp_path: Path) -> None:
    token = tmp_path / "token"  # promtool checks that the token file exists, as it does in every pod
    token.write_text("")
    file = tmp_path / "prometheus.yml"
    text = config(scrape_interval=interval, remote_write_url=remote)
    file.write_text(text.replace("/var/run/secrets/kubernetes.io/serviceaccount/token", str(token)))
    result = subprocess.run(
        [tool("promtool"), "check", "config", "--lint=all", "--lint-fatal", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_both_replicas_send_the_same_alert_to_every_alertmanager(program: Program) -> None:
    document = yaml.safe_load(
        program("production").one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
    )
    assert document["global"]["external_labels"] == {
        "cluster": "observability-production",
        "prometheus_replica": "${POD_NAME}",
    }
    alerting = document["alerting"]
    assert alerting["alert_relabel_configs"] == [{"action": "labeldrop", "regex": "prometheus_replica"}]
    assert alerting["alertmanagers"][0]["static_configs"][0]["targets"] == [
        f"alertmanager-{index}.alertmanager-peers.observability.svc:9093" for index in range(3)
    ]


def test_scrape_timeout_fits_the_interval() -> None:
    assert yaml.safe_load(config(scrape_interval="5s"))["global"]["scrape_timeout"] == "5s"
    assert yaml.safe_load(config(scrape_interval="1m"))["global"]["scrape_timeout"] == "10s"


def test_prometheus_arguments(program: Program) -> None:
    arguments = container(program("production", prometheusStorage="100Gi"), "prometheus")["args"]
    assert "--storage.tsdb.retention.time=30d" in arguments
    assert f"--storage.tsdb.retention.size={int(100 * 2**30 * 0.85)}B" in arguments
    assert "--config.auto-reload" in arguments
    assert "--storage.tsdb.wal-compression" in arguments
    assert not [argument for argument in arguments if "lifecycle" in argument or "admin-api" in argument]


def test_prometheus_starts_with_its_arguments(program: Program, tmp_path: Path) -> None:
    """Prometheus accepts the arguments, and then fails because its configuration file is missing."""
    arguments = [
        argument.replace("--storage.tsdb.path=", f"--storage.tsdb.path={tmp_path}")
        for argument in container(program(), "prometheus")["args"]
    ]
    result = subprocess.run([tool("prometheus"), *arguments], capture_output=True, text=True, check=False, timeout=30)
    assert "Error loading config" in result.stderr
    assert "/etc/prometheus/config/prometheus.yml" in result.stderr
    assert "deprecated" not in result.stderr


def test_alertmanager_starts_with_its_arguments(program: Program, tmp_path: Path) -> None:
    """Alertmanager accepts the arguments, and then ends because its configuration file is missing."""
    arguments = [
        argument.replace("--storage.path=", f"--storage.path={tmp_path}")
        for argument in container(program(), "alertmanager")["args"]
        if not argument.startswith("--cluster")
    ]
    result = subprocess.run(
        [tool("alertmanager"), *arguments, "--cluster.listen-address="],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "/etc/alertmanager/config/alertmanager.yml" in result.stderr
    assert "unknown long flag" not in result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_alertmanager_joins_its_peers_by_either_kind_of_address(program: Program, tmp_path: Path, address: str) -> None:
    """Alertmanager opens its gossip port before it reads a configuration file, which is missing here."""
    (advertised,) = [one for one in container(program(), "alertmanager")["args"] if "advertise-address" in one]
    arguments = [
        advertised.replace("$(POD_IP)", address),
        "--cluster.listen-address=0.0.0.0:0",
        f"--config.file={tmp_path / 'absent.yml'}",
        f"--storage.path={tmp_path}",
        "--web.listen-address=127.0.0.1:0",
    ]
    result = subprocess.run([tool("alertmanager"), *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert "absent.yml" in result.stderr
    assert "unable to initialize gossip mesh" not in result.stderr


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("alertOverrides", '{"TargetDown": {"for": "7m"}}', {"prometheus-rules"}),  # no pod changes
        (
            "platformSlackUrl",
            "https://hooks.slack.com/services/hush-other",
            {
                "alertmanager-config",
                "alertmanager-statefulset",
                # The same channel in Grafana.
                "contact-points-platform-slack",
            },
        ),
    ],
)
def test_a_changed_setting_changes_only_the_resources_that_read_it(
    program: Program, setting: str, value: str, changed: set[str]
) -> None:
    before = {one.name: one.inputs for one in program("production").resources}
    after = {one.name: one.inputs for one in program("production", **{setting: value}).resources}
    # They contain a password that each run here generates; a real engine keeps the first one.
    generated = {"grafana-admin", "grafana-api"}
    assert {name for name in before if name not in generated and before[name] != after[name]} == changed


def test_checksum_is_stable_and_short(program: Program) -> None:
    pod = program("production").one("StatefulSet", "alertmanager").pod
    assert pod
    assert len(pod["metadata"]["annotations"][ANNOTATION]) == 32


def test_alertmanager_configuration_is_the_rendered_routing(program: Program) -> None:
    secret = program("production").one("Secret", "alertmanager-config")
    document = yaml.safe_load(secret.inputs["stringData"]["alertmanager.yml"])
    addresses = {receiver.pop("name"): next(one for (one,) in receiver.values()) for receiver in document["receivers"]}
    assert addresses["dead-mans-switch"]["url"] == SECRETS["deadMansSwitchUrl"]
    assert addresses["job-queue-slack"]["api_url"] == SECRETS["jobQueueSlackUrl"]
    assert addresses["oncall-pagerduty"]["routing_key"] == SECRETS["oncallPagerdutyKey"]
    assert addresses["media-email"]["to"] == "oncall-media@example.com"
    assert document["route"]["group_wait"] == "30s"
    assert document["templates"] == ["notifications.tmpl"]
    assert secret.inputs["stringData"]["notifications.tmpl"] == routing.message_templates()


def test_alertmanager_sends_mail_through_the_stacks_server(program: Program) -> None:
    recorded = program("production")
    document = yaml.safe_load(recorded.one("Secret", "alertmanager-config").inputs["stringData"]["alertmanager.yml"])
    assert document["global"] == {
        "pagerduty_url": "https://events.pagerduty.com/v2/enqueue",
        "smtp_smarthost": "email-smtp.eu-central-1.amazonaws.com:587",
        "smtp_from": "alerts@example.com",
        "smtp_auth_username": "smtp-production",
        "smtp_auth_password": placeholder("", "smtpPassword"),
        "smtp_require_tls": True,
    }
    egress = recorded.one("NetworkPolicy", "alertmanager").inputs["spec"]["egress"]
    assert [rule["ports"][0]["port"] for rule in egress if "to" not in rule] == [443, 587]
    assert [one["name"] for one in document["time_intervals"]] == ["nights", "weekends"]


def test_only_alertmanagers_gossip_with_each_other(program: Program) -> None:
    spec = program().one("NetworkPolicy", "alertmanager").inputs["spec"]
    itself = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}}}]
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        gossip = [rule for rule in spec[direction] if 9094 in {port["port"] for port in rule.get("ports", [])}]
        assert [rule[peers] for rule in gossip] == [itself]
        # By TCP alone, the replicas tell each other late.
        protocols = {port["protocol"] for rule in gossip for port in rule["ports"] if port["port"] == 9094}
        assert protocols == {"TCP", "UDP"}


def test_alertmanager_reaches_other_hosts_only_by_https(program: Program) -> None:
    egress = program().one("NetworkPolicy", "alertmanager").inputs["spec"]["egress"]
    assert [rule["ports"] for rule in egress if "to" not in rule] == [[{"protocol": "TCP", "port": 443}]]


def test_prometheus_may_only_discover_its_targets(program: Program) -> None:
    recorded = program()
    role = recorded.one("ClusterRole", "observability-prometheus")
    assert role.inputs["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": ["monitoring.coreos.com"], "resources": ["servicemonitors", "podmonitors"], "verbs": ["list"]},
    ]
    binding = recorded.one("ClusterRoleBinding", "observability-prometheus")
    assert binding.inputs["roleRef"]["name"] == role.object_name
    assert binding.inputs["subjects"] == [
        {"kind": "ServiceAccount", "name": "prometheus", "namespace": "observability"}
    ]


@pytest.mark.parametrize(("stack", "expected"), [("local", None), ("production", "observability-gp3")])
def test_volumes_have_their_storage_class_and_are_retained(program: Program, stack: str, expected: str | None) -> None:
    for one in program(stack).of("StatefulSet"):
        (claim,) = one.inputs["spec"]["volumeClaimTemplates"]
        assert claim["spec"].get("storageClassName") == expected
        assert one.inputs["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }


def test_replicas_and_namespace_follow_the_settings(program: Program) -> None:
    recorded = program(prometheusReplicas="3", alertmanagerReplicas="1", namespace="watch")
    assert recorded.one("StatefulSet", "prometheus").inputs["spec"]["replicas"] == 3
    peers = [one for one in container(recorded, "alertmanager")["args"] if "--cluster.peer=" in one]
    assert peers == ["--cluster.peer=alertmanager-0.alertmanager-peers.watch.svc:9094"]
    assert recorded.one("ClusterRole", "watch-prometheus")
