module observability.local/tools/alertmanager

go 1.26

require github.com/prometheus/alertmanager v0.28.1
