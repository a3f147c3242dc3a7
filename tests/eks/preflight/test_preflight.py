"""What is asked before the first resource, against moto: nothing that AWS would refuse later is green."""

import boto3
import pytest
from moto.core.models import botocore_stubber

from components.eks import preflight
from settings import stack
from settings.eks.secret_references import Reference
from tests.eks.account import ACCOUNT, ARN, CLUSTER, REGION, SEARCH, Account, check
from tests.engine.aws_emulator import Refusing
from tests.mock_engine import SECRETS, stack_config
from tools.http_server import serving


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


def test_credentials_that_aws_refuses_are_a_problem(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    monkeypatch.setattr(botocore_stubber, "enabled", False)
    with serving(Refusing) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        found = check(account)
    assert found.problems == [
        f'awsAccountId: "{ACCOUNT}" cannot be used: AWS refuses the credentials: '
        "SignatureDoesNotMatch: The request signature does not match"
    ]
    assert found.facts is None


def test_an_aws_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setattr(botocore_stubber, "enabled", False)
    (line,) = check(account).problems
    assert line.startswith(f'awsAccountId: "{ACCOUNT}" cannot be used: Could not connect to the endpoint URL')


def test_an_unknown_profile(account: Account) -> None:
    (line,) = check(account, awsProfile="nobody").problems
    assert line == 'awsProfile: "nobody" is not allowed; The config profile (nobody) could not be found'


def test_another_region_is_another_place(account: Account) -> None:
    first, *_ = check(account, awsRegion="us-east-1").problems
    assert first == (
        f'clusterName: "{CLUSTER}" is not an EKS cluster in us-east-1 of account {ACCOUNT}; there are: none; '
        "`cluster: create` creates it"
    )


def test_a_domain_in_an_account_that_has_no_role_for_it(account: Account) -> None:
    assert check(account, **SEARCH).problems == [
        f"opensearchDomain: true is not allowed: account {ACCOUNT} has no role "
        "AWSServiceRoleForAmazonOpenSearchService, which gives a domain access to a VPC; create it once: "
        "aws iam create-service-linked-role --aws-service-name "
        "opensearchservice.amazonaws.com"
    ]
    # By its name: what moto makes for this service it calls otherwise than AWS does.
    boto3.client("iam").create_role(RoleName="AWSServiceRoleForAmazonOpenSearchService", AssumeRolePolicyDocument="{}")
    assert check(account, **SEARCH).problems == []


def test_traces_for_an_x_ray_that_takes_none(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["xray"] = {"destination": "XRay"}
    assert check(account).problems == [
        f"xray: true is not allowed: X-Ray of account {ACCOUNT} in {REGION} stores traces in XRay and therefore "
        "rejects OTLP; allowed: true once CloudWatch's Transaction Search is on"
    ]
    assert check(account, xray="false").problems == []


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
        'lokiBucket: "taken" exists, and belongs to stack production; allowed: another name, or '
        "manageLokiBucket: false with lokiBucketKeyArn",
        'lokiRulerBucket: "by-hand" exists, and was not created by this program; allowed: another name, or '
        "manageLokiBucket: false with lokiBucketKeyArn",
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
        "kubeContext: not set, and there is no `aws` on the PATH, which the program runs to log in to the cluster"
    ]
    assert check(account, kubeContext="staging").problems == []


def test_everything_at_once(account: Account) -> None:
    found = check(
        account,
        {"platformSlackUrl": Reference("absent")},
        clusterName="none",
        hostedZoneId="Z0",
        manageLokiBucket="false",
    )
    assert [line.split(": ")[0] for line in found.problems] == [
        *("clusterName", "hostedZoneId", "lokiBucket", "platformSlackUrl")
    ]


@pytest.mark.parametrize("preview", [True, False])
def test_an_offline_preview_asks_nothing_and_no_update_is_offline(
    monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: preview)
    monkeypatch.setattr("boto3.session.Session", None)
    config = stack_config("staging") | SECRETS | {"offlinePreview": "true"}
    found = preflight.check(stack.parse(config, list(SECRETS)).values, {}, "staging")
    assert bool(found.facts) == preview
    refusal = "offlinePreview: true is not allowed; allowed: true only for `pulumi preview`"
    assert list(found.problems) == ([] if preview else [refusal])


def test_a_bucket_with_a_key_that_loki_could_not_use(account: Account) -> None:
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    name = "observability-staging-logs"
    account.bucket(name, stack="blue")
    given = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [given]})
    assert check(account, manageLokiBucket="false").problems == [
        f'lokiBucket: "{name}" is encrypted with {key}, and Loki\'s role would not be permitted to use it; allowed: '
        "this key as lokiBucketKeyArn"
    ]
    assert check(account, manageLokiBucket="false", lokiBucketKeyArn=key).problems == []
    assert check(account, manageLokiBucket="false", kmsKeyArn=key).problems == []
