"""Amazon Managed Prometheus: the workspace, and the proxy by which pods write to it and query it."""
