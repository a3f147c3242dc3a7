"""Stand-in for Pulumi's `aws` provider, over boto3."""
