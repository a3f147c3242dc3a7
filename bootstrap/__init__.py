"""A Pulumi program of its own, which prepares an AWS account for the platform's stacks."""
