"""Dashboards of Kubernetes itself: from the cluster down to a namespace, a workload and a node."""
