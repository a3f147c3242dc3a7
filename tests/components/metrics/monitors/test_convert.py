"""Which jobs a monitor becomes, as the operator makes them, and which monitors are skipped, with which reason."""

from typing import Any

import pytest

from components.metrics import prometheus_config, scrape_claims
from tests.components.metrics.monitors.cases import LISTED, PLATFORM, POD, SAMPLES, SERVICE, common, job, jobs, reason
from tests.components.metrics.monitors.cases import relabeled as relabelings

META = "__meta_kubernetes_"


def kept(label: str, value: str) -> tuple[Any, ...]:
    return ("keep", [f"{META}{label}"], value, None, None)


def copied(source: str, target: str) -> tuple[Any, ...]:
    return (None, [f"{META}{source}"], "(.+)", target, None)


def test_each_endpoint_is_a_job_of_its_own() -> None:
    found = jobs(SERVICE, {"endpoints": [{"port": "a"}, {"port": "b"}]})
    assert [one["job_name"] for one in found] == ["serviceMonitor/shop/till/0", "serviceMonitor/shop/till/1"]
    assert job(POD, {"port": "a"})["job_name"] == "podMonitor/shop/till/0"
    assert jobs(SERVICE, {}) == []


def test_a_service_monitor_discovers_endpoints_of_its_namespace() -> None:
    assert job(SERVICE, {})["kubernetes_sd_configs"] == [{"role": "endpointslice", "namespaces": {"names": ["shop"]}}]
    assert job(POD, {})["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["shop"]}}]


@pytest.mark.parametrize("selector", [{"any": True}, {"matchNames": ["shop", "media"]}, {"matchNames": ["media"]}])
@pytest.mark.parametrize("kind", [SERVICE, POD])
def test_only_listed_namespaces_select_others(kind: str, selector: dict[str, Any]) -> None:
    why = reason(kind, {}, namespaceSelector=selector)
    assert why.startswith("namespaceSelector: selects other namespaces than its own; allowed:")


def test_a_namespace_may_name_itself() -> None:
    assert job(SERVICE, {}, namespaceSelector={"matchNames": ["shop"], "any": False}) == job(SERVICE, {})


def test_a_listed_namespace_selects_those_that_it_names() -> None:
    found = job(SERVICE, {}, LISTED, namespaceSelector={"matchNames": ["shop", "media"]})
    # One for each, as the jobs of these namespaces have them.
    assert found["kubernetes_sd_configs"] == [
        {"role": "endpointslice", "namespaces": {"names": [name]}} for name in ("media", "shop")
    ]
    assert job(POD, {}, LISTED, namespaceSelector={"any": True})["kubernetes_sd_configs"] == [{"role": "pod"}]
    assert job(POD, {}, LISTED)["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": [LISTED]}}]


def test_endpoints_of_all_namespaces_are_not_believed() -> None:
    """An EndpointSlice may name a pod of any namespace, so its author could choose the target."""
    why = reason(SERVICE, {}, LISTED, namespaceSelector={"any": True})
    assert why == "namespaceSelector.any: true is not allowed for a ServiceMonitor; allowed: matchNames"


@pytest.mark.parametrize("namespace", PLATFORM)
def test_monitors_in_the_platforms_namespaces_are_skipped(namespace: str) -> None:
    assert "namespace of the platform" in reason(SERVICE, {}, namespace)


def test_the_selector_is_that_of_kubernetes() -> None:
    selector = {
        "matchLabels": {"app.kubernetes.io/name": "till", "tier": ""},
        "matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["a.b", "c"]},
            {"key": "zone", "operator": "NotIn", "values": ["d"]},
            {"key": "team", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist", "values": []},
        ],
    }
    for kind, of in ((SERVICE, "service"), (POD, "pod")):
        found = relabelings(job(kind, {}, selector=selector))

        def labels(key: str, of: str = of) -> list[str]:
            return [f"{META}{of}_label_{key}", f"{META}{of}_labelpresent_{key}"]

        for expected in (
            ("keep", labels("app_kubernetes_io_name"), "(?:till);true", None, None),
            ("keep", labels("tier"), "(?:);true", None, None),
            ("keep", labels("zone"), r"(?:a\.b|c);true", None, None),
            ("drop", labels("zone"), "(?:d);true", None, None),
            ("keep", labels("team")[1:], "true", None, None),
            ("drop", labels("old")[1:], "true", None, None),
        ):
            assert expected in found


@pytest.mark.parametrize(
    ("kind", "endpoint", "label", "value", "name"),
    [
        (SERVICE, {"port": "http-metrics"}, "endpointslice_port_name", "http-metrics", "http-metrics"),
        (SERVICE, {"targetPort": "web"}, "pod_container_port_name", "web", "web"),
        (SERVICE, {"targetPort": 8080}, "pod_container_port_number", "8080", "8080"),
        (SERVICE, {"port": "a", "targetPort": 8080}, "endpointslice_port_name", "a", "a"),
        (POD, {"port": "web"}, "pod_container_port_name", "web", "web"),
        (POD, {"portNumber": 8080}, "pod_container_port_number", "8080", None),
        (POD, {"targetPort": 8080}, "pod_container_port_number", "8080", "8080"),
        (POD, {"targetPort": "a.b"}, "pod_container_port_name", r"a\.b", "a.b"),
    ],
)
def test_the_port_is_kept_and_named(kind: str, endpoint: Any, label: str, value: str, name: str | None) -> None:
    found = relabelings(job(kind, endpoint))
    assert kept(label, value) in found
    assert [one[4] for one in found if one[3] == "endpoint"] == ([name] if name else [])


def test_labels_are_those_of_the_operator() -> None:
    spec = {"targetLabels": ["tier"], "podTargetLabels": ["example.com/team"], "jobLabel": "app"}
    found = relabelings(job(SERVICE, {}, **spec))
    for expected in (
        copied("service_name", "service"),
        copied("pod_container_name", "container"),
        copied("service_label_tier", "tier"),
        copied("pod_label_example_com_team", "example_com_team"),
        copied("service_name", "job"),
        copied("service_label_app", "job"),
    ):
        assert expected in found
    found = relabelings(job(POD, {}, jobLabel="app"))
    assert copied("pod_label_app", "job") in found
    assert (None, None, None, "job", "shop/till") in found
    assert not [one for one in found if one[3] == "service"]


def test_true_labels_come_last() -> None:
    """After what the monitor writes."""
    own = {"targetLabel": "namespace", "replacement": "observability"}
    found = relabelings(job(SERVICE, {"relabelings": [own]}))
    mine = found.index(("replace", None, None, "namespace", "observability"))
    for expected in (
        copied("namespace", "namespace"),
        copied("pod_name", "pod"),
        copied("pod_node_name", "node"),
        (None, None, None, "app", "unknown"),
        copied("pod_label_app_kubernetes_io_name", "app"),
    ):
        assert len(found) - 1 - found[::-1].index(expected) > mine
    assert found[-1] == (None, ["job"], "|" + "|".join(common().jobs), "job", "shop/till")


def test_filters_come_first() -> None:
    found = relabelings(job(SERVICE, {"relabelings": [{"action": "labeldrop", "regex": "__meta.*"}]}))
    assert found[: len(common().filters)] == [
        ("drop", [f"{META}namespace"], "|".join(PLATFORM), None, None),
        ("drop", [f"{META}pod_phase"], "Succeeded|Failed", None, None),
        ("drop", [f"{META}pod_annotation_prometheus_io_scrape"], "true", None, None),
    ]
    host = ("dropequal", [f"{META}pod_ip"], None, f"{META}pod_host_ip", None)
    assert found[len(common().filters)] == host
    assert host not in relabelings(job(SERVICE, {}, LISTED))


def test_a_node_exporter_that_another_job_scrapes_is_left_to_it() -> None:
    labels, value = prometheus_config.FOREIGN_NODE_EXPORTER
    (found,) = jobs(POD, {"podMetricsEndpoints": [{}]}, LISTED, foreign_node_exporter=True)
    assert ("drop", labels, value, None, None) in relabelings(found)


def test_bounds_are_those_of_pods_with_annotations() -> None:
    found = job(SERVICE, {"followRedirects": True})
    assert found.items() >= {**prometheus_config.limits(SAMPLES), "follow_redirects": False}.items()
    assert found["metric_relabel_configs"][1:] == scrape_claims.relabeling(trusted=())
    assert found["metric_relabel_configs"][0] == {"target_label": "namespace", "replacement": "shop"}


def test_limits_are_only_lowered() -> None:
    low = job(
        SERVICE,
        {},
        sampleLimit=10,
        bodySizeLimit="1KB",
        labelLimit=3,
        labelNameLengthLimit=4,
        labelValueLengthLimit=5,
        targetLimit=6,
    )
    names = ("sample_limit", "body_size_limit", "label_limit", "label_name_length_limit", "label_value_length_limit")
    assert [low[name] for name in (*names, "target_limit")] == [10, "1024B", 3, 4, 5, 6]
    high = job(
        SERVICE,
        {},
        sampleLimit=10**9,
        bodySizeLimit="1.5GiB",
        labelLimit=10**9,
        labelNameLengthLimit=10**9,
        labelValueLengthLimit=10**9,
    )
    unset = job(SERVICE, {}, sampleLimit=0, bodySizeLimit="0")
    ours = prometheus_config.limits(SAMPLES)
    for found in (high, unset):
        assert [found[name] for name in names] == [ours[name] for name in names]


@pytest.mark.parametrize(
    ("given", "interval", "timeout"),
    [
        ({}, 30_000, 10_000),
        ({"interval": "15s"}, 30_000, 10_000),
        ({"interval": "0"}, 30_000, 10_000),
        ({"interval": "1m30s"}, 90_000, 10_000),
        ({"interval": "15s", "scrapeTimeout": "20s"}, 30_000, 20_000),
        ({"scrapeTimeout": "30s"}, 30_000, 30_000),
    ],
)
def test_no_monitor_is_asked_more_often_than_the_platform_asks(given: Any, interval: int, timeout: int) -> None:
    found = job(SERVICE, given)
    assert (found["scrape_interval"], found["scrape_timeout"]) == (f"{interval}ms", f"{timeout}ms")


def test_the_request_is_that_of_the_endpoint() -> None:
    found = job(
        SERVICE,
        {
            "path": "/probe",
            "scheme": "HTTPS",
            "params": {"match[]": ["a", "b"]},
            "tlsConfig": {"insecureSkipVerify": True, "serverName": "till.example", "minVersion": "TLS12", "ca": {}},
            "honorTimestamps": False,
            "trackTimestampsStaleness": True,
        },
        scrapeProtocols=["PrometheusText0.0.4"],
        fallbackScrapeProtocol="PrometheusText1.0.0",
    )
    assert (
        found.items()
        >= {
            "metrics_path": "/probe",
            "scheme": "https",
            "params": {"match[]": ["a", "b"]},
            "tls_config": {"insecure_skip_verify": True, "server_name": "till.example", "min_version": "TLS12"},
            "honor_timestamps": False,
            "track_timestamps_staleness": True,
            "scrape_protocols": ["PrometheusText0.0.4"],
            "fallback_scrape_protocol": "PrometheusText1.0.0",
        }.items()
    )


def test_only_exporters_of_listed_namespaces_speak_of_others() -> None:
    assert job(SERVICE, {"honorLabels": True})["honor_labels"] is False
    found = job(SERVICE, {"honorLabels": True}, LISTED)
    assert found["honor_labels"] is True
    assert found["metric_relabel_configs"][0] == {
        "action": "drop",
        "source_labels": ["namespace"],
        "regex": "|observability|observability-agent",
    }


@pytest.mark.parametrize(
    "rest",
    [
        {"basicAuth": None, "proxyUrl": "", "tlsConfig": {"ca": {}, "cert": {"secret": None}}},
        {"bearerTokenSecret": {"key": "", "name": ""}, "proxyFromEnvironment": False, "enableHttp2": False},
        {"filterRunning": False},
    ],
)
def test_fields_that_say_nothing_are_as_if_they_were_not_there(rest: dict[str, Any]) -> None:
    assert job(SERVICE, rest) == job(SERVICE, {})
    assert job(SERVICE, {}, attachMetadata={"node": False}, selectorMechanism="RoleSelector") == job(SERVICE, {})
