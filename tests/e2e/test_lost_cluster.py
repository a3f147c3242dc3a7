"""The drill "the cluster is lost": a new stack in a new cluster takes over the bucket, and finds the earlier lines."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from kubernetes import config

from engine import actions
from engine.workspace import Workspace
from local import choice
from local.image_registry import Relay
from local.node_process import Node
from local.paths import ROOT
from local.toolchain import tool
from tests.backends.servers import S3Server, s3_server
from tests.e2e.conftest import eventually
from tests.e2e.second_checkout import local, second_checkout

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
BUCKET = "logs-that-outlive-a-cluster"
NAMESPACE = "observability"
_HOUR_NS = 3600 * 10**9


@contextmanager
def _cluster(checkout: Path, s3: S3Server) -> Generator[None]:
    """A new cluster whose pods reach the S3 server on this machine as a Service; at the end, it is lost."""
    local(checkout, "cluster", "up")
    node = Node(**json.loads((checkout / ".state/node/var/lib/node.json").read_text()))
    port = urlsplit(s3.endpoint).port
    assert port
    # Pods of the embedded cluster connect to nothing on this machine, except for this port.
    to_s3 = ("-i", "cni0", "-o", "eth0", "-p", "tcp", "-d", node.host_address, "--dport", str(port))
    node.run("iptables", "-t", "mangle", "-I", "FORWARD", *to_s3, "-j", "ACCEPT")
    objects = checkout / "s3.yaml"
    objects.write_text(yaml.safe_dump_all(_service(node.host_address, port)))
    local(checkout, "kubectl", "apply", "-f", str(objects))
    with Relay(node.host_address, port) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield
        os.kill(node.pid, signal.SIGKILL)
        relay.shutdown()
        thread.join()
    local(checkout, "cluster", "down")


def _service(address: str, port: int) -> list[dict[str, Any]]:
    """A Service without pods, whose endpoint is this machine."""
    metadata = {"name": "s3", "namespace": "s3"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "s3"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "s3"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [{"port": port}],
        },
    ]


def _stack(name: str, checkout: Path, state: Path, s3: S3Server) -> Workspace:
    """A stack with the bucket, whose key is encrypted in its file."""
    workspace = Workspace(stack=name, root=checkout, state=state / name)
    workspace.backend.mkdir(parents=True)
    environment = {**os.environ, **workspace.environment()}

    def pulumi(*arguments: str, stdin: str = "") -> None:
        subprocess.run([tool("pulumi"), *arguments], cwd=checkout, env=environment, input=stdin, text=True, check=True)

    pulumi("stack", "init", name)
    for key, value in (("lokiS3AccessKeyId", s3.access_key_id), ("lokiS3SecretAccessKey", s3.secret_access_key)):
        pulumi("config", "set", "--stack", name, "--secret", f"observability:{key}", stdin=value)
    file = checkout / f"Pulumi.{name}.yaml"
    own = yaml.safe_load(file.read_text())
    values = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    changes = {
        "clusterName": name,
        "kubeconfig": str(checkout / ".state/kubeconfig"),
        "builtImages": str(choice.builds_images()).lower(),
        "simulator": "false",
        "grafana": "false",
        "prometheusReplicas": "1",
        "alertmanagerReplicas": "1",
        "collectorReplicas": "1",
        "lokiStorageBackend": "s3",
        "lokiBucket": BUCKET,
        "lokiS3Endpoint": f"http://s3.s3.svc:{urlsplit(s3.endpoint).port}",
    }
    own["config"] |= values | {f"observability:{key}": value for key, value in changes.items()}
    file.write_text(yaml.safe_dump(own))
    return workspace


def _loki(path: str) -> str:
    return f"/api/v1/namespaces/{NAMESPACE}/pods/loki-0:3100/proxy{path}"


def _write(checkout: Path, text: str) -> None:
    """Send a log line to Loki by OTLP, as a gateway does."""
    resource = {"attributes": [{"key": "namespace", "value": {"stringValue": "shop"}}]}
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
    cluster = config.new_client_from_config(str(checkout / ".state/kubeconfig"))
    url = f"{cluster.configuration.host}{_loki('/otlp/v1/logs')}"
    # `kubectl create --raw` does not say that the content is JSON.
    answer: Any = cluster.call_api("POST", url, {"Content-Type": "application/json"}, body)
    assert answer.status == HTTPStatus.NO_CONTENT, answer.read()


def _lines(checkout: Path) -> list[str]:
    """The lines of the last hour."""
    now = time.time_ns()
    query = urlencode({"query": '{namespace="shop"}', "start": now - _HOUR_NS, "end": now, "direction": "forward"})
    answer = json.loads(local(checkout, "kubectl", "get", "--raw", _loki(f"/loki/api/v1/query_range?{query}")))
    return [line for stream in answer["data"]["result"] for _, line in stream["values"]]


def test_a_new_stack_in_a_new_cluster_finds_the_lines_of_the_lost_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "for-this-test-only")
    with s3_server(tmp_path / "s3", BUCKET, tls=False) as s3, second_checkout(tmp_path) as checkout:
        with _cluster(checkout, s3):
            actions.up(_stack("lost", checkout, tmp_path, s3), report=lambda _line: None)
            _write(checkout, "stored before the loss")
            # A restart writes what is in memory to the bucket, as Loki does after two hours at the latest.
            local(checkout, "kubectl", "--namespace", NAMESPACE, "delete", "pod", "loki-0")
            local(checkout, "kubectl", "--namespace", NAMESPACE, "rollout", "status", "statefulset/loki")
            eventually(lambda: _lines(checkout), seconds=60, what="the bucket is not read")
            _write(checkout, "on the lost volume only")
            assert _lines(checkout) == ["stored before the loss", "on the lost volume only"]
        # The old stack's file must not name the bucket any more: two stacks that share one are refused.
        before = checkout / "Pulumi.lost.yaml"
        before.write_text(before.read_text().replace(f"observability:lokiBucket: {BUCKET}\n", ""))
        with _cluster(checkout, s3):
            actions.up(_stack("regained", checkout, tmp_path, s3), report=lambda _line: None)
            assert _lines(checkout) == ["stored before the loss"]
            _write(checkout, "of the new cluster")
            assert _lines(checkout) == ["stored before the loss", "of the new cluster"]
