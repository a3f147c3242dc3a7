"""The drill "the cluster is lost": a new stack uses the data of the lost one, by the table in docs/operations.md.

tests/backends/test_loki_s3.py then shows with the real Loki that another cluster finds the logs in the bucket.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from tests.eks.account import REGION, SEARCH, Account, check
from tests.mock_engine import ROOT, Recorded

Program = Callable[..., Recorded]
BACKENDS = SEARCH | {"managedPrometheus": "true", "logIndex": "true", "opensearchPassword": "Secret-1"}


def taken_over(aws: Mapping[str, Any]) -> dict[str, str]:
    """The settings that the table names, from the output `aws` of the lost stack."""
    return {
        "clusterName": "green",
        "awsNamePrefix": "green",
        "manageLokiBucket": "false",
        "lokiBucketKeyArn": aws["key"]["arn"],
        "managedPrometheus": "false",
        "remoteWriteUrl": aws["workspace"]["remote_write_url"],
        "opensearchDomain": "false",
        "opensearchUrl": aws["search"]["url"],
    }


@pytest.fixture
def lost(program: Program) -> Recorded:
    return program("staging", **BACKENDS)


@pytest.fixture
def new(program: Program, lost: Recorded) -> Recorded:
    return program("staging", **BACKENDS | taken_over(lost.exports["aws"]) | {"clusterSubnetIds": "[]"})


def rights(recorded: Recorded, account: str) -> dict[str, Any]:
    """Actions -> resources of a service account."""
    (policy,) = [one for one in recorded.of("RolePolicy") if one.name == f"{account}-identity-policy"]
    return {str(one["Action"]): one["Resource"] for one in json.loads(policy.inputs["policy"])["Statement"]}


def test_the_page_names_the_same_settings() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    table = page.partition("### The cluster is lost")[2].partition("2. Let")[0]
    cells = re.findall(r"^ +\| (`.+?) \|", table, re.M)
    assert (
        set(re.findall(r"`(\w+)", " ".join(cells)))
        == taken_over({"key": {"arn": ""}, "workspace": {"remote_write_url": ""}, "search": {"url": ""}}).keys()
    )


def test_the_new_stack_makes_none_of_what_has_the_data(lost: Recorded, new: Recorded) -> None:
    kinds = {"Bucket", "Workspace", "Domain"}
    assert kinds <= {one.kind for one in lost.resources if one.custom}
    assert not kinds & {one.kind for one in new.resources if one.custom}


def test_loki_reads_the_same_objects_in_the_same_bucket(lost: Recorded, new: Recorded) -> None:
    old, now = (yaml.safe_load(one.one("ConfigMap", "loki-config").inputs["data"]["loki.yaml"]) for one in (lost, new))
    for part in ("schema_config", "storage_config"):
        assert old[part] == now[part]
    assert now["storage_config"]["aws"]["bucketnames"] in lost.exports["aws"]["buckets"]


def test_the_new_roles_may_use_bucket_key_and_workspace(lost: Recorded, new: Recorded) -> None:
    assert rights(new, "loki") == rights(lost, "loki")
    old, now = (rights(one, "workspace-proxy") for one in (lost, new))
    assert old.keys() == now.keys()
    workspace = lost.exports["aws"]["workspace"]["remote_write_url"].split("/")[4]
    assert [one.rpartition("/")[2] for (one,) in now.values()] == [workspace]
    names = [
        {one.inputs["name"] for one in recorded.of("Role") if "assumeRolePolicy" in one.inputs}
        for recorded in (lost, new)
    ]
    assert names[0]
    assert not names[0] & names[1], "the lost stack's roles still have their names"


def test_jaeger_and_the_log_index_use_the_same_domain_with_the_same_logins(lost: Recorded, new: Recorded) -> None:
    for secret in ("jaeger-opensearch", "log-index"):
        old, now = (one.one("Secret", secret).inputs["stringData"] for one in (lost, new))
        assert old == now
    servers = [
        yaml.safe_load(one.one("ConfigMap", "jaeger-config").inputs["data"]["jaeger.yaml"])["extensions"][
            "jaeger_storage"
        ]["backends"]["traces"]["opensearch"]["server_urls"]
        for one in (lost, new)
    ]
    assert servers[0] == servers[1] == [lost.exports["aws"]["search"]["url"]]


def test_preflight_lets_the_new_stack_have_them_and_says_what_is_missing(account: Account) -> None:
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    bucket = "observability-staging-logs"
    account.bucket(bucket, stack="lost")
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [encryption]})
    workspace = account.amp.create_workspace()["workspaceId"]
    url = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{workspace}/api/v1/remote_write"
    search = "https://vpc-lost.eu-central-1.es.amazonaws.com"
    given = taken_over({"key": {"arn": key}, "workspace": {"remote_write_url": url}, "search": {"url": search}})
    domain = {"jaegerStorageBackend": "opensearch", "opensearchUsername": "setup", "opensearchPassword": "Secret-1"}
    # moto has this cluster only.
    wanted = domain | given | {"clusterName": "observability-staging"}
    assert check(account, **wanted).problems == []
    (line,) = check(account, **wanted | {"manageLokiBucket": "true", "lokiBucketKeyArn": ""}).problems
    assert "belongs to stack lost; allowed: another name, or manageLokiBucket: false" in line
    (line,) = check(account, **wanted | {"lokiBucketKeyArn": ""}).problems
    assert f"is encrypted with {key}" in line
    account.amp.delete_workspace(workspaceId=workspace)
    (line,) = check(account, **wanted).problems
    assert line.startswith(f'remoteWriteUrl: "{url}" ')
