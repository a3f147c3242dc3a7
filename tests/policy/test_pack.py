"""The policy pack: it reads the engine's values correctly, and the real engine stops at a violation."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from engine import actions
from engine.events import Summary
from engine.workspace import Workspace
from local.errors import LocalError
from policy.pack import known, policies
from policy.resource import UNKNOWN
from policy.rules import NAMES
from tests.mock_engine import ROOT

# The program uses components: the engine checks them like other resources, and they need no provider.
PROGRAM = """
import pulumi

class Made(pulumi.ComponentResource):
    pass

def service(name, kind):
    Made("kubernetes:core/v1:Service", name, {"spec": {"type": kind}})

def namespace(name, protect):
    opts = pulumi.ResourceOptions(protect=protect)
    Made("kubernetes:core/v1:Namespace", name, {"metadata": {"name": name}}, opts)
    Made("kubernetes:core/v1:PersistentVolumeClaim", f"{name}-volume", {"metadata": {"namespace": name}}, opts)

service("inside", "ClusterIP")
namespace("safe", True)
if pulumi.Config().get_bool("bad"):
    service("open", "LoadBalancer")
    namespace("lost", False)
"""


@pytest.fixture
def preview(
    small_stack: Callable[..., Workspace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[bool], Summary]:
    """`preview(bad)` runs the program above through the real engine and the pack."""
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    (tmp_path / "policy").symlink_to(ROOT / "policy")
    return lambda bad: actions.preview(small_stack(PROGRAM, bad=str(bad).lower()))


def test_every_rule_is_a_policy_with_a_description() -> None:
    assert [policy.name for policy in policies()] == list(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert all(policy.description.endswith(".") for policy in policies())


def test_rules_against_deletion_are_advisory() -> None:
    advisory = {policy.name for policy in policies() if policy.enforcement_level is EnforcementLevel.ADVISORY}
    assert advisory == {"data-protected", "data-kept", "namespace-protected"}


def test_unknown_values_of_a_preview_are_not_errors() -> None:
    sent = {"a": UNKNOWN_STRING_VALUE, "b": {"c": [UNKNOWN_ARRAY_VALUE, 1.0, {"d": "text"}]}, "e": True}
    guarded = unknown_checking_proxy(deserialize_properties(sent))
    assert known(guarded) == {"a": UNKNOWN, "b": {"c": [UNKNOWN, 1.0, {"d": "text"}]}, "e": True}


def test_rules_of_a_stack_read_inputs_where_a_new_cluster_gives_no_outputs() -> None:
    """A page on the internet without a login; and one with TLS, whose certificate does not exist yet."""
    prefix = "alb.ingress.kubernetes.io/"
    annotations = {
        f"{prefix}scheme": "internet-facing",
        f"{prefix}certificate-arn": UNKNOWN_STRING_VALUE,
        f"{prefix}ssl-policy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        f"{prefix}listen-ports": '[{"HTTPS": 443}]',
    }
    sent = unknown_checking_proxy(deserialize_properties({"metadata": {"annotations": annotations}}))
    opts = cast(Any, SimpleNamespace(protect=False))
    kind, urn, name = "kubernetes:networking.k8s.io/v1:Ingress", "urn:page", "page"
    made = policies()
    reported: list[str] = []

    def report(problem: str, _urn: str | None = None) -> None:
        reported.append(problem)

    for policy in made:
        if isinstance(policy, ResourceValidationPolicy):
            cast(Any, policy).validate(ResourceValidationArgs(kind, sent, urn, name, opts, None), report)
    outputs = PolicyResource(kind, {}, urn, name, opts, None, None, [], {})
    for policy in made:
        if isinstance(policy, StackValidationPolicy):
            cast(Any, policy).validate(StackValidationArgs([outputs]), report)
    assert reported == ["open to 0.0.0.0/0 without login; allowed: auth-type oidc or cognito, or inbound-cidrs"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_real_engine_accepts_valid_resources_and_refuses_violations(
    preview: Callable[[bool], Summary],
) -> None:
    assert preview(False).changes == {"create": 4}
    with pytest.raises(LocalError) as caught:
        preview(True)
    first, *problems = str(caught.value).splitlines()
    assert first == "preview of stack dev failed."
    objects = "kubernetes:core/v1"
    assert set(problems) == {
        f"{objects}:Service: open: service-not-public: type is LoadBalancer; allowed: ClusterIP, behind the ingress",
    }
