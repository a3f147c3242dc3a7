"""The requests to the Kubernetes API that platform faults make."""

from types import SimpleNamespace
from typing import Any

import pytest

from ops.clients.cluster_api import ClusterApi
from ops.errors import OpsError


class RecordingApi:
    """A fake Kubernetes API that records its calls and always gives the same answer."""

    def __init__(self, answer: Any = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer = answer

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **_: Any) -> Any:
            self.calls.append((name, *arguments))
            return self.answer

        return call


def api(answer: Any) -> tuple[ClusterApi, RecordingApi]:
    cluster, recorder = ClusterApi.__new__(ClusterApi), RecordingApi(answer)
    cluster.namespace = "observability"
    vars(cluster).update(_apps=recorder, _core=recorder, _receiver="receiver")
    return cluster, recorder


def test_scaling_records_the_former_replicas_in_the_same_request() -> None:
    cluster, recorder = api(None)
    cluster.scale("StatefulSet", "loki", 0, before=2)
    cluster.scale("Deployment", "grafana", 1, before=None)
    key = "fire-alerts.observability/replicas-before"
    down = {"metadata": {"annotations": {key: "2"}}, "spec": {"replicas": 0}}
    back = {"metadata": {"annotations": {key: None}}, "spec": {"replicas": 1}}
    assert recorder.calls == [
        ("patch_namespaced_stateful_set", "loki", "observability", down),
        ("patch_namespaced_deployment", "grafana", "observability", back),
    ]


@pytest.mark.parametrize(
    ("annotations", "before"), [({"fire-alerts.observability/replicas-before": "2"}, 2), (None, None)]
)
def test_the_recorded_replicas_are_read_back(annotations: dict[str, str] | None, before: int | None) -> None:
    cluster, _ = api(SimpleNamespace(metadata=SimpleNamespace(annotations=annotations)))
    assert cluster.replicas_before("StatefulSet", "loki") == before


def test_recorded_replicas_that_are_no_number_are_an_error() -> None:
    found = SimpleNamespace(metadata=SimpleNamespace(annotations={"fire-alerts.observability/replicas-before": "two"}))
    with pytest.raises(OpsError, match=r"StatefulSet loki.*'two'.*number"):
        api(found)[0].replicas_before("StatefulSet", "loki")


def test_another_namespace_is_another_object() -> None:
    cluster, recorder = api(None)
    cluster.within("api").scale("Deployment", "api", 0, before=1)
    assert recorder.calls[0][1:3] == ("api", "api")
    assert cluster.namespace == "observability"


def test_a_forgotten_pod_ends_by_itself() -> None:
    spec = SimpleNamespace(template=SimpleNamespace(spec=SimpleNamespace(containers=[SimpleNamespace(image="i")])))
    cluster, recorder = api(SimpleNamespace(spec=spec))
    cluster.create_pod("p", script="pass", annotations={})
    (_, _, body) = recorder.calls[-1]
    assert body["spec"]["activeDeadlineSeconds"] == 1800
    assert body["spec"]["restartPolicy"] == "Always"
