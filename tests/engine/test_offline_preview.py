"""An offline preview of an environment, with the whole program, the real engine, its providers and the policies."""

import os

import pytest

from engine import actions
from engine.workspace import Workspace
from tests.eks.test_platform import CREATE
from tests.mock_engine import ROOT

pytestmark = [pytest.mark.usefixtures("collected"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("AWS_", "KUBE", "PULUMI_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "KUBECONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "absent"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_staging_is_previewed_without_an_account_a_cluster_or_secrets(tmp_path):
    lines = []
    found = actions.preview(Workspace(stack="staging", state=tmp_path / "state", offline=True), report=lines.append)
    assert list(found.changes) == ["create"]
    # The same resources as on the mock engine: the providers and the policies must not lose any.
    assert {_type_and_name(urn) for urn in found.changed} == _golden() | {
        ("pulumi:pulumi:Stack", "observability-staging")
    }
    assert any("observability@v" in line and "policy" in line for line in lines)


@pytest.mark.nightly  # a second preview of everything
def test_a_cluster_that_does_not_exist_yet_is_previewed(tmp_path):
    """Its provider gives no outputs. tests/policy/test_pack.py shows that no rule is skipped for that."""
    config = {f"observability:{key}": value for key, value in (CREATE | {"ingress": "internet-facing"}).items()}
    lines = []
    new = Workspace(stack="staging", state=tmp_path / "state", config=config, offline=True)
    found = actions.preview(new, report=lines.append)
    assert list(found.changes) == ["create"]
    names = {_type_and_name(urn)[1] for urn in found.changed}
    assert {"cluster", "ingress-class-params", "ingress-grafana"} <= names
    assert any("observability@v" in line and "policy" in line for line in lines)


def _type_and_name(change):
    *_, types, name = change.split("::")
    return types.rpartition("$")[2], name


def _golden():
    lines = (ROOT / "tests" / "golden" / "staging.txt").read_text().splitlines()
    return {tuple(line.split()[:2]) for line in lines if not line.startswith("output ")}
