"""The buckets of Loki: what S3 is told, and what the policy refuses, decided as AWS decides."""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.eks.log_buckets import LogBuckets, policy_of
from tests.eks.account import Account
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import ROOT, Recorded

ARN = "arn:aws:s3:::logs"
PARTS = (
    "BucketPublicAccessBlock",
    "BucketOwnershipControls",
    "BucketServerSideEncryptionConfiguration",
    "BucketLifecycleConfiguration",
    "BucketPolicy",
)
HEADER = "s3:x-amz-server-side-encryption"


def _buckets(
    engine: Callable[..., Recorded], *, preview: bool = False, protect: bool = True, ruler: str = ""
) -> Recorded:
    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region))
        args = {"chunks": "logs", "ruler": ruler, "key_arn": KEY, "protect": protect}
        made = LogBuckets("buckets", args, provider)  # pyright: ignore[reportArgumentType]
        pulumi.export("arns", pulumi.Output.all(**made.arns))

    return engine(program, preview=preview)


def _inputs(recorded: Recorded, kind: str) -> dict[str, Any]:
    (found,) = recorded.of(kind)
    return found.inputs


def test_the_bucket_is_private_encrypted_and_kept(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _buckets(engine, preview=preview)
    (bucket,) = recorded.of("Bucket")
    assert bucket.inputs == {"bucket": "logs", "forceDestroy": False}
    assert (bucket.protect, bucket.retain) == (True, True)
    assert _inputs(recorded, "BucketPublicAccessBlock") == {
        "bucket": "logs",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    assert _inputs(recorded, "BucketOwnershipControls")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert _inputs(recorded, "BucketServerSideEncryptionConfiguration")["rules"] == [
        {
            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": KEY},
            "bucketKeyEnabled": True,
        }
    ]
    if not preview:
        assert _inputs(recorded, "BucketPolicy")["policy"] == json.dumps(policy_of(ARN, KEY))
        assert recorded.outputs["buckets"] == {"arns": {"logs": ARN}}


def test_s3_expires_no_object_that_loki_knows(engine: Callable[..., Recorded]) -> None:
    rules = _inputs(_buckets(engine), "BucketLifecycleConfiguration")["rules"]
    assert rules == [
        {
            "id": "unfinished-uploads",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
        },
        {
            "id": "old-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrentVersionExpiration": {"noncurrentDays": 7},
            "expiration": {"expiredObjectDeleteMarker": True},
        },
    ]
    assert not [rule for rule in rules if "days" in rule.get("expiration", {})]


def test_a_ruler_s_bucket_is_made_the_same_way(engine: Callable[..., Recorded]) -> None:
    recorded = _buckets(engine, ruler="rules")
    assert {bucket.inputs["bucket"] for bucket in recorded.of("Bucket")} == {"logs", "rules"}
    for kind in PARTS:
        chunks, ruler = sorted(({**part.inputs} for part in recorded.of(kind)), key=lambda inputs: inputs["bucket"])
        assert (chunks.pop("bucket"), ruler.pop("bucket")) == ("logs", "rules")
        assert json.dumps(ruler).replace("arn:aws:s3:::rules", ARN) == json.dumps(chunks)


def test_the_arn_is_known_when_all_is_configured(engine: Callable[..., Recorded]) -> None:
    """Who gets it (the role's policy, and so Loki) waits for all parts: no object is written before."""

    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region))
        made = LogBuckets("buckets", {"chunks": "logs", "ruler": "", "key_arn": KEY, "protect": True}, provider)
        aws.iam.Role("user", assume_role_policy=made.arns["logs"], opts=provider)

    recorded = engine(program)
    (user,) = recorded.of("Role")
    assert {part.name for kind in PARTS for part in recorded.of(kind)} <= user.dependencies


def test_a_stack_without_protection_takes_its_logs_along(engine: Callable[..., Recorded]) -> None:
    (bucket,) = _buckets(engine, protect=False).of("Bucket")
    assert (bucket.protect, bucket.retain, bucket.inputs["forceDestroy"]) == (False, False, True)


def _denied(action: str, resource: str, **keys: str) -> set[str]:
    """Statements of the policy that refuse a request with these condition keys, by the rules of IAM."""
    return {
        statement["Sid"]
        for statement in policy_of(ARN, KEY)["Statement"]
        if statement["Effect"] == "Deny"
        and any(pattern in ("s3:*", action) for pattern in statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and all(_holds(operator, key, value, keys) for operator, key, value in _conditions(statement))
    }


def _conditions(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(operator, key, value) for operator, of in statement["Condition"].items() for key, value in of.items()]


def _holds(operator: str, key: str, value: str, keys: dict[str, str]) -> bool:
    """One condition. A negated one holds for a key that the request has not; all others do not."""
    found = keys.get(key)
    if operator == "Null":
        return (found is None) == (value == "true")
    if operator == "StringNotEquals":
        return found != value
    if found is None:
        return False
    return float(found) < float(value) if operator == "NumericLessThan" else found == value


TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
OBJECT = f"{ARN}/fake/chunk"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (TLS, set()),
        (TLS | {HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": KEY}, set()),
        (TLS | {HEADER: "aws:kms", f"{HEADER}-aws-kms-key-id": f"{KEY}0"}, {"OtherKey"}),
        (TLS | {HEADER: "aws:kms"}, {"OtherKey"}),
        (TLS | {HEADER: "AES256"}, {"OtherKey"}),
        (TLS | {f"{HEADER}-customer-algorithm": "AES256"}, {"CustomerKey"}),
        (TLS | {"aws:SecureTransport": "false"}, {"PlainText"}),
        (TLS | {"s3:TlsVersion": "1.1"}, {"OldTls"}),
    ],
    ids=["as Loki writes", "our key", "another key", "S3's key", "S3's own", "customer's", "no TLS", "TLS 1.1"],
)
def test_what_the_policy_refuses(keys: dict[str, str], expected: set[str]) -> None:
    assert _denied("s3:PutObject", OBJECT, **keys) == expected


def test_plain_text_is_refused_for_everything() -> None:
    plain = {"aws:SecureTransport": "false", "s3:TlsVersion": "1.3"}
    assert _denied("s3:GetObject", OBJECT, **plain) == _denied("s3:ListBucket", ARN, **plain) == {"PlainText"}


def test_the_policy_allows_nothing() -> None:
    assert {statement["Effect"] for statement in policy_of(ARN, KEY)["Statement"]} == {"Deny"}


def test_the_rule_that_empties_a_bucket_is_one_that_s3_takes(account: Account) -> None:
    """docs/eks.md has it; botocore knows its fields."""
    (text,) = re.findall(
        r'^    (\{"Rules": .+?^    }\]})$', (ROOT / "docs/eks.md").read_text(), re.DOTALL | re.MULTILINE
    )
    account.bucket("full")
    account.s3.put_bucket_lifecycle_configuration(Bucket="full", LifecycleConfiguration=json.loads(text))
    (rule,) = account.s3.get_bucket_lifecycle_configuration(Bucket="full")["Rules"]
    assert (rule["Status"], rule["Filter"], rule["Expiration"]) == ("Enabled", {"Prefix": ""}, {"Days": 1})
