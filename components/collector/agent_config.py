"""The agent's configuration: inputs on its node, processing of log lines, and delivery to the gateways.

Pure: converts settings to YAML.
"""

from dataclasses import dataclass, field

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector import claims, pushed_metrics, refused_requests, services, shared_config
from components.collector.shared_config import Listen
from settings import sizes

# Without this flag, lines are buffered in memory for 100 ms after the checkpoint has advanced, and a kill loses them.
FLAGS = ("--feature-gates=stanza.synchronousLogEmitter",)
"""Command line flags that this configuration requires."""

LOG_FIELDS = ("level", "trace_id", "span_id", "correlation_id", "request_id", "project_id", "operation", "duration_ms")
"""Fields of a JSON line that stay searchable beside the line. The gateway decides whether `service` becomes a label."""

SENDER = ("k8s.namespace.name", "k8s.pod.name", "k8s.pod.uid", "k8s.node.name")
"""Attributes that the agent gives to every line, span and metric of a pod."""


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Inputs of the agent's configuration."""

    namespace: str
    """Namespace of the agent."""
    app: str
    """Name of the agent. It does not read the log files of its own pods."""
    trace_gateways: list[str]
    """host:port of each gateway. The order must be stable: a trace's id selects its gateway."""
    log_gateway: str
    """gRPC target that resolves to all gateways."""
    memory_bytes: int
    """The container's limit."""
    log_folder: str = "/var/log/pods"
    data_folder: str = "/var/lib/otel-agent"
    queue_bytes: int = 256 * 1024 * 1024
    """Size of the queue on disk for logs, of the one for traces, and of the one for metrics."""
    kubernetes: bool = True
    """False if there is no Kubernetes API. A line then has only the metadata in its file's path."""
    listen: Listen = field(default_factory=Listen)


def render(config: AgentConfig) -> str:
    """The YAML that the collector reads. Raises ValueError if memory is too small for this number of gateways.

    Order of processors: the memory limiter rejects requests before they cause work. Kubernetes metadata comes next,
    because it needs the sender's address, which queues do not keep. See shared_config.persistent_queue for the reason
    why there is no batch processor.
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
            "otlp": shared_config.otlp_receiver(config.listen, sizes.REQUEST_BYTES),
            "file_log": _pod_logs(config),
        },
        "processors": {
            "memory_limiter": shared_config.memory_limiter(),
            **({"k8s_attributes/files": _kubernetes_names(_BY_PATH)} if config.kubernetes else {}),
            **({"k8s_attributes/programs": _kubernetes_names(_BY_CONNECTION)} if config.kubernetes else {}),
            "transform/no_claims": claims.processor(),
            "transform/trace_context": _trace_context(),
            **pushed_metrics.agent_processors(),
        },
        "exporters": {
            "otlp_grpc/gateway": _any_gateway(config, shared_config.persistent_queue(config.queue_bytes)),
            "otlp_grpc/gateway_metrics": _any_gateway(config, shared_config.unbatched_queue(config.queue_bytes)),
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
                "metrics": {
                    "receivers": ["otlp"],
                    "processors": pushed_metrics.agent_pipeline(by_connection),
                    "exporters": ["otlp_grpc/gateway_metrics"],
                },
            },
            "telemetry": refused_requests.telemetry(config.listen),
        },
    }
    return write_yaml(document)


def _pod_logs(config: AgentConfig) -> Document:
    files = f"{config.log_folder}/*/*/*.log"
    return {
        # The kubelet renames a full file to `0.log.20261121-120000`. The agent continues to read it under the new name,
        # even if it was not running during the rename.
        "include": [files, f"{files}.*"],
        "exclude": [
            # Otherwise a log line about a failed delivery would itself have to be delivered.
            f"{config.log_folder}/{config.namespace}_{config.app}-*/*/*",
            f"{files}.*.gz",
            f"{files}.*.tmp",
        ],
        # Reads whole files, including those of pods that ended before the agent found them. The checkpoint prevents a
        # restarted agent from reading them again.
        "start_at": "beginning",
        "storage": "file_storage",
        "include_file_path": True,
        "include_file_name": False,
        # The parts of a long line are joined without changes.
        "preserve_trailing_whitespaces": True,
        "max_concurrent_files": 256,
        # Reading pauses while memory or the queue is full. The log files are the largest queue of all.
        "retry_on_failure": shared_config.retry_for_ever(),
        "operators": [
            # Removes the line's envelope (time, stream), joins parts, and reads pod and namespace from the path.
            {"type": "container"},
            _stack_traces(),
            {
                "type": "json_parser",
                "if": r'body matches "^\\s*{"',
                "parse_to": "attributes",
                # A float cannot represent an identifier of 17 digits.
                "parse_ints": True,
                # A line that only looks like JSON is sent as text.
                "on_error": "send_quiet",
            },
            *(_field_of_cut_json(name) for name in LOG_FIELDS),
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
            # All other fields remain readable in the line itself.
            {"type": "retain", "fields": [f"attributes.{name}" for name in LOG_FIELDS]},
        ],
    }


# Lines that begin a stack trace of Python, Java, Go or Node, whatever came before.
_TRACE_STARTS = r"^(Traceback \(most recent call last\):|Exception in thread |panic: |fatal error: |Uncaught )"
# Lines that continue one. The line with the error itself ends a trace of Python, and begins one of Java and Node. With
# a `^` in each part instead of one before all, Go would look for the parts at every character of every line, which took
# more than half of the agent's time.
_TRACE_CONTINUES = (
    r"^(\s+[^\s{]|\s*$"
    r"|[\w.$]*(Error|Exception|Throwable|Interrupt|Exit|Warning)\b"
    r"|(Caused by|Suppressed): |During handling of the above|The above exception was"
    r"|goroutine \d+ \[|created by |\[signal |exit status \d|[\w./*()-]+\(.*\)$|Node\.js v)"
)


def _stack_traces() -> Document:
    """Joins the lines of a stack trace to one record with the time of its first line.

    All other lines pass at once: a line that waits for the next one is lost if the agent is killed meanwhile.
    """
    return {
        "type": "recombine",
        "if": f'body matches "{_quoted(_TRACE_STARTS)}" or body matches "{_quoted(_TRACE_CONTINUES)}"',
        "combine_field": "body",
        "is_first_entry": f'body matches "{_quoted(_TRACE_STARTS)}"',
        "source_identifier": 'attributes["log.file.path"]',
        # A trace is written at once.
        "force_flush_period": "1s",
        "max_log_size": "256KiB",
    }


def _field_of_cut_json(name: str) -> Document:
    """Reads a field of a JSON line that is longer than the agent's limit of 1 MiB, and so ends in the middle."""
    return {
        "type": "regex_parser",
        # Nearly every JSON line ends in `}`, and eight of these look at each line.
        "if": r'not (body endsWith "}") and body matches "^\\s*{" and not (body matches "}\\s*$")',
        "regex": rf'"{name}"\s*:\s*"?(?P<{name}>[^",}}\s]{{1,256}})',
        "parse_to": "attributes",
        "on_error": "send_quiet",
    }


def _quoted(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


def _trace_context() -> Document:
    """Moves valid ids to the record's trace context. Invalid ids remain attributes of the line."""
    statements: list[str] = []
    for name, digits in (("trace_id", 32), ("span_id", 16)):
        valid = f'IsMatch(log.attributes["{name}"], "^[0-9a-fA-F]{{{digits}}}$")'
        statements += [
            f'set(log.{name}.string, log.attributes["{name}"]) where {valid}',
            # Loki stores the trace context beside the line under the same names.
            f'delete_key(log.attributes, "{name}") where {valid}',
        ]
    return {"error_mode": "silent", "log_statements": [{"statements": statements}]}


# The pod of a log line is found by the uid in the file's path, and the pod of a program by its connection.
_BY_PATH: Document = {"from": "resource_attribute", "name": "k8s.pod.uid"}
_BY_CONNECTION: Document = {"from": "connection"}


def _kubernetes_names(source: Document) -> Document:
    return {
        "auth_type": "serviceAccount",
        # Limits the watch to pods of this node. Otherwise the API server would send every pod to every agent.
        "filter": {"node_from_env_var": "KUBE_NODE_NAME"},
        "extract": {
            "metadata": list(SENDER),
            "labels": [{"tag_name": "app", "key": "app.kubernetes.io/name", "from": "pod"}],
            "annotations": [{"tag_name": services.DECLARED, "key": services.ANNOTATION, "from": "pod"}],
        },
        "pod_association": [{"sources": [source]}],
        # Lines that are sent before the metadata arrives would lack their app. Meanwhile they wait in their files.
        "wait_for_metadata": True,
        "wait_for_metadata_timeout": "60s",
    }


def _any_gateway(config: AgentConfig, queue: Document) -> Document:
    """Sends each request to one gateway.

    A Service balances connections, and an agent has only one: all logs of the node would go to one gateway. The name
    of the target resolves to all gateways, and requests alternate between them.
    """
    return {
        "endpoint": config.log_gateway,
        "balancer_name": "round_robin",
        **shared_config.grpc_client(),
        "retry_on_failure": shared_config.retry_for_ever(),
        "sending_queue": queue,
    }


def _by_trace(config: AgentConfig) -> Document:
    """Sends all spans of a trace to the same gateway, from whichever program and node they come.

    The list of gateways is fixed. A restarting gateway keeps its share of the traces, which waits here, so that no
    trace is split. Each gateway has a queue in memory, so that one does not delay the others. The queue on disk comes
    before these.
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
                    # While this queue is full, data stays in the queue on disk.
                    "block_on_overflow": True,
                    "num_consumers": 2,
                    "batch": shared_config.batch(),
                },
            }
        },
        "resolver": {"static": {"hostnames": config.trace_gateways}},
        # Time that a request waits for room in memory. A failure would repeat it, even to gateways that have it.
        "timeout": "10m",
        "retry_on_failure": shared_config.retry_for_ever(),
        "sending_queue": {
            "storage": "file_storage",
            "sizer": "bytes",
            "queue_size": config.queue_bytes,
            "num_consumers": 4,
            # A request of many small parts grows by the pod's names in each. Split, it fits into the queues in memory.
            "batch": {"sizer": "bytes", "flush_timeout": "200ms", "min_size": 1, "max_size": sizes.BATCH_BYTES},
        },
    }
