"""Each kind of the aws stand-in at moto: made, read back as it was asked for, found changed, and gone."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.provider.experimental import provider as rpc

from local.providers.aws.provider import AwsProvider
from local.providers.values import plain, properties
from tests.local.aws_emulator import ACCOUNT, REGION, client, emulated_aws

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:ESHttpGet", "Resource": "*"}],
}


class Life:
    """The provider, and the life of one resource."""

    def __init__(self) -> None:
        self.provider = AwsProvider()
        given = {"region": REGION, "defaultTags": json.dumps({"tags": {"owner": "team"}})}
        asyncio.run(self.provider.configure(rpc.ConfigureRequest({}, properties(given, {}), True, True)))

    def create(self, token: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        urn = f"urn:pulumi:dev::p::{token}::n"
        checked = asyncio.run(self.provider.check(rpc.CheckRequest(urn, {}, properties(inputs, {}), b"1234")))
        assert not checked.failures, checked.failures[0].reason
        asyncio.run(self.provider.create(rpc.CreateRequest(urn, checked.inputs or {}, 0, True)))
        made = asyncio.run(self.provider.create(rpc.CreateRequest(urn, checked.inputs or {}, 0, False)))
        return made.resource_id or "", plain(made.properties)

    def read(self, token: str, found: str, state: dict[str, Any]) -> dict[str, Any] | None:
        inputs = properties(state["__inputs"], {})
        request = rpc.ReadRequest(f"urn:pulumi:dev::p::{token}::n", found, properties(state, {}), inputs)
        answer = asyncio.run(self.provider.read(request))
        return plain(answer.inputs or {}) if answer.resource_id else None

    def update(self, token: str, found: str, state: dict[str, Any], **changed: Any) -> dict[str, Any]:
        news = properties({**state["__inputs"], **changed}, {})
        urn = f"urn:pulumi:dev::p::{token}::n"
        request = rpc.UpdateRequest(urn, found, properties(state, {}), news, 0, [], False)
        return plain(asyncio.run(self.provider.update(request)).properties)

    def delete(self, token: str, found: str, state: dict[str, Any]) -> None:
        urn = f"urn:pulumi:dev::p::{token}::n"
        asyncio.run(self.provider.delete(rpc.DeleteRequest(urn, found, properties(state, {}), 0)))


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    with emulated_aws():
        client("s3").create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield Life()


@pytest.fixture(scope="module")
def network() -> dict[str, str]:
    vpc = client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = client("ec2").describe_subnets()["Subnets"]
    zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
    return {"vpc": vpc, "subnet": subnets[0]["SubnetId"], "zone": zone.rpartition("/")[2]}


ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
EXPIRED = {"id": "versions", "status": "Enabled", "noncurrentVersionExpiration": {"noncurrentDays": 7}}
ABORT = {"id": "parts", "status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}
KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("kms/key:Key", {"description": "d", "enableKeyRotation": True, "tags": {"a": "b"}}, {"description": "e"}),
    ("s3/bucket:Bucket", {"tags": {"a": "b"}}, {"tags": {"a": "c"}}),
    (
        "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {"bucket": "logs", "rules": [{**EXPIRED, "filter": {"prefix": ""}}, {**ABORT, "filter": {"prefix": "fake/"}}]},
        {"rules": [{**ABORT, "filter": {"prefix": ""}}]},
    ),
    (
        "s3/bucketOwnershipControls:BucketOwnershipControls",
        {"bucket": "logs", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "BucketOwnerPreferred"}},
    ),
    (
        "iam/role:Role",
        {"assumeRolePolicy": json.dumps(POLICY), "description": "d", "tags": {"a": "b"}},
        {"tags": {"c": "d"}, "description": "e"},
    ),
    (
        "cloudwatch/logGroup:LogGroup",
        {
            "name": "/aws/eks/c/cluster",
            "retentionInDays": 90,
            "kmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
            "tags": {"a": "b"},
        },
        {"retentionInDays": 30, "tags": {"c": "d"}},
    ),
    ("amp/workspace:Workspace", {"alias": "metrics", "tags": {"a": "b"}}, {"alias": "others"}),
    ("secretsmanager/secret:Secret", {"name": "s", "recoveryWindowInDays": 0}, {"description": "d"}),
    (
        "opensearch/domain:Domain",
        {
            "domainName": "traces",
            "engineVersion": "OpenSearch_2.19",
            "clusterConfig": {"instanceType": "m7g.large.search", "instanceCount": 2},
            "ebsOptions": {"ebsEnabled": True, "volumeSize": 100, "volumeType": "gp3"},
            "encryptAtRest": {"enabled": True},
            "nodeToNodeEncryption": {"enabled": True},
            "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"},
        },
        {"tags": {"a": "b"}},
    ),
    (
        "acm/certificate:Certificate",
        {"domainName": "example.com", "subjectAlternativeNames": ["*.example.com"], "validationMethod": "DNS"},
        {"tags": {"a": "b"}},
    ),
    ("ec2/securityGroup:SecurityGroup", {"name": "g", "description": "d", "vpcId": "{vpc}"}, {"tags": {"a": "b"}}),
    (
        "eks/cluster:Cluster",
        {"name": "c", "roleArn": ROLE, "version": "1.34", "vpcConfig": {"subnetIds": ["{subnet}"]}},
        {"tags": {"a": "b"}},
    ),
    (
        "route53/record:Record",
        {"zoneId": "{zone}", "name": "grafana.example.com", "type": "CNAME", "ttl": 60, "records": ["lb.example.com"]},
        {"ttl": 300},
    ),
]


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return value.format(**names) if isinstance(value, str) and value.startswith("{") and value.endswith("}") else value


@pytest.mark.parametrize(("kind", "inputs", "change"), KINDS, ids=[kind.partition(":")[2] for kind, _, _ in KINDS])
def test_life_of_each_kind(life, network, kind, inputs, change):
    token = f"aws:{kind}"
    found, state = life.create(token, filled(inputs, network) if "assumeRolePolicy" not in inputs else inputs)
    given = state["__inputs"]
    assert life.read(token, found, state) == given, "what is read back is drift"
    if "tagsAll" in state:
        assert state["tagsAll"] == {"owner": "team", **given.get("tags", {})}
    changed = life.update(token, found, state, **change)
    assert life.read(token, found, changed) == {**given, **change}
    life.delete(token, found, changed)
    assert life.read(token, found, changed) is None


def test_rules_of_a_group_and_a_policy_of_a_domain(life, network):
    group, group_state = life.create(
        "aws:ec2/securityGroup:SecurityGroup", {"description": "d", "vpcId": network["vpc"]}
    )
    rule = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    given = {"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "10.0.0.0/8"}
    found, state = life.create(rule, given)
    assert life.read(rule, found, state) == given
    life.delete(rule, found, state)
    life.delete("aws:ec2/securityGroup:SecurityGroup", group, group_state)
    domain, domain_state = life.create("aws:opensearch/domain:Domain", {"domainName": "policed"})
    policy = "aws:opensearch/domainPolicy:DomainPolicy"
    wanted = {"domainName": "policed", "accessPolicies": json.dumps(POLICY, indent=1)}
    found, state = life.create(policy, wanted)
    assert life.read(policy, found, state) == wanted, "another spelling of the same policy is no drift"
    life.delete("aws:opensearch/domain:Domain", domain, domain_state)


def test_secret_has_a_value(life):
    found, state = life.create("aws:secretsmanager/secret:Secret", {"name": "valued", "recoveryWindowInDays": 0})
    version = "aws:secretsmanager/secretVersion:SecretVersion"
    inputs = {"secretId": found, "secretString": "x"}
    made, version_state = life.create(version, inputs)
    assert life.read(version, made, version_state) == inputs
    client("secretsmanager").put_secret_value(SecretId=found, SecretString="by hand")
    assert (life.read(version, made, version_state) or {})["secretString"] == "by hand"
    life.delete("aws:secretsmanager/secret:Secret", found, state)
