"""The namespaces and pods of one run."""

import json
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import urllib3
from kubernetes import client, config

from ops.attack.attacks import PORT, AttackPod, Plan
from ops.clients.kube import Cluster
from ops.errors import OpsError

_PROGRAM = Path(__file__).with_name("attacker.py")
_USER = 65534
_NAME = "app.kubernetes.io/name"
_LABEL = "observability/attack"
_LIFETIME = 3600
"""Seconds after which a pod ends by itself."""
_ACCOUNT = 60.0
"""Seconds for a new namespace to get its service account, without which it takes no pods."""
_PAUSE = 0.5
_FORBIDDEN, _NOT_FOUND = 403, 404


class AttackCluster:
    """A cluster in which the pods of a plan run. Raises OpsError when the API server rejects a call."""

    def __init__(self, cluster: Cluster, image: str) -> None:
        """`image` has Python."""
        file = str(cluster.kubeconfig) if cluster.kubeconfig else None
        try:
            api = config.new_client_from_config(config_file=file, context=cluster.context)
        except config.ConfigException as error:
            raise OpsError(f"no access to the cluster ({cluster}): {error}") from error
        self._core = client.CoreV1Api(api)
        self._image = image

    @contextmanager
    def running(self, plan: Plan, agent: str) -> Generator[None]:
        """The plan's pods, which are removed with their namespaces at the end, whatever happens.

        A run that was killed left its own behind. They end by themselves after an hour, and are removed here.
        """
        with _told():
            self._remove([name for name, age in self._namespaces().items() if age > _LIFETIME])
        try:
            with _told():
                for namespace, pods in plan.pods.items():
                    labels = {_LABEL: "true"} | ({"observability/access": "true"} if namespace == plan.reader else {})
                    self._core.create_namespace(cast(Any, {"metadata": {"name": namespace, "labels": labels}}))
                    for pod in pods:
                        self._create(namespace, self._pod(pod, agent))
            yield
        finally:
            with _told():
                self._remove([*plan.pods])

    def left(self, plan: Plan) -> list[str]:
        """The plan's namespaces that still exist."""
        with _told():
            return sorted({*plan.pods} & {*self._namespaces()})

    def rounds(self, namespace: str, pod: str) -> list[dict[str, Any]]:
        """What the pod's program found in each of its rounds so far. Raises OpsError if it failed."""
        with _told():
            found = cast(Any, self._core.read_namespaced_pod(pod, namespace))
            if found.status.phase not in ("Running", "Succeeded", "Failed"):
                return []
            text = str(self._core.read_namespaced_pod_log(pod, namespace))
        if found.status.phase == "Failed":
            raise OpsError(f"pod {namespace}/{pod} failed: {text[-500:]}")
        # The last line may not be complete yet.
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"round"')]

    def _create(self, namespace: str, pod: dict[str, Any]) -> None:
        """Create a pod, once the new namespace has its service account."""
        deadline = time.monotonic() + _ACCOUNT
        while True:
            try:
                self._core.create_namespaced_pod(namespace, cast(Any, pod))
            except client.ApiException as error:
                if error.status != _FORBIDDEN or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def _namespaces(self) -> dict[str, float]:
        """Namespaces of all runs, and their ages in seconds."""
        found = cast(Any, self._core.list_namespace(label_selector=_LABEL)).items
        return {one.metadata.name: time.time() - one.metadata.creation_timestamp.timestamp() for one in found}

    def _remove(self, namespaces: Sequence[str]) -> None:
        """Delete all of these. One that cannot be deleted does not keep the others."""
        failed: list[str] = []
        for namespace in namespaces:
            try:
                self._core.delete_namespace(namespace)
            except client.ApiException as error:
                if error.status != _NOT_FOUND:
                    failed.append(f"{namespace} ({error.reason})")
            except urllib3.exceptions.HTTPError as error:
                failed.append(f"{namespace} ({error})")
        if failed:
            raise OpsError(f"not deleted, so delete them with kubectl: {', '.join(failed)}")

    def _pod(self, pod: AttackPod, agent: str) -> dict[str, Any]:
        scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)} if pod.scraped else {}
        return {
            "metadata": {"name": pod.name, "labels": {_NAME: pod.name}, "annotations": scraped},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 0,
                "activeDeadlineSeconds": _LIFETIME,
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": pod.name,
                        "image": self._image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "-c", _PROGRAM.read_text(encoding="utf-8")],
                        "env": [{"name": "TASK", "value": pod.variable(agent)}],
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "64Mi"},
                            "limits": {"memory": "128Mi"},
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except client.ApiException as error:
        raise OpsError(f"the API server answered {error.status} {error.reason}") from error
    except urllib3.exceptions.HTTPError as error:
        raise OpsError(f"the cluster does not answer: {error}") from error
