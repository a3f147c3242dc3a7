"""The estimate from settings and workload: more of anything never costs less, and warnings name small settings."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops import environment
from ops.capacity import estimate, pods, prices, sizing
from ops.capacity.estimate import Estimate
from ops.errors import OpsError
from settings import stack_files
from settings.quantities import quantity_bytes
from tests.mock_engine import Recorded
from tests.ops.capacity.cases import REQUIRED, sized, work

# Every key has a price of its own, so that a line with the wrong one is noticed.
_FILE = prices.load()
VALUES = {key: 1 + number / 100 for number, key in enumerate(_FILE.units)}
PRICES = prices.Prices(
    units=_FILE.units,
    offers=_FILE.offers,
    regions={
        key: {prices.EVERYWHERE: prices.Price(value=value, source="https://aws.amazon.com/", date=date(2026, 11, 28))}
        for key, value in VALUES.items()
    },
)
FULL: dict[str, Any] = {
    "cluster": "create",
    "managedPrometheus": True,
    "opensearchDomain": True,
    "opensearchInstances": 2,
    "opensearchStorage": "100Gi",
    "opensearchInstanceType": "m7g.large.search",
    "opensearchMasterType": "m6g.large.search",
    "ingress": "internet-facing",
    "xray": True,
}


def cost(values: dict[str, Any] | None = None, **workload: Any) -> Estimate:
    return estimate.estimate("staging", sized(**(values or {})), work(**workload), PRICES, date(2026, 11, 28))


def line(found: Estimate, price: str) -> float:
    return sum(one.monthly for one in found.lines if one.price == price)


# Maps a setting to the function that makes its value from a number.
GROWS: dict[str, Callable[[int], Any]] = {
    "prometheusReplicas": lambda number: min(number, 10),
    "prometheusRetention": "{}d".format,
    "prometheusStorage": "{}Gi".format,
    "prometheusMemory": "{}Gi".format,
    "lokiReplicas": lambda number: min(number, 9),
    "lokiRetention": "{}d".format,
    "lokiStorage": "{}Gi".format,
    "jaegerRetention": "{}d".format,
    "collectorReplicas": lambda number: min(number, 20),
    "collectorMemory": "{}Gi".format,
    "traceSamplingPercentage": str,
    "opensearchInstances": lambda number: min(number, 80),
    "opensearchStorage": "{}0Gi".format,
}


@settings(max_examples=60)
@given(key=st.sampled_from(sorted(GROWS)), less=st.integers(1, 90), more=st.integers(0, 10), full=st.booleans())
def test_more_of_a_setting_never_costs_less(key: str, less: int, more: int, full: bool) -> None:
    base = FULL if full else {}
    small, large = (cost({**base, key: GROWS[key](number)}).monthly for number in (less, less + more))
    assert large >= small - 1e-9


@settings(max_examples=60)
@given(
    key=st.sampled_from(["series", "log_gb_per_day", "log_streams", "traces_per_second", "users_gb_per_day"]),
    less=st.floats(0, 1e6),
    more=st.floats(0, 1e6),
)
def test_more_work_never_costs_less_and_never_needs_less(key: str, less: float, more: float) -> None:
    small, large = (cost(FULL, **{key: number}) for number in (less, less + more))

    assert large.monthly >= small.monthly - 1e-6
    for flow in (
        "samples",
        "log_gb",
        "log_gb_kept",
        "puts",
        "gets",
        "xray_gb",
        "spans_gb",
        "cross_zone_gb",
        "aws_gb",
    ):
        assert getattr(large.flows, flow) >= getattr(small.flows, flow) - 1e-6, flow
    for before, after in zip(small.needs, large.needs, strict=True):
        assert after.needed >= before.needed - 1e-9
        assert after.given == pytest.approx(before.given)


@settings(max_examples=40)
@given(seconds=st.integers(1, 30), factor=st.integers(2, 4))
def test_scraping_less_often_never_costs_more(seconds: int, factor: int) -> None:
    often, seldom = (cost({**FULL, "scrapeInterval": f"{each}s"}) for each in (seconds, seconds * factor))
    assert seldom.monthly <= often.monthly
    assert seldom.flows.samples_per_second == pytest.approx(often.flows.samples_per_second / factor)


def test_units_are_those_of_the_prices() -> None:
    found = cost(FULL)

    # 2 volumes of 50 GiB and so on; a month of 730 hours.
    assert line(found, "eks_control_plane") == pytest.approx(730 * VALUES["eks_control_plane"])
    assert line(found, "alb_hour") == pytest.approx(730 * VALUES["alb_hour"])
    sizes = 2 * 50 + 3 * 2 + 50 + 2 * 5 + 5 + 20
    assert line(found, "ebs_gp3") == pytest.approx(sizes * VALUES["ebs_gp3"])
    # 60,000 series every 30 s are 2,000 samples a second, 5.256 billion a month.
    assert found.flows.samples == pytest.approx(5.256e9)
    assert line(found, "amp_samples_first") == pytest.approx(200 * VALUES["amp_samples_first"])
    assert line(found, "amp_samples_next") == pytest.approx(3.256e9 / 1e7 * VALUES["amp_samples_next"])
    # 20 traces a second, 2 % with an error and a tenth of the rest, each of 12 spans of 1,000 bytes.
    spans_gb = 20 * 730 * 3600 * (0.02 + 0.98 * 0.1) * 12_000 / 1e9
    assert line(found, "xray_spans") == pytest.approx(spans_gb * VALUES["xray_spans"])
    # 5 GB a day for 30 days, a quarter of it stored.
    assert line(found, "s3_storage") == pytest.approx(37.5 * VALUES["s3_storage"])


@pytest.mark.parametrize(
    ("version", "support", "day", "billed"),
    [
        ("1.34", "extended", date(2026, 12, 1), False),
        ("1.34", "extended", date(2026, 12, 2), True),
        ("1.34", "standard", date(2026, 12, 2), False),  # EKS upgrades the cluster instead
        ("1.36", "extended", date(2026, 12, 2), False),
    ],
)
def test_extended_support_costs_more(version: str, support: str, day: date, billed: bool) -> None:
    values = {"cluster": "create", "clusterVersion": version, "clusterSupport": support}
    found = estimate.estimate("staging", sized(**values), work(), PRICES, day)
    assert line(found, "eks_extended_support") == pytest.approx(730 * VALUES["eks_extended_support"] * billed)


def test_what_a_new_cluster_and_its_stores_bring_with_them_is_counted() -> None:
    def quantity(found: Estimate, what: str) -> float:
        return sum(one.quantity for one in found.lines if one.what == what)

    own, shared = cost(FULL), cost({**FULL, "cluster": "existing"})
    assert quantity(own, "Logs of the control plane") == pytest.approx(365 / 12, rel=0.01)
    assert quantity(own, "NAT gateways, one in each zone") == 3 * 730
    assert quantity(cost({**FULL, "opensearchDomain": True}), "Logs of OpenSearch") > 0
    assert not quantity(shared, "Logs of the control plane") + quantity(shared, "NAT gateways, one in each zone")
    volumes = sum(one.quantity for one in own.lines if one.price == "ebs_gp3")
    assert quantity(own, "Snapshots of volumes") == pytest.approx(volumes)
    # 1e9 samples a day, and billions are the unit.
    assert quantity(own, "Managed Prometheus, queries") == pytest.approx(365 / 12, rel=0.01)
    longer = cost({**FULL, "managedPrometheusRetention": "300d"})
    assert quantity(longer, "Managed Prometheus, storage") == pytest.approx(
        2 * quantity(own, "Managed Prometheus, storage")
    )


def test_disk_of_prometheus_follows_its_documentation() -> None:
    (disk,) = (need for need in cost().needs if need.part == "Prometheus" and "disk" in need.what)
    blocks = 30 * 86_400 * 2_000 * 2 / 2**30
    assert blocks < disk.needed < blocks * 1.05
    assert disk.given == pytest.approx(50 * 0.85)


@pytest.mark.parametrize(
    ("values", "workload", "message"),
    [
        ({"prometheusStorage": "1Gi"}, {}, "Prometheus: disk for the whole retention: needs"),
        ({"prometheusMemory": "256Mi"}, {}, "Prometheus: memory: needs"),
        ({"lokiStorage": "64Mi"}, {}, "Loki: disk of each replica"),
        ({}, {"log_streams": 1e6}, "Loki: active streams"),
        ({}, {"log_gb_per_day": 5000.0}, "Loki: ingestion at peak"),
        ({"collectorMemory": "128Mi"}, {"traces_per_second": 5000.0}, "Collector: traces that wait"),
        ({"jaegerStorage": "1Gi"}, {}, "Jaeger: disk for the whole retention"),
        ({"prometheusMemory": "20Gi"}, {}, "prometheus: memory on one node (m6i.xlarge)"),
    ],
)
def test_a_warning_names_the_part_that_is_too_small_and_the_settings_to_change(
    values: dict[str, Any], workload: dict[str, Any], message: str
) -> None:
    assert not cost().warnings
    warnings = cost(values, **workload).warnings
    assert any(warning.startswith(message) for warning in warnings), warnings
    assert all("; change " in warning for warning in warnings)


def test_a_stack_outside_aws_costs_nothing_and_its_own_cluster_pays_for_whole_nodes() -> None:
    assert cost({"cloud": "none"}).monthly == 0
    own = cost({"cluster": "create"})
    shared = cost()
    assert line(own, "node_m6i_xlarge") == pytest.approx(3 * 730 * VALUES["node_m6i_xlarge"])
    assert line(own, "eks_auto_m6i_xlarge") == pytest.approx(3 * 730 * VALUES["eks_auto_m6i_xlarge"])
    assert line(shared, "node_m6i_xlarge") < line(own, "node_m6i_xlarge")
    assert line(shared, "eks_auto_m6i_xlarge") == 0
    assert any("exists already" in note for note in shared.notes)


def test_an_unknown_node_type_names_the_known_ones() -> None:
    with pytest.raises(OpsError, match="m6i_large, m6i_xlarge"):
        cost(node_type="z1_huge")


def test_settings_that_cannot_be_read_are_all_named() -> None:
    with pytest.raises(OpsError) as error:
        sized(prometheusStorage="much", lokiRetention="long", jaegerReplicas=None)
    for key in ('prometheusStorage: "much"', 'lokiRetention: "long"', 'jaegerReplicas: ""'):
        assert f"observability:{key} is not allowed; allowed: " in str(error.value)


def test_a_key_that_an_older_commit_lacks_has_todays_default() -> None:
    values = sizing.read({**REQUIRED, "jaegerMemory": "3Gi"}).values
    assert values.jaeger_memory == "3Gi"
    assert values.jaeger_replicas == stack_files.defaults()["jaegerReplicas"]
    assert values.cloud == "none"
    with pytest.raises(OpsError, match="observability:clusterName: required, but not set"):
        sizing.read({})


def test_secrets_are_counted_once_each() -> None:
    keys = {"platformSlackUrl": "aws-secret:a/b#slack", "oncallPagerdutyKey": "aws-secret:a/b#pd", "x": "aws-secret:c"}
    assert sized(**keys).secrets == 2


def test_pods_are_those_that_the_program_deploys(program: Callable[..., Recorded]) -> None:
    """Compares the requests of the local stack's pods, except for the simulator's."""
    recorded = program("local", simulator="false")
    expected = pods.platform(sizing.read(environment.load("local").values), nodes=1)

    found: dict[str, tuple[int, float, int]] = {}
    for one in recorded.pods:
        requests = [container["resources"]["requests"] for container in one.pod["spec"]["containers"]]
        count = 1 if one.kind == "DaemonSet" else one.inputs["spec"]["replicas"]
        cores = sum(int(request["cpu"].removesuffix("m")) for request in requests) / 1000
        found[one.object_name] = (count, cores, sum(quantity_bytes(request["memory"]) for request in requests))
    assert found == {one.app: (one.count, one.cpu, one.memory) for one in expected}


def test_three_dedicated_masters_are_paid_for() -> None:
    without, with_masters = (cost(FULL | {"opensearchMasterType": type_}) for type_ in ("", "m6g.large.search"))
    assert line(without, "opensearch_m6g.large.search") == 0
    assert line(with_masters, "opensearch_m6g.large.search") == pytest.approx(
        3 * estimate.HOURS * VALUES["opensearch_m6g.large.search"]
    )


def test_rates_above_what_a_volume_includes_are_paid_for_each_volume() -> None:
    rates = {"volumeIops": 4000, "volumeThroughput": 500, "prometheusReplicas": 2, "grafana": True}
    sizes = {"alertmanagerStorage": "8Gi", "collectorStorage": "8Gi", "grafanaStorage": "8Gi"}
    found = cost(rates | sizes)
    settings_ = sized(**rates, **sizes).values
    # Jaeger has one, too, with badger.
    replicas = ("prometheus", "alertmanager", "loki", "jaeger", "collector")
    count = sum(getattr(settings_, f"{part}_replicas") for part in replicas) + 1
    assert line(found, "ebs_gp3_iops") == pytest.approx(1000 * count * VALUES["ebs_gp3_iops"])
    assert line(found, "ebs_gp3_throughput") == pytest.approx(375 / 1024 * count * VALUES["ebs_gp3_throughput"])
    plain = cost(sizes)
    assert line(plain, "ebs_gp3_iops") == line(plain, "ebs_gp3_throughput") == 0
    assert line(found, "ebs_gp3") == line(plain, "ebs_gp3")
    assert line(found, "ebs_snapshots") == line(plain, "ebs_snapshots")
