"""S3 buckets of Loki: private, encrypted with the platform's key, and emptied by nobody but Loki.

**No expiry of objects.** Retention is the compactor's work: a rule by age would take index files and Loki's own seed
file from under it. S3 only tidies what nobody sees: parts of uploads that were never finished, and old versions.

**No versions.** Loki never changes a chunk, and a chunk that the compactor deletes has to be gone: with versions it
would stay, be paid for, and outlive the retention that was promised. Against deleting by mistake there is `protect`,
and only Loki's role may delete objects. Should somebody switch versions on by hand, the old ones go after a week.

**No server access log.** It would write more objects than Loki does, into one more bucket that cannot have this key.
Who needs to know who read what takes CloudTrail's data events, once for the whole account.
"""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.policies import Document

_TIDY_DAYS = 7


class LogBucketsArgs(TypedDict):
    """Arguments of LogBuckets."""

    chunks: str
    """Name of the bucket of chunks and index; unique in all of AWS."""
    ruler: str
    """Name of a second bucket for rule groups that teams bring through Loki's API; empty for none.

    Nothing of the platform uses it: its rules are files that are checked before they are deployed, and Loki takes
    rules from one place only. It is for a stack that changes Loki's `ruler.storage`.
    """
    key_arn: pulumi.Input[str]
    protect: bool
    """Whether Pulumi refuses to delete them, and leaves them in AWS when they leave the program.

    Without it a destroyed stack takes its logs along.
    """


class LogBuckets(pulumi.ComponentResource):
    """The buckets that Loki keeps its data in."""

    arns: Mapping[str, pulumi.Output[str]]
    """Name -> ARN, once the bucket is private, encrypted and closed to all but TLS."""

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
    """All that makes it safe, before anything is written to it."""
    closed = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=child,
    )
    owned = aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.bucket,
        # No access control lists: who may do what is in policies alone.
        rule={"object_ownership": "BucketOwnerEnforced"},
        opts=child,
    )
    encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn},
                # One request to KMS for many objects, instead of one for each.
                "bucket_key_enabled": True,
            }
        ],
        opts=child,
    )
    # One lifecycle for each bucket: S3 knows no second one, it would replace the first.
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
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=pulumi.Output.json_dumps(pulumi.Output.all(bucket.arn, key_arn).apply(lambda known: policy_of(*known))),
        # S3 refuses a policy while it changes who may see the bucket.
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
    )
    return [closed, owned, encrypted, tidied, policy]


def policy_of(bucket_arn: str, key_arn: str) -> Document:
    """The bucket's policy. It allows nothing, that is up to roles; it forbids, even to administrators."""
    everything = [bucket_arn, f"{bucket_arn}/*"]
    encryption = "s3:x-amz-server-side-encryption"
    return {
        "Version": "2012-10-17",
        "Statement": [
            _deny("PlainText", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}}),
            _deny("OldTls", ["s3:*"], everything, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            # Who asks for no encryption gets the bucket's, which is right. Who asks for one must name this key: the
            # comparison is also true where no key is named, as for keys of S3's own.
            _deny(
                "OtherKey",
                ["s3:PutObject"],
                everything[1:],
                {"Null": {encryption: "false"}, "StringNotEquals": {f"{encryption}-aws-kms-key-id": key_arn}},
            ),
            # A key that comes with the request, and that nobody else has.
            _deny(
                "CustomerKey", ["s3:PutObject"], everything[1:], {"Null": {f"{encryption}-customer-algorithm": "false"}}
            ),
        ],
    }


def _deny(sid: str, actions: list[str], resources: list[str], condition: Document) -> Document:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        "Condition": condition,
    }
