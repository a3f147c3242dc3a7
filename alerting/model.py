"""Models of a rule file and of a stack's overrides."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, cast

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from alerting import counting, crowds, expressions
from alerting.base import Name, NotNegative, Slug, Strict, Thresholds
from alerting.durations import Duration, PositiveDuration
from alerting.slos import Slo
from alerting.systems import System


class Labels(Strict):
    """Labels that every alert carries; routing and inhibition rely on all of them."""

    severity: Literal["info", "warning", "critical"]
    system: Slug
    team: Slug
    page: Literal["true", "false"]
    subject: Slug
    """The part of the system that is in trouble. A more severe alert mutes less severe alerts with the same subject."""


RESERVED_LABELS = ("alertname", "alertstate", *Labels.model_fields, "slo", crowds.LABEL)
"""Labels that rules set. A series that brings one of its own would look like a rule's, or end the rule's evaluation."""


class Annotations(Strict):
    """Texts and links for people. The loader adds runbook_url."""

    summary: Annotated[str, Field(min_length=1, max_length=120)]
    description: Annotated[str, Field(min_length=1)]
    dashboard_url: Annotated[str, Field(pattern=r"^/d/[a-z0-9-]+$")]
    """Path in Grafana, with the dashboard's uid."""

    @field_validator("description")
    @classmethod
    def _has_value(cls, text: str) -> str:
        if "$value" not in text:
            raise ValueError("must contain the value ({{ $value | humanize }})")
        if re.search(r"\{\{-?\s*\$value\s*-?\}\}", text):
            raise ValueError(
                'writes a million as 1e+06; allowed: {{ $value | humanize }}, {{ $value | printf "%.0f" }} and the like'
            )
        return text


Engine = Literal["prometheus", "loki"]
"""The program that evaluates a rule; also the name of the folder with its file."""


class Rule(Strict):
    """One alerting rule; its expression is PromQL."""

    engine: ClassVar[Engine] = "prometheus"

    alert: Name
    expr: str
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    keep_firing_for: Duration | None = None
    labels: Labels
    annotations: Annotations

    @property
    def alert_labels(self) -> dict[str, str]:
        """The labels of its alert; series add theirs when it fires."""
        return {"alertname": self.alert, **self.labels.model_dump()}

    @field_validator("expr")
    @classmethod
    def _can_alert(cls, text: str, info: ValidationInfo) -> str:
        if found := cls._problem(text):
            raise ValueError(f"{found} (alert {info.data.get('alert')})")
        return text

    @classmethod
    def _problem(cls, expression: str) -> str | None:
        return expressions.problem(expression) or counting.problem(expression)


class LogRule(Rule):
    """One alerting rule on log lines; its expression is LogQL, which only Loki reads: see engine.rule_checks."""

    engine: ClassVar[Engine] = "loki"

    @classmethod
    def _problem(cls, expression: str) -> str | None:
        return expressions.duration_problem(expression) if expression.strip() else "is empty"


_LabelName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class RecordingRule(Strict):
    """A query whose result is stored as a new series, for other rules and dashboards."""

    record: Annotated[str, Field(pattern=r"^[a-z0-9_]+(:[a-z0-9_]+){2}$")]
    """`level:metric:operation`, such as `speccursor:upgrade_failures:ratio_rate1h`."""
    expr: str
    labels: dict[_LabelName, Annotated[str, Field(min_length=1)]] | None = None
    """Added to each result."""

    @field_validator("record", mode="wrap")
    @classmethod
    def _is_named(cls, name: object, check: Any) -> str:  # noqa: ANN401 -- pydantic's own
        try:
            return check(name)
        except ValueError as error:
            raise ValueError("must be level:metric:operation, each of small letters, digits and `_`") from error

    @field_validator("expr")
    @classmethod
    def _can_be_recorded(cls, text: str, info: ValidationInfo) -> str:
        if found := expressions.problem(text) or counting.problem(text):
            raise ValueError(f"{found} (record {info.data.get('record')})")
        return text


def _kind(rule: object) -> str:
    """The tag of an entry's model. Messages leave the tags out: see alerting.problems.path."""
    is_record = isinstance(rule, RecordingRule) or (isinstance(rule, dict) and "record" in cast(dict[str, Any], rule))
    return "<record>" if is_record else "<alert>"


MetricRule = Annotated[
    Annotated[Rule, Tag("<alert>")] | Annotated[RecordingRule, Tag("<record>")],
    Discriminator(_kind),
]
"""An alerting or recording rule that Prometheus evaluates."""
AnyRule = TypeVar("AnyRule", bound=Rule | RecordingRule)
AnyAlert = TypeVar("AnyAlert", bound=Rule)


class Group(Strict, Generic[AnyRule]):
    """Rules that are evaluated in sequence."""

    name: Slug
    interval: PositiveDuration | None = None
    rules: Annotated[list[AnyRule], Field(min_length=1)]


class RuleFile(Strict, Generic[AnyRule]):
    """A rule file: one of rules/prometheus, or of rules/loki if its rules read logs."""

    groups: Annotated[list[Group[AnyRule]], Field(min_length=1)]

    def rules(self) -> Iterator[AnyRule]:
        """Every rule, in the order of the file."""
        for group in self.groups:
            yield from group.rules

    def alerts(self) -> "Iterator[Rule]":
        """The alerting rules, in the order of the file."""
        return (rule for rule in self.rules() if isinstance(rule, Rule))


class AlertOverride(Strict):
    """A stack's changes to one alert; an omitted field keeps the rule file's value."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    keep_firing_for: Annotated[Duration | None, Field(alias="keepFiringFor")] = None
    severity: Literal["info", "warning", "critical"] | None = None
    page: bool | None = None
    enabled: bool = True
    thresholds: dict[str, NotNegative] = Field(default_factory=dict)


class Metrics(Strict):
    """Facts about metrics from the systems' files."""

    exporters: dict[str, dict[str, str]]
    """Prefix of a metric's name -> labels of `up` for the targets that expose it."""
    absent: dict[str, str]
    """Metrics that may be absent while all is well -> the reason."""

    def exporter(self, metric: str) -> dict[str, str] | None:
        """Labels of the targets that expose the metric: those of its longest prefix; None without a match."""
        fits = [start for start in self.exporters if metric.startswith(start)]
        return self.exporters[max(fits, key=len)] if fits else None


class RuleSet(Strict):
    """All rules of the project with their thresholds; see alerting.loader.load."""

    files: dict[str, RuleFile[MetricRule]]
    """Rules that Prometheus evaluates: file name (`job-queue.yaml`) -> content."""
    loki_files: dict[str, RuleFile[LogRule]]
    """Rules that Loki evaluates, in the same form."""
    thresholds: Thresholds
    """Thresholds of all systems and SLOs."""
    metrics: Metrics
    """Facts from all systems."""
    systems: dict[str, System]
    """Value of the label `system` -> content of the system's file."""
    slos: dict[str, Slo]
    """SLOs by name; `files` contains their rules."""

    def rules(self) -> dict[str, Rule]:
        """Rules of both engines by alert name, in the order of the files; `rule.engine` names the engine."""
        metric_rules = [rule for file in self.files.values() for rule in file.alerts()]
        log_rules = [rule for file in self.loki_files.values() for rule in file.alerts()]
        return {rule.alert: rule for rule in (*metric_rules, *log_rules)}

    def recordings(self) -> tuple[RecordingRule, ...]:
        """The recording rules, in the order of the files. Rules of SLOs share names and differ in their labels."""
        rules = (rule for file in self.files.values() for rule in file.rules())
        return tuple(rule for rule in rules if isinstance(rule, RecordingRule))


class Links(Strict):
    """Base URLs of the links in a notification."""

    runbook_base_url: str
    dashboard_base_url: str

    def of(self, rule: Rule) -> dict[str, str]:
        """The annotations of an alert that are links, complete."""
        return {
            "runbook_url": f"{self.runbook_base_url.rstrip('/')}/{rule.alert}.md",
            "dashboard_url": self.dashboard_base_url.rstrip("/") + rule.annotations.dashboard_url,
        }
