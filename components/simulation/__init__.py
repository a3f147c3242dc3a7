"""Simulated workloads and a receiver of notifications, for test clusters."""
