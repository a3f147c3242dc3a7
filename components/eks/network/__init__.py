"""The network of an EKS cluster: rules of security groups, enforcement of network policies, DNS records."""
