"""Platform - Overview: does every part run, does it receive data, does it lose any."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, collapsed, line, row
from dashboards.builder.look import CRITICAL, GOOD, Limits, Look, Word
from dashboards.builder.panels import bars, lines, single, states
from dashboards.builder.queries import or_zero, prom, prom_last
from dashboards.builder.variables import label_values
from dashboards.platform import signals

_HERE = 'namespace=~"$namespace"'
_VOLUME_LIMITS = Limits(
    warning=0.8, critical=0.9, why="PersistentVolumeFillingUp alerts when the last 10 % will not last 4 hours."
)


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="platform-overview",
        title="Platform - Overview",
        system="platform",
        purpose="Does every part of the platform run, receive its data, and lose nothing? One closed row per program; "
        "the path from a rule to a notification has its own dashboard.",
        runbooks=[
            "PodCrashLooping",
            "PersistentVolumeFillingUp",
            "PersistentVolumeFullSoon",
            "CollectorDroppingTelemetry",
            "TelemetryLost",
            "CollectorQueueNearlyFull",
            "LokiIngestionStopped",
            "LokiRequestErrors",
            "JaegerStorageErrors",
            "GrafanaDown",
        ],
        logs='{app=~"prometheus|alertmanager|loki|jaeger|otel-gateway|grafana"}',
        links={"alerting pipeline": "/d/platform-alerting", "SLOs": "/d/platform-slos"},
    )
    rows = [
        _health(),
        _resources(),
        *map(
            collapsed,
            (
                signals.prometheus(),
                signals.alertmanager(),
                signals.loki(),
                signals.collector(),
                signals.sampling(),
                signals.jaeger(),
            ),
        ),
    ]
    return dashboard(about, [label_values("namespace", "namespace", "up")], rows)


def _health() -> Row:
    up_words = (Word(value=1, text="up", colour=GOOD), Word(value=0, text="down", colour=CRITICAL))
    restarts = f"sum(increase(kube_pod_container_status_restarts_total{{{_HERE}}}[$__range]))"
    return row(
        "Health",
        line(
            single(
                "Targets up",
                "Scraped targets that answer.",
                prom(f"sum(up{{{_HERE}}})", "up"),
                Look(unit=units.EXACT),
            ),
            single(
                "Targets down",
                "Scraped targets that do not answer.",
                prom(or_zero(f"count(up{{{_HERE}}} == 0)"), "down"),
                Look(unit=units.EXACT, limits=Limits(critical=1, why="TargetDown alerts for each of them.")),
            ),
            signals.alerts_firing(),
            single(
                "Restarts",
                "Restarts of containers within the time range.",
                prom_last(restarts, "restarts"),
                Look(unit=units.EXACT, decimals=0, limits=Limits(warning=1, why="a healthy container never restarts.")),
            ),
            height=4,
        ),
        line(
            states(
                "Targets by app",
                "Whether all targets of an app answer.",
                [prom(f"min by (namespace, app) (up{{{_HERE}}})", "{{namespace}} {{app}}")],
                Look(unit=units.EXACT, words=up_words),
            ),
            lines(
                "Restarts by pod",
                "Restarts of a pod's containers within the last hour.",
                [
                    prom(
                        f"sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total{{{_HERE}}}[1h]))",
                        "{{pod}}",
                    )
                ],
                Look(unit=units.EXACT, decimals=0),
            ),
            height=10,
        ),
    )


def _resources() -> Row:
    memory = '{__name__=~"process_resident_memory_bytes|otelcol_process_memory_rss(_bytes)?", ' + _HERE + "}"
    cpu = '{__name__=~"process_cpu_seconds_total|otelcol_process_cpu_seconds(_total)?", ' + _HERE + "}"
    used = "kubelet_volume_stats_used_bytes"
    share = f"""
    max by (namespace, persistentvolumeclaim) (
      {used}{{{_HERE}}} / kubelet_volume_stats_capacity_bytes{{{_HERE}}}
    )
    """
    return row(
        "Resources",
        line(
            lines(
                "Memory by pod",
                "Resident memory as each program reports it.",
                [prom(f"sum by (namespace, pod) ({memory})", "{{pod}}")],
                Look(unit=units.BYTES),
            ),
            lines(
                "CPU by pod",
                "Processor cores in use, as each program reports it.",
                [prom(f"sum by (namespace, pod) (rate({cpu}[$__rate_interval]))", "{{pod}}")],
                Look(unit=units.COUNT),
            ),
            bars(
                "Volumes used",
                "Share of each volume in use.",
                prom(share, "{{persistentvolumeclaim}}"),
                Look(unit=units.RATIO, maximum=1, limits=_VOLUME_LIMITS),
            ),
        ),
    )
