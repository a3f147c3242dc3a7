"""A CloudWatch log group: encrypted, with an end, and kept while the stack is protected."""

import pulumi
import pulumi_aws as aws

# Equal to CloudTrail's event history, because an incident's investigation needs both.
DAYS = 90


def log_group(
    name: str, group: str, key_arn: pulumi.Input[str], *, protect: bool, parent: pulumi.Resource
) -> aws.cloudwatch.LogGroup:
    """The log group `group`. The policy of the KMS key must name it; see EncryptionKeyArgs.log_groups."""
    return aws.cloudwatch.LogGroup(
        name,
        name=group,
        retention_in_days=DAYS,
        kms_key_id=key_arn,
        opts=pulumi.ResourceOptions(parent=parent, protect=protect, retain_on_delete=protect),
    )
