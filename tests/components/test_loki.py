"""The Loki component creates its resources from its arguments, and the real Loki accepts its configuration."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from components.logs import loki_config
from components.logs.loki import Loki, LokiArgs
from components.logs.loki_config import S3, LokiConfig
from local.toolchain import tool
from settings import sizes
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
AWS = S3(bucket="logs", region="eu-central-1")
MINIO = S3(bucket="logs", region="", endpoint="http://minio.storage.svc:9000")
CONFIG: dict[str, Any] = {
    "s3": None,
    "replicas": 1,
    "retention": "30d",
    "memory_bytes": 2**29,
    "cluster": "test",
    "evaluation_interval": "15s",
    "rule_files": {},
    "grafana_url": "http://localhost:3000",
    "alertmanagers": ["alertmanager-0:9093", "alertmanager-1:9093"],
    "peers": "loki-peers.home.svc:7946",
}


def rendered(**changes: Any) -> str:
    return loki_config.render(LokiConfig(**CONFIG | changes))


def arguments(**changes: Any) -> LokiArgs:
    plain: LokiArgs = {
        "namespace": "home",
        "replicas": 1,
        "retention": "30d",
        "storage": "2Gi",
        "storage_class": None,
        "memory": "512Mi",
        "s3": None,
        "evaluation_interval": "15s",
        "cluster": "test",
        "grafana_url": "http://localhost:3000",
        "rule_files": {"speccursor.yaml": "groups: []\n"},
        "alertmanagers": ["alertmanager-0:9093"],
        "clients": ["otel-gateway", "grafana", "prometheus"],
    }
    return cast(LokiArgs, {**plain, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"s3": AWS},
        {"s3": AWS, "replicas": 3},
        {"s3": MINIO},
        {"s3": MINIO, "replicas": 3},
        {"retention": "1d"},
        {"retention": "52w"},
    ],
    ids=str,
)
def test_loki_accepts_the_configuration(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = tmp_path / "loki.yaml"
    file.write_text(rendered(**changes))
    command = [tool("loki"), "-verify-config", "-config.expand-env=true", f"-config.file={file}"]
    result = subprocess.run(
        command, env={**os.environ, "POD_IP": "10.0.0.1"}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_loki_refuses_an_unknown_key(tmp_path: Path) -> None:
    """Shows that the check of the configuration can fail."""
    file = tmp_path / "loki.yaml"
    file.write_text(rendered().replace("retention_enabled", "retention_on"))
    command = [tool("loki"), "-verify-config", f"-config.file={file}"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"replicas": 2}, "2 replicas of Loki need an S3 bucket: they cannot share a file system"),
        ({"s3": S3(bucket="", region="x")}, "Loki's S3 storage needs a bucket"),
        ({"retention": "12h"}, "must be at least 1d"),
    ],
)
def test_wrong_arguments_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        rendered(**changes)


@pytest.mark.parametrize("text", ["30d", "1d", "24h", "2w", "1d24h"])
def test_a_retention_of_whole_days_is_accepted(text: str) -> None:
    assert sizes.loki_retention_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must be a Prometheus duration"),
        ("30", "must be a Prometheus duration"),
        ("a month", "must be a Prometheus duration"),
        ("0", "must be at least 1d"),
        ("12h", "must be at least 1d"),
        ("25h", "must be whole days"),
        ("1d1s", "must be whole days"),
    ],
)
def test_other_retentions_are_refused(text: str, problem: str) -> None:
    assert (sizes.loki_retention_problem(text) or "").startswith(problem)


@pytest.mark.parametrize(("replicas", "copies"), [(1, 1), (2, 1), (3, 3), (5, 3)])
def test_the_replication_factor_follows_the_replicas(replicas: int, copies: int) -> None:
    document = yaml.safe_load(rendered(s3=AWS, replicas=replicas))
    assert document["common"]["replication_factor"] == copies


def test_alerts_go_to_every_alertmanager_and_lines_older_than_the_retention_are_refused() -> None:
    document = yaml.safe_load(rendered(retention="3d"))
    assert document["ruler"]["alertmanager_url"] == "http://alertmanager-0:9093,http://alertmanager-1:9093"
    assert document["ruler"]["external_labels"] == {"cluster": "test"}
    assert document["limits_config"]["reject_old_samples_max_age"] == "72h"
    assert document["limits_config"]["retention_period"] == "72h"
    assert document["compactor"]["retention_enabled"] is True


def test_a_single_replica_has_no_ring_of_members() -> None:
    alone, three = (yaml.safe_load(rendered(s3=AWS, replicas=replicas)) for replicas in (1, 3))
    assert "memberlist" not in alone
    assert (alone["common"]["ring"]["kvstore"]["store"], alone["ingester"]["autoforget_unhealthy"]) == (
        "inmemory",
        False,
    )
    assert three["memberlist"]["join_members"] == ["loki-peers.home.svc:7946"]
    assert (three["common"]["ring"]["kvstore"]["store"], three["ingester"]["autoforget_unhealthy"]) == (
        "memberlist",
        True,
    )


@pytest.mark.parametrize(("replicas", "mebibytes", "streams"), [(1, 512, 8192), (3, 512, 8192), (6, 1024, 32768)])
def test_streams_are_limited_by_memory(replicas: int, mebibytes: int, streams: int) -> None:
    limits = yaml.safe_load(rendered(s3=AWS, replicas=replicas, memory_bytes=mebibytes * 2**20))["limits_config"]
    assert limits["max_global_streams_per_user"] == streams


def test_deletion_markers_are_in_the_shared_bucket() -> None:
    assert yaml.safe_load(rendered(s3=AWS))["compactor"]["deletion_marker_object_store_prefix"] == "deletion-markers/"
    assert "deletion_marker_object_store_prefix" not in yaml.safe_load(rendered())["compactor"]


def test_only_labels_with_few_values_are_indexed() -> None:
    otlp = yaml.safe_load(rendered())["limits_config"]["otlp_config"]["resource_attributes"]
    assert otlp == {
        "ignore_defaults": True,
        "attributes_config": [{"action": "index_label", "attributes": ["namespace", "app", "service"]}],
    }


def test_loki_on_a_file_system_has_a_volume_and_no_credentials(engine: Engine, preview: bool) -> None:
    recorded = engine(lambda: Loki("logs", arguments()), preview=preview)
    assert recorded.outputs == {"logs": {"url": "http://loki.home.svc:3100"}}
    parts = ("config", "rules", "network", "service", "peers", "statefulset", "budget")
    assert {one.name for one in recorded.resources} == {"logs", *(f"logs-{part}" for part in parts)}
    (pod,) = recorded.pods
    assert pod.pod
    spec = pod.pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsUser"] == 10001
    (container,) = spec["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.pop("tmp")
    assert mounts == {"config": "/etc/loki/config", "rules": "/etc/loki/rules/fake", "data": "/loki"}
    assert "envFrom" not in container
    assert not recorded.of("ServiceAccount")
    assert not recorded.of("Secret")


def test_only_a_changed_configuration_restarts_loki(engine: Engine) -> None:
    def annotations(**changes: Any) -> dict[str, str]:
        recorded = engine(lambda: Loki("logs", arguments(**changes)))
        recorded.outputs.clear()  # so that the same component can register its outputs again
        pod = recorded.pods[-1].pod
        assert pod
        return pod["metadata"]["annotations"]

    first = annotations()
    changed = {"speccursor.yaml": "groups: [{name: other, rules: []}]\n"}
    assert annotations(rule_files=changed) == first
    assert annotations(retention="60d") != first


def test_loki_reaches_a_bucket_on_aws_with_its_pod_identity(engine: Engine, preview: bool) -> None:
    recorded = engine(lambda: Loki("logs", arguments(s3=AWS, replicas=3)), preview=preview)
    (pod,) = recorded.pods
    assert pod.pod
    assert pod.pod["spec"]["serviceAccountName"] == "loki"
    (account,) = recorded.of("ServiceAccount")
    assert account.inputs["automountServiceAccountToken"] is False
    (policy,) = recorded.of("NetworkPolicy")
    open_ports = [rule["ports"] for rule in policy.inputs["spec"]["egress"] if "to" not in rule]
    assert open_ports == [[{"protocol": "TCP", "port": 443}]]
    blocks = [peer for rule in policy.inputs["spec"]["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
    assert blocks == [{"ipBlock": {"cidr": "169.254.170.23/32"}}, {"ipBlock": {"cidr": "fd00:ec2::23/128"}}]


def test_the_key_for_another_s3_server_stays_secret(engine: Engine, preview: bool) -> None:
    key = {"access_key_id": "id-of-key", "secret_access_key": "hush-key"}
    recorded = engine(lambda: Loki("logs", arguments(s3=MINIO, s3_credentials=key)), preview=preview)
    (secret,) = recorded.of("Secret")
    assert secret.secret_inputs == {"stringData"}
    assert set(secret.inputs["stringData"]) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert "hush-key" not in str([one.inputs for one in recorded.resources if one is not secret])
    (policy,) = recorded.of("NetworkPolicy")
    assert [{"protocol": "TCP", "port": 9000}] in [rule["ports"] for rule in policy.inputs["spec"]["egress"]]


def test_only_its_clients_reach_loki(engine: Engine) -> None:
    (policy,) = engine(lambda: Loki("logs", arguments())).of("NetworkPolicy")
    outside, peers = policy.inputs["spec"]["ingress"]
    names = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for peer in outside["from"][:-1]]
    assert names == ["otel-gateway", "grafana", "prometheus"]
    assert outside["ports"] == [{"protocol": "TCP", "port": 3100}]
    assert peers["ports"] == [{"protocol": "TCP", "port": port} for port in (9095, 7946)]


def test_several_replicas_on_a_file_system_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="cannot share a file system"):
        engine(lambda: Loki("logs", arguments(replicas=3)))
