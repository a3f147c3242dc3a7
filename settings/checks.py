"""Checks that the rules, routes, dashboards and values of a stack are consistent. Yields one line for each problem."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic.alias_generators import to_snake

from alerting import contract, loader, reach, routing, slos
from alerting.checks import labels_of_results
from alerting.model import AlertOverride
from dashboards import files
from settings import stack_files
from settings.content import Parts
from settings.parsing import PROJECT
from settings.stack_files import StackFileError
from settings.values import Values

_BUCKETS = ("lokiBucket", "lokiRulerBucket")


def bucket_problems(values: Values, stack: str, folder: Path) -> Iterator[str]:
    """Reports buckets that another stack file in `folder` names, too.

    Two Lokis that share a bucket delete each other's logs.
    """
    own = {key: name for key in _BUCKETS if (name := getattr(values, to_snake(key)))}
    for name in stack_files.names(folder):
        if name == stack:
            continue
        try:
            theirs = stack_files.read(name, folder).own
        except StackFileError:
            continue  # that stack's own preview reports the error
        if theirs.get("lokiS3Endpoint", "") != values.loki_s3_endpoint:
            continue
        yield from (
            f"{PROJECT}:{key}: {json.dumps(bucket)} is not allowed; allowed: a bucket of this stack only; "
            f"Pulumi.{name}.yaml uses it as {other}"
            for key, bucket in own.items()
            for other in _BUCKETS
            if theirs.get(other) == bucket
        )


def quantile_problems(parts: Parts, changes: Mapping[str, AlertOverride]) -> Iterator[str]:
    """Reports alerts of the stack that need a longer duration than the contract's buckets can show."""
    if rule_set := parts.rule_set:
        changed = ((rule, changes.get(name, AlertOverride())) for name, rule in rule_set.rules().items())
        rules = (
            loader.effective(rule, rule_set.thresholds.get(rule.alert, {}), change)
            for rule, change in changed
            if change.enabled
        )
        bounds = contract.last_buckets(parts.contracts)
        yield from reach.quantile_problems(rules, rule_set.recordings(), bounds)


def problems(parts: Parts, values: Values | None) -> Iterator[str]:
    """Reports inconsistencies. Skips parts that are None or empty: their own problems have already been reported."""
    rule_set, readable, routes, dashboards = parts.rule_set, parts.readable, parts.routing, parts.dashboards
    if values and routes:
        yield from routes.timing_problems(values.timing)
    if rule_set and routes:
        labels = {alert: rule.labels.model_dump() for alert, rule in rule_set.rules().items()}
        metrics = [metric for contract in parts.contracts.values() for metric in contract.metrics.values()]
        exported = {label for metric in metrics for label in metric.labels}
        yield from routing.problems_with(routes, labels, labels_of_results(rule_set), exported)
    if values:
        remote_write = bool(values.remote_write_url) or values.managed_prometheus
        yield from slos.retention_problems(readable.slos.values(), values.prometheus_retention, remote_write)
        kept = {"prometheus": values.prometheus_retention, "loki": values.loki_retention}
        yield from reach.range_problems(readable, kept)
    if dashboards:
        linked = {alert: rule.annotations.dashboard_url for alert, rule in readable.rules().items()}
        yield from files.missing(dashboards, linked)
        if rule_set:
            yield from files.unreachable(dashboards, linked)
