"""No resource of any stack violates the policy rules, and every exception is needed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from policy import exceptions
from policy.resource import Resource
from policy.rules import NAMES, exemptions, found, violations
from tests.mock_engine import STACKS, Recorded

# The stacks, and settings that no stack file chooses but a stack may: (stack, changed settings).
CHOICES: dict[str, tuple[str, dict[str, str]]] = {
    **{stack: (stack, {}) for stack in STACKS},
    "a cluster that the program creates": (
        "production",
        {
            "cluster": "create",
            "clusterApiCidrs": '["10.0.0.0/8"]',
            "eksAutoMode": "true",
            "clusterAdminRoleArns": '["arn:aws:iam::444455556666:role/admin"]',
            "ingress": "internet-facing",
        },
    ),
    "pages behind an ingress controller": ("example", {"oidcClientSecret": "hush-client", "smtpPassword": "hush-mail"}),
    "pages that everybody reaches": (
        "staging",
        {"ingress": "internet-facing", "ingressAllowedCidrs": '["0.0.0.0/0"]'},
    ),
}


def resources(recorded: Recorded) -> list[Resource]:
    """The recorded resources in the form that the policy rules read."""
    return [
        Resource(
            type=resource.type,
            name=resource.name,
            props=resource.inputs,
            protect=resource.protect,
            secret=resource.secret_inputs,
            dependencies=resource.dependencies,
        )
        for resource in recorded.resources
    ]


def test_no_resource_breaks_a_rule_and_every_exception_is_needed(program: Callable[..., Recorded]) -> None:
    allowed = exemptions()
    broken: dict[str, list[str]] = {}
    needed: set[int] = set()
    for choice, (stack, changes) in CHOICES.items():
        everything = resources(program(stack, **changes))
        assert len(everything) > 100
        broken[choice] = [str(violation) for violation in violations(everything, stack=stack, allowed=allowed)]
        for one in found(everything):
            covers = (entry.covers(one.rule, one.resource, one.problem, stack) for entry in allowed)
            needed |= {number for number, covered in enumerate(covers) if covered}
    assert {choice: problems for choice, problems in broken.items() if problems} == {}
    assert [entry for number, entry in enumerate(allowed) if number not in needed] == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"stacks": ["local"]}, None),
        ({"rule": "pod-hst"}, "rule: 'pod-hst' is unknown; allowed: "),
        ({"reason": "because"}, "reason: 'because'; allowed: a sentence that explains the exception"),
        ({"reason": None}, "reason: required, but not set"),
        ({"kind": "Deployment"}, "kind: unknown; allowed: name, problem, reason, rule, stacks, type"),
    ],
)
def test_the_list_of_exceptions_is_checked(tmp_path: Path, changes: dict[str, object], problem: str | None) -> None:
    entry = {
        "rule": "pod-host",
        "type": "kubernetes:apps/v1:DaemonSet",
        "name": "agent-*",
        "problem": "hostPath *",
        "reason": "It reads the files of its node.",
    } | changes
    file = tmp_path / "exceptions.yaml"
    file.write_text(yaml.safe_dump([{key: value for key, value in entry.items() if value is not None}]))
    if problem is None:
        assert len(exceptions.load(file, rules=NAMES)) == 1
        return
    with pytest.raises(ValueError, match=re.escape(f"exceptions.yaml[0]: {problem}")):
        exceptions.load(file, rules=NAMES)


def test_an_exception_covers_only_what_it_names() -> None:
    (entry,) = [one for one in exemptions() if one.problem.startswith("hostPath /var/log/pods")]
    agent = Resource(type=entry.type, name="agent-daemonset", props={})
    problem = "hostPath /var/log/pods; allowed: the pod's own volumes"
    assert entry.covers("pod-host", agent, problem, "production")
    assert not entry.covers("pod-host", agent, problem.replace("/pods", ""), "production")
    assert not entry.covers("pod-hardened", agent, problem, "production")
    assert not entry.covers("pod-host", Resource(type=entry.type, name="other", props={}), problem, "production")
