"""loki.yaml, rendered: one program that does everything, a ring of its replicas, and what a tenant may use. Pure.

At a limit, Loki answers 429 for the whole request, stores those of its streams that are within, and gets the request
again until all are. Rates recover by themselves. The limit of streams does when streams fall silent (half an hour);
until then requests with a new stream wait, and in the end all logs behind them: so labels must be few. The gateways see
to that (components/collector/gateway_config.py), and `loki_discarded_samples_total` tells.

A stack that changes from the volume to a bucket, or back, starts with no logs: its schema names one store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from alerting.durations import seconds
from alerting.loader import write_yaml
from settings import sizes
from settings.apps import LOKI

PORT = LOKI.port
GRPC = 9095
GOSSIP = 7946
DATA = "/loki"
CONFIG_FOLDER = "/etc/loki/config"
RULES_FOLDER = "/etc/loki/rules"
TENANT = "fake"
"""What Loki calls the only tenant when nobody logs in; the ruler looks for rules in a folder of that name."""

# Collectors and programs that catch up after an outage send lines of that age; older ones are a broken clock.
_OLDEST_LINE_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class S3:
    """A bucket that exists."""

    bucket: str
    region: str
    """Empty for a server that has none, or S3's first."""
    endpoint: str = ""
    """http or https URL of an S3 server that is not AWS; it is spoken to in path style."""


def endpoint_port(s3: S3) -> int:
    """TCP port under which the bucket is reached."""
    parts = urlsplit(s3.endpoint)
    return parts.port or (80 if parts.scheme == "http" else 443)


@dataclass(frozen=True, kw_only=True)
class LokiConfig:
    """What differs between stacks."""

    s3: S3 | None
    """None: chunks and index are files on the volume, which replicas cannot share."""
    replicas: int
    retention: str
    """Prometheus duration, see sizes.loki_retention_problem."""
    memory_bytes: int
    """What a replica may use."""
    cluster: str
    """Value of the label `cluster` on every alert."""
    evaluation_interval: str
    """Prometheus duration."""
    grafana_url: str
    """Where people open Grafana; an alert links to its query there."""
    alertmanagers: Sequence[str]
    """host:port of every Alertmanager."""
    peers: str
    """host:port of the Service that names all Lokis."""


def render(config: LokiConfig) -> str:
    """The configuration of every replica; POD_IP is put in when Loki starts with `-config.expand-env=true`.

    Raises ValueError for several replicas without a bucket, for a bucket without a name, and for a retention that
    sizes.loki_retention_problem refuses.
    """
    s3, replicas, retention = config.s3, config.replicas, config.retention
    if s3 is None and replicas != 1:
        raise ValueError(f"{replicas} replicas of Loki need an S3 bucket: they cannot share a file system")
    if s3 is not None and not s3.bucket:
        raise ValueError("Loki's S3 storage needs a bucket")
    if found := sizes.loki_retention_problem(retention):
        raise ValueError(f"Loki's retention {retention!r} {found}; allowed: {sizes.LOKI_RETENTION_ALLOWED}")
    store: Literal["s3", "filesystem"] = "s3" if s3 else "filesystem"
    document: dict[str, Any] = {
        # One tenant: who may write and read is decided by the network policy.
        "auth_enabled": False,
        "server": _server(),
        "common": {
            "path_prefix": DATA,
            # Not by the names of network interfaces: those differ between clusters, and the wrong one gives 127.0.0.1.
            "instance_addr": "${POD_IP}",
            "replication_factor": sizes.loki_replication(replicas),
            # A restarted replica takes its old place in the ring, so streams stay where their chunks are.
            "persist_tokens": True,
            # One replica has nobody to look for.
            "ring": {"kvstore": {"store": "memberlist" if replicas > 1 else "inmemory"}},
        },
        **({"memberlist": _memberlist(config.peers)} if replicas > 1 else {}),
        "schema_config": {"configs": [_schema(store)]},
        "storage_config": _storage(s3),
        "ingester": _ingester(config),
        # How soon its own parts find each other; /ready waits for that. The default of 10 s is nearly all of a start.
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
        # On every address, of IPv6 too; it tells the others common.instance_addr.
        "bind_port": GOSSIP,
        # All addresses of the Service are looked up again, so that two halves of a split ring find each other.
        "rejoin_interval": "1m",
    }


def _server() -> dict[str, Any]:
    message = 16 * 1024 * 1024
    return {
        "http_listen_port": PORT,
        "grpc_listen_port": GRPC,
        "log_level": "warn",
        # A batch of the collector, and what a query collects from the other replicas; the default is 4 MB.
        "grpc_server_max_recv_msg_size": message,
        "grpc_server_max_send_msg_size": message,
    }


def _schema(store: str) -> dict[str, Any]:
    # Never changes: another schema is a further entry with a date in the future.
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
    # Without a region Loki signs for one called `dummy`. Servers that have none do not look, and the others that nobody
    # told a region take S3's first.
    aws: dict[str, Any] = {"bucketnames": s3.bucket, "region": s3.region or "us-east-1"}
    if s3.endpoint:
        # Other servers seldom have a name per bucket.
        aws |= {"endpoint": s3.endpoint, "s3forcepathstyle": True, "insecure": s3.endpoint.startswith("http://")}
    return {"aws": aws}


def _ingester(config: LokiConfig) -> dict[str, Any]:
    return {
        # What was acknowledged is in the write-ahead log on the volume before it is in a chunk: a restart replays it.
        "wal": {
            "enabled": True,
            "dir": f"{DATA}/wal",
            "replay_memory_ceiling": f"{config.memory_bytes // 2}B",
            # Of the volume: above it lines are refused, and tried again by who sends them. Without a rest the log of
            # what memory holds would end, and a restart would lose it.
            "disk_full_threshold": 0.9,
            # With a bucket the other replicas can then answer for what this one held, and scaling down loses nothing.
            "flush_on_shutdown": config.s3 is not None,
        },
        # Ready as soon as it is: the StatefulSet already waits between two replicas (its minReadySeconds).
        "lifecycler": {"min_ready_duration": "0s", "join_after": "0s"},
        # A replica that is gone for good does not stop reads and writes for ever.
        "autoforget_unhealthy": config.replicas > 1,
        "chunk_encoding": "snappy",
    }


def _compactor(store: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "working_directory": f"{DATA}/compactor",
        "compaction_interval": f"{sizes.LOKI_COMPACTION_MINUTES}m",
        "retention_enabled": True,
        # Queriers may hold an index that still names a chunk; after two hours none does.
        "retention_delete_delay": "2h",
        "delete_request_store": store,
    }
    if store == "s3":
        # What is to be deleted outlives the replica that found it: another one may compact the next time.
        document["deletion_marker_object_store_prefix"] = "deletion-markers/"
    return document


def _limits(config: LokiConfig) -> dict[str, Any]:
    days = int(seconds(config.retention)) // 86_400
    streams = int(config.memory_bytes * sizes.LOKI_STREAMS_SHARE / sizes.LOKI_STREAM_BYTES)
    return {
        "retention_period": f"{days * 24}h",
        # Nobody logs in, so nobody may delete; retention does not need it. Loki asks itself all the same, and logs an
        # `error loading cache generation numbers` with each query; it means nothing, and no setting ends it.
        "deletion_mode": "disabled",
        # Of memory and work, not of the volume, which 10 MB a second fill within hours.
        "ingestion_rate_mb": sizes.LOKI_MB_PER_SECOND,
        "ingestion_burst_size_mb": 20,
        "per_stream_rate_limit": "5MB",
        "per_stream_rate_limit_burst": "20MB",
        # Of all replicas together. namespace x app x service: thousands mean that a label is unbounded after all.
        "max_global_streams_per_user": streams * config.replicas // sizes.loki_replication(config.replicas),
        "max_label_names_per_series": 10,
        # A longer line is cut, not lost. Half of a stack trace is better than none.
        "max_line_size": "256KB",
        "max_line_size_truncate": True,
        "reject_old_samples": True,
        "reject_old_samples_max_age": f"{min(days, _OLDEST_LINE_DAYS) * 24}h",
        "creation_grace_period": "10m",
        # Queries: as far back as there are logs, and an end to the ones that would take the whole memory.
        "max_query_lookback": f"{days * 24}h",
        "max_query_length": f"{days * 24 + 1}h",
        "max_query_series": 1000,
        "max_entries_limit_per_query": 5000,
        "query_timeout": "1m",
        # Grafana's bars above the log lines.
        "volume_enabled": True,
        # The collector names the service; Loki's guess would add one more index label to every stream.
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
        "rule_path": f"{DATA}/rules-temp",
        # How soon a changed rule file counts, after the kubelet brought it. Nothing restarts.
        "poll_interval": "10s",
        "evaluation_interval": config.evaluation_interval,
        # Each replica evaluates every rule, as each Prometheus does: no alert waits for another replica to be missed.
        "enable_sharding": False,
        # Every Alertmanager gets every alert; they gossip about what they notified, not about alerts.
        "alertmanager_url": ",".join(f"http://{address}" for address in config.alertmanagers),
        "enable_alertmanager_v2": True,
        "external_labels": {"cluster": config.cluster},
        # The link of an alert opens its query in Grafana.
        "external_url": config.grafana_url,
        "datasource_uid": "loki",
        "enable_api": True,
    }
