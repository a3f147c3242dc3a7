"""The bucket that holds the states of the account's stacks: encrypted, private, with all earlier versions."""

import pulumi
import pulumi_aws as aws

# Long enough to find out that a state is wrong, and to go back to an earlier one.
_DAYS = 365


class StateBucket(pulumi.ComponentResource):
    """A bucket for Pulumi's states. Pulumi refuses to delete it and its key."""

    name: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    """Key of its objects. The secrets in a state have a key of their own."""

    def __init__(self, name: str, bucket_name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:bootstrap:StateBucket", name, {}, opts)
        kept = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        child = pulumi.ResourceOptions(parent=self)
        key = aws.kms.Key(
            f"{name}-key",
            description="Pulumi's states",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=kept,
        )
        bucket = aws.s3.Bucket(f"{name}-bucket", bucket=bucket_name, opts=kept)
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        ready = [
            closed,
            aws.s3.BucketVersioning(
                f"{name}-versions",
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
                opts=child,
            ),
            aws.s3.BucketServerSideEncryptionConfiguration(
                f"{name}-encryption",
                bucket=bucket.bucket,
                rules=[
                    {
                        "apply_server_side_encryption_by_default": {
                            "sse_algorithm": "aws:kms",
                            "kms_master_key_id": key.arn,
                        },
                        "bucket_key_enabled": True,
                    }
                ],
                opts=child,
            ),
            aws.s3.BucketLifecycleConfiguration(
                f"{name}-lifecycle",
                bucket=bucket.bucket,
                rules=[
                    {
                        "id": "old-versions",
                        "status": "Enabled",
                        "filter": {"prefix": ""},
                        "noncurrent_version_expiration": {"noncurrent_days": _DAYS},
                    }
                ],
                opts=child,
            ),
            aws.s3.BucketPolicy(
                f"{name}-policy",
                bucket=bucket.bucket,
                policy=pulumi.Output.json_dumps(bucket.arn.apply(_tls_only)),
                # S3 rejects a policy while it changes the public access block.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
            ),
        ]
        self.name = pulumi.Output.all(bucket.bucket, *(one.id for one in ready)).apply(lambda known: known[0])
        self.key_arn = key.arn
        self.register_outputs({"name": self.name, "key_arn": self.key_arn})


def _tls_only(bucket_arn: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "PlainText",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:*"],
                "Resource": [bucket_arn, f"{bucket_arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
