"""Simulated workloads and the receiver of notifications, for test clusters."""
