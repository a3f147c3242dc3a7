"""What every simulated program is made of: workload, signals, faults, logs, traces, HTTP."""
