"""Building blocks of workloads: namespaces, pods, network policies, permissions, labels and disruption budgets."""
