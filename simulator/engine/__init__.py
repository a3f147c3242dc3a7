"""Parts of every simulated program: workload, signals, faults, logs, traces, HTTP."""
