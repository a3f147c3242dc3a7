"""Reads the state of a stack that the engine exports."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pulumi import automation

from engine.cluster_reader import ClusterReader
from local.errors import LocalError

_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 (key that marks a secret in a state; the same in all SDKs)
_PROVIDER = "pulumi:providers:kubernetes"
_SHORT = 3
Resource = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of the last run. Its secrets are in plain text: do not show or write them."""

    resources: Sequence[Resource]
    secrets: frozenset[str]
    """Every text that the state marks as secret."""

    def cluster(self) -> ClusterReader | None:
        """A reader for the stack's cluster; None without a cluster. Raises LocalError for an unusable kubeconfig."""
        for resource in self.resources:
            if resource["type"] == _PROVIDER:
                given = resource.get("inputs") or {}
                return ClusterReader(
                    kubeconfig=str(given.get("kubeconfig") or ""), context=str(given.get("context") or "")
                )
        return None

    def why_not_ready(self) -> list[str]:
        """Pods, events and last log lines of workloads that the last run left unready, with secrets masked.

        Empty if the cluster cannot be read, because these lines only supplement the provider's error.
        """
        failed = [one for one in self.resources if one.get("initErrors") and one["type"].startswith("kubernetes:")]
        try:
            reader = self.cluster()
            lines = [line for one in failed if reader for line in reader.unready_pods(*_workload(one))]
        except LocalError:
            return []
        return [self._masked(line) for line in lines]

    def _masked(self, line: str) -> str:
        # Very short texts occur everywhere; masking them would make the line unreadable.
        for secret in sorted((one for one in self.secrets if len(one) > _SHORT), key=len, reverse=True):
            line = line.replace(secret, "[secret]")
        return line


def read(stack: automation.Stack) -> State:
    """The state of a stack. Raises automation.CommandError if it cannot be read."""
    exported = (stack.export_stack().deployment or {}).get("resources") or []
    secrets: set[str] = set()
    return State(resources=[_revealed(one, secrets) for one in exported], secrets=frozenset(secrets))


def _workload(resource: Resource) -> tuple[str, str, str]:
    """Kind, namespace and name of a Kubernetes resource."""
    namespace, _, name = str(resource.get("id", "")).rpartition("/")
    return resource["type"].rpartition(":")[2], namespace or "default", name


def _revealed(value: Any, secrets: set[str]) -> Any:  # noqa: ANN401 (JSON in, JSON out)
    """`value` with its marked secrets replaced by their plain texts, which are also added to `secrets`."""
    if isinstance(value, dict):
        inner = cast(dict[str, Any], value)
        if _SECRET in inner and isinstance(inner.get("plaintext"), str):
            plain = json.loads(inner["plaintext"])
            secrets.update(_texts(plain))
            return plain
        return {key: _revealed(item, secrets) for key, item in inner.items()}
    if isinstance(value, list):
        return [_revealed(item, secrets) for item in cast(list[Any], value)]
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast(dict[str, Any], value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _texts(item)
