"""Policy rules on data: it must be encrypted, private, protected and retained."""

import json
from typing import Any

import pytest

from policy.resource import UNKNOWN, Resource
from tests.policy.judged import aws, judged, kubernetes

KEY = "arn:aws:kms:eu-west-1:111122223333:key/a"
BUCKET = aws("s3/bucket:Bucket", {"bucket": "logs"}, name="logs", protect=True)
BLOCK = {"blockPublicAcls": True, "blockPublicPolicy": True, "ignorePublicAcls": True, "restrictPublicBuckets": True}
DOMAIN: dict[str, Any] = {
    "encryptAtRest": {"enabled": True, "kmsKeyId": KEY},
    "nodeToNodeEncryption": {"enabled": True},
    "domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10"},
}
STORAGE_CLASS: dict[str, Any] = {
    "parameters": {"type": "gp3", "encrypted": "true", "kmsKeyId": KEY},
    "reclaimPolicy": "Retain",
}


def block(**changes: Any) -> Resource:
    props = {"bucket": UNKNOWN, **BLOCK, **changes}
    return aws(
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", props, name="block", dependencies=frozenset({"logs"})
    )


def encryption(algorithm: str = "aws:kms", key: Any = KEY) -> Resource:
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm, "kmsMasterKeyId": key}}
    type_ = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    return aws(type_, {"bucket": "logs", "rules": [rule]}, name="encryption")


def tls_only(effect: str = "Deny") -> Resource:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    statement = {"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}
    return aws("s3/bucketPolicy:BucketPolicy", {"bucket": "logs", "policy": json.dumps({"Statement": [statement]})})


@pytest.mark.parametrize(
    ("sides", "problems"),
    [
        ([block(), tls_only()], []),
        ([tls_only()], ["has no BucketPublicAccessBlock"]),
        ([block(restrictPublicBuckets=False), tls_only()], ["restrictPublicBuckets is not true"]),
        ([block(blockPublicAcls=None), tls_only()], ["blockPublicAcls is not true"]),
        ([block()], ["has no BucketPolicy that refuses calls without TLS"]),
        ([block(), tls_only("Allow")], ["has no BucketPolicy that refuses calls without TLS"]),
    ],
)
def test_buckets_are_private(sides: list[Resource], problems: list[str]) -> None:
    assert judged("bucket-private", BUCKET, *sides) == problems


@pytest.mark.parametrize(
    ("sides", "fine"),
    [
        ([encryption()], True),
        ([encryption(key=UNKNOWN)], True),
        ([encryption("AES256")], False),
        ([encryption(key=None)], False),
        ([], False),
    ],
)
def test_buckets_are_encrypted_with_a_kms_key(sides: list[Resource], fine: bool) -> None:
    assert (judged("bucket-encrypted", BUCKET, *sides) == []) is fine


def test_the_encryption_of_another_bucket_does_not_count() -> None:
    other = aws("s3/bucket:Bucket", {"bucket": "other"}, name="other")
    assert judged("bucket-encrypted", BUCKET, other, encryption()) == [
        "has no BucketServerSideEncryptionConfiguration with aws:kms and a key"
    ]


@pytest.mark.parametrize(("days", "fine"), [(90, True), (UNKNOWN, True), (0, False), (None, False)])
def test_log_groups_have_a_retention(days: Any, fine: bool) -> None:
    group = aws("cloudwatch/logGroup:LogGroup", {"retentionInDays": days})
    assert (judged("logs-end", group) == []) is fine


@pytest.mark.parametrize(("acl", "fine"), [("private", True), ("public-read", False), ("authenticated-read", False)])
def test_acls_are_private(acl: str, fine: bool) -> None:
    assert (judged("bucket-acl-private", aws("s3/bucketAcl:BucketAcl", {"acl": acl})) == []) is fine


@pytest.mark.parametrize(
    ("resource", "problems"),
    [
        (aws("kms/key:Key", {"enableKeyRotation": True}), []),
        (aws("kms/key:Key", {}), ["enableKeyRotation is not true"]),
        (aws("amp/workspace:Workspace", {"kmsKeyArn": UNKNOWN}), []),
        (aws("amp/workspace:Workspace", {}), ["kmsKeyArn is not set; allowed: the stack's key"]),
        (kubernetes("storage.k8s.io/v1:StorageClass", STORAGE_CLASS), []),
        (
            kubernetes("storage.k8s.io/v1:StorageClass", {"parameters": {"type": "gp3"}}),
            ["parameters.encrypted is not true", "parameters.kmsKeyId is not set; allowed: the stack's key"],
        ),
        (aws("eks/cluster:Cluster", {"encryptionConfig": {"resources": ["secrets"], "provider": {"keyArn": KEY}}}), []),
        (aws("eks/cluster:Cluster", {}), ["encryptionConfig does not encrypt secrets with a key"]),
    ],
)
def test_encryption_at_rest(resource: Resource, problems: list[str]) -> None:
    assert judged("encrypted-at-rest", resource) == problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"encryptAtRest": {"enabled": True}}, "encryptAtRest is not enabled with a key"),
        ({"nodeToNodeEncryption": {"enabled": False}}, "nodeToNodeEncryption is not enabled"),
        (
            {"domainEndpointOptions": {"tlsSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"}},
            "domainEndpointOptions.enforceHttps is not true",
        ),
        (
            {"domainEndpointOptions": {"enforceHttps": True, "tlsSecurityPolicy": "Policy-Min-TLS-1-0-2019-07"}},
            "domainEndpointOptions.tlsSecurityPolicy is Policy-Min-TLS-1-0-2019-07; allowed: TLS 1.2 or later",
        ),
    ],
)
def test_search_domains_are_encrypted(changes: dict[str, Any], problem: str | None) -> None:
    found = judged("search-domain-encrypted", aws("opensearch/domain:Domain", {**DOMAIN, **changes}))
    assert found == ([problem] if problem else [])


@pytest.mark.parametrize(
    "type_",
    ["s3/bucket:Bucket", "kms/key:Key", "amp/workspace:Workspace", "opensearch/domain:Domain", "eks/cluster:Cluster"],
)
def test_resources_with_data_are_protected(type_: str) -> None:
    assert judged("data-protected", aws(type_, {}, protect=True)) == []
    assert judged("data-protected", aws(type_, {})) == ["protect is not set"]


@pytest.mark.parametrize(
    ("resource", "problems"),
    [
        (BUCKET, []),
        (aws("s3/bucket:Bucket", {"forceDestroy": True}), ["forceDestroy deletes the bucket's objects"]),
        (aws("kms/key:Key", {"deletionWindowInDays": 30.0}), []),
        (
            aws("kms/key:Key", {"deletionWindowInDays": 7.0}),
            ["deletionWindowInDays is 7; allowed: 30, because the data that it encrypts is lost with the key"],
        ),
        (
            kubernetes("storage.k8s.io/v1:StorageClass", {**STORAGE_CLASS, "reclaimPolicy": "Delete"}),
            ["reclaimPolicy is Delete; allowed: Retain"],
        ),
        (
            kubernetes(
                "apps/v1:StatefulSet", {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}}
            ),
            ["persistentVolumeClaimRetentionPolicy.whenDeleted is Delete; allowed: Retain"],
        ),
        (kubernetes("apps/v1:StatefulSet", {"spec": {}}), []),
    ],
)
def test_data_is_retained(resource: Resource, problems: list[str]) -> None:
    assert judged("data-kept", resource) == problems


def test_a_namespace_with_volumes_is_protected() -> None:
    def namespace(name: str, **more: Any) -> Resource:
        return kubernetes("core/v1:Namespace", {"metadata": {"name": name}}, **more)

    claim = kubernetes("core/v1:PersistentVolumeClaim", {"metadata": {"namespace": "platform"}})
    loki = kubernetes(
        "apps/v1:StatefulSet", {"metadata": {"namespace": "logs"}, "spec": {"volumeClaimTemplates": [{}]}}
    )
    problem = "protect is not set, and deleting the namespace deletes its volumes"
    assert judged("namespace-protected", namespace("platform"), claim) == [problem]
    assert judged("namespace-protected", namespace("logs"), loki) == [problem]
    assert judged("namespace-protected", namespace("platform", protect=True), namespace("agents"), claim) == []
