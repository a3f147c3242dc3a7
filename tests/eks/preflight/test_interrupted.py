"""Preflight names each resource that an interrupted run left behind, and the command that imports it."""

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from components.eks.policies import ClusterIdentity
from components.eks.preflight import interrupted
from components.eks.search_domain import domain_name
from engine import actions
from engine.workspace import Workspace
from tests.eks.account import ACCOUNT, CLUSTER, REGION, SEARCH, Account, check
from tests.manual.test_foreign_commands import parts, pulumi_help
from tests.mock_engine import Recorded

CREATE = {
    "cluster": "create",
    "clusterApiCidrs": '["10.0.0.0/8"]',
    "clusterAdminRoleArns": f'["arn:aws:iam::{ACCOUNT}:role/deploy"]',
    "clusterSubnetIds": SEARCH["clusterSubnetIds"],
    "clusterVersion": "1.34",
    "eksAutoMode": "true",
}
DOMAIN = domain_name(ClusterIdentity(CLUSTER, REGION, ACCOUNT))
# Asks the state as the program does, and writes what it found to a file.
PROGRAM = """
import pulumi
from pathlib import Path
from components.eks.preflight import interrupted

class Made(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("test:index:Made", "made", {})
        self.register_outputs({"name": "till"})

found = interrupted.recorded("dev", "test:index:Made", "name")
Path(pulumi.Config().require("file")).write_text(" ".join(sorted(found)))
Made()
"""


def lines(account: Account, name: str, **changes: str) -> list[str]:
    return [line for line in check(account, None, **changes).problems if f" {name} " in line]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of what the stack's state has."""
    found = set[str]()
    monkeypatch.setattr(interrupted, "recorded", lambda _stack, _kind, _key: found)
    return found


def search(**tags: str) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    boto3.client("opensearch", region_name=REGION).create_domain(DomainName=DOMAIN, TagList=pairs)


def test_a_cluster_that_the_state_does_not_have(
    account: Account, installed: dict[str, dict[str, str]], state: set[str]
) -> None:
    installed["auto"] = {}
    account.eks.tag_resource(resourceArn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}", tags={"stack": "staging"})
    (line,) = lines(account, CLUSTER, **CREATE)
    assert line.startswith(f'cluster: "create" is not allowed: {CLUSTER} has the tag of stack staging, whose ')
    command = line.partition("once it is imported: ")[2]
    assert command.startswith(f"pulumi import aws:eks/cluster:Cluster eks-cluster {CLUSTER} --stack staging ")
    text = pulumi_help("import")
    assert [option for option in parts(command, "pulumi")[1] if f"--{option}" not in text] == []
    state.add(CLUSTER)
    assert lines(account, CLUSTER, **CREATE) == []


def test_a_domain_that_the_state_does_not_have(account: Account, state: set[str]) -> None:
    search(stack="staging")
    (line,) = lines(account, DOMAIN, **SEARCH)
    assert line.startswith(f"opensearchDomain: true is not allowed: {DOMAIN} has the tag of stack staging, whose state")
    assert f"pulumi import aws:opensearch/domain:Domain search-domain {DOMAIN} --stack staging --protect=true" in line
    state.add(DOMAIN)
    assert lines(account, DOMAIN, **SEARCH) == []


@pytest.mark.parametrize("tags", [{}, {"stack": "payroll"}])
def test_a_domain_of_others(account: Account, state: set[str], tags: dict[str, str]) -> None:
    search(**tags)
    (line,) = lines(account, DOMAIN, **SEARCH)
    origin = "belongs to stack payroll" if tags else "was not created by this program"
    assert line.startswith(f"opensearchDomain: true is not allowed: the domain {DOMAIN} exists, and {origin}; allowed:")


def test_the_command_names_what_the_program_makes(program: Callable[..., Recorded]) -> None:
    new = program("production", **CREATE)
    made = {one.type: (one.name, one.parent) for one in new.resources if one.type in interrupted.__dict__.values()}
    assert made == {
        "aws:eks/cluster:Cluster": ("eks-cluster", "eks"),
        "aws:opensearch/domain:Domain": ("search-domain", "search"),
    }


def test_the_state_is_read_as_the_engine_has_it(small_stack: Callable[..., Workspace], tmp_path: Path) -> None:
    file = tmp_path / "found"
    stack = small_stack(PROGRAM, file=str(file))
    actions.up(stack)
    assert file.read_text() == ""
    actions.up(stack)
    assert file.read_text() == "till"
