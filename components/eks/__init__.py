"""Components for Amazon EKS: cluster access, storage, identities, and the AWS services that the platform uses."""
