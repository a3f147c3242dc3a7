"""The commands use the cluster that the stack or KUBE_CONTEXT names, never kubectl's current context."""

import pytest

from engine.workspace import machine_config
from ops import environment
from ops.errors import OpsError


def test_an_eks_stack_requires_a_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBE_CONTEXT", raising=False)
    with pytest.raises(OpsError, match=r"stack staging does not set observability:kubeContext; set KUBE_CONTEXT .*"):
        environment.load("staging").cluster()
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    assert environment.load("staging").cluster().context == "mine"


def test_the_context_of_the_stack_file_has_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    values = {"cloud": "eks", "kubeContext": "theirs"}
    stack = environment.Environment(stack="staging", root=environment.ROOT, values=values)
    assert stack.cluster().context == "theirs"


def test_the_local_stack_on_another_cluster_has_the_settings_that_make_up_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KUBE_CONTEXT", "mine")
    for image, simulated in (("", False), ("registry.example/simulator:1", True)):
        monkeypatch.setenv("SIMULATOR_IMAGE", image)
        stack = environment.load("local")
        given = {key.removeprefix("observability:"): value for key, value in machine_config("local").items()}
        assert {key: stack.values[key] for key in given} == given
        assert given["clusterName"] == "mine"
        assert (stack.cluster().context, stack.cluster().kubeconfig) == ("mine", None)
        assert stack.has_simulator is simulated
