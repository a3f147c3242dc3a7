"""From a ServiceMonitor or a PodMonitor to Prometheus' scrape jobs. Pure, and needs only Python.

A monitor may be written by anybody who may write in its namespace. A job is made of fields that are typed and checked,
and of the platform's own parts (Common), so that none reaches other pods than those of its namespace, says of its
samples that they come from elsewhere, or keeps Prometheus from starting. A monitor that asks for anything else is
skipped as a whole.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import endpoints, fields, patterns, relabelings, targets
from .fields import Fields, SkippedError
from .targets import SERVICE

KNOWN = (
    *("jobLabel", "targetLabels", "podTargetLabels", "selector", "namespaceSelector"),
    *("endpoints", "podMetricsEndpoints", "sampleLimit", "targetLimit", "bodySizeLimit", "scrapeProtocols"),
    *("labelLimit", "labelNameLengthLimit", "labelValueLengthLimit", "fallbackScrapeProtocol"),
    # Without effect here: how targets are selected, how many of the others are kept for the page on targets, and native
    # histograms, which all jobs handle alike.
    *("selectorMechanism", "keepDroppedTargets", "scrapeClassicHistograms", "nativeHistogramBucketLimit"),
    *("nativeHistogramMinBucketFactor", "convertClassicHistogramsToNHCB"),
)
"""Fields of a monitor that count, or that change nothing."""
REFUSED = {
    "attachMetadata": "no labels of nodes are read for monitors",
    "scrapeClass": "names an object of the operator, which is not read",
}
"""Fields of a monitor that are refused -> why."""
_META = "__meta_kubernetes_"
_MOST_LABELS = 50
_MOST_ENDPOINTS = 200


@dataclass(frozen=True)
class Common:
    """What all jobs have in common, as the program renders it: relabelings and fields in Prometheus' names."""

    job: Mapping[str, Any]
    """Fields of every job: its limits."""
    filters: Sequence[Mapping[str, Any]]
    """Relabelings that drop targets, before those of the monitor."""
    filters_of_own: Sequence[Mapping[str, Any]]
    """More of them, for monitors whose namespace is not listed."""
    labels: Sequence[Mapping[str, Any]]
    """Relabelings that set who a target is, after those of the monitor."""
    samples: Sequence[Mapping[str, Any]]
    """Relabelings of samples, after those of the monitor."""
    jobs: Sequence[str]
    """Values of the label `job` of the platform's own."""
    closed: Collection[str]
    """Namespaces of the platform, whose monitors are skipped."""
    listed: Collection[str]
    """Namespaces whose monitors may select targets of others and say whom their samples are about."""
    interval: int
    """Milliseconds between two scrapes, which no monitor shortens."""
    timeout: int
    units: int
    """How much all monitors may take, see shares."""
    share: int
    """How much those of one namespace may take that is not listed."""


@dataclass(frozen=True)
class Job:
    """A scrape job."""

    text: bytes
    """JSON, in one line."""
    instructions: int
    """Of its compiled expressions."""


@dataclass(frozen=True)
class Monitor:
    """Which monitor an object is."""

    kind: str
    namespace: str
    name: str

    @property
    def title(self) -> str:
        """Its name in the label `job`, in which no job of the platform has a slash."""
        return f"{self.namespace}/{self.name}"


def identity(kind: str, document: object) -> Monitor:
    """Raises SkippedError for an object without a name, which no API server has."""
    metadata = fields.part(fields.part(document, "object").get("metadata"), "metadata")
    namespace, name = (
        fields.matching(metadata.get(key), f"metadata.{key}", targets.NAME, "the name of an object")
        for key in ("namespace", "name")
    )
    if not namespace or not name:
        raise SkippedError("metadata: has no name")
    return Monitor(kind, namespace, name)


def jobs(monitor: Monitor, document: Fields, common: Common) -> list[Job]:
    """The jobs of a monitor, one for each endpoint. Raises SkippedError with the reason if there may be none."""
    if monitor.namespace in common.closed:
        raise SkippedError("metadata.namespace: is a namespace of the platform, which has scrape jobs of its own")
    spec = fields.part(document.get("spec"), "spec")
    fields.only(spec, "", KNOWN, REFUSED)
    listed = monitor.namespace in common.listed
    shared = {
        **common.job,
        **endpoints.limits(spec, common.job),
        "kubernetes_sd_configs": targets.discovery(spec, monitor.kind, monitor.namespace, common.listed),
    }
    before = [
        *common.filters,
        *(() if listed else common.filters_of_own),
        *targets.selected(spec, monitor.kind),
        *_labels_of_objects(spec, monitor),
    ]
    field = "endpoints" if monitor.kind == SERVICE else "podMetricsEndpoints"
    found: list[Job] = []
    for number, value in enumerate(fields.items(spec.get(field), field, _MOST_ENDPOINTS)):
        where = f"{field}[{number}]"
        try:
            document, instructions = _endpoint(monitor, fields.part(value, where), where, common)
        except SkippedError as error:
            raise SkippedError(error.reason, number) from None
        document["relabel_configs"] = [*before, *document["relabel_configs"]]
        name = {"job_name": f"{monitor.kind[0].lower()}{monitor.kind[1:]}/{monitor.title}/{number}"}
        found.append(Job(json.dumps(name | shared | document, ensure_ascii=False).encode(), instructions))
    return found


def _endpoint(monitor: Monitor, endpoint: Fields, where: str, common: Common) -> tuple[dict[str, Any], int]:
    """The fields of the endpoint's job, and the instructions of its expressions."""
    listed = monitor.namespace in common.listed
    asked = endpoints.asked(endpoint, where, common.interval, common.timeout)
    kept, port = targets.port(endpoint, monitor.kind, where)
    own, size = relabelings.converted(
        endpoint.get(relabelings.TARGET), f"{where}.{relabelings.TARGET}", relabelings.TARGET, trusted=listed
    )
    samples, more = relabelings.converted(
        endpoint.get(relabelings.SAMPLE), f"{where}.{relabelings.SAMPLE}", relabelings.SAMPLE, trusted=listed
    )
    honors = fields.flag(endpoint.get("honorLabels"), f"{where}.honorLabels")
    return {
        **asked,
        # An exporter with this right can speak of any pod.
        "honor_labels": bool(honors and listed),
        "relabel_configs": [
            *kept,
            *([{"target_label": "endpoint", "replacement": port}] if port else []),
            *own,
            *common.labels,
            # Rules trust the names of the platform's jobs. A target without a job would have the name of this one.
            {
                "source_labels": ["job"],
                "regex": "|".join(["", *map(patterns.literal, common.jobs)]),
                "target_label": "job",
                "replacement": monitor.title,
            },
        ],
        "metric_relabel_configs": [*samples, *_about(monitor, common), *common.samples],
    }, size + more


def _about(monitor: Monitor, common: Common) -> list[dict[str, Any]]:
    """Relabelings of samples: they are about the monitor's namespace, or, if it is listed, any but the platform's."""
    if monitor.namespace not in common.listed:
        return [{"target_label": "namespace", "replacement": monitor.namespace}]
    closed = "|".join(["", *map(patterns.literal, common.closed)])
    return [{"action": "drop", "source_labels": ["namespace"], "regex": closed}]


def _labels_of_objects(spec: Fields, monitor: Monitor) -> list[dict[str, Any]]:
    """Labels that come from the Service and the pod, as the operator sets them. The monitor may change them."""
    service = monitor.kind == SERVICE
    found = [_copied("container", "pod_container_name"), _copied("pod", "pod_name")]
    found += [_copied("namespace", "namespace"), *([_copied("service", "service_name")] if service else [])]
    lists = ((("targetLabels", "service"),) if service else ()) + (("podTargetLabels", "pod"),)
    for field, of in lists:
        for index, value in enumerate(fields.items(spec.get(field), field, _MOST_LABELS)):
            key = targets.label_key(value, f"{field}[{index}]")
            name = targets.sanitized(key)
            if not re.fullmatch(relabelings.LABEL, name):
                raise fields.refusal(f"{field}[{index}]", value, "the key of a label that begins with a letter")
            found.append(_copied(name, f"{of}_label_{name}"))
    job = {"replacement": monitor.title, "target_label": "job"}
    found.append(_copied("job", "service_name") if service else job)
    if key := targets.label_key(spec.get("jobLabel"), "jobLabel"):
        found.append(_copied("job", f"{'service' if service else 'pod'}_label_{targets.sanitized(key)}"))
    return found


def _copied(label: str, source: str) -> dict[str, Any]:
    return {"source_labels": [f"{_META}{source}"], "regex": "(.+)", "target_label": label}
