"""The shape of a rule file and of what a stack may override in it."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, cast

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from alerting import expressions, logql, templates
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
    """What is in trouble, within the system: alerts with one subject and several severities mute each other."""


class Annotations(Strict):
    """What a person reads. The loader adds runbook_url."""

    summary: Annotated[str, Field(min_length=1, max_length=120)]
    description: Annotated[str, Field(min_length=1)]
    dashboard_url: Annotated[str, Field(pattern=r"^/d/[a-z0-9-]+$")]
    """Path on Grafana, by the dashboard's uid."""

    @field_validator("description")
    @classmethod
    def _has_value(cls, text: str) -> str:
        if "$value" not in text:
            raise ValueError("must contain the value ({{ $value }})")
        return text


Engine = Literal["prometheus", "loki"]
"""Who evaluates a rule; also the folder that its file is in."""


class Rule(Strict):
    """One alerting rule; its expression is PromQL."""

    engine: ClassVar[Engine] = "prometheus"

    alert: Name
    expr: str
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    keep_firing_for: Duration | None = None
    labels: Labels
    annotations: Annotations

    @field_validator("expr")
    @classmethod
    def _can_alert(cls, text: str, info: ValidationInfo) -> str:
        if found := cls._problem(text):
            raise ValueError(f"{found} (alert {info.data.get('alert')})")
        return text

    @field_validator("annotations")
    @classmethod
    def _are_templates(cls, annotations: Annotations, info: ValidationInfo) -> Annotations:
        for name, text in annotations.model_dump().items():
            if found := cls._template_problem(text):
                raise ValueError(f"alert {info.data.get('alert')}: {name} is no valid template: {found}")
        return annotations

    @classmethod
    def _problem(cls, expression: str) -> str | None:
        return expressions.problem(expression)

    @classmethod
    def _template_problem(cls, text: str) -> str | None:
        return templates.problem(text)


class LogRule(Rule):
    """One alerting rule on log lines; its expression is LogQL."""

    engine: ClassVar[Engine] = "loki"

    @classmethod
    def _problem(cls, expression: str) -> str | None:
        return logql.problem(expression)

    @classmethod
    def _template_problem(cls, text: str) -> str | None:
        if "$externalURL" in text:
            return "unknown variable $externalURL: Loki's ruler has none"
        return templates.problem(text)


_LabelName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]


class RecordingRule(Strict):
    """A query whose result is kept under a name of its own, for other rules and dashboards."""

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
        if found := expressions.problem(text):
            raise ValueError(f"{found} (record {info.data.get('record')})")
        return text


def _kind(rule: object) -> str:
    """Which of the two an entry of a group wants to be. The tags stand in no message: see alerting.problems.path."""
    is_record = isinstance(rule, RecordingRule) or (isinstance(rule, dict) and "record" in cast(dict[str, Any], rule))
    return "<record>" if is_record else "<alert>"


MetricRule = Annotated[
    Annotated[Rule, Tag("<alert>")] | Annotated[RecordingRule, Tag("<record>")],
    Discriminator(_kind),
]
"""What Prometheus evaluates."""
AnyRule = TypeVar("AnyRule", bound=Rule | RecordingRule)
AnyAlert = TypeVar("AnyAlert", bound=Rule)


class Group(Strict, Generic[AnyRule]):
    """Rules that are evaluated one after the other."""

    name: Slug
    interval: PositiveDuration | None = None
    rules: Annotated[list[AnyRule], Field(min_length=1)]


class RuleFile(Strict, Generic[AnyRule]):
    """One file of rules/prometheus, or, with log rules, of rules/loki."""

    groups: Annotated[list[Group[AnyRule]], Field(min_length=1)]

    def rules(self) -> Iterator[AnyRule]:
        """Every rule in the order of the file."""
        for group in self.groups:
            yield from group.rules

    def alerts(self) -> "Iterator[Rule]":
        """The alerting rules among them."""
        return (rule for rule in self.rules() if isinstance(rule, Rule))


class AlertOverride(Strict):
    """What a stack changes about one alert; what is left out stays as the rule file has it."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    severity: Literal["info", "warning", "critical"] | None = None
    page: bool | None = None
    enabled: bool = True
    thresholds: dict[str, NotNegative] = Field(default_factory=dict)


class Metrics(Strict):
    """What the files of the systems say about metrics besides the rules that read them."""

    exporters: dict[str, dict[str, str]]
    """Start of a metric's name -> labels of `up` of the targets that expose it."""
    absent: dict[str, str]
    """Metric that may be absent although all is well -> why."""

    def exporter(self, metric: str) -> dict[str, str] | None:
        """Labels of the targets that expose the metric, by the longest start that fits; None when none does."""
        fits = [start for start in self.exporters if metric.startswith(start)]
        return self.exporters[max(fits, key=len)] if fits else None


class RuleSet(Strict):
    """Every rule of the project with its thresholds; see alerting.loader.load."""

    files: dict[str, RuleFile[MetricRule]]
    """File name (`job-queue.yaml`) -> content, of the rules that Prometheus evaluates."""
    loki_files: dict[str, RuleFile[LogRule]]
    """The same for those that Loki evaluates."""
    thresholds: Thresholds
    """Of all systems and SLOs."""
    metrics: Metrics
    """Of all systems."""
    systems: dict[str, System]
    """Name, as in the label `system` -> its file."""
    slos: dict[str, Slo]
    """By name; their rules are in `files`."""

    def rules(self) -> dict[str, Rule]:
        """Alert name -> rule, of both engines (`rule.engine` tells which), in the order of the files."""
        metric_rules = [rule for file in self.files.values() for rule in file.alerts()]
        log_rules = [rule for file in self.loki_files.values() for rule in file.alerts()]
        return {rule.alert: rule for rule in (*metric_rules, *log_rules)}

    def recordings(self) -> tuple[RecordingRule, ...]:
        """The recording rules, in the order of the files. Those of SLOs share names and differ in their labels."""
        rules = (rule for file in self.files.values() for rule in file.rules())
        return tuple(rule for rule in rules if isinstance(rule, RecordingRule))


class Links(Strict):
    """Where the links of a notification point to."""

    runbook_base_url: str
    dashboard_base_url: str
