"""The OpenSearch domain: encrypted in every way, reachable from the cluster only, and refused before it is wrong."""

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pulumi
import pulumi_aws as aws
import pytest

from components.eks.policies import ClusterIdentity
from components.eks.search_domain import SearchDomain, access_policy, domain_name, log_groups
from settings.eks.opensearch import instances_problem, password_problem, zones
from tests.eks.iam_lint import findings
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import Recorded

PASSWORD = "Hush-hush-1"
NAME = "eks-test-observability"
PUBLISHED = {
    "ES_APPLICATION_LOGS": "errors",
    "AUDIT_LOGS": "audit",
    "SEARCH_SLOW_LOGS": "slow-searches",
    "INDEX_SLOW_LOGS": "slow-writes",
}


def _domain(engine: Callable[..., Recorded], *, preview: bool = False, **more: Any) -> Recorded:
    args: dict[str, Any] = {
        "identity": CLUSTER,
        "key_arn": KEY,
        "vpc_id": "vpc-0aaaaaaa",
        "subnet_ids": ["subnet-0aaaaaaa", "subnet-0bbbbbbb", "subnet-0ccccccc"],
        "client_security_group_ids": {"cluster": "sg-0aaaaaaa"},
        "client_cidrs": [],
        "instance_type": "m7g.large.search",
        "instances": 3,
        "master_type": "",
        "storage": "100Gi",
        "username": "jaeger",
        "password": PASSWORD,
        "protect": True,
        **more,
    }

    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region))
        SearchDomain("search", args, provider)  # pyright: ignore[reportArgumentType]

    return engine(program, preview=preview)


def test_the_domain_is_exactly_this(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _domain(engine, preview=preview)
    (domain,) = recorded.of("Domain")
    assert domain.inputs == {
        "domainName": NAME,
        "engineVersion": "OpenSearch_2.19",
        "clusterConfig": {
            "instanceType": "m7g.large.search",
            "instanceCount": 3,
            "zoneAwarenessEnabled": True,
            "zoneAwarenessConfig": {"availabilityZoneCount": 3},
        },
        "ebsOptions": {"ebsEnabled": True, "volumeType": "gp3", "volumeSize": 100},
        "vpcOptions": {
            "subnetIds": ["subnet-0aaaaaaa", "subnet-0bbbbbbb", "subnet-0ccccccc"],
            "securityGroupIds": ["search-group-id"],
        },
        "encryptAtRest": {"enabled": True, "kmsKeyId": KEY},
        "nodeToNodeEncryption": {"enabled": True},
        "offPeakWindowOptions": {"enabled": True},
        "logPublishingOptions": [
            {"logType": kind, "cloudwatchLogGroupArn": CLUSTER.log_group_arn(f"/aws/opensearch/{NAME}/{end}")}
            for kind, end in PUBLISHED.items()
        ],
        "softwareUpdateOptions": {"autoSoftwareUpdateEnabled": True},
        "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
        "advancedSecurityOptions": {
            "enabled": True,
            "internalUserDatabaseEnabled": True,
            "masterUserOptions": {"masterUserName": "jaeger", "masterUserPassword": PASSWORD},
        },
    }
    assert "advancedSecurityOptions" in domain.secret_inputs
    assert (domain.protect, domain.retain) == (True, True)
    logs = {f"search-logs-{end}" for end in (*PUBLISHED.values(), "policy")}
    assert {"search-from-cluster", *logs} <= domain.dependencies
    if not preview:
        assert recorded.outputs["search"] == {
            "name": NAME,
            "arn": "arn:aws:es:eu-central-1:111122223333:domain/search-domain",
            "url": "https://vpc-search-domain.eu-central-1.es.amazonaws.com",
        }


def test_its_logs_are_kept_where_it_alone_may_write(engine: Callable[..., Recorded]) -> None:
    recorded = _domain(engine)
    groups = recorded.of("LogGroup")
    assert {group.inputs["name"] for group in groups} == set(log_groups(CLUSTER).values())
    for group in groups:
        assert (group.inputs["kmsKeyId"], group.inputs["retentionInDays"], group.protect) == (KEY, 90, True)
    (policy,) = recorded.of("LogResourcePolicy")
    (statement,) = json.loads(policy.inputs["policyDocument"])["Statement"]
    start = "arn:aws:logs:eu-central-1:111122223333:log-group:"
    assert statement["Resource"] == [f"{start}/aws/opensearch/{NAME}/{end}:*" for end in PUBLISHED.values()]
    assert statement["Principal"] == {"Service": "es.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnEquals": {"aws:SourceArn": f"arn:aws:es:eu-central-1:111122223333:domain/{NAME}"},
    }


def test_every_log_that_opensearch_can_publish_is_published() -> None:
    model = botocore.session.get_session().get_service_model("opensearch")
    assert set(log_groups(CLUSTER)) == set(model.shape_for("LogType").enum)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_stack_has_three_instances_in_three_zones_by_default(program: Callable[..., Recorded]) -> None:
    """Security Hub's control Opensearch.6."""
    (domain,) = program("production").of("Domain")
    config = domain.inputs["clusterConfig"]
    assert (config["instanceCount"], config["zoneAwarenessConfig"]) == (3, {"availabilityZoneCount": 3})


def test_dedicated_masters_are_three(engine: Callable[..., Recorded]) -> None:
    (domain,) = _domain(engine, master_type="m7g.large.search").of("Domain")
    found = {key: value for key, value in domain.inputs["clusterConfig"].items() if "Master" in key}
    assert found == {
        "dedicatedMasterEnabled": True,
        "dedicatedMasterType": "m7g.large.search",
        "dedicatedMasterCount": 3,
    }


def test_only_its_clients_reach_it(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _domain(engine, preview=preview)
    (group,) = recorded.of("SecurityGroup")
    assert group.inputs["vpcId"] == "vpc-0aaaaaaa"
    assert not {"ingress", "egress"} & group.inputs.keys()
    (entry,) = recorded.of("SecurityGroupIngressRule")
    assert entry.inputs == {
        "securityGroupId": "search-group-id",
        "referencedSecurityGroupId": "sg-0aaaaaaa",
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "description": "Jaeger and the collectors",
    }


def test_clients_are_groups_and_ranges(engine: Callable[..., Recorded]) -> None:
    recorded = _domain(
        engine, client_security_group_ids={"a": "sg-0aaaaaaa", "b": "sg-0bbbbbbb"}, client_cidrs=["10.1.0.0/16"]
    )
    rules = recorded.of("SecurityGroupIngressRule")
    sources = [one.inputs.get("referencedSecurityGroupId") or one.inputs["cidrIpv4"] for one in rules]
    assert sorted(sources) == ["10.1.0.0/16", "sg-0aaaaaaa", "sg-0bbbbbbb"]
    (domain,) = recorded.of("Domain")
    assert {one.name for one in rules} <= domain.dependencies


def test_its_policy_is_for_requests_only(engine: Callable[..., Recorded]) -> None:
    (policy,) = _domain(engine).of("DomainPolicy")
    arn = "arn:aws:es:eu-central-1:111122223333:domain/search-domain"
    assert policy.inputs == {"domainName": NAME, "accessPolicies": json.dumps(access_policy(arn))}
    (statement,) = access_policy(arn)["Statement"]
    assert statement["Resource"] == [f"{arn}/*"]
    assert {action.removeprefix("es:ESHttp") for action in statement["Action"]} == {
        "Delete",
        "Get",
        "Head",
        "Post",
        "Put",
    }
    assert findings(access_policy(arn)) == []


@pytest.mark.parametrize("protect", [False, True])
def test_protection_is_the_stack_s_choice(engine: Callable[..., Recorded], protect: bool) -> None:
    (domain,) = _domain(engine, protect=protect).of("Domain")
    assert (domain.protect, domain.retain) == (protect, protect)


@pytest.mark.parametrize(("instances", "count"), [(1, 1), (2, 2), (3, 3), (4, 2), (6, 3), (9, 3)])
def test_instances_are_spread_evenly(engine: Callable[..., Recorded], instances: int, count: int) -> None:
    assert zones(instances) == count
    (domain,) = _domain(engine, instances=instances).of("Domain")
    assert len(domain.inputs["vpcOptions"]["subnetIds"]) == count
    config = domain.inputs["clusterConfig"]
    assert config["zoneAwarenessEnabled"] is (count > 1)
    assert config.get("zoneAwarenessConfig", {}).get("availabilityZoneCount", 1) == count


@pytest.mark.parametrize(
    ("instances", "subnets", "problem"),
    [
        (5, 3, "cannot be spread evenly over zones; allowed: 1, or a multiple of 2 or 3"),
        (3, 2, "are spread over 3 zones, and there are 2 subnets; allowed: one subnet for each zone"),
        (1, 0, "are spread over 1 zones, and there are 0 subnets; allowed: one subnet for each zone"),
        (2, 2, None),
    ],
)
def test_instances_that_cannot_be_are_refused(instances: int, subnets: int, problem: str | None) -> None:
    assert instances_problem(instances, subnets) == problem


def test_a_domain_that_cannot_be_is_refused_before_anything(
    engine: Callable[..., Recorded], recorded: Recorded
) -> None:
    with pytest.raises(ValueError, match=r"OpenSearch instances: 5 cannot be spread"):
        _domain(engine, instances=5)
    assert [one.type for one in recorded.resources] == ["pulumi:providers:aws"]


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        (PASSWORD, None),
        ("Hush-1", "lacks 8 characters"),
        ("hushhush-1", "lacks an upper case letter"),
        ("HushHushHush", "lacks a digit, a character that is neither letter nor digit"),
        (
            "",
            "lacks 8 characters, a lower case letter, an upper case letter, a digit, "
            "a character that is neither letter nor digit",
        ),
    ],
)
def test_passwords(password: str, problem: str | None) -> None:
    assert password_problem(password) == problem


def test_a_password_that_opensearch_refuses_is_named_and_never_shown(engine: Callable[..., Recorded]) -> None:
    with pytest.raises(Exception, match=r"opensearchPassword\) lacks a digit; allowed: at least 8 characters") as found:
        _domain(engine, password="Hush-hush-hush", preview=True)
    assert "Hush-hush-hush" not in str(found.value)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        ("eks-test", "eks-test-observability"),
        ("Prod_EU", "prod-eu-observa-"),
        ("1st", "c1st-observabil-"),
        ("a-cluster-with-a-long-name", "a-cluster-with-a-lo-"),
    ],
)
def test_names_of_domains(cluster: str, expected: str) -> None:
    name = domain_name(ClusterIdentity(cluster, "eu-central-1", "111122223333"))
    assert name.startswith(expected[:15])
    assert 3 <= len(name) <= 28
    assert name[0].isalpha()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_names_of_domains_do_not_meet() -> None:
    names = [domain_name(ClusterIdentity(name, "eu-central-1", "1")) for name in ("Prod", "prod", "pro_d", "pro-d")]
    assert len(set(names)) == 4
