"""What is asked before the first resource, against moto: nothing that AWS would refuse later is green."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from components import settings
from components.eks import preflight
from components.eks.facts import Findings
from components.eks.secret_references import Reference
from tests.mock_engine import SECRETS, stack_config

REGION, ACCOUNT = "eu-central-1", "123456789012"
CLUSTER = "observability-staging"
ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
SUBNETS = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]


class Account:
    """An account that has what staging needs."""

    def __init__(self) -> None:
        self.eks, self.s3, self.kms, self.acm, self.amp = (
            boto3.client(name, region_name=REGION) for name in ("eks", "s3", "kms", "acm", "amp")
        )
        self.zone = boto3.client("route53").create_hosted_zone(Name="staging.example.com", CallerReference="x")
        self.eks.create_cluster(
            name=CLUSTER,
            version="1.34",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
            resourcesVpcConfig={"subnetIds": SUBNETS},
        )

    @property
    def zone_id(self) -> str:
        return self.zone["HostedZone"]["Id"].rsplit("/", 1)[-1]

    def bucket(self, name: str, *, region: str = REGION, **tags: str) -> None:
        client = boto3.client("s3", region_name=region)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        if tags:
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Add-on -> tags, of those that a cluster has; moto knows no add-ons."""
    made: dict[str, dict[str, str]] = {}
    send = BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation != "DescribeAddon":
            return send(client, operation, parameters)
        if parameters["addonName"] not in made:
            raise client.exceptions.ResourceNotFoundException(
                {"Error": {"Code": "ResourceNotFoundException"}}, operation
            )
        return {"addon": {"tags": made[parameters["addonName"]]}}

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    return made


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/aws")
    with mock_aws():
        yield Account()


def check(account: Account, references: dict[str, Reference] | None = None, **changes: str) -> Findings:
    zone_id = changes.pop("hostedZoneId", account.zone_id)
    config = stack_config("staging") | SECRETS | {"awsAccountId": ACCOUNT} | changes
    values = settings.parse(config, list(SECRETS)).values
    # Zones of moto are not named like those of AWS, which the settings check.
    return preflight.check(values.model_copy(update={"hosted_zone_id": zone_id}), references or {}, "staging")


def test_an_account_that_has_everything(account: Account) -> None:
    found = check(account)
    assert found.problems == []
    assert found.facts
    assert found.facts.account_id == ACCOUNT
    assert found.facts.cluster
    assert found.facts.cluster.arn == ARN.format("eks", f"cluster/{CLUSTER}")
    assert found.facts.cluster.endpoint.startswith("https://")


def test_another_account_is_asked_nothing(account: Account) -> None:
    found = check(account, awsAccountId="999999999999", clusterName="none")
    (line,) = found.problems
    assert line.startswith('awsAccountId: "999999999999" is not the account of the credentials, which are arn:aws:')
    assert found.facts is None


def test_no_credentials_are_a_problem(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    config = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    for name in config:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda _self: None)
    (line,) = check(account).problems
    assert line == f'awsAccountId: "{ACCOUNT}" cannot be used: Unable to locate credentials; log in, or set awsProfile'


def test_an_aws_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    from moto.core.models import botocore_stubber  # noqa: PLC0415  (only here the way out is needed)

    monkeypatch.setattr(botocore_stubber, "enabled", False)
    (line,) = check(account).problems
    assert line.startswith(f'awsAccountId: "{ACCOUNT}" cannot be used: Could not connect to the endpoint URL')


def test_an_unknown_profile(account: Account) -> None:
    (line,) = check(account, awsProfile="nobody").problems
    assert line == 'awsProfile: "nobody" is not allowed; The config profile (nobody) could not be found'


def test_a_cluster_that_does_not_exist(account: Account) -> None:
    (line,) = check(account, clusterName="stagng").problems
    assert line == (
        f'clusterName: "stagng" is no EKS cluster in {REGION} of account {ACCOUNT}; there are: {CLUSTER}; '
        "`cluster: create` makes it"
    )


def test_a_cluster_to_create(account: Account) -> None:
    create = {
        "cluster": "create",
        "clusterSubnetIds": json.dumps(SUBNETS),
        "clusterAdminRoleArns": f'["arn:aws:iam::{ACCOUNT}:role/deploy"]',
        "eksAutoMode": "true",
    }
    found = check(account, clusterName="new", **create)
    assert found.problems == []
    assert found.facts
    assert found.facts.cluster is None
    first, *_ = check(account, **create).problems
    assert first == f'cluster: "create" is not allowed: {CLUSTER} exists, and is not of stack staging'


def test_a_cluster_that_is_old_or_not_in_auto_mode(account: Account) -> None:
    network = {"subnetIds": SUBNETS}
    account.eks.create_cluster(
        name="old", version="1.29", roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig=network
    )
    version, mode = check(account, clusterName="old", eksAutoMode="true").problems
    assert version == 'clusterName: "old" runs Kubernetes 1.29; allowed: 1.32 <= version < 1.37'
    assert mode == "eksAutoMode: true is not allowed: old is not in Auto Mode"


def test_an_add_on_that_was_installed_by_hand(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {}
    assert check(account).problems == [
        'eksAddons.metrics-server: "managed" is not allowed: it is installed already, and not by stack staging; '
        f"allowed: existing, or managed after: aws eks delete-addon --cluster-name {CLUSTER} --addon-name "
        "metrics-server"
    ]
    assert check(account, eksAddons='{"metrics-server": "existing"}').problems == []


def test_an_add_on_of_this_stack(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {"stack": "staging"}
    assert check(account).problems == []


def test_a_zone_that_the_domain_is_not_in(account: Account) -> None:
    (line,) = check(account, domain="production.example.com").problems
    assert line == (
        f'hostedZoneId: "{account.zone_id}" is the zone of staging.example.com; allowed: a zone that '
        "production.example.com (domain) is in"
    )
    (line,) = check(account, hostedZoneId="Z0000000000000000000A").problems
    assert line.startswith('hostedZoneId: "Z0000000000000000000A" cannot be found: NoSuchHostedZone')


def test_a_zone_whose_name_is_only_an_ending(account: Account) -> None:
    assert check(account, domain="notstaging.example.com").problems
    assert check(account, domain="deep.staging.example.com").problems == []


def test_a_certificate_that_does_not_exist(account: Account) -> None:
    arn = ARN.format("acm", "certificate/11111111-2222-3333-4444-555555555555")
    (line,) = check(account, certificateArn=arn).problems
    assert line.startswith(f'certificateArn: "{arn}" cannot be found: ResourceNotFoundException')


def test_a_certificate_that_covers_too_little(account: Account) -> None:
    arn = account.acm.request_certificate(DomainName="grafana.staging.example.com")["CertificateArn"]
    lines = check(account, certificateArn=arn).problems
    assert lines[-1] == (
        f'certificateArn: "{arn}" does not cover prometheus.staging.example.com, alertmanager.staging.example.com, '
        "jaeger.staging.example.com; it covers grafana.staging.example.com"
    )


def test_a_certificate_that_is_not_issued(account: Account) -> None:
    arn = account.acm.request_certificate(DomainName="*.staging.example.com", ValidationMethod="DNS")["CertificateArn"]
    assert check(account, certificateArn=arn).problems == [
        f'certificateArn: "{arn}" is PENDING_VALIDATION; allowed: a certificate that is ISSUED'
    ]


def test_remote_write_without_a_workspace(account: Account) -> None:
    url = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{{}}/api/v1/remote_write"
    (line,) = check(account, remoteWriteUrl=url.format("ws-none")).problems
    assert line.startswith(f'remoteWriteUrl: "{url.format("ws-none")}" cannot be found: ResourceNotFoundException')
    there = account.amp.create_workspace()["workspaceId"]
    assert check(account, remoteWriteUrl=url.format(there)).problems == []


def test_a_key_that_is_disabled(account: Account) -> None:
    arn = account.kms.create_key()["KeyMetadata"]["Arn"]
    assert check(account, kmsKeyArn=arn).problems == []
    account.kms.disable_key(KeyId=arn.rpartition("/")[2])
    assert check(account, kmsKeyArn=arn).problems == [f'kmsKeyArn: "{arn}" is Disabled; allowed: a key that is Enabled']


def test_a_bucket_of_another_stack(account: Account) -> None:
    account.bucket("taken", stack="production")
    account.bucket("by-hand")
    account.bucket("own", stack="staging")
    assert check(account, lokiBucket="own").problems == []
    assert check(account, lokiBucket="taken", lokiRulerBucket="by-hand").problems == [
        'lokiBucket: "taken" exists, and is of stack production; allowed: another name, or manageLokiBucket: false',
        'lokiRulerBucket: "by-hand" exists, and is not made by this program; allowed: another name, or '
        "manageLokiBucket: false",
    ]


def test_a_bucket_that_exists_already(account: Account) -> None:
    assert check(account, manageLokiBucket="false").problems == [
        f'lokiBucket: "observability-staging-logs" does not exist; allowed: a bucket in {REGION}, or '
        "manageLokiBucket: true"
    ]
    account.bucket("observability-staging-logs")
    assert check(account, manageLokiBucket="false").problems == []


def test_a_bucket_in_another_region(account: Account) -> None:
    account.bucket("far", region="us-west-2")
    (line,) = check(account, lokiBucket="far", manageLokiBucket="false").problems
    assert line.startswith('lokiBucket: "far" is in ')
    assert line.endswith(f"; allowed: a bucket in awsRegion {REGION}")


def test_no_cli_no_token(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert check(account).problems == [
        "kubeContext: not set, and there is no `aws` on the PATH, which gives the tokens for the cluster then"
    ]
    assert check(account, kubeContext="staging").problems == []


def test_everything_at_once(account: Account) -> None:
    found = check(
        account,
        {"slackWebhookUrl": Reference("absent")},
        clusterName="none",
        hostedZoneId="Z0",
        manageLokiBucket="false",
    )
    assert [line.split(": ")[0] for line in found.problems] == [
        *("clusterName", "hostedZoneId", "lokiBucket", "slackWebhookUrl")
    ]


@pytest.mark.parametrize("preview", [True, False])
def test_an_offline_preview_asks_nothing_and_no_update_is_offline(
    monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: preview)
    monkeypatch.setattr("boto3.session.Session", None)
    config = stack_config("staging") | SECRETS | {"offlinePreview": "true"}
    found = preflight.check(settings.parse(config, list(SECRETS)).values, {}, "staging")
    assert bool(found.facts) == preview
    refusal = "offlinePreview: true is not allowed; allowed: true only for `pulumi preview`"
    assert list(found.problems) == ([] if preview else [refusal])
