"""The settings of a stack and the cluster it runs in, read from its stack file without the engine."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerting.files import ROOT
from engine.workspace import machine_config
from ops.clients.kube import Cluster, Service
from ops.errors import OpsError, UsageError
from settings import stack_files
from settings.apps import ALERTMANAGER, PROMETHEUS, RECEIVER, App
from settings.parsing import PROJECT
from settings.stack_files import StackFileError

LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One stack and its settings."""

    stack: str
    root: Path
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    """The stack's values merged over the project's defaults; keys without the prefix `observability:`."""

    def cluster(self) -> Cluster:
        """The cluster that the stack runs in. Raises OpsError when its kubeconfig does not exist."""
        return _cluster(self.stack, self.values, self.root)

    @property
    def has_simulator(self) -> bool:
        """Whether the stack runs the simulated workloads and the receiver."""
        return str(self.values.get("simulator", "")).lower() == "true"

    @property
    def namespace(self) -> str:
        """Namespace of Prometheus and Alertmanager."""
        return str(self.values.get("namespace", "observability"))

    def service(self, app: App) -> Service:
        """The Kubernetes service of a platform app."""
        return Service(namespace=self.namespace, name=app.name, port=app.port)

    def services(self) -> dict[str, Service]:
        """Services of Prometheus, Alertmanager and the notification receiver."""
        return {
            "prometheus": self.service(PROMETHEUS),
            "alertmanager": self.service(ALERTMANAGER),
            "receiver": Service(namespace=RECEIVER.name, name=RECEIVER.name, port=RECEIVER.port),
        }


def load(stack: str, *, root: Path = ROOT) -> Environment:
    """Read `Pulumi.<stack>.yaml` merged over the defaults of `Pulumi.yaml`.

    Raises UsageError for an unknown stack, OpsError for an unreadable file.
    """
    known = stack_files.names(root)
    if stack not in known:
        raise UsageError(f"unknown environment {stack!r}; there are: {', '.join(known) or 'none (no Pulumi.*.yaml)'}")
    try:
        values = stack_files.read(stack, root).values
    except StackFileError as error:
        raise OpsError(str(error)) from error
    if os.environ.get("KUBE_CONTEXT"):  # the stack runs as `make up` deployed it
        values |= {key.removeprefix(f"{PROJECT}:"): value for key, value in machine_config(stack, root).items()}
    return Environment(stack=stack, root=root, values=values)


def _cluster(stack: str, values: dict[str, Any], root: Path) -> Cluster:
    kubeconfig, context = values.get("kubeconfig"), values.get("kubeContext")
    path = Path(str(kubeconfig)).expanduser() if kubeconfig else None
    if path and not (root / path).is_file():
        hint = "; `make up` creates it" if stack == LOCAL else ""
        raise OpsError(f"{PROJECT}:kubeconfig of stack {stack} names {path}, which does not exist{hint}")
    if values.get("cloud") == "eks" and not path and not context:
        return _eks_cluster(stack, values, os.environ.get("KUBE_CONTEXT"))
    return Cluster(kubeconfig=root / path if path else None, context=str(context) if context else None)


def _eks_cluster(stack: str, values: dict[str, Any], named: str | None) -> Cluster:
    """The context in KUBE_CONTEXT. kubectl's current context may belong to another cluster, so it is not used.

    Raises OpsError, with the command that creates a context, when the variable is not set.
    """
    if named:
        return Cluster(context=named)
    command = f"aws eks update-kubeconfig --name {values.get('clusterName')} --region {values.get('awsRegion')}"
    raise OpsError(
        f"stack {stack} does not set {PROJECT}:kubeContext; set KUBE_CONTEXT to the context of its cluster, which "
        f"this command creates: {command} --alias {values.get('clusterName')}"
    )
