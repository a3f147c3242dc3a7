"""The simulated systems: metrics, log lines and faults of each."""
