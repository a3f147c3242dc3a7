"""Stand-in for the official `grafana` provider plugin: the real HTTP API, or provisioning files where there is none."""
