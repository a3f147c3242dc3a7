"""S3 buckets of Loki: private, encrypted with the platform's key, and writable only by Loki.

**No expiry of objects.** Loki's compactor enforces the retention. A rule by age would delete index files and Loki's own
seed file. S3 deletes only invisible data: parts of unfinished uploads, and old versions.

**No versions.** Loki never changes a chunk, and a chunk that the compactor deletes must be gone. With versions it would
remain, cost money, and outlive the promised retention. `protect` prevents accidental deletion of a bucket, and only
Loki's role may delete objects. If somebody enables versions by hand, old versions expire after a week.

**No server access log.** It would write more objects than Loki does, to another bucket that cannot use this key. For an
audit of reads, enable CloudTrail's data events, once for the whole account.
"""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks import private_bucket
from components.eks.policies import Document
from components.eks.private_bucket import deny

_TIDY_DAYS = 7


class LogBucketsArgs(TypedDict):
    """Arguments of LogBuckets."""

    chunks: str
    """Name of the bucket of chunks and index; unique in all of AWS."""
    ruler: str
    """Name of a second bucket for rule groups that teams create through Loki's API; empty for none.

    The platform does not use it: its rules are files that are checked before deployment, and Loki reads rules from one
    place only. It is for stacks that change Loki's `ruler.storage`.
    """
    key_arn: pulumi.Input[str]
    protect: bool
    """Whether Pulumi refuses to delete the buckets, and AWS retains them when they leave the program.

    Without it, destroying the stack deletes its logs.
    """


class LogBuckets(pulumi.ComponentResource):
    """The buckets that store Loki's data."""

    arns: Mapping[str, pulumi.Output[str]]
    """Name -> ARN. Known once the bucket is private, encrypted and limited to TLS."""

    def __init__(self, name: str, args: LogBucketsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:LogBuckets", name, {}, opts)
        wanted = {"chunks": args["chunks"], "ruler": args["ruler"]}
        self.arns = {
            bucket: self._bucket(f"{name}-{purpose}", bucket, args) for purpose, bucket in wanted.items() if bucket
        }
        self.register_outputs({"arns": self.arns})

    def _bucket(self, name: str, bucket_name: str, args: LogBucketsArgs) -> pulumi.Output[str]:
        bucket = aws.s3.Bucket(
            name,
            bucket=bucket_name,
            force_destroy=not args["protect"],
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=args["protect"]),
        )
        ready = _configured(name, bucket, args["key_arn"], pulumi.ResourceOptions(parent=self))
        return pulumi.Output.all(bucket.arn, *(part.id for part in ready)).apply(lambda known: known[0])


def _configured(
    name: str, bucket: aws.s3.Bucket, key_arn: pulumi.Input[str], child: pulumi.ResourceOptions
) -> list[pulumi.CustomResource]:
    """The bucket's security and lifecycle configuration, which must exist before the first write."""
    private = private_bucket.private(name, bucket, key_arn, child)
    owned = aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.bucket,
        # Disables access control lists, so that only policies grant permissions.
        rule={"object_ownership": "BucketOwnerEnforced"},
        opts=child,
    )
    # A bucket has a single lifecycle configuration: a second one would replace the first.
    tidied = aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=bucket.bucket,
        rules=[
            {
                "id": "unfinished-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": _TIDY_DAYS},
            },
            {
                "id": "old-versions",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrent_version_expiration": {"noncurrent_days": _TIDY_DAYS},
                "expiration": {"expired_object_delete_marker": True},
            },
        ],
        opts=child,
    )
    document = pulumi.Output.all(bucket.arn, key_arn).apply(lambda known: policy_of(*known))
    policy = private_bucket.bucket_policy(name, bucket, document, private[0], child)
    return [*private, owned, tidied, policy]


def policy_of(bucket_arn: str, key_arn: str) -> Document:
    """The bucket's policy. It only denies, even to administrators; roles grant permissions."""
    everything = [bucket_arn, f"{bucket_arn}/*"]
    encryption = "s3:x-amz-server-side-encryption"
    return {
        "Version": "2012-10-17",
        "Statement": [
            private_bucket.tls_only(bucket_arn),
            deny("OldTls", ["s3:*"], everything, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            # Requests without encryption headers get the bucket's encryption. Requests with them must name this key:
            # the comparison also matches if no key is named, as with S3's own keys.
            deny(
                "OtherKey",
                ["s3:PutObject"],
                everything[1:],
                {"Null": {encryption: "false"}, "StringNotEquals": {f"{encryption}-aws-kms-key-id": key_arn}},
            ),
            # Denies keys that the client sends with the request, because nobody else has them.
            deny(
                "CustomerKey", ["s3:PutObject"], everything[1:], {"Null": {f"{encryption}-customer-algorithm": "false"}}
            ),
        ],
    }
