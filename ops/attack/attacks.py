"""The attacks: what each pod does, and what must not follow. Pure."""

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from settings.apps import ALERTMANAGER, JAEGER, LOKI, OTLP_GRPC, OTLP_HTTP, PROMETHEUS

PORT = 8000
LINES = 10
"""Lines that the innocent pod writes in each round; it also sends a trace."""
PAUSE = 2.0
"""Seconds between two rounds of the innocent pod."""
_AGAIN = 10.0
"""Seconds between two rounds of an attacker, whose requests are large."""
STORM = 300
"""Queues, services and streams that one pod claims."""
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class AttackPod:
    """One pod, and the task of its program."""

    name: str
    task: Json
    scraped: bool = True
    findings: str
    """What it repeats, as tests and docs/security.md name it."""

    def variable(self, agent: str) -> str:
        """The variable TASK of its program; `agent` is the URL of the agent."""
        task = {"pause": _AGAIN, **self.task, "agent": agent}
        return base64.b64encode(zlib.compress(json.dumps(task).encode())).decode()


@dataclass(frozen=True, kw_only=True)
class Check:
    """A query whose result must be as said."""

    says: str
    """What must hold."""
    query: str
    """PromQL with one value or none; none counts as 0. WINDOW is the time since all pods run, such as 60s."""
    most: float = 0.0
    least: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All pods of one run, by namespace, and what is checked."""

    attacker: str
    innocent: str
    reader: str
    """Namespace with the label observability/access."""
    begun: int
    """Seconds since the epoch. Names and trace ids contain it."""
    pods: Mapping[str, Sequence[AttackPod]]
    checks: Sequence[Check] = field(default_factory=list[Check])


def plan(begun: int, platform: str) -> Plan:
    """A run that began at this time (epoch seconds) against the platform in this namespace."""
    attacker, innocent, reader = (f"attack-{begun}-{who}" for who in ("attacker", "innocent", "reader"))
    connect = [
        *([f"{app.name}.{platform}.svc", app.port] for app in (PROMETHEUS, ALERTMANAGER, LOKI, JAEGER)),
        # The pods themselves, whose hardware addresses the node then tells.
        *([f"{app.name}-peers.{platform}.svc", app.port] for app in (PROMETHEUS, ALERTMANAGER, LOKI)),
        *([f"otel-gateway.{platform}.svc", port] for port in (OTLP_GRPC, OTLP_HTTP)),
    ]
    control = [[f"{app.name}.{platform}.svc", app.port] for app in (PROMETHEUS, ALERTMANAGER, LOKI)]
    attackers = [
        AttackPod(name="connects", task={"connect": connect}, scraped=False, findings="F1, F13"),
        AttackPod(name="forger", task={"exposition": _forged()}, findings="F4, F7, F10, F16, F22"),
        AttackPod(name="bomb", task={"bomb": 200_000_000}, findings="F2"),
        AttackPod(
            name="redirect",
            task={"redirect": f"http://{LOKI.name}.{platform}.svc:{LOKI.port}/ingester/shutdown"},
            findings="F5",
        ),
        AttackPod(
            name="sender",
            task={"otlp": [_lines(), *_spans(), _metrics()]},
            scraped=False,
            findings="F3, F8, F9, F11, F12",
        ),
    ]
    innocents = [
        AttackPod(
            name="innocent",
            task={
                "exposition": "innocent_total 1\n",
                "lines": LINES,
                "begun": begun,
                "trace": _spans_of("innocent", _span("", "innocent")),
                "pause": PAUSE,
            },
            findings="innocent",
        )
    ]
    readers = [AttackPod(name="reader", task={"connect": control}, scraped=False, findings="F13")]
    return Plan(
        attacker=attacker,
        innocent=innocent,
        reader=reader,
        begun=begun,
        pods={attacker: attackers, innocent: innocents, reader: readers},
        checks=_checks(attacker, innocent, platform),
    )


def trace_id(begun: int, number: int) -> str:
    """Id of the innocent pod's trace of one round, as its program makes it."""
    return f"{begun:024x}{number:08x}"


def _checks(attacker: str, innocent: str, platform: str) -> list[Check]:
    own = f'namespace="{attacker}"'
    # What nobody measures is no proof, so it counts as very many.
    restarts = 'max(changes(process_start_time_seconds{{namespace="{}", app="{}"}}[WINDOW])) or vector(1e9)'
    return [
        Check(
            says="the attacks run: three pods are scraped",
            query=f"count(up{{{own}}})",
            least=3,
            most=3,
        ),
        Check(
            says="the attacks run: the forger's exposition is read",
            # The sender pushes a metric of this name, too.
            query=f'count(jq_workers_active{{job="pods", {own}}})',
            least=1,
            most=1,
        ),
        Check(
            says="F4, F16: no recorded series comes from a scrape",
            query=f'count({{__name__=~".+:.+", job="pods", {own}}})',
        ),
        Check(says="F4: no rule fails", query="sum(increase(prometheus_rule_evaluation_failures_total[WINDOW]))"),
        Check(says="F16: nobody exposes an alert", query='count(ALERTS{alertname="AttackForged"})'),
        Check(
            says="F7, F10, F22: no alert of another system fires",
            query=f'count(ALERTS{{{own}, system!~"platform|kubernetes|api"}})',
        ),
        Check(says="F2: a bomb is refused", query=f'max(up{{{own}, pod="bomb"}})'),
        Check(says="F5: a redirect is not followed", query=f'max(up{{{own}, pod="redirect"}})'),
        Check(says="F2: Prometheus does not restart", query=restarts.format(platform, PROMETHEUS.name)),
        Check(says="F5: Loki does not restart", query=restarts.format(platform, LOKI.name)),
        Check(
            says="F11, F12: services that nobody wrote down have no series",
            query=f"count(count by (service_name) (traces_span_metrics_calls_total{{{own}}}))",
            least=1,  # the attacker's spans are counted
            most=2,
        ),
        Check(
            says="F11: nobody counts into a service of another namespace",
            query=f'count(traces_span_metrics_calls_total{{{own}, service_name="media-upload"}})',
        ),
        Check(
            says="F3: the gateways' queues of spans do not stand",
            query="max(min_over_time("
            'otelcol_exporter_queue_size{app="otel-gateway", exporter=~"otlp_grpc/jaeger.*"}[WINDOW]))'
            " or vector(1e9)",
            most=100_000,
        ),
        Check(
            says="innocent: every scrape succeeds",
            query=f'min(min_over_time(up{{namespace="{innocent}"}}[WINDOW]))',
            least=1,
            most=1,
        ),
    ]


def _forged() -> str:
    """An exposition that speaks of other systems and of Prometheus itself."""
    lines = [
        *(f'media_upload:storage_failures:increase5m{{severity="{one}"}} 1' for one in "ab"),
        *(f'slo:errors:ratio_rate5m{{slo="media-upload-availability", severity="{one}"}} 1' for one in "ab"),
        'ALERTS{alertname="AttackForged", alertstate="firing", severity="critical"} 1',
        "up 0",
        'kube_pod_info{namespace="media", pod="forged"} 1',
        "jq_workers_active 5",
        'media_uploads_total{status="success"} 50000',
        *(f'jq_queue_depth{{status="PENDING", queue="attack-{number}"}} 5000' for number in range(STORM)),
    ]
    return "\n".join(lines) + "\n"


def _attribute(key: str, value: str) -> Json:
    return {"key": key, "value": {"stringValue": value}}


def _lines() -> tuple[str, Json]:
    """Lines of many services, whose scope and records claim to be of another pod."""
    now = str(time.time_ns())
    claims = [_attribute(key, "forged") for key in ("pod", "node", "namespace", "k8s.pod.name")]
    record = {"timeUnixNano": now, "body": {"stringValue": "attack"}, "attributes": claims}
    logs = [
        {
            "resource": {"attributes": [_attribute("service.name", f"attack-{number}"), *claims]},
            "scopeLogs": [{"scope": {"name": "a", "attributes": claims}, "logRecords": [record]}],
        }
        for number in range(STORM)
    ]
    return "/v1/logs", {"resourceLogs": logs}


def _metrics() -> tuple[str, Json]:
    """Pushed series that speak of other systems and of Prometheus itself."""
    names = ("up", "ALERTS", "kube_pod_info", "media_upload:storage_failures:increase5m", "jq_workers_active")
    labels = [_attribute(key, "AttackForged") for key in ("alertname", "severity", "namespace")]
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": 1, "attributes": labels}
    metrics = [{"name": name, "gauge": {"dataPoints": [point]}} for name in names]
    resource = {"attributes": [_attribute("service.name", "media-upload")]}
    return "/v1/metrics", {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}


def _spans() -> list[tuple[str, Json]]:
    """Spans with names that no store takes, of services of others and of many services."""
    poison = [_span(f"{number + 1:032x}", "x" * 66_000) for number in range(5)]
    many = [_resource(f"attack-{number}", [_span(f"{number + 100:032x}", "s")]) for number in range(STORM)]
    forged = _resource("media-upload", [_span(f"{9:032x}", "forged")])
    one_by_one = [("/v1/traces", _spans_of("attack", span)) for span in poison]
    return [*one_by_one, ("/v1/traces", {"resourceSpans": [*many, forged]})]


def _spans_of(service: str, span: Json) -> Json:
    """The body of a request with one span."""
    return {"resourceSpans": [_resource(service, [span])]}


def _span(trace: str, name: str) -> Json:
    """A span with an error, so that its trace is kept."""
    now = time.time_ns()
    times = {"startTimeUnixNano": str(now - 10**6), "endTimeUnixNano": str(now)}
    return {"traceId": trace, "spanId": trace[-16:], "name": name, "kind": 2, "status": {"code": 2}, **times}


def _resource(service: str, spans: Sequence[Json]) -> Json:
    return {"resource": {"attributes": [_attribute("service.name", service)]}, "scopeSpans": [{"spans": spans}]}
