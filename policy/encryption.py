"""Rules for encryption at rest and in transit, with a rotated key of the stack's own."""

from collections.abc import Iterator, Sequence

from policy.resource import UNKNOWN, Resource, Rule, StackRule, at, belonging, elements, is_true, of

_BUCKET_ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
# Type -> inputs that must be set.
_KEYS = {
    "aws:amp/workspace:Workspace": ("kmsKeyArn",),
    "aws:secretsmanager/secret:Secret": ("kmsKeyId",),
    "aws:sqs/queue:Queue": ("kmsMasterKeyId",),
    "aws:sns/topic:Topic": ("kmsMasterKeyId",),
    "aws:cloudwatch/logGroup:LogGroup": ("kmsKeyId",),
    "aws:ebs/volume:Volume": ("kmsKeyId",),
}


def _at_rest(resource: Resource) -> Iterator[str]:
    props = resource.props
    for key in _KEYS.get(resource.type, ()):
        if not props.get(key):
            yield f"{key} is not set; allowed: the stack's key"
    if resource.type == "aws:kms/key:Key" and not is_true(props.get("enableKeyRotation")):
        yield "enableKeyRotation is not true"
    if resource.type == "kubernetes:storage.k8s.io/v1:StorageClass":
        parameters = props.get("parameters")
        if not is_true(at(parameters, "encrypted")):
            yield "parameters.encrypted is not true"
        if not at(parameters, "kmsKeyId"):
            yield "parameters.kmsKeyId is not set; allowed: the stack's key"
    if resource.type == "aws:eks/cluster:Cluster":
        config = at(props, "encryptionConfig")
        if config is not UNKNOWN and (
            "secrets" not in elements(at(config, "resources")) or not at(config, "provider", "keyArn")
        ):
            yield "encryptionConfig does not encrypt secrets with a key"


def _search_domain(resource: Resource) -> Iterator[str]:
    if resource.type != "aws:opensearch/domain:Domain":
        return
    props = resource.props
    if not is_true(at(props, "encryptAtRest", "enabled")) or not at(props, "encryptAtRest", "kmsKeyId"):
        yield "encryptAtRest is not enabled with a key"
    if not is_true(at(props, "nodeToNodeEncryption", "enabled")):
        yield "nodeToNodeEncryption is not enabled"
    if not is_true(at(props, "domainEndpointOptions", "enforceHttps")):
        yield "domainEndpointOptions.enforceHttps is not true"
    policy = at(props, "domainEndpointOptions", "tlsSecurityPolicy")
    if policy is not UNKNOWN and not str(policy).startswith("Policy-Min-TLS-1-2"):
        yield f"domainEndpointOptions.tlsSecurityPolicy is {policy}; allowed: TLS 1.2 or later"


def _buckets(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    for bucket in of(resources, "aws:s3/bucket:Bucket"):
        rules = [
            at(rule, "applyServerSideEncryptionByDefault")
            for side in belonging(resources, _BUCKET_ENCRYPTION, bucket, "bucket")
            for rule in elements(side.props.get("rules"))
        ]
        if not any(at(rule, "sseAlgorithm") in ("aws:kms", UNKNOWN) and at(rule, "kmsMasterKeyId") for rule in rules):
            yield bucket, "has no BucketServerSideEncryptionConfiguration with aws:kms and a key"


RULES = (
    Rule(name="encrypted-at-rest", description="Stored data is encrypted with a rotated key.", check=_at_rest),
    Rule(
        name="search-domain-encrypted",
        description="An OpenSearch domain encrypts its data and the traffic of its nodes and clients.",
        check=_search_domain,
    ),
)
STACK_RULES = (
    StackRule(name="bucket-encrypted", description="A bucket encrypts with the stack's key.", check=_buckets),
)
