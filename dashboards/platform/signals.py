"""Rows of Platform - Overview, one per program: data received, passed on, and lost."""

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.builder import units
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines, single
from dashboards.builder.queries import or_zero, otelcol, prom, quantile

_NO_LOSS = Look(
    unit=units.PER_SECOND,
    limits=Limits(critical=0.000001, why="none is normal: counted data is lost, or soon will be."),
)
_RATE = Look(unit=units.PER_SECOND)
_SIGNALS = {"spans": "spans", "log_records": "log lines"}
_JAEGER = 'app="jaeger"'
_COLLECTORS = 'app!="jaeger"'
# Requests that are refused for good: too large, or no OTLP.
_REFUSED = (
    ("http", 'http_response_status_code=~"400|413|415"'),
    ("grpc", 'rpc_response_status_code=~"RESOURCE_EXHAUSTED|INTERNAL"'),
)


def alerts_firing() -> Panel:
    """Firing alerts of all systems, as one number."""
    firing = """
    clamp_min(
      max(alertmanager_alerts{state="active"})
      - (count(ALERTS{alertname="Watchdog", alertstate="firing"}) or on () vector(0)),
      0
    )
    """
    return single(
        "Alerts firing",
        "Active alerts in the Alertmanager that has the most, from Prometheus and from Loki, without Watchdog. "
        "Silenced and inhibited alerts do not count.",
        prom(firing, "firing"),
        Look(unit=units.EXACT, limits=Limits(warning=1, why="any firing alert needs a look.")),
    )


def prometheus() -> Row:
    """Samples ingested, series in memory, failed rules, disk usage."""
    failed = "sum by (pod) (rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))"
    missed = "sum by (pod) (rate(prometheus_rule_group_iterations_missed_total[$__rate_interval]))"
    disk = "max by (pod) (prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes)"
    return row(
        "Prometheus",
        line(
            lines(
                "Samples ingested",
                "Samples per second; both servers scrape everything.",
                [prom("sum by (pod) (rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "{{pod}}")],
                _RATE,
            ),
            lines(
                "Series",
                "Series in memory. Steady growth means a label with too many values.",
                [prom("max by (pod) (prometheus_tsdb_head_series)", "{{pod}}")],
                Look(unit=units.COUNT),
            ),
            lines(
                "Rules failed and missed",
                "Evaluations that failed, and group evaluations that were skipped.",
                [prom(failed, "failed {{pod}}"), prom(missed, "missed {{pod}}")],
                _NO_LOSS,
            ),
            lines(
                "Disk",
                "Blocks and write-ahead log.",
                [prom(disk, "{{pod}}")],
                Look(unit=units.BYTES),
            ),
        ),
    )


def alertmanager() -> Row:
    """Alerts in memory, notifications, cluster members."""
    sent = "sum(rate(alertmanager_notifications_total[$__rate_interval]))"
    failed = "sum(rate(alertmanager_notifications_failed_total[$__rate_interval]))"
    return row(
        "Alertmanager",
        line(
            lines(
                "Alerts held",
                "Alerts in the replica that has the most, by state.",
                [prom("max by (state) (alertmanager_alerts)", "{{state}}")],
                Look(unit=units.EXACT),
            ),
            lines(
                "Notifications",
                "Sent and failed notifications per second, all channels together.",
                [prom(sent, "sent"), prom(failed, "failed")],
                _RATE,
            ),
            lines(
                "Cluster members",
                "Replicas that each replica sees, itself included.",
                [prom("max by (pod) (alertmanager_cluster_members)", "{{pod}}")],
                Look(unit=units.EXACT),
            ),
        ),
    )


def loki() -> Row:
    """Lines received, latency, lines refused, chunks in memory."""
    requests = "loki_request_duration_seconds_count"
    refused = "sum by (reason) (rate(loki_discarded_samples_total[$__rate_interval]))"
    failed = f'sum by (route) (rate({requests}{{status_code=~"5.."}}[$__rate_interval]))'
    chunks = "sum(rate(loki_ingester_chunks_flush_failures_total[$__rate_interval]))"
    index = 'sum(rate(loki_tsdb_shipper_tables_upload_operation_total{status="failure"}[$__rate_interval]))'
    return row(
        "Loki",
        line(
            lines(
                "Lines received",
                "Log lines per second.",
                [prom("sum by (pod) (rate(loki_distributor_lines_received_total[$__rate_interval]))", "{{pod}}")],
                _RATE,
            ),
            lines(
                "Bytes received",
                "Log lines and their structured metadata, uncompressed.",
                [prom("sum by (pod) (rate(loki_distributor_bytes_received_total[$__rate_interval]))", "{{pod}}")],
                Look(unit=units.BYTES_PER_SECOND),
            ),
            lines(
                "p99 by route",
                "99 % of the requests over HTTP are answered within this time.",
                [prom(quantile(0.99, 'loki_request_duration_seconds_bucket{route!~"/.*"}', "route"), "{{route}}")],
                Look(unit=units.SECONDS),
            ),
        ),
        line(
            lines(
                "Lost and failed",
                "Lines refused by a limit, requests answered with 5xx, and failed attempts to store chunks or the "
                "index. Loki retries these; meanwhile lines wait in memory and on the volume.",
                [
                    prom(or_zero(refused, "reason"), "refused {{reason}}"),
                    prom(or_zero(failed, "route"), "5xx {{route}}"),
                    prom(or_zero(chunks), "chunks not stored"),
                    prom(or_zero(index), "index not stored"),
                ],
                _NO_LOSS,
            ),
            lines(
                "Chunks in memory",
                "Chunks stay in memory until they are full, idle or two hours old, and stored. Streams wait to be "
                "stored. Both grow while storage fails, until Loki refuses lines.",
                [
                    prom("sum by (pod) (loki_ingester_memory_chunks)", "chunks {{pod}}"),
                    prom("sum by (pod) (loki_ingester_flush_queue_length)", "waiting streams {{pod}}"),
                ],
                Look(unit=units.COUNT),
            ),
        ),
    )


def collector() -> Row:
    """Telemetry received, sent, lost and queued, by agents and gateways."""
    lost = "receiver_refused", "exporter_send_failed", "exporter_enqueue_failed"
    queue = "max by (pod, exporter, data_type) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
    return row(
        "OpenTelemetry Collector",
        line(
            lines(
                "Received",
                "Per second, by agents and gateways.",
                [prom(_sum("receiver_accepted", kind), f"{text} {{{{app}}}}") for kind, text in _SIGNALS.items()],
                _RATE,
            ),
            lines(
                "Sent on",
                "Per second, by exporter.",
                [
                    prom(_sum("exporter_sent", kind, by="app, exporter"), f"{text} {{{{app}}}} {{{{exporter}}}}")
                    for kind, text in _SIGNALS.items()
                ],
                _RATE,
            ),
        ),
        line(
            lines(
                "Refused and dropped",
                "Telemetry that was refused (the sender retries for a while), not sent, or did not fit into a queue.",
                [
                    prom(or_zero(_sum(what, kind), "app"), f"{text} {what.replace('_', ' ')} {{{{app}}}}")
                    for what in lost
                    for kind, text in _SIGNALS.items()
                ]
                + [prom(or_zero(_refused(*which), "app"), "requests refused {{app}}") for which in _REFUSED],
                _NO_LOSS,
            ),
            lines(
                "Queues",
                "Share of each sending queue in use.",
                [prom(queue, "{{pod}} {{exporter}} {{data_type}}")],
                Look(
                    unit=units.RATIO,
                    limits=Limits(warning=0.8, critical=0.95, why="CollectorQueueNearlyFull alerts above 80 %."),
                ),
            ),
        ),
    )


def sampling() -> Row:
    """Decisions of tail sampling."""
    decided = otelcol("processor_tail_sampling_global_count_traces_sampled")
    early = otelcol("processor_tail_sampling_sampling_trace_dropped_too_early")
    waiting = "sum by (pod) (otelcol_processor_tail_sampling_sampling_traces_on_memory)"
    return row(
        "Sampling of traces",
        line(
            lines(
                "Decisions",
                "Traces per second that are kept (true) and not kept (false). All traces with an error are kept.",
                [prom(f"sum by (sampled) (rate({decided}[$__rate_interval]))", "kept: {{sampled}}")],
                _RATE,
            ),
            lines(
                "Traces waiting",
                "Traces in memory before their decision. A gateway that is killed loses them.",
                [prom(waiting, "{{pod}}")],
                Look(unit=units.COUNT),
            ),
            lines(
                "Dropped too early",
                "Traces that were dropped from memory before their decision.",
                [prom(or_zero(f"sum by (pod) (rate({early}[$__rate_interval]))", "pod"), "{{pod}}")],
                _NO_LOSS,
            ),
        ),
    )


def jaeger() -> Row:
    """Spans received and stored, requests to storage."""
    stored = f"sum by (pod) (rate({otelcol('exporter_sent_spans', _JAEGER)}[$__rate_interval]))"
    failed = f"sum by (pod) (rate({otelcol('exporter_send_failed_spans', _JAEGER)}[$__rate_interval]))"
    requests = '{__name__=~"jaeger_storage_requests(_total)?"}'
    asked = f"sum by (operation, result) (rate({requests}[$__rate_interval]))"
    received = f"sum by (pod) (rate({otelcol('receiver_accepted_spans', _JAEGER)}[$__rate_interval]))"
    return row(
        "Jaeger",
        line(
            lines(
                "Spans stored",
                "Spans per second that arrived and that were stored. If fewer are stored, storage is too slow.",
                [prom(received, "received {{pod}}"), prom(stored, "stored {{pod}}")],
                _RATE,
            ),
            lines(
                "Spans not stored",
                "Spans per second that storage rejected.",
                [prom(or_zero(failed, "pod"), "{{pod}}")],
                _NO_LOSS,
            ),
            lines(
                "Questions to storage",
                "Searches and reads per second; a request for a nonexistent trace counts as an error.",
                [prom(or_zero(asked, "operation"), "{{operation}} {{result}}")],
                _RATE,
            ),
        ),
    )


def _refused(protocol: str, status: str) -> str:
    return f"sum by (app) (rate(otelcol_receiver_{protocol}_requests_count{{{status}}}[$__rate_interval]))"


def _sum(what: str, kind: str, by: str = "app") -> str:
    return f"sum by ({by}) (rate({otelcol(f'{what}_{kind}', _COLLECTORS)}[$__rate_interval]))"
