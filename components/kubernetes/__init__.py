"""Building blocks for every workload: namespaces, pods, network policies, rights, labels, budgets."""
