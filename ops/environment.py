"""Which cluster a stack lives in, read from its stack file; no engine is asked."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from ops.errors import OpsError, UsageError
from ops.kube import Cluster, Service

ROOT = Path(__file__).resolve().parent.parent
LOCAL = "local"
_PREFIX = "observability:"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a drill must know about a stack."""

    stack: str
    root: Path
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    """The stack's values over the project's defaults, without the `observability:` before the keys."""

    def cluster(self) -> Cluster:
        """Where the stack runs. Raises OpsError when its kubeconfig is no file."""
        return _cluster(self.stack, self.values, self.root)

    @property
    def has_simulator(self) -> bool:
        """Whether the stack runs the simulated workloads and the receiver."""
        return str(self.values.get("simulator", "")).lower() == "true"

    @property
    def namespace(self) -> str:
        """Where Prometheus and Alertmanager run."""
        return str(self.values.get("namespace", "observability"))

    def services(self) -> dict[str, Service]:
        """Prometheus, Alertmanager, the fault switches and the receiver."""
        return {
            "prometheus": Service(namespace=self.namespace, name="prometheus", port=9090),
            "alertmanager": Service(namespace=self.namespace, name="alertmanager", port=9093),
            "simulator": Service(namespace="job-queue", name="jq-server", port=8000),
            "receiver": Service(namespace="receiver", name="receiver", port=8080),
        }


def load(stack: str, *, root: Path = ROOT) -> Environment:
    """Read `Pulumi.<stack>.yaml` over the defaults of `Pulumi.yaml`. Raises UsageError for an unknown stack."""
    known = sorted(file.name.split(".")[1] for file in root.glob("Pulumi.*.yaml"))
    if stack not in known:
        raise UsageError(f"unknown environment {stack!r}; there are: {', '.join(known) or 'none (no Pulumi.*.yaml)'}")
    values = {**_values(root / "Pulumi.yaml"), **_values(root / f"Pulumi.{stack}.yaml")}
    if stack == LOCAL and os.environ.get("KUBE_CONTEXT"):  # as `make up` decided with the same variables
        values["simulator"] = "true" if os.environ.get("SIMULATOR_IMAGE") else "false"
    return Environment(stack=stack, root=root, values=values)


def _cluster(stack: str, values: dict[str, Any], root: Path) -> Cluster:
    kubeconfig, context = values.get("kubeconfig"), values.get("kubeContext")
    named = os.environ.get("KUBE_CONTEXT")
    if stack == LOCAL and named:  # what `make up` did with the same variable
        return Cluster(context=named)
    path = Path(str(kubeconfig)).expanduser() if kubeconfig else None
    if path and not (root / path).is_file():
        hint = "; `make up` makes it" if stack == LOCAL else ""
        raise OpsError(f"{_PREFIX}kubeconfig of stack {stack} names {path}, which is no file{hint}")
    if values.get("cloud") == "eks" and not path and not context:
        return _eks_cluster(stack, values, named)
    return Cluster(kubeconfig=root / path if path else None, context=str(context) if context else None)


def _eks_cluster(stack: str, values: dict[str, Any], named: str | None) -> Cluster:
    """The program finds the cluster through AWS; kubectl needs a context, and its current one may be of any cluster."""
    if named:
        return Cluster(context=named)
    command = f"aws eks update-kubeconfig --name {values.get('clusterName')} --region {values.get('awsRegion')}"
    raise OpsError(
        f"stack {stack} names no {_PREFIX}kubeContext; set KUBE_CONTEXT to the context of its cluster, which this "
        f"makes: {command} --alias {values.get('clusterName')}"
    )


def _values(file: Path) -> dict[str, Any]:
    """The `observability:` values of a stack file, or the defaults of the project file."""
    document = cast(dict[str, Any], yaml.safe_load(file.read_text(encoding="utf-8")) or {}) if file.is_file() else {}
    values: dict[str, Any] = {}
    for key, value in cast(dict[str, Any], document.get("config") or {}).items():
        plain = cast(dict[str, Any], value) if isinstance(value, dict) else None
        if plain is not None and "secure" in plain:
            continue  # an encrypted value is not ours to read
        if plain is not None and "default" in plain:
            values[key.removeprefix(_PREFIX)] = plain["default"]
        elif file.name != "Pulumi.yaml":
            values[key.removeprefix(_PREFIX)] = value
    return values
