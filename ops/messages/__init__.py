"""Shows the messages that a stack would send: example alerts, rendered by the real promtool and Alertmanager."""
