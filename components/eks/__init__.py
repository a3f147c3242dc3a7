"""What only Amazon EKS has: access to the cluster, storage, identities, and the AWS services behind the platform."""
