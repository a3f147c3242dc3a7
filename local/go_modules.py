"""The programs that are built from the Go module proxy: module, version and packages of each. Pure data.

`local/tools/<folder>/go.mod` contains the requirements of each module, go.sum the checksums.
"""

from dataclasses import dataclass
from pathlib import Path

from settings import versions


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """One Go module in `local/tools/` and the programs that are built from it."""

    folder: str
    path: str
    """Go module path in go.mod."""
    version: str
    """Go module version, with the `v`."""
    packages: tuple[str, ...]
    """Packages below the module path; the last element of each (or of the module) names the program. `.` is our own
    main package in `local/tools/<folder>/`."""
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    """Build tags."""
    program: str = ""
    """Name of the single program, if it differs from the end of the package path."""
    embedded: tuple[str, ...] = ()
    """Files of the module, relative to its root, that our main package embeds; copied beside it before the build."""
    cpu_seconds: int
    """CPU time of the build, measured once from empty caches on slow cores; the longest builds start first."""
    cluster: bool = True
    """Whether `make up` needs the module; the others are for tests and checks."""

    @property
    def programs(self) -> tuple[str, ...]:
        """File names of the built programs."""
        if self.program:
            return (self.program,)
        return tuple(Path(f"{self.path}/{package}").name for package in self.packages)

    @property
    def build_arguments(self) -> tuple[str, ...]:
        """Arguments of `go build` that affect the bytes of the programs.

        Symbols and DWARF are left out: they are not needed here, and without DWARF the compiler needs a fifth less CPU
        time (etcd with empty caches: 102 s instead of 127 s).
        """
        tags = ("-tags", ",".join(self.tags)) if self.tags else ()
        ldflags = f"-s -w {self.ldflags}".strip()
        return ("-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", ldflags, *tags)


_BUILDINFO = "-X github.com/prometheus/common/version.Version="
_COMPONENT_BASE = "-X k8s.io/component-base/version."
KUBERNETES_MINOR = versions.KUBERNETES.split(".")[1]

_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
# Prometheus releases 3.x.y are tagged v0.3xx.y as Go modules.
_PROMETHEUS_MODULE = "v0.{}{:02d}.{}".format(*map(int, versions.PROMETHEUS.split(".")))

MODULES = (
    GoModule(
        folder="pulumi-kubernetes",
        path=_PROVIDER,
        version=versions.PULUMI_KUBERNETES_MODULE,
        packages=(".",),
        program="pulumi-resource-kubernetes",
        ldflags=f"-X {_PROVIDER}/pkg/version.Version={versions.PULUMI_KUBERNETES}",
        embedded=(
            "cmd/pulumi-resource-kubernetes/schema.json",
            "cmd/pulumi-resource-kubernetes/terraform-mapping.json",
        ),
        cpu_seconds=1619,
    ),
    GoModule(
        folder="kubernetes",
        path="k8s.io/kubernetes",
        version=f"v{versions.KUBERNETES}",
        packages=tuple(
            f"cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubeadm",
                "kubectl",
            )
        ),
        ldflags=f"{_COMPONENT_BASE}gitVersion=v{versions.KUBERNETES} "
        f"{_COMPONENT_BASE}gitMajor=1 {_COMPONENT_BASE}gitMinor={KUBERNETES_MINOR}",
        cpu_seconds=1254,
    ),
    GoModule(
        folder="loki",
        path="github.com/grafana/loki/v3",
        version=f"v{versions.LOKI}",
        packages=("cmd/loki",),
        ldflags=f"-X github.com/grafana/loki/v3/pkg/util/build.Version={versions.LOKI}",
        cpu_seconds=977,
    ),
    GoModule(
        folder="pulumi",
        path="github.com/pulumi/pulumi/pkg/v3",
        version=f"v{versions.PULUMI}",
        packages=("cmd/pulumi",),
        ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{versions.PULUMI}",
        cpu_seconds=703,
    ),
    GoModule(
        folder="jaeger",
        path="github.com/jaegertracing/jaeger",
        # The last tag of Jaeger 1 also contains Jaeger 2.13: both were released together.
        version="v1.76.0",
        packages=("cmd/jaeger",),
        ldflags=f"-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v{versions.JAEGER}",
        cpu_seconds=703,
    ),
    GoModule(
        folder="otelcol",
        path="",
        version=f"v{versions.OTEL_COLLECTOR}",
        packages=(".",),
        program="otelcol-contrib",
        cpu_seconds=481,
    ),
    GoModule(
        folder="prometheus",
        path="github.com/prometheus/prometheus",
        version=_PROMETHEUS_MODULE,
        packages=("cmd/prometheus", "cmd/promtool"),
        # Only Kubernetes and file discovery: the SDKs of all clouds would be half of the build.
        tags=("remove_all_sd", "enable_kubernetes_sd"),
        ldflags=_BUILDINFO + versions.PROMETHEUS,
        cpu_seconds=391,
    ),
    GoModule(
        folder="kube-router",
        path="github.com/cloudnativelabs/kube-router/v2",
        version=f"v{versions.KUBE_ROUTER}",
        packages=("cmd/kube-router",),
        cpu_seconds=329,
    ),
    GoModule(
        folder="kube-state-metrics",
        path="k8s.io/kube-state-metrics/v2",
        version=f"v{versions.KUBE_STATE_METRICS}",
        packages=("",),
        program="kube-state-metrics",
        ldflags=_BUILDINFO + versions.KUBE_STATE_METRICS,
        cpu_seconds=324,
    ),
    GoModule(
        folder="coredns",
        path="github.com/coredns/coredns",
        version=f"v{versions.COREDNS}",
        packages=(".",),
        program="coredns",
        cpu_seconds=174,
    ),
    GoModule(
        folder="alertmanager",
        path="github.com/prometheus/alertmanager",
        version=f"v{versions.ALERTMANAGER_EMBEDDED}",
        packages=("cmd/alertmanager",),
        ldflags=_BUILDINFO + versions.ALERTMANAGER_EMBEDDED,
        cpu_seconds=94,
    ),
    GoModule(
        folder="amtool",
        path="github.com/prometheus/alertmanager",
        version=f"v{versions.ALERTMANAGER}",
        packages=("cmd/amtool",),
        ldflags=_BUILDINFO + versions.ALERTMANAGER,
        cpu_seconds=90,
    ),
    GoModule(
        folder="replay-rules",
        path="github.com/prometheus/prometheus",
        version=_PROMETHEUS_MODULE,
        packages=(".",),
        program="replay-rules",
        cpu_seconds=120,
        cluster=False,
    ),
    GoModule(
        folder="replay-routes",
        path="github.com/prometheus/alertmanager",
        version=f"v{versions.ALERTMANAGER}",
        packages=(".",),
        program="replay-routes",
        cpu_seconds=90,
        cluster=False,
    ),
    GoModule(
        folder="etcd",
        path="go.etcd.io/etcd/server/v3",
        version=f"v{versions.ETCD}",
        packages=("",),
        program="etcd",
        cpu_seconds=53,
    ),
    GoModule(
        folder="node-exporter",
        path="github.com/prometheus/node_exporter",
        version=f"v{versions.NODE_EXPORTER}",
        packages=("",),
        ldflags=_BUILDINFO + versions.NODE_EXPORTER,
        cpu_seconds=19,
    ),
    GoModule(
        folder="pint",
        path="github.com/cloudflare/pint",
        version=f"v{versions.PINT}",
        packages=("cmd/pint",),
        ldflags=f"-X main.version={versions.PINT}",
        cpu_seconds=150,
        cluster=False,
    ),
    GoModule(
        folder="actionlint",
        path="github.com/rhysd/actionlint",
        version=f"v{versions.ACTIONLINT}",
        packages=("cmd/actionlint",),
        cpu_seconds=10,
        cluster=False,
    ),
    GoModule(
        folder="crane",
        path="github.com/google/go-containerregistry",
        version=f"v{versions.CRANE}",
        packages=("cmd/crane",),
        cpu_seconds=60,  # estimated; 9 s with a filled build cache
        cluster=False,
    ),
    GoModule(
        folder="pause",
        path="",
        version=f"v{versions.PAUSE}",
        packages=(".",),
        program="pause",
        cpu_seconds=1,
    ),
)
"""Every module, the longest build first."""
