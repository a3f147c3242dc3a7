"""Renders loki.yaml: one program with all roles, a ring of its replicas, and the limits of the tenant. Pure.

At a limit, Loki stores the streams of a request that are within the limit. It answers 429 if the last stream of the
request, in no order that a sender knows, is above it, and else as if it had stored all. After a 429 senders retry the
request. Otherwise the lines of the other streams above the limit are lost; `loki_discarded_samples_total` counts them.
Rate limits recover on their own. The limit of streams recovers when streams become idle (half an hour). Labels must
therefore have few values, which the gateways ensure (components/collector/gateway_config.py).

A stack that changes from the volume to a bucket, or back, starts without logs, because its schema names one store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from alerting.durations import seconds
from alerting.loader import write_yaml
from alerting.resend_delay import resend_delay
from settings import sizes
from settings.apps import LOKI, LOKI_RULES, LOKI_TENANT

PORT = LOKI.port
GRPC = 9095
GOSSIP = 7946
DATA = "/loki"
CONFIG_FOLDER = "/etc/loki/config"
RULES_FOLDER = "/etc/loki/rules"
TENANT = LOKI_TENANT
"""The ruler reads rules from a folder of that name."""

# Collectors and programs that catch up after an outage send lines of this age. Older lines come from a wrong clock.
_OLDEST_LINE_DAYS = 7
NEWEST_LINE = "10m"
"""How far in the future a line may be, as a Go duration."""
CUT = "...[cut]"
"""The end of a text that was longer."""
# A name takes up to four bytes for each letter. The eight are those of the resource and of Loki itself.
_METADATA_BYTES = (sizes.LOG_ATTRIBUTES + 8) * (4 * sizes.LOG_ATTRIBUTE_NAME + sizes.LOG_ATTRIBUTE_BYTES)


@dataclass(frozen=True, kw_only=True)
class S3:
    """An existing bucket."""

    bucket: str
    region: str
    """Empty for a server without regions, and for us-east-1."""
    endpoint: str = ""
    """http or https URL of an S3 server that is not AWS; requests to it use path style."""


def endpoint_port(s3: S3) -> int:
    """TCP port of the bucket's server."""
    parts = urlsplit(s3.endpoint)
    return parts.port or (80 if parts.scheme == "http" else 443)


@dataclass(frozen=True, kw_only=True)
class LokiConfig:
    """Inputs of the configuration that differ between stacks."""

    s3: S3 | None
    """None to store chunks and index on the volume, which replicas cannot share."""
    replicas: int
    retention: str
    """Prometheus duration, see sizes.loki_retention_problem."""
    memory_bytes: int
    """Memory limit of a replica."""
    cluster: str
    """Value of the label `cluster` on every alert."""
    evaluation_interval: str
    """Prometheus duration."""
    rule_files: Mapping[str, str]
    """File name -> YAML of the rules that the ruler evaluates."""
    grafana_url: str
    """URL at which people open Grafana. An alert links to its query there."""
    alertmanagers: Sequence[str]
    """host:port of each Alertmanager."""
    peers: str
    """host:port of the Service that resolves to all replicas."""


def oldest_line_hours(retention: str) -> int:
    """Age of the oldest line that Loki accepts."""
    return min(int(seconds(retention)) // 86_400, _OLDEST_LINE_DAYS) * 24


def render(config: LokiConfig) -> str:
    """The configuration of all replicas. Loki inserts POD_IP when it starts with `-config.expand-env=true`.

    Raises ValueError for several replicas without a bucket, for a bucket without a name, and for a retention that
    sizes.loki_retention_problem rejects.
    """
    s3, replicas, retention = config.s3, config.replicas, config.retention
    if s3 is None and replicas != 1:
        raise ValueError(f"{replicas} replicas of Loki need an S3 bucket: they cannot share a file system")
    if s3 is not None and not s3.bucket:
        raise ValueError("Loki's S3 storage needs a bucket")
    if problem := sizes.loki_retention_problem(retention):
        raise ValueError(f"Loki's retention {retention!r} {problem}; allowed: {sizes.LOKI_RETENTION_ALLOWED}")
    store: Literal["s3", "filesystem"] = "s3" if s3 else "filesystem"
    document: dict[str, Any] = {
        # Loki has one tenant; the network policy decides which pods may write and read.
        "auth_enabled": False,
        "server": _server(),
        "common": {
            "path_prefix": DATA,
            # Names of network interfaces differ between clusters, and a wrong name results in 127.0.0.1.
            "instance_addr": "${POD_IP}",
            "replication_factor": sizes.loki_replication(replicas),
            # A restarted replica returns to its place in the ring, so streams stay with the replica of their chunks.
            "persist_tokens": True,
            # A single replica has no peers.
            "ring": {"kvstore": {"store": "memberlist" if replicas > 1 else "inmemory"}},
        },
        **({"memberlist": _memberlist(config.peers)} if replicas > 1 else {}),
        "schema_config": {"configs": [_schema(store)]},
        "storage_config": _storage(s3),
        "ingester": _ingester(config),
        # Interval at which Loki's own parts look for each other, on which /ready depends. The default of 10 s would be
        # most of the start time.
        "frontend": {"scheduler_dns_lookup_period": "1s"},
        "frontend_worker": {"dns_lookup_duration": "1s"},
        "compactor": _compactor(store),
        "limits_config": _limits(config),
        "ruler": _ruler(config),
        "analytics": {"reporting_enabled": False},
    }
    return write_yaml(document)


def _memberlist(peers: str) -> dict[str, Any]:
    return {
        "join_members": [peers],
        # Binds to all addresses, including IPv6, and advertises common.instance_addr.
        "bind_port": GOSSIP,
        # Resolves the Service again at this interval, so that two halves of a split ring find each other.
        "rejoin_interval": "1m",
    }


def _server() -> dict[str, Any]:
    message = 16 * 1024 * 1024
    return {
        "http_listen_port": PORT,
        "grpc_listen_port": GRPC,
        "log_level": "warn",
        # Fits a batch of the collector, and the results that a query collects from other replicas. The default is 4 MB.
        "grpc_server_max_recv_msg_size": message,
        "grpc_server_max_send_msg_size": message,
    }


def _schema(store: str) -> dict[str, Any]:
    # Must not change. A new schema needs a further entry with a date in the future.
    return {
        "from": "2024-01-01",
        "store": "tsdb",
        "object_store": store,
        "schema": "v13",
        "index": {"prefix": "index_", "period": "24h"},
    }


def _storage(s3: S3 | None) -> dict[str, Any]:
    if s3 is None:
        return {"filesystem": {"directory": f"{DATA}/chunks"}}
    # Without a region, Loki signs requests for a region named `dummy`. Servers without regions ignore it; all others
    # default to us-east-1.
    aws: dict[str, Any] = {"bucketnames": s3.bucket, "region": s3.region or "us-east-1"}
    if s3.endpoint:
        # Other servers rarely have a host name for each bucket.
        aws |= {"endpoint": s3.endpoint, "s3forcepathstyle": True, "insecure": s3.endpoint.startswith("http://")}
    return {"aws": aws}


def _ingester(config: LokiConfig) -> dict[str, Any]:
    return {
        # Acknowledged lines are in the write-ahead log on the volume before they are in a chunk. A restart replays it.
        "wal": {
            "enabled": True,
            "dir": f"{DATA}/wal",
            "replay_memory_ceiling": f"{config.memory_bytes // 2}B",
            # Share of the volume above which Loki rejects lines, which senders retry. Without a reserve, Loki could not
            # log the lines in memory any more, and a restart would lose them.
            "disk_full_threshold": 0.9,
            # With a bucket, other replicas can then serve the chunks of this one, and scaling down loses nothing.
            "flush_on_shutdown": config.s3 is not None,
        },
        # No additional delay: the StatefulSet already waits between two replicas (minReadySeconds).
        "lifecycler": {"min_ready_duration": "0s", "join_after": "0s"},
        # A replica that is gone permanently must not block reads and writes forever.
        "autoforget_unhealthy": config.replicas > 1,
        "chunk_encoding": "snappy",
    }


def _compactor(store: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "working_directory": f"{DATA}/compactor",
        "compaction_interval": f"{sizes.LOKI_COMPACTION_MINUTES}m",
        "retention_enabled": True,
        # Queriers may have an index that still names a deleted chunk; after two hours, none does.
        "retention_delete_delay": "2h",
        "delete_request_store": store,
    }
    if store == "s3":
        # Deletion marks must outlive the replica that wrote them, because another replica may compact the next time.
        document["deletion_marker_object_store_prefix"] = "deletion-markers/"
    return document


def _limits(config: LokiConfig) -> dict[str, Any]:
    days = int(seconds(config.retention)) // 86_400
    burst = sizes.LOKI_MB_PER_SECOND * sizes.LOKI_BURST_SECONDS
    streams = int(config.memory_bytes * sizes.LOKI_STREAMS_SHARE / sizes.LOKI_STREAM_BYTES)
    return {
        "retention_period": f"{days * 24}h",
        # There is no login, so nobody may delete; retention does not need this API. Loki still calls it and logs
        # `error loading cache generation numbers` with each query. The message is harmless, and no setting removes it.
        "deletion_mode": "disabled",
        # Limits memory and load. It does not protect the disk, which this rate would fill within hours.
        "ingestion_rate_mb": sizes.LOKI_MB_PER_SECOND,
        "ingestion_burst_size_mb": burst,
        "per_stream_rate_limit": f"{sizes.LOKI_MB_PER_SECOND // 2}MB",
        "per_stream_rate_limit_burst": f"{burst}MB",
        # Limit for all replicas together. Thousands of streams (namespace x app x service) mean that a label is
        # unbounded.
        "max_global_streams_per_user": streams * config.replicas // sizes.loki_replication(config.replicas),
        "max_label_names_per_series": 10,
        # A longer line is truncated, not dropped. Half of a stack trace is better than none.
        "max_line_size": "256KB",
        "max_line_size_truncate": True,
        "max_line_size_truncate_identifier": CUT,
        # The gateways cut attributes to this; Loki would refuse the line.
        "max_structured_metadata_size": f"{_METADATA_BYTES}B",
        "reject_old_samples": True,
        "reject_old_samples_max_age": f"{oldest_line_hours(config.retention)}h",
        "creation_grace_period": NEWEST_LINE,
        # Limits of queries: back to the oldest logs, and below the size that would exhaust the memory.
        "max_query_lookback": f"{days * 24}h",
        "max_query_length": f"{days * 24 + 1}h",
        "max_query_series": 1000,
        "max_entries_limit_per_query": 5000,
        "query_timeout": "1m",
        # For Grafana's histogram above the log lines.
        "volume_enabled": True,
        # The collector sets the service. Loki's guess would add another index label to every stream.
        "discover_service_name": [],
        "allow_structured_metadata": True,
        "otlp_config": {
            "resource_attributes": {
                "ignore_defaults": True,
                "attributes_config": [{"action": "index_label", "attributes": ["namespace", "app", "service"]}],
            }
        },
    }


def _ruler(config: LokiConfig) -> dict[str, Any]:
    return {
        "storage": {"type": "local", "local": {"directory": RULES_FOLDER}},
        "rule_path": LOKI_RULES,
        # Interval at which Loki reloads rule files, which the kubelet updates. No restart is needed.
        "poll_interval": "10s",
        "evaluation_interval": config.evaluation_interval,
        "resend_delay": resend_delay(config.rule_files, config.evaluation_interval),
        # Each replica evaluates every rule, as each Prometheus does, so that no alert depends on a single replica.
        "enable_sharding": False,
        # Loki sends each alert to every Alertmanager, because they gossip about notifications, not about alerts.
        "alertmanager_url": ",".join(f"http://{address}" for address in config.alertmanagers),
        "enable_alertmanager_v2": True,
        "external_labels": {"cluster": config.cluster},
        # The link of an alert opens its query in Grafana.
        "external_url": config.grafana_url,
        "datasource_uid": "loki",
        "enable_api": True,
    }
