"""Scrape jobs of Kubernetes itself: kubelets, the containers that they run, the API server and the cluster's DNS. Pure.

These programs expose tens of thousands of series, most of which nobody reads. Each job keeps the metrics that a rule or
a dashboard reads, and a test holds both equal. No job reads the scheduler, the controller manager or etcd, which EKS
does not expose, nor the kubelet's counters of probes: what a failed probe does shows as a restart or a missing replica.
"""

from typing import Any

from alerting.durations import seconds
from components.metrics.relabeling import POD, keep, pod_labels, running, set_label

KUBELET = (
    "kubelet_certificate_manager_client_ttl_seconds",
    "kubelet_certificate_manager_server_ttl_seconds",
    "kubelet_running_pods",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "kubelet_volume_stats_inodes",
    "kubelet_volume_stats_inodes_free",
    "kubelet_volume_stats_used_bytes",
)
"""Metrics of each kubelet: a few a node, and five a volume."""
CONTAINERS = (
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
)
"""Metrics of each container: two, and two more if it has a CPU limit."""
PODS = ("container_network_receive_bytes_total", "container_network_transmit_bytes_total")
"""Metrics of each pod."""
API_SERVER = ("apiserver_current_inflight_requests", "apiserver_request_total")
"""Metrics of each API server, besides SLOW_REQUESTS."""
SLOW_REQUESTS = "apiserver_request_duration_seconds_bucket"
"""Two of its buckets: requests within a second, and all. Those that last by design, such as WATCH, are dropped."""
DNS = ("coredns_dns_request_duration_seconds_bucket", "coredns_dns_responses_total")
"""Metrics of each DNS server."""
KEPT = (*KUBELET, *CONTAINERS, *PODS, *API_SERVER, SLOW_REQUESTS, *DNS)
"""All metrics of these jobs."""

_SECRETS = "/var/run/secrets/kubernetes.io/serviceaccount"
_CA = f"{_SECRETS}/ca.crt"
_DNS_PORT = 9153
_COMPUTE_TYPE = "__meta_kubernetes_node_label_eks_amazonaws_com_compute_type"
# A kubelet measures containers every 10 to 15 s, and writes thousands of samples for each scrape.
_KUBELET_INTERVAL = "15s"
# A busy one takes seconds for that: 3 s on two cores that run everything.
_KUBELET_TIMEOUT = "10s"
# An API server writes tens of thousands of samples for each scrape, whatever is kept of them.
_API_SERVER_INTERVAL = "30s"
# A busy one takes seconds for that: 5 s on two cores that run everything.
_API_SERVER_TIMEOUT = "25s"


def jobs(scrape_interval: str, *, verify_kubelets: bool = False) -> list[dict[str, Any]]:
    """The scrape jobs, at `scrape_interval`; kubelets at most every 15 s, and API servers at most every 30 s.

    With `verify_kubelets`, the cluster's CA must have signed the certificates of kubelets.
    """
    interval = max(scrape_interval, _KUBELET_INTERVAL, key=seconds)
    api_server = _api_server(max(scrape_interval, _API_SERVER_INTERVAL, key=seconds))
    # Each job gets its own dictionary: YAML would have an anchor for one that both share.
    return [
        _kubelet(_of_nodes(interval, verified=verify_kubelets)),
        _containers(_of_nodes(interval, verified=verify_kubelets)),
        api_server,
        _dns(),
    ]


def _kubelet(of_nodes: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_name": "kubelet",
        **of_nodes,
        "metric_relabel_configs": [keep(["__name__"], _any(KUBELET))],
    }


def _containers(of_nodes: dict[str, Any]) -> dict[str, Any]:
    """Use of processor, memory and network, from the cAdvisor in each kubelet."""
    return {
        "job_name": "cadvisor",
        "metrics_path": "/metrics/cadvisor",
        **of_nodes,
        # Samples have times of their own. Without this, a container that is gone seems to exist for 5 minutes more.
        "track_timestamps_staleness": True,
        "metric_relabel_configs": [
            # Sums over a pod, a class of pods and the node repeat those of the containers. A pod's network has no
            # container, and its own interface; pods on the node's network show the node's traffic.
            keep(
                ["__name__", "pod", "container", "interface"],
                f"{_any(CONTAINERS)};.+;.+;|{_any(PODS)};.+;.*;eth0",
            ),
            # They change with every restart of a container, which would begin new series.
            {"action": "labeldrop", "regex": "id|image|interface|name"},
        ],
    }


def _of_nodes(scrape_interval: str, *, verified: bool) -> dict[str, Any]:
    """What all jobs of kubelets share. A kubelet that does not answer is one app's lost target, not two."""
    return {
        "scrape_interval": scrape_interval,
        "scrape_timeout": _KUBELET_TIMEOUT,
        "scheme": "https",
        "authorization": {"credentials_file": f"{_SECRETS}/token"},
        # In most clusters, kubelets sign their own serving certificates, which the CA in pods cannot verify. The token
        # is at risk then: a fake kubelet could use it to read pods, nodes and kubelet metrics.
        "tls_config": {"ca_file": _CA} if verified else {"insecure_skip_verify": True},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            # The kubelet of a pod on Fargate has the pod's security groups, which admit Prometheus to no port of it.
            {"action": "drop", "source_labels": [_COMPUTE_TYPE], "regex": "fargate"},
            set_label("node", "__meta_kubernetes_node_name"),
            {"target_label": "app", "replacement": "kubelet"},
        ],
    }


def _api_server(scrape_interval: str) -> dict[str, Any]:
    """Each API server on its own: behind the Service's address, counters of several would seem to restart."""
    return {
        "job_name": "kube-apiserver",
        "scrape_interval": scrape_interval,
        "scrape_timeout": _API_SERVER_TIMEOUT,
        "scheme": "https",
        "authorization": {"credentials_file": f"{_SECRETS}/token"},
        "tls_config": {"ca_file": _CA, "server_name": "kubernetes"},
        "kubernetes_sd_configs": [{"role": "endpointslice", "namespaces": {"names": ["default"]}}],
        "relabel_configs": [
            keep(["__meta_kubernetes_service_name", "__meta_kubernetes_endpointslice_port_name"], "kubernetes;https"),
            {"target_label": "app", "replacement": "kube-apiserver"},
        ],
        "metric_relabel_configs": [
            keep(
                ["__name__", "le"],
                rf"{_any(API_SERVER)};|{SLOW_REQUESTS};(?:1|1\.0|\+Inf)",
            ),
            {
                "action": "drop",
                "source_labels": ["__name__", "verb"],
                "regex": f"{SLOW_REQUESTS};(?:CONNECT|WATCH|WATCHLIST)",
            },
        ],
    }


def _dns() -> dict[str, Any]:
    """CoreDNS, which EKS Auto Mode does not run. The job `pods` takes these metrics from no pod, see scrape_claims."""
    return {
        "job_name": "coredns",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["kube-system"]}}],
        "relabel_configs": [
            keep([f"{POD}label_k8s_app", f"{POD}container_port_number"], f"kube-dns;{_DNS_PORT}"),
            running(),
            *pod_labels(),
            {"target_label": "app", "replacement": "coredns"},
        ],
        "metric_relabel_configs": [keep(["__name__"], _any(DNS))],
    }


def _any(metrics: tuple[str, ...]) -> str:
    return f"(?:{'|'.join(metrics)})"
