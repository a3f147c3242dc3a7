"""Who may speak of a system: adds a system's namespaces to every selector of its rules, as they are deployed.

A pod in any namespace may expose any metric. A rule that reads it everywhere would let each of them fire, or drown,
another team's alerts.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from alerting import log_streams, missing_metrics
from alerting.base import Document
from alerting.missing_metrics import names
from alerting.model import MetricRule, RuleFile, RuleSet

PLATFORM = "platform"
"""The system whose namespaces the stack decides."""
OWN_NAMES = "ALERTS.*|up|scrape_.+"
"""Written by Prometheus itself: alerts, and the outcome of each scrape."""
RECORDED_NAMES = ".*:.*"
EXPORTED_NAMES = "(?:apiserver_|container_(?:cpu|memory|network)_|coredns_|kube_|kubelet_|traces_span_metrics_).+"
"""Exposed by the API server, kubelets, CoreDNS, kube-state-metrics and the gateways, each of which has a scrape job of
its own. Their label `namespace` is that of the object that they describe."""
NODE_NAMES = "node_(?:cpu|disk|filesystem|load|memory|pressure|uname|vmstat).*"
"""The collectors of node_exporter that the platform switches on."""
# Prometheus refuses these in a scrape of a pod that is not the platform's: components/metrics/scrape_claims.py.
_TRUSTED = re.compile("|".join((OWN_NAMES, RECORDED_NAMES, EXPORTED_NAMES, NODE_NAMES)))

# Prometheus writes `up`, but takes its label `app` from the pod, so a pod in any namespace may have that of another.
_UP_OF_AN_APP = re.compile(r"up\s*\{.*\bapp\s*=.*", re.DOTALL)

_Files = dict[str, list[Document]]


@dataclass(frozen=True, kw_only=True)
class StackNamespaces:
    """Namespaces of one stack in which others speak than a system's own pods."""

    platform: Sequence[str]
    """The platform's own."""
    drills: Sequence[str] = ()
    """Those of a test cluster whose pods imitate any system."""


_TOKEN = re.compile(
    r"""
    (?P<skip> \#[^\n]* | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*`
      | \b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\) | \[[^\]]*\] )
    | (?P<metric> [A-Za-z_:][A-Za-z0-9_:]* ) \s* (?P<braces> \{ (?: [^{}"'`] | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
      | `[^`]*` )* \} )?
    """,
    re.VERBOSE,
)


def restricted(files: Mapping[str, list[Document]], rule_set: RuleSet, stack: StackNamespaces) -> _Files:
    """Rendered rule groups by file name, each rule with the namespaces that may speak of its system.

    The alert on missing metrics reads the metrics of every system, each as the rules of its own system do.
    """
    owners = {name: _namespaces(file, rule_set, stack) for name, file in rule_set.files.items() if name in files}
    readers: dict[str, list[Sequence[str]]] = {}
    for name, groups in files.items():
        if name != missing_metrics.FILE:
            read = {metric for group in groups for rule in group["rules"] for metric in names(rule["expr"])}
            for metric in {metric for metric in read if not _TRUSTED.fullmatch(metric)}:
                readers.setdefault(metric, []).append(owners[name])
    # A metric that one of them may read everywhere exists if it is anywhere.
    shared = {metric: () if () in found else sorted({*chain(*found)}) for metric, found in readers.items()}
    shared[log_streams.RESULTS] = sorted({*stack.platform, *stack.drills})
    return {
        name: [
            group
            | {
                "rules": [
                    _rule(rule, shared if name == missing_metrics.FILE else owners[name]) for rule in group["rules"]
                ]
            }
            for group in groups
        ]
        for name, groups in files.items()
    }


def _rule(rule: Document, namespaces: Sequence[str] | Mapping[str, Sequence[str]]) -> Document:
    text = rule["expr"]
    found = namespaces if isinstance(namespaces, Mapping) else dict.fromkeys(names(text), namespaces)
    return rule | {"expr": expression(text, found)}


def _namespaces(file: RuleFile[MetricRule], rule_set: RuleSet, stack: StackNamespaces) -> tuple[str, ...]:
    """Who may speak of the systems of a file's alerts; empty for all namespaces."""
    found = [
        stack.platform if system == PLATFORM else rule_set.systems[system].namespaces
        for system in {alert.labels.system for alert in file.alerts()}
    ]
    return tuple(sorted({*chain(*found), *stack.drills})) if all(found) else ()


def expression(text: str, namespaces: Mapping[str, Sequence[str]]) -> str:
    """PromQL that reads each metric from its namespaces only; no namespaces: from all.

    Metrics that Prometheus takes from nobody but the platform stay as they are, except `up` of an app.
    """

    def add(match: re.Match[str]) -> str:
        name = match["metric"]
        believed = namespaces.get(name, ()) if name else ()
        if not believed or (_TRUSTED.fullmatch(name) and not _UP_OF_AN_APP.fullmatch(match[0])):
            return match[0]
        # Also for one namespace: `absent` would take a label from `=`, and give it to its alert.
        matcher = f'namespace=~"{"|".join(believed)}"'
        inside = (match["braces"] or "{}")[1:-1].strip().rstrip(",")
        return f"{name}{{{', '.join(part for part in (inside, matcher) if part)}}}" + _space(match)

    return _TOKEN.sub(add, text)


def _space(match: re.Match[str]) -> str:
    """The white space behind a name without braces, which is part of the match."""
    return "" if match["braces"] else match[0][len(match["metric"]) :]
