"""Which version of each program runs where, from the pins and the modules that the embedded cluster builds."""

from local.go_modules import MODULES, GoModule
from settings import stack_files, versions
from tools.manual.markdown import GENERATED, table

_INTRODUCTION = """\
Every version is pinned once, in `settings/versions.py`; [an upgrade](operations.md#upgrade) reaches all stacks.
Where nodes pull images (EKS, any Kubernetes, kind, k3d, minikube), they pull the images below.
The embedded cluster builds the same versions from the modules below, so that what is proved there holds elsewhere.
Alertmanager alone differs there (`builtImages`), and tests give its configuration and its templates to both versions.
"""
_KUBERNETES = """\
Upstream supports a minor for 14 months, and EKS for 14 months from its own release.
Upstream's support of 1.34 ended on 2026-10-27, and that of 1.35 ends on 2027-02-28.
EKS' standard support of 1.34 ends on 2026-12-02.
The embedded cluster has the newest minor that works with containerd 1.6 of Debian 12.
A stack in a cluster of yours is refused outside of the range.
"""
# Program in go_modules -> image, for those that pods of the platform run.
_IMAGES = {
    "prometheus": versions.PROMETHEUS_IMAGE,
    "alertmanager": versions.ALERTMANAGER_IMAGE,  # the embedded cluster has ALERTMANAGER_EMBEDDED
    "loki": versions.LOKI_IMAGE,
    "jaeger": versions.JAEGER_IMAGE,
    "otelcol": versions.OTEL_COLLECTOR_IMAGE,
    "kube-state-metrics": versions.KUBE_STATE_METRICS_IMAGE,
    "node-exporter": versions.NODE_EXPORTER_IMAGE,
}
_REASONS = {
    "prometheus": "long-term support until July 2027",
    "alertmanager": "images: the newest in public use; built: the last whole one that keeps all sources of inhibitions",
    "jaeger": "the last module that has Jaeger 2",
    "otelcol": "the newest whose components all are modules",
}
_OTHERS = (
    (
        versions.GRAFANA_IMAGE,
        "the same image if this machine can pull it, or what `GRAFANA_HOME` names",
        "the last with all four data sources",
    ),
    (versions.PYTHON_IMAGE, "the Python of this machine's Debian", ""),
    (versions.SIMULATOR_IMAGE, "made from this checkout", "this project's own, in no registry"),
)


def page() -> str:
    """The page in Markdown."""
    modules = {module.folder: module for module in MODULES}
    rows = [(f"`{image}`", _module(modules[folder]), _REASONS.get(folder, "")) for folder, image in _IMAGES.items()]
    rows += [(f"`{image}`", where, reason) for image, where, reason in _OTHERS]
    low, below = versions.KUBERNETES_MIN, versions.KUBERNETES_BELOW
    created = stack_files.defaults()["clusterVersion"]
    ways = [
        ("EKS, `cluster: create`", f"{created} (`clusterVersion`)"),
        ("EKS, `cluster: existing`, and any other cluster", f"{low[0]}.{low[1]} to {below[0]}.{below[1] - 1}"),
        ("kind, k3d, minikube", "the one that their release was tested with"),
        (
            "the embedded cluster",
            f"{versions.KUBERNETES}, with etcd {versions.ETCD}, CoreDNS {versions.COREDNS} and kube-router "
            f"{versions.KUBE_ROUTER}",
        ),
    ]
    engine = [
        ("Pulumi CLI", f"{versions.PULUMI} or a newer one of the same major version"),
        (
            "Kubernetes provider",
            f"{versions.PULUMI_KUBERNETES}, downloaded, else built from `{versions.PULUMI_KUBERNETES_MODULE}`",
        ),
        ("OpenSearch, in tests", versions.OPENSEARCH),
    ]
    addons = sorted(versions.EKS_ADDONS.items())
    return "\n".join(
        (
            f"# Versions\n\n{GENERATED}\n\n{_INTRODUCTION}",
            f"## Programs\n\n{table(('image', 'embedded cluster', 'why this version'), rows)}\n",
            f"## Kubernetes\n\n{_KUBERNETES}\n{table(('cluster', 'Kubernetes'), ways)}\n",
            f"## Engine\n\n{table(('program', 'version'), engine)}\n",
            f"## Add-ons of EKS\n\n{table(('add-on', 'version'), addons)}\n",
        )
    )


def _module(module: GoModule) -> str:
    return f"`{module.path or 'go.opentelemetry.io/collector'}` {module.version}"
