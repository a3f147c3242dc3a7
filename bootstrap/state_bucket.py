"""The bucket that holds the states of the account's stacks: encrypted, private, with all earlier versions."""

import pulumi
import pulumi_aws as aws

from components.eks import private_bucket

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
        private = private_bucket.private(name, bucket, key.arn, child)
        ready = [
            *private,
            aws.s3.BucketVersioning(
                f"{name}-versions",
                bucket=bucket.bucket,
                versioning_configuration={"status": "Enabled"},
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
            private_bucket.bucket_policy(name, bucket, bucket.arn.apply(_policy), private[0], child),
        ]
        self.name = pulumi.Output.all(bucket.bucket, *(one.id for one in ready)).apply(lambda known: known[0])
        self.key_arn = key.arn
        self.register_outputs({"name": self.name, "key_arn": self.key_arn})


def _policy(bucket_arn: str) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [private_bucket.tls_only(bucket_arn)]}
