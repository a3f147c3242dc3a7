"""Selectors that may find nothing although all is well, each declared with its reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from alerting import systems
from alerting.files import RULES, read_yaml
from alerting.problems import RulesError, describe
from ops.errors import OpsError

FILE = Path(__file__).with_name("quiet_selectors.yaml")

Reasons = Mapping[str, str]


@dataclass(frozen=True)
class Matcher:
    """One matcher of a selector."""

    label: str
    text: str
    """The complete matcher, such as `status=~"5.."`."""


@dataclass(frozen=True, kw_only=True)
class Selector:
    """A selector in a query."""

    text: str
    """In the data source's language, without range, offset and @."""
    metric: str = ""
    """Name of the metric, or a regular expression for it; empty for log lines."""
    matchers: tuple[Matcher, ...] = ()
    """Matchers of PromQL, except the one for the metric's name."""

    @classmethod
    def of(cls, metric: str, matchers: tuple[Matcher, ...]) -> "Selector":
        """A PromQL selector."""
        return cls(text=_written(metric, (one.text for one in matchers)), metric=metric, matchers=matchers)

    @property
    def bare(self) -> str:
        """The selector without matchers."""
        return _written(self.metric, ())

    def loosened(self, texts: Iterable[str]) -> str:
        """The selector with these matchers relaxed to any non-empty value; drops those that already accept any.

        Also drops those on a label that Kubernetes objects may have (`label_…`), because none needs to have it.
        """
        free = set(texts)
        loose = {
            one.text: None if one.text == f'{one.label}=~".+"' or one.label.startswith("label_") else f'{one.label}!=""'
            for one in self.matchers
        }
        texts_left = (loose[one.text] if one.text in free else one.text for one in self.matchers)
        return _written(self.metric, (text for text in texts_left if text))


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """The declared selectors."""

    metrics: Reasons = field(default_factory=dict[str, str])
    """Maps each metric that may have no series to the reason."""
    values: Mapping[str, Reasons] = field(default_factory=dict[str, Reasons])
    """Metric -> matcher -> reason why no series may match it."""

    def whole(self, selector: Selector) -> str | None:
        """The reason why the selector's metric may be absent; None if it must exist."""
        return next((why for name, why in self.metrics.items() if _fits(selector, name)), None)

    def parts(self, selector: Selector) -> Reasons:
        """The selector's matchers that may match nothing, with the reasons.

        A metric that may be absent can appear at different times in different namespaces, so for such a metric a
        matcher on the namespace may match nothing.
        """
        declared = {
            text: why for name, own in self.values.items() if _fits(selector, name) for text, why in own.items()
        }
        if why := self.whole(selector):
            declared |= {one.text: why for one in selector.matchers if one.label == "namespace"}
        return {one.text: declared[one.text] for one in selector.matchers if one.text in declared}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    metrics: dict[str, str]
    values: dict[str, dict[str, str]]


def load(file: Path = FILE) -> Quiet:
    """The selectors declared in rules/systems and in `file`. Raises OpsError for invalid files."""
    found, problems = systems.load(RULES)
    if problems:
        raise OpsError("\n".join(problems))
    absent = {metric: why for system in found.values() for metric, why in system.absent.items()}
    try:
        declared = _File.model_validate(read_yaml(file, file.name))
    except RulesError as error:
        raise OpsError(str(error)) from error
    except ValidationError as error:
        raise OpsError("\n".join(describe(error, file.name))) from error
    own = {
        f"system={quoted(name)}": f"only while an alert of {system.title} is pending or firing"
        for name, system in found.items()
    }
    values = {**declared.values, "ALERTS": {**own, **declared.values.get("ALERTS", {})}}
    return Quiet(metrics={**absent, **declared.metrics}, values=values)


def _fits(selector: Selector, name: str) -> bool:
    return bool(selector.metric) and re.fullmatch(selector.metric, name) is not None


def _written(metric: str, matchers: Iterable[str]) -> str:
    plain = re.fullmatch(r"[\w:]+", metric) is not None
    inner = ", ".join([*([] if plain else [f"__name__=~{quoted(metric)}"]), *matchers])
    return f"{metric if plain else ''}{{{inner}}}" if inner else metric


def quoted(value: str) -> str:
    """A value as a quoted string of PromQL."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
