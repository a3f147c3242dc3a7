"""Stand-in for the official `grafana` provider plugin: uses the real HTTP API, or provisioning files without one."""
