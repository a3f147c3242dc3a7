"""What the faults of the platform ask of the Kubernetes API."""

from types import SimpleNamespace
from typing import Any

import pytest

from ops.clients.cluster_api import ClusterApi
from ops.errors import OpsError


class NoCluster:
    """Remembers what is asked of the Kubernetes API."""

    def __init__(self, answer: Any = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answer = answer

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **_: Any) -> Any:
            self.calls.append((name, *arguments))
            return self.answer

        return call


def api(answer: Any) -> tuple[ClusterApi, NoCluster]:
    made, asked = ClusterApi.__new__(ClusterApi), NoCluster(answer)
    made.namespace = "observability"
    vars(made).update(_apps=asked, _core=asked, _receiver="receiver")
    return made, asked


def test_the_replicas_before_are_noted_in_the_same_request_that_scales() -> None:
    made, asked = api(None)
    made.scale("StatefulSet", "loki", 0, before=2)
    made.scale("Deployment", "grafana", 1, before=None)
    key = "fire-alerts.observability/replicas-before"
    down = {"metadata": {"annotations": {key: "2"}}, "spec": {"replicas": 0}}
    back = {"metadata": {"annotations": {key: None}}, "spec": {"replicas": 1}}
    assert asked.calls == [
        ("patch_namespaced_stateful_set", "loki", "observability", down),
        ("patch_namespaced_deployment", "grafana", "observability", back),
    ]


@pytest.mark.parametrize(
    ("annotations", "before"), [({"fire-alerts.observability/replicas-before": "2"}, 2), (None, None)]
)
def test_the_note_is_read_back(annotations: dict[str, str] | None, before: int | None) -> None:
    made, _ = api(SimpleNamespace(metadata=SimpleNamespace(annotations=annotations)))
    assert made.replicas_before("StatefulSet", "loki") == before


def test_a_note_that_somebody_changed_is_an_error() -> None:
    found = SimpleNamespace(metadata=SimpleNamespace(annotations={"fire-alerts.observability/replicas-before": "two"}))
    with pytest.raises(OpsError, match=r"StatefulSet loki.*'two'.*number"):
        api(found)[0].replicas_before("StatefulSet", "loki")


def test_a_pod_that_everybody_forgot_ends_by_itself() -> None:
    spec = SimpleNamespace(template=SimpleNamespace(spec=SimpleNamespace(containers=[SimpleNamespace(image="i")])))
    made, asked = api(SimpleNamespace(spec=spec))
    made.create_pod("p", script="pass", annotations={})
    (_, _, body) = asked.calls[-1]
    assert body["spec"]["activeDeadlineSeconds"] == 1800
    assert body["spec"]["restartPolicy"] == "Always"
