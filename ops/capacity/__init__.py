"""What an environment must hold and what it costs a month, from its settings and its declared or measured workload."""
