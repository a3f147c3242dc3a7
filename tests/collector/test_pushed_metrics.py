"""Metrics that programs push: by the real agent and gateway into two real Prometheus, with bounds, and without lies."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
import yaml
from observability_fastapi.counting.push import Push
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.trace import TracerProvider

from alerting.model import RESERVED_LABELS
from components.metrics import prometheus_config
from instrumentation.tests.test_features import shop
from settings import sizes
from tests.backends.test_remote_write import Prometheus
from tests.collector.otlp_metrics import DELTA, counter, gauge, histogram, native, point, push
from tests.collector.pipeline import Pipeline, log_pipeline
from tools.programs import eventually

TRACE = "5b8efff798038103d269b633813fc60c"
FORGED = (
    *("ALERTS", "up", ".up", "kube.pod.info", "kubelet_volume", "scrape/samples", "media:failures:increase5m"),
    *("node.memory.free", "traces.span.metrics.calls", "container cpu usage"),
)


@dataclass
class Pushed:
    """Everything that runs."""

    pipeline: Pipeline
    servers: Sequence[Prometheus]

    def series(self, query: str, what: str = "nothing is stored") -> list[dict[str, str]]:
        """What the first server answers, as soon as it does."""
        return eventually(lambda: self.servers[0].series(query), what=f"{what}: {query}")

    def value(self, query: str, server: int = 0) -> float:
        """The single value."""
        url = f"http://{self.servers[server].address}/api/v1/query"
        (one,) = httpx.get(url, params={"query": query}).raise_for_status().json()["data"]["result"]
        return float(one["value"][1])


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushed]:
    folder = tmp_path_factory.mktemp("pushed")
    text = prometheus_config.render(
        cluster="shop-eu", scrape_interval="1s", evaluation_interval="1s", alertmanagers=["127.0.0.1:9"]
    )
    document = {
        key: value for key, value in yaml.safe_load(text).items() if key not in ("scrape_configs", "rule_files")
    }
    flags = ("--enable-feature=exemplar-storage", *prometheus_config.FLAGS)
    with ExitStack() as running:
        servers = [
            running.enter_context(
                Prometheus(folder / f"prometheus-{n}", document, *flags, environment={"POD_NAME": f"prometheus-{n}"})
            )
            for n in range(2)
        ]
        pipeline = running.enter_context(
            log_pipeline(folder / "collectors", prometheus=[server.address for server in servers])
        )
        yield Pushed(pipeline, servers)


def test_every_kind_of_metric_arrives_in_both_servers(pushed: Pushed) -> None:
    push(
        pushed.pipeline.otlp,
        counter("orders", [point(7, 0, TRACE, kind="book")]),
        gauge("stock", [point(3)], unit="By"),
        histogram("wait", [0.1, 0.5], [1, 2, 3], TRACE),
        native("response", [1, 2, 3]),
        service_name="till",
    )
    for server in pushed.servers:
        eventually(lambda s=server: s.series("histogram_count(response_seconds) == 6"), what="no native histogram")
        assert server.series('orders_total{kind="book"} == 7')
        assert server.series("stock_bytes == 3")
        assert server.series('wait_seconds_bucket{le="0.5"} == 3')
        url = f"http://{server.address}/api/v1/query_exemplars"
        for selector in ("orders_total", "wait_seconds_bucket"):
            answer = httpx.get(url, params={"query": selector, "start": "0", "end": "9999999999"}).json()
            assert TRACE in str(answer["data"]), selector


def test_deltas_are_added_up(pushed: Pushed) -> None:
    """Each request holds what is new since the one before."""
    for seconds, value in ((3, 2), (2, 5), (1, 1)):
        push(pushed.pipeline.otlp, counter("sales", [point(value, seconds)], DELTA), service_name="till")
    eventually(lambda: pushed.servers[1].series("sales_total == 8"), what="the deltas are not added up")


def test_a_series_says_who_sent_it(pushed: Pushed) -> None:
    """As an agent sends it on, which knows the pod."""
    pod = {"k8s_namespace_name": "shop", "k8s_pod_name": "till-0", "k8s_node_name": "n", "app": "till"}
    for service, shown in (("controller", "controller"), ("made-up", "till")):
        push(
            pushed.pipeline.gateway_otlp,
            gauge("open", [point(1)]),
            service_name=service,
            service_instance_id="i",
            **pod,
        )
        (series,) = pushed.series(f'open{{service="{shown}"}}')
        place = {"namespace": "shop", "pod": "till-0", "node": "n", "app": "till"}
        labels = {"__name__": "open", "job": "otlp", "instance": "i", "service": shown, "otel_scope_name": "till"}
        assert series == {**labels, **place}
    # ApiServiceDown reads it in place of `up`.
    assert pushed.series('target_info{job="otlp", namespace="shop", app="till", pod="till-0"}')


def test_the_fastapi_package_pushes_what_it_would_expose(pushed: Pushed) -> None:
    """Same names and labels, so that the alerts and the dashboard of its metrics count for both."""
    service = shop(tracer=TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    service.ask("/items/1", headers={"traceparent": f"00-{TRACE}-00000000000000ab-01"})
    exporter = OTLPMetricExporter(endpoint=f"{pushed.pipeline.otlp}/v1/metrics")
    assert Push(service.registry, "shop", exporter).send()
    (series,) = pushed.series("request_count")
    exposed = [sample for family in service.registry.collect() for sample in family.samples]
    (counted,) = (sample for sample in exposed if sample.name == "request_count")
    assert series.items() >= counted.labels.items()
    url = f"http://{pushed.servers[0].address}/api/v1/query_exemplars"
    asked = {"query": "request_duration_seconds_bucket", "start": "0", "end": "9999999999"}
    assert TRACE in str(httpx.get(url, params=asked).json()["data"])


def test_two_processes_of_a_pod_and_two_libraries_of_a_process_keep_their_series(pushed: Pushed) -> None:
    for number, (process, library) in enumerate((("a", "x"), ("a", "y"), ("b", "x"))):
        sender = {"scope": library, "version": str(number), "service_instance_id": process}
        push(pushed.pipeline.otlp, gauge("busy", [point(number)]), **sender)
    eventually(lambda: len(pushed.servers[0].series("busy")) == 3, what="a series is missing")
    assert not {one["otel_scope_version"] for one in pushed.servers[0].series("busy") if "otel_scope_version" in one}


def test_labels_of_the_platform_do_not_come_from_a_program(pushed: Pushed) -> None:
    claimed = ("namespace", "pod", "node", "app", "job", "instance", *RESERVED_LABELS, "cluster", "prometheus_replica")
    lies = dict.fromkeys((*claimed, "prometheus.replica", "__tmp", "..."), "forged")
    push(
        pushed.pipeline.otlp,
        gauge("closed", [point(1, 0, "", **lies)]),
        service_name="till",
        namespace="media",
        pod="upload-0",
        k8s_namespace_name="media",
        k8s_pod_name="upload-0",
    )
    (series,) = pushed.series("closed")
    true = {name: value for name, value in series.items() if not name.startswith("exported_")}
    given = {"job": "otlp", "app": "unknown", "service": "unknown", "otel_scope_name": "till"}
    assert true == {"__name__": "closed", **given}
    assert {f"exported_{name}" for name in claimed} <= series.keys()


def test_names_of_the_platform_do_not_come_from_a_program(pushed: Pushed) -> None:
    before = _not_accepted(pushed, "no_claims")
    forged = [gauge(name, [point(1)]) for name in FORGED]
    parts = [gauge("kube", [point(1)], unit="pod_info"), gauge("up", [point(1)], unit="{pods}")]
    push(pushed.pipeline.otlp, *forged, *parts, gauge("honest", [point(1)]), service_name="liar")
    pushed.series("honest")
    kept = {one["__name__"] for one in pushed.servers[0].series('{job="otlp"}')}
    assert not {name for name in kept if re.match("ALERTS|up|kube|scrape|node|traces|container|media", name)}
    dropped = len(FORGED) + len(parts)
    eventually(lambda: _not_accepted(pushed, "no_claims") == before + dropped, what="dropped points are not counted")


def test_ten_thousand_label_sets_become_one_series_with_their_sum(pushed: Pushed) -> None:
    many = [point(2, 0, "", user=str(number)) for number in range(10_000)]
    push(pushed.pipeline.otlp, counter("visits", many), gauge("depth", many), service_name="till")
    (series,) = pushed.series("visits_total")
    assert "user" not in series
    assert series["otel_metric_overflow"] == "true"
    assert (pushed.value("visits_total"), pushed.value("depth")) == (20_000, 2)
    eventually(lambda: _not_accepted(pushed, "too_many_points") >= 2, what="too many points are not counted")
    assert not pushed.servers[0].series('{__name__=~"too_many.*"}')
    counted = _not_accepted(pushed, "too_many_points")
    few = [point(2, 0, "", user=str(number)) for number in range(sizes.PUSHED_POINTS)]
    push(pushed.pipeline.otlp, counter("logins", few), service_name="till")
    eventually(
        lambda: len(pushed.servers[0].series("logins_total")) == sizes.PUSHED_POINTS, what="the limit itself is refused"
    )
    assert _not_accepted(pushed, "too_many_points") == counted


def test_a_label_has_an_end(pushed: Pushed) -> None:
    labels = {f"label_{number}": "x" * 10_000 for number in range(100)} | {"n" * 1000: "long"}
    push(pushed.pipeline.otlp, gauge("wide", [point(1, 0, "", **labels)]), service_name="s" * 10_000)
    (series,) = pushed.series("wide")
    assert len(series) < 50
    assert max(len(value) for value in series.values()) <= 256


def test_a_wrong_clock_is_corrected(pushed: Pushed) -> None:
    for name, seconds in (("slow_clock", 7 * 86_400), ("fast_clock", -7200)):
        push(pushed.pipeline.otlp, gauge(name, [point(1, seconds)]), service_name="till")
        pushed.series(f"{name} and time() - timestamp({name}) < 120", "a point of a wrong clock is lost")


def test_a_point_may_be_late(pushed: Pushed) -> None:
    """Gateways deliver in any order, and try again."""
    for seconds in (0, 1200):
        push(pushed.pipeline.gateway_otlp, gauge("late", [point(seconds, seconds)]), service_name="till")
    for server in range(2):
        eventually(
            lambda s=server: pushed.value("count_over_time(late[25m])", s) == 2, what="the late point is missing"
        )


def test_a_request_that_prometheus_refuses_takes_no_other_along(pushed: Pushed) -> None:
    """One malformed histogram makes Prometheus refuse all that came with it."""
    push(pushed.pipeline.otlp, native("broken", [5, 5], total=1), gauge("beside", [point(1)]), service_name="a")
    push(pushed.pipeline.otlp, gauge("innocent", [point(1)]), service_name="b")
    pushed.series("innocent")
    eventually(
        lambda: _counted(pushed.pipeline.metrics, "otelcol_exporter_send_failed_metric_points") >= 2,
        what="the refused points are not counted",
    )
    assert not pushed.servers[0].series("beside")


def test_a_server_that_was_down_gets_what_it_missed_and_does_not_delay_the_other(pushed: Pushed) -> None:
    down = pushed.servers[1]
    down.end()
    for number in range(20):
        push(pushed.pipeline.otlp, counter("through", [point(number)]), service_name="till")
    eventually(lambda: pushed.servers[0].series("through_total == 19"), what="the other server is delayed")
    down.start()
    eventually(lambda: down.series("through_total == 19"), what="what it missed does not arrive")
    eventually(lambda: pushed.value("count_over_time(through_total[5m])", 1) == 20, what="a point is missing")


def _not_accepted(pushed: Pushed, reason: str) -> float:
    """As the alert CollectorDroppingTelemetry reads it."""
    counter = f'otelcol_processor_filter_datapoints_filtered{{filter="filter/{reason}"'
    return _counted(pushed.pipeline.agent_metrics, counter)


def _counted(port: int, metric: str) -> float:
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(metric))
