"""The simulated systems: their metrics, log lines and faults."""
