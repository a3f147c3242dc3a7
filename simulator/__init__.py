"""Programs for a test cluster: workloads with switchable faults, and a receiver that records every notification.

Imports nothing from the rest of the repository, so that its image contains only these files and their libraries.
"""
