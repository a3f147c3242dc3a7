"""Estimates an environment's needed capacity and monthly cost from its settings and its workload."""
