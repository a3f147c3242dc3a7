"""A changed secret restarts each pod that reads it only when it starts: variables of a running pod never change."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.mock_engine import Recorded, Registration

# Config key -> a second value that the key allows.
ROTATED = {
    "opensearchPassword": "Rotated-1",
    "smtpPassword": "rotated",
    "oidcClientSecret": "rotated",
    "platformSlackUrl": "https://hooks.slack.com/services/T0/B0/rotated",
}


def read_at_start(pod: dict[str, Any]) -> Iterator[str]:
    """Names of the Secrets that the containers of a pod have in variables."""
    for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])):
        for variable in container.get("env", []):
            if found := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield found["name"]
        for source in container.get("envFrom", []):
            if found := source.get("secretRef"):
                yield found["name"]


def secrets(recorded: Recorded) -> dict[tuple[str | None, str], Any]:
    return {(one.namespace, one.object_name): one.inputs.get("stringData") for one in recorded.of("Secret")}


def template(workload: Registration) -> dict[str, Any]:
    assert workload.pod
    return workload.pod


@pytest.mark.parametrize("key", ROTATED)
def test_pods_restart_with_the_secrets_in_their_variables(program: Callable[..., Recorded], key: str) -> None:
    old, new = (program("production", logIndex="true", **changes) for changes in ({}, {key: ROTATED[key]}))
    before, after = secrets(old), secrets(new)
    changed = {name for name, data in after.items() if before[name] != data}
    assert changed, f"no Secret holds {key}"
    former = {one.name: template(one) for one in old.pods}
    for workload in new.pods:
        reads = {(workload.namespace, name) for name in read_at_start(template(workload))}
        if reads & changed:
            assert template(workload) != former[workload.name], f"{workload.name} keeps the old {key}"


def test_there_are_such_pods(program: Callable[..., Recorded]) -> None:
    recorded = program("production", logIndex="true")
    assert {"jaeger", "otel-gateway"} <= {one.object_name for one in recorded.pods if [*read_at_start(template(one))]}
