"""The stand-in `aws` provider under the real engine: previews, and refusals."""

import json

import pytest

from engine import actions
from local.errors import LocalError
from tests.engine.aws_emulator import ACCOUNT, LOGIN, Refusing, emulated_aws, environment
from tools.http_server import serving

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PROGRAM = """
import json
import pulumi, pulumi_aws as aws
config = pulumi.Config()
want = json.loads(config.get("want") or "{}")
login = want.get("provider") or {"allowed_account_ids": [want.get("account", "123456789012")]}
provider = aws.Provider("aws", region="eu-central-1", **login,
    default_tags={"tags": {"owner": want.get("owner", "team")}})
opts = pulumi.ResourceOptions(provider=provider)
key = aws.kms.Key("key", description=want.get("description", "logs"), enable_key_rotation=True,
    deletion_window_in_days=7, tags={"part": "key"}, opts=opts)
aws.kms.Alias("alias", name="alias/logs", target_key_id=key.key_id, opts=opts)
bucket = aws.s3.Bucket("logs", bucket=want.get("bucket", "team-logs"), opts=opts)
aws.s3.BucketServerSideEncryptionConfiguration("sse", bucket=bucket.bucket, opts=opts, rules=[{
    "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
    "bucket_key_enabled": True}])
aws.s3.BucketPublicAccessBlock("closed", bucket=bucket.bucket, block_public_acls=True, block_public_policy=True,
    ignore_public_acls=True, restrict_public_buckets=True, opts=opts)
aws.s3.BucketPolicy("tls", bucket=bucket.bucket, opts=opts, policy=bucket.arn.apply(lambda arn: json.dumps({
    "Version": "2012-10-17", "Statement": [{"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": arn, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]})))
for kind, arguments in want.get("more", {}).items():
    module, name = kind.split(".")
    getattr(getattr(aws, module), name)("more", opts=opts, **arguments)
pulumi.export("key", key.arn)
"""


@pytest.fixture
def make(small_stack):
    return lambda **want: small_stack(PROGRAM, want=json.dumps(want))


def test_an_up_fails_and_names_the_plugin_that_it_needs(make):
    with (
        emulated_aws(),
        pytest.raises(
            LocalError, match=r"create aws:\S+: the stand-in aws provider only previews new resources; install"
        ),
    ):
        actions.up(make())


def test_preview_with_wrong_credentials_fails(make):
    with (
        serving(Refusing) as url,
        environment(AWS_ENDPOINT_URL=url, **LOGIN),
        pytest.raises(LocalError, match=r"sts get_caller_identity at .*: SignatureDoesNotMatch: The request"),
    ):
        actions.preview(make())


def test_preview_with_credentials_of_another_account_fails(make):
    with (
        emulated_aws(),
        pytest.raises(LocalError, match=f"belongs to account {ACCOUNT}; allowed: 111122223333. Nothing was changed"),
    ):
        actions.preview(make(account="111122223333"))


def test_offline_preview_needs_no_credentials_and_reports_wrong_arguments(make):
    offline = {"access_key": "offline", "secret_key": "offline", "skip_credentials_validation": True}
    provider = {**offline, "skip_requesting_account_id": True}
    with environment(AWS_ENDPOINT_URL="http://127.0.0.1:1"):
        assert actions.preview(make(provider=provider)).changes == {"create": 8}
        wrong = {"eks.Addon": {"cluster_name": 3, "addon_name": "coredns"}}
        with pytest.raises(LocalError) as caught:
            actions.preview(make(provider=provider, more=wrong))
    text = str(caught.value)
    assert "clusterName: must be a text, but is a whole number" in text
