"""Rules for data: it outlives its resource and is not public."""

from collections.abc import Iterator, Sequence

from policy.iam import statements
from policy.resource import UNKNOWN, Resource, Rule, StackRule, at, belonging, is_true, of

# Types of resources that a change to the program must not delete.
_PROTECTED = {
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:amp/workspace:Workspace",
    "aws:opensearch/domain:Domain",
    "aws:eks/cluster:Cluster",
    "aws:cloudwatch/logGroup:LogGroup",
    "kubernetes:storage.k8s.io/v1:StorageClass",
    "kubernetes:core/v1:PersistentVolumeClaim",
}
_BUCKET = "aws:s3/bucket:Bucket"
_PUBLIC_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read", "website")
_MIN_DELETION_DAYS = 30


def _protected(resource: Resource) -> Iterator[str]:
    if resource.type in _PROTECTED and not resource.protect:
        yield "protect is not set"


def _retained(resource: Resource) -> Iterator[str]:
    props = resource.props
    if resource.type == _BUCKET and props.get("forceDestroy") is True:
        yield "forceDestroy deletes the bucket's objects"
    if resource.type == "aws:kms/key:Key":
        days = props.get("deletionWindowInDays")
        if isinstance(days, int | float) and days < _MIN_DELETION_DAYS:
            yield (
                f"deletionWindowInDays is {days:.0f}; allowed: {_MIN_DELETION_DAYS}, because the data that it encrypts "
                "is lost with the key"
            )
    if resource.type == "kubernetes:storage.k8s.io/v1:StorageClass":
        policy = props.get("reclaimPolicy")
        if policy not in ("Retain", UNKNOWN):
            yield f"reclaimPolicy is {policy}; allowed: Retain"
    if resource.kubernetes and resource.kind == "StatefulSet":
        retention = at(props, "spec", "persistentVolumeClaimRetentionPolicy")
        for when in ("whenDeleted", "whenScaled"):
            if at(retention, when) == "Delete":
                yield f"persistentVolumeClaimRetentionPolicy.{when} is Delete; allowed: Retain"


def _namespaces(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    with_volumes = {at(resource.props, "metadata", "namespace") for resource in resources if _has_volume(resource)}
    for namespace in of(resources, "kubernetes:core/v1:Namespace"):
        if at(namespace.props, "metadata", "name") in with_volumes - {UNKNOWN} and not namespace.protect:
            yield namespace, "protect is not set, and deleting the namespace deletes its volumes"


def _has_volume(resource: Resource) -> bool:
    claims = at(resource.props, "spec", "volumeClaimTemplates")
    return resource.kubernetes and (resource.kind == "PersistentVolumeClaim" or bool(claims))


def _private(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for bucket in of(resources, _BUCKET):
        blocks = belonging(resources, _PUBLIC_BLOCK, bucket, "bucket")
        if not blocks:
            yield bucket, "has no BucketPublicAccessBlock"
        for block in blocks:
            for key in _BLOCKS:
                if not is_true(block.props.get(key)):
                    yield block, f"{key} is not true"
        policies = belonging(resources, "aws:s3/bucketPolicy:BucketPolicy", bucket, "bucket")
        if not any(policy.props.get("policy") is UNKNOWN or _tls_only(policy) for policy in policies):
            yield bucket, "has no BucketPolicy that refuses calls without TLS"


def _tls_only(policy: Resource) -> bool:
    return any(
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and at(statement, "Condition", "Bool", "aws:SecureTransport") in ("false", ["false"], False)
        for statement in statements(policy.props.get("policy"))
    )


def _logs_end(resource: Resource) -> Iterator[str]:
    if resource.type == "aws:cloudwatch/logGroup:LogGroup" and not resource.props.get("retentionInDays"):
        yield "retentionInDays is not set: the logs are stored, and billed, forever"


def _acl(resource: Resource) -> Iterator[str]:
    if resource.type == "aws:s3/bucketAcl:BucketAcl" and resource.props.get("acl") in _PUBLIC_ACLS:
        yield f"acl is {resource.props['acl']}; allowed: private"
    if resource.type == "aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration":
        yield "a website is public"


# Rules that `protect: false` breaks are advisory, because destroying a stack starts with an `up` without protection.
# A test requires protection in staging and production.
RULES = (
    Rule(
        name="data-protected",
        description="A change does not delete a resource that holds data.",
        check=_protected,
        advisory=True,
    ),
    Rule(name="data-kept", description="Data outlives its resource.", check=_retained, advisory=True),
    Rule(name="logs-end", description="A log group has an explicit retention.", check=_logs_end),
    Rule(name="bucket-acl-private", description="No ACL shares a bucket.", check=_acl),
)
STACK_RULES = (
    StackRule(
        name="namespace-protected",
        description="A change does not delete a namespace with volumes.",
        check=_namespaces,
        advisory=True,
    ),
    StackRule(
        name="bucket-private",
        description="A bucket blocks public access in all four ways and refuses calls without TLS.",
        check=_private,
    ),
)
