"""Rules and routes in the programs that run them: promtool, Alertmanager, Loki."""
