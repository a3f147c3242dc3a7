"""The agent's configuration: what it reads on its node, what it makes of a log line, and where it sends it.

Pure: settings in, YAML out.
"""

from dataclasses import dataclass, field

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector import shared_config
from components.collector.shared_config import Listen
from settings import sizes

# Without it lines are collected in memory for 100 ms after the checkpoint has moved: a kill loses them.
FLAGS = ("--feature-gates=stanza.synchronousLogEmitter",)
"""Of the command line, without which the configuration does not keep its promises."""

LOG_FIELDS = ("level", "trace_id", "span_id", "correlation_id", "request_id", "project_id", "operation", "duration_ms")
"""Fields of a JSON line that stay searchable beside the line; the gateway decides whether `service` is a label."""

# Who sent it is said by the connection, never by the sender. `service.name` is what a program may say of itself.
_CLAIMS = "^(k8s[.].*|namespace|app|service|service_name|pod|container|node)$"


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """What one agent needs to know."""

    namespace: str
    """Its own namespace."""
    app: str
    """Its own name; its pods' log files are not read."""
    trace_gateways: list[str]
    """host:port of every gateway, always in the same order: a trace belongs to one of them by its id."""
    log_gateway: str
    """gRPC target of all gateways together."""
    memory_bytes: int
    """The container's limit."""
    log_folder: str = "/var/log/pods"
    data_folder: str = "/var/lib/otel-agent"
    queue_bytes: int = 256 * 1024 * 1024
    """On disk for logs, and as much for traces."""
    kubernetes: bool = True
    """False where no Kubernetes API is: then a line knows only what its path tells."""
    listen: Listen = field(default_factory=Listen)


def render(config: AgentConfig) -> str:
    """The YAML that the collector reads. Raises ValueError where memory is too small for so many gateways.

    Order of processors: the memory limiter refuses before work is done; Kubernetes' names come next because they need
    the sender's address, which queues lose. There is no batch processor: see shared_config.persistent_queue.
    """
    by_path, by_connection = ["k8s_attributes/files"], ["k8s_attributes/programs"]
    if not config.kubernetes:
        by_path, by_connection = [], []
    document: Document = {
        "extensions": {
            "health_check": shared_config.health_check(config.listen),
            "file_storage": shared_config.file_storage(config.data_folder),
        },
        "receivers": {
            "otlp": shared_config.otlp_receiver(config.listen),
            "file_log": _pod_logs(config),
        },
        "processors": {
            "memory_limiter": shared_config.memory_limiter(),
            **({"k8s_attributes/files": _kubernetes_names(_BY_PATH)} if config.kubernetes else {}),
            **({"k8s_attributes/programs": _kubernetes_names(_BY_CONNECTION)} if config.kubernetes else {}),
            "transform/no_claims": _no_claims(),
            "transform/trace_context": _trace_context(),
        },
        "exporters": {
            "otlp_grpc/gateway": {
                # A Service's address would tie all logs of this node to one gateway: it balances connections, and there
                # is one. This name gives every gateway, and requests take turns.
                "endpoint": config.log_gateway,
                "balancer_name": "round_robin",
                **shared_config.grpc_client(),
                "retry_on_failure": shared_config.retry_for_ever(),
                "sending_queue": shared_config.persistent_queue(config.queue_bytes),
            },
            "load_balancing": _by_trace(config),
        },
        "service": {
            "extensions": ["health_check", "file_storage"],
            "pipelines": {
                "logs/files": {
                    "receivers": ["file_log"],
                    "processors": ["memory_limiter", *by_path, "transform/trace_context"],
                    "exporters": ["otlp_grpc/gateway"],
                },
                "logs/programs": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "transform/no_claims", *by_connection, "transform/trace_context"],
                    "exporters": ["otlp_grpc/gateway"],
                },
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "transform/no_claims", *by_connection],
                    "exporters": ["load_balancing"],
                },
            },
            "telemetry": shared_config.own_telemetry(config.listen.host, config.listen.metrics),
        },
    }
    return write_yaml(document)


def _pod_logs(config: AgentConfig) -> Document:
    files = f"{config.log_folder}/*/*/*.log"
    return {
        # The kubelet renames a full file to `0.log.20261121-120000`. It is read on under its new name, also by an agent
        # that was away meanwhile.
        "include": [files, f"{files}.*"],
        "exclude": [
            # A line about a line that could not be sent would be a line to send.
            f"{config.log_folder}/{config.namespace}_{config.app}-*/*/*",
            f"{files}.*.gz",
            f"{files}.*.tmp",
        ],
        # Whole files, also of pods that ended before the first look at them; the checkpoint keeps a restarted agent
        # from reading them again.
        "start_at": "beginning",
        "storage": "file_storage",
        "include_file_path": True,
        "include_file_name": False,
        # The parts of a long line are joined as they are.
        "preserve_trailing_whitespaces": True,
        "max_concurrent_files": 256,
        # When memory or the queue is full, reading waits: the log files are the largest queue of all.
        "retry_on_failure": shared_config.retry_for_ever(),
        "operators": [
            # Takes the line out of its envelope (time, stream), joins parts, and reads pod and namespace from the path.
            {"type": "container"},
            {
                "type": "json_parser",
                "if": r'body matches "^\\s*{"',
                "parse_to": "attributes",
                # An identifier of 17 digits is not a float.
                "parse_ints": True,
                # A line that only looks like JSON is a line all the same.
                "on_error": "send_quiet",
            },
            {
                "type": "move",
                "if": 'type(attributes.service) == "string"',
                "from": "attributes.service",
                "to": 'resource["service"]',
            },
            {
                "type": "severity_parser",
                "if": "attributes.level != nil",
                "parse_from": "attributes.level",
                "mapping": {"warn": ["warning"], "error": ["err"], "fatal": ["critical", "panic", "emergency"]},
                "on_error": "send_quiet",
            },
            # All else stays readable in the line itself.
            {"type": "retain", "fields": [f"attributes.{name}" for name in LOG_FIELDS]},
        ],
    }


def _trace_context() -> Document:
    """Valid ids become the record's trace context, invalid ones stay what they are: fields of a line."""
    statements: list[str] = []
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        valid = f'IsMatch(log.attributes["{name}"], "^[0-9a-fA-F]{{{digits}}}$")'
        statements += [
            f'set(log.{name}.string, log.attributes["{name}"]) where {valid}',
            # Loki writes the trace context beside the line under the same names; one is enough.
            f'delete_key(log.attributes, "{name}") where {valid}',
        ]
    return {"error_mode": "silent", "log_statements": [{"statements": statements}]}


def _no_claims() -> Document:
    """Deletes what a program says about its place in the cluster: it could write into the logs of another."""
    statements = [{"statements": [f'delete_matching_keys(resource.attributes, "{_CLAIMS}")']}]
    return {"log_statements": statements, "trace_statements": statements}


# Log files: the path has the uid of the pod. Programs: whoever connects.
_BY_PATH: Document = {"from": "resource_attribute", "name": "k8s.pod.uid"}
_BY_CONNECTION: Document = {"from": "connection"}


def _kubernetes_names(source: Document) -> Document:
    return {
        "auth_type": "serviceAccount",
        # Only pods of this node: the API server would otherwise tell every agent about every pod.
        "filter": {"node_from_env_var": "KUBE_NODE_NAME"},
        "extract": {
            "metadata": ["k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name"],
            "labels": [{"tag_name": "app", "key": "app.kubernetes.io/name", "from": "pod"}],
        },
        "pod_association": [{"sources": [source]}],
        # Lines wait in their files meanwhile; sent too early they would lack their app.
        "wait_for_metadata": True,
        "wait_for_metadata_timeout": "60s",
    }


def _by_trace(config: AgentConfig) -> Document:
    """Every span of a trace to the same gateway, whoever sends it and from whichever node.

    The list is fixed: a gateway that restarts keeps its share, which waits here, and no trace is torn. What waits for
    one gateway is in memory, so that the others' traces go on meanwhile; the queue on disk is in front of it.
    """
    return {
        "routing_key": "traceID",
        "protocol": {
            "otlp": {
                **shared_config.grpc_client(),
                "retry_on_failure": shared_config.retry_for_ever(),
                "sending_queue": {
                    "sizer": "bytes",
                    "queue_size": sizes.gateway_queue_bytes(config.memory_bytes, len(config.trace_gateways)),
                    # Full: the queue on disk fills.
                    "block_on_overflow": True,
                    "num_consumers": 2,
                    "batch": shared_config.batch(),
                },
            }
        },
        "resolver": {"static": {"hostnames": config.trace_gateways}},
        # How long a request waits for room in memory. An error would send it again, also to the gateways that have it.
        "timeout": "10m",
        "retry_on_failure": shared_config.retry_for_ever(),
        "sending_queue": {
            "storage": "file_storage",
            "sizer": "bytes",
            "queue_size": config.queue_bytes,
            "num_consumers": 4,
        },
    }
