"""A failed port forward reports kubectl's own message and leaves no process behind."""

import subprocess
from pathlib import Path

import pytest

from local.ports import free_port
from ops.clients import kube
from ops.errors import OpsError

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: away, context: {cluster: away, user: nobody}}]
clusters: [{name: away, cluster: {server: "http://127.0.0.1:%d"}}]
users: [{name: nobody, user: {}}]
"""


def test_an_unreachable_cluster_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube, "START_TIMEOUT", 2.0)
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG % free_port())
    cluster = kube.Cluster(kubeconfig=file)
    service = kube.Service(namespace="a", name="b", port=80)

    with (
        pytest.raises(OpsError, match=r"service a/b .* cannot be reached: .*refused"),
        kube.service_url(cluster, service),
    ):
        pytest.fail("there is no cluster")

    found = subprocess.run(["pgrep", "-f", str(file)], capture_output=True, text=True, check=False)
    assert found.stdout == ""
