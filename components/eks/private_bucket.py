"""What every bucket of this project has: no public access, a KMS key, and a refusal of plain HTTP."""

import pulumi
import pulumi_aws as aws

from components.eks.policies import Document


def private(
    name: str, bucket: aws.s3.Bucket, key_arn: pulumi.Input[str], child: pulumi.ResourceOptions
) -> list[pulumi.CustomResource]:
    """Closes the bucket to the public, and encrypts it with the key. The first resource must exist before a policy."""
    return [
        aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        ),
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": key_arn,
                    },
                    # One request to KMS for many objects instead of one request for each.
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        ),
    ]


def bucket_policy(
    name: str,
    bucket: aws.s3.Bucket,
    document: pulumi.Input[Document],
    closed: pulumi.Resource,
    child: pulumi.ResourceOptions,
) -> aws.s3.BucketPolicy:
    """The bucket's policy, after the public access block: S3 rejects a policy while it changes that."""
    return aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=pulumi.Output.json_dumps(document),
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[closed])),
    )


def tls_only(bucket_arn: str) -> Document:
    """A statement that denies plain HTTP."""
    secure = {"Bool": {"aws:SecureTransport": "false"}}
    return deny("PlainText", ["s3:*"], [bucket_arn, f"{bucket_arn}/*"], secure)


def deny(sid: str, actions: list[str], resources: list[str], condition: Document) -> Document:
    """A statement that denies, even to administrators."""
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        "Condition": condition,
    }
