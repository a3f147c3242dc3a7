"""The shape of a rule file and of what a stack may override in it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from rules import expressions, templates
from rules.durations import Duration, PositiveDuration


class Strict(BaseModel):
    """Base of all data here: no unknown fields, no silent conversion, no later change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


Name = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]*$")]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]


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


class Rule(Strict):
    """One alerting rule."""

    alert: Name
    expr: str
    for_: Annotated[Duration, Field(alias="for")] = "0s"
    keep_firing_for: Duration | None = None
    labels: Labels
    annotations: Annotations

    @field_validator("expr")
    @classmethod
    def _can_alert(cls, text: str, info: ValidationInfo) -> str:
        if found := expressions.problem(text):
            raise ValueError(f"{found} (alert {info.data.get('alert')})")
        return text

    @field_validator("annotations")
    @classmethod
    def _are_templates(cls, annotations: Annotations, info: ValidationInfo) -> Annotations:
        for name, text in annotations.model_dump().items():
            if found := templates.problem(text):
                raise ValueError(f"alert {info.data.get('alert')}: {name} is no valid template: {found}")
        return annotations


class Group(Strict):
    """Rules that are evaluated one after the other."""

    name: Slug
    interval: PositiveDuration | None = None
    rules: Annotated[list[Rule], Field(min_length=1)]


class RuleFile(Strict):
    """One file of rules/prometheus."""

    groups: Annotated[list[Group], Field(min_length=1)]


NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Thresholds = dict[str, dict[str, NotNegative]]
"""Alert name -> threshold name -> default."""


class AlertOverride(Strict):
    """What a stack changes about one alert; what is left out stays as the rule file has it."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    severity: Literal["info", "warning", "critical"] | None = None
    page: bool | None = None
    enabled: bool = True
    thresholds: dict[str, NotNegative] = Field(default_factory=dict)


class RuleSet(Strict):
    """Every rule of the project with its thresholds; see rules.loader.load."""

    files: dict[str, RuleFile]
    """File name (`job-queue.yaml`) -> content."""
    thresholds: Thresholds

    def rules(self) -> dict[str, Rule]:
        """Alert name -> rule, in the order of the files."""
        return {rule.alert: rule for file in self.files.values() for group in file.groups for rule in group.rules}


class Links(Strict):
    """Where the links of a notification point to."""

    runbook_base_url: str
    dashboard_base_url: str


Document = dict[str, Any]
