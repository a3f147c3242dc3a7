"""A stack's monthly cost, line by line, and the needs that its settings do not meet. Pure."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from ops.capacity import capacity, pods
from ops.capacity.capacity import GIB, MONTH, Flows, Need
from ops.capacity.prices import Prices, Quote
from ops.capacity.sizing import Sizing
from ops.capacity.workload import Workload
from ops.errors import OpsError
from settings.eks import gp3
from settings.quantities import quantity_bytes
from settings.volumes import volumes

HOURS = MONTH / 3600
# Cores and bytes of a node that are left for pods after the kubelet, the system and the DaemonSets of EKS.
NODES = {"m6i_large": (1.7, 6.5 * GIB), "m6i_xlarge": (3.6, 13.8 * GIB), "m6i_2xlarge": (7.5, 29.0 * GIB)}
# EKS user guide, "Understand the Kubernetes version lifecycle on EKS": the last day of standard support.
STANDARD_SUPPORT_UNTIL = {
    "1.32": date(2026, 3, 23),
    "1.33": date(2026, 7, 29),
    "1.34": date(2026, 12, 2),
    "1.35": date(2027, 3, 27),
}
"""Version of Kubernetes -> the day after which EKS bills extended support. Later ones are in standard support."""
# Samples a month at the first price; the next 250 billion have another price.
_AMP_FIRST = 2e9
# With a bucket key, S3 calls KMS for only a few of its requests; others report about one in a hundred.
_KMS_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the bill."""

    what: str
    quantity: float
    """In the unit of its price."""
    unit: str
    quote: Quote | None
    """None if no source has the price; the sum then leaves this line out."""
    price: str
    """Key of the price."""

    @property
    def monthly(self) -> float:
        """US dollars a month."""
        return self.quantity * self.quote.price.value if self.quote else 0.0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The cost and the needs of one stack with one workload."""

    stack: str
    region: str
    workload: Workload
    flows: Flows
    lines: tuple[Line, ...]
    needs: tuple[Need, ...]
    price_problem: str = ""
    """Why AWS' price list could not be read, if it was asked."""

    @property
    def monthly(self) -> float:
        """US dollars a month, of all lines that have a price."""
        return sum(line.monthly for line in self.lines)

    @property
    def notes(self) -> tuple[str, ...]:
        """Limits and assumptions of the sum, one line each."""
        return tuple(_notes(self))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The needs that the settings do not meet, one line each."""
        return tuple(
            f"{need.part}: {need.what}: needs {need.needed:,.1f} {need.unit}, has {need.given:,.1f}; "
            f"change {need.settings}"
            for need in self.needs
            if not need.fits
        )

    def document(self) -> dict[str, Any]:
        """The estimate as JSON values."""
        return {
            "stack": self.stack,
            "region": self.region,
            "monthly_usd": round(self.monthly, 2),
            "lines": [_line_document(line) for line in self.lines],
            "capacity": [vars(need) | {"fits": need.fits} for need in self.needs],
            "flows": vars(self.flows),
            "workload": self.workload.model_dump(),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def estimate(stack: str, sizing: Sizing, workload: Workload, prices: Prices, today: date | None = None) -> Estimate:
    """The cost and the needs of `sizing` under `workload` on a day. A stack outside AWS has no cost lines.

    Raises OpsError for a node type that is not in NODES.
    """
    values = sizing.values
    node = workload.node_type.value
    if node not in NODES:
        raise OpsError(f"workload.yaml: node_type: {node!r} is not allowed; allowed: {', '.join(NODES)}")
    flow = capacity.flows(sizing, workload)
    quantities: Iterable[_Quantity] = ()
    if values.cloud == "eks":
        quantities = (*_control_plane(sizing, workload, today or date.today()), *_quantities(sizing, workload, flow))
    lines = [_line(one, sizing, prices) for one in quantities if one[2] > 0]
    return Estimate(
        stack=stack,
        region=values.aws_region,
        workload=workload,
        flows=flow,
        lines=tuple(lines),
        needs=(*capacity.needs(sizing, workload), *_node_needs(sizing, workload)),
        price_problem=prices.problem,
    )


_Quantity = tuple[str, str, float]
"""Name of the line, key of its price, and amount in the unit of the price."""


def _line(quantity: _Quantity, sizing: Sizing, prices: Prices) -> Line:
    what, key, amount = quantity
    quote = prices.quote(key, sizing.values.aws_region)
    return Line(what=what, quantity=amount, unit=prices.units.get(key, ""), quote=quote, price=key)


def _control_plane(sizing: Sizing, workload: Workload, today: date) -> Iterator[_Quantity]:
    values = sizing.values
    if not sizing.creates_cluster:
        return
    yield "EKS control plane", "eks_control_plane", HOURS
    # With standard support only, EKS upgrades the cluster instead.
    ended = STANDARD_SUPPORT_UNTIL.get(values.cluster_version, date.max) <= today
    yield "EKS extended support", "eks_extended_support", HOURS if ended and values.cluster_support == "extended" else 0
    logs = workload.control_plane_log_gb_per_day.value * MONTH / capacity.DAY
    yield "Logs of the control plane", "cloudwatch_logs_ingested", logs
    yield "Logs of the control plane, storage", "cloudwatch_logs_stored", logs
    yield "NAT gateways, one in each zone", "nat_gateway_hour", workload.zones.value * HOURS


def _quantities(sizing: Sizing, workload: Workload, flow: Flows) -> Iterator[_Quantity]:
    values = sizing.values
    yield from _compute(sizing, workload)
    claimed = volumes(values)
    sizes = {part: one.number * one.bytes / GIB for part, one in claimed.items()}
    for part, size in sizes.items():
        yield f"Volumes of {part}", "ebs_gp3", size
    count = sum(one.number for one in claimed.values())
    iops, throughput = values.volume_iops - gp3.BASE_IOPS, values.volume_throughput - gp3.BASE_THROUGHPUT
    yield "I/O operations of volumes", "ebs_gp3_iops", count * max(iops, 0)
    yield "Throughput of volumes", "ebs_gp3_throughput", count * max(throughput, 0) / 1024
    yield "Snapshots of volumes", "ebs_snapshots", workload.snapshots.value * sum(sizes.values())
    if sizing.stores_logs_in_s3:
        yield "Logs in S3", "s3_storage", flow.log_gb_kept
        yield "S3 writes", "s3_put", flow.puts / 1000
        yield "S3 reads", "s3_get", flow.gets / 1000
    if sizing.values.writes_to_aws:
        # Replicas send the same samples with the label __replica__; the service stores one copy.
        yield "Managed Prometheus, samples", "amp_samples_first", min(flow.samples, _AMP_FIRST) / 1e7
        yield "Managed Prometheus, further samples", "amp_samples_next", max(flow.samples - _AMP_FIRST, 0) / 1e7
        days = float(values.managed_prometheus_retention.rstrip("d"))
        yield "Managed Prometheus, storage", "amp_storage", flow.samples * days / (MONTH / capacity.DAY) * 2 / GIB
        read = workload.long_term_samples_per_day.value * MONTH / capacity.DAY
        yield "Managed Prometheus, queries", "amp_query_samples", read / 1e9
    if values.opensearch_domain:
        hours = values.opensearch_instances * HOURS
        yield "OpenSearch instances", f"opensearch_{values.opensearch_instance_type}", hours
        if values.opensearch_master_type:
            yield "OpenSearch masters", f"opensearch_{values.opensearch_master_type}", 3 * HOURS
        stored = values.opensearch_instances * quantity_bytes(values.opensearch_storage) / GIB
        yield "OpenSearch storage", "opensearch_gp3", stored
        logs = workload.opensearch_log_gb_per_day.value * MONTH / capacity.DAY
        yield "Logs of OpenSearch", "cloudwatch_logs_ingested", logs
        yield "Logs of OpenSearch, storage", "cloudwatch_logs_stored", logs
    yield "Traces in X-Ray", "xray_spans", flow.xray_gb
    # Transaction Search keeps spans in CloudWatch Logs, for a month by default.
    yield "Traces in X-Ray, storage", "cloudwatch_logs_stored", flow.xray_gb
    yield from _network(sizing, workload, flow)
    if not values.kms_key_arn:
        yield "KMS key", "kms_key", 1
    yield "KMS requests", "kms_requests", (flow.puts + flow.gets) * _KMS_SHARE / 10_000
    yield "Secrets Manager", "secret", sizing.secrets


def _compute(sizing: Sizing, workload: Workload) -> Iterator[_Quantity]:
    cores, memory = NODES[workload.node_type.value]
    all_pods = pods.platform(sizing, workload.nodes.value)
    share = max(
        sum(one.count * one.cpu for one in all_pods) / cores, sum(one.count * one.memory for one in all_pods) / memory
    )
    # A cluster that the stack creates has whole nodes, at least one per zone. In an existing cluster the platform pays
    # only for its share of the nodes.
    nodes = max(math.ceil(share), workload.zones.value) if sizing.creates_cluster else share
    name = workload.node_type.value.replace("_", ".")
    yield f"Nodes ({name})", f"node_{workload.node_type.value}", nodes * HOURS
    # A cluster that the program creates runs in Auto Mode.
    if sizing.creates_cluster or sizing.values.eks_auto_mode:
        yield "EKS Auto Mode", f"eks_auto_{workload.node_type.value}", nodes * HOURS


def _network(sizing: Sizing, workload: Workload, flow: Flows) -> Iterator[_Quantity]:
    values = sizing.values
    yield "Traffic between zones, both directions", "cross_zone_gb", flow.cross_zone_gb * 2
    yield "Traffic to AWS through NAT", "nat_gateway_gb", flow.aws_gb
    if values.ingress != "none":
        yield "Load balancer", "alb_hour", HOURS
        # An LCU includes one GB an hour; its limits on connections and rules are far from reached.
        yield "Load balancer, capacity", "alb_lcu_hour", workload.users_gb_per_day.value * MONTH / capacity.DAY
    if values.ingress == "internet-facing":
        yield "Public addresses", "public_ipv4_hour", workload.zones.value * HOURS


def _node_needs(sizing: Sizing, workload: Workload) -> Iterator[Need]:
    """The largest pod must fit on one node; otherwise it never starts."""
    _, memory = NODES[workload.node_type.value]
    largest = max(pods.platform(sizing, workload.nodes.value), key=lambda one: one.memory)
    yield Need(
        part=largest.app,
        what=f"memory on one node ({workload.node_type.value.replace('_', '.')})",
        needed=largest.memory / GIB,
        given=memory / GIB,
        unit="GiB",
        settings="node_type in ops/capacity/workload.yaml, or its memory setting",
    )


def _notes(found: Estimate) -> Iterator[str]:
    if not found.lines:
        yield "this stack is not in AWS: the cost of its cluster is unknown"
        return
    if not any(line.price == "eks_control_plane" for line in found.lines):
        yield "the cluster exists already: the sum includes the platform's share of its nodes, not its control plane"
    yield "list prices in US dollars for a month of 730 hours, without tax, discounts and free tiers"
    yield "not counted: DNS, notifications, traffic to the internet, AWS' support"
    if lost := _named(line for line in found.lines if line.quote is None):
        yield (
            f"**the sum is too low**: no source has a price for {found.region or 'the region'} of {lost}. With "
            "credentials that may pricing:GetProducts, the estimate asks AWS' price list"
        )
    if found.price_problem:
        yield found.price_problem


def _named(lines: Iterable[Line]) -> str:
    return ", ".join(dict.fromkeys(line.price for line in lines))


def _line_document(line: Line) -> dict[str, Any]:
    quote = line.quote
    return {
        "what": line.what,
        "quantity": line.quantity,
        "unit": line.unit,
        "price_key": line.price,
        "monthly_usd": round(line.monthly, 2),
        "price": None
        if quote is None
        else {
            "value_usd": quote.price.value,
            "region": quote.region,
            "source": quote.price.source,
            "date": quote.price.date.isoformat(),
        },
    }
