"""Runs inside the cluster: a workload with switchable faults, and a receiver that records every notification.

Stands alone: imports nothing of the rest of the repository, so that its image holds these files and their libraries.
"""
