"""Which selectors may find nothing although all is well: the declared ones, each with its reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from alerting import systems
from alerting.files import RULES, read_yaml
from ops.errors import OpsError

FILE = Path(__file__).with_name("quiet_selectors.yaml")

Reasons = Mapping[str, str]


@dataclass(frozen=True)
class Matcher:
    """One matcher of a selector."""

    label: str
    text: str
    """The whole of it, such as `status=~"5.."`."""


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Something that a query reads."""

    text: str
    """As the data source reads it, without range, offset and @."""
    metric: str = ""
    """Its name, or the regular expression that its name must meet; empty for log lines."""
    matchers: tuple[Matcher, ...] = ()
    """Those of PromQL, without the name."""

    @classmethod
    def of(cls, metric: str, matchers: tuple[Matcher, ...]) -> "Selector":
        """One of PromQL."""
        return cls(text=_written(metric, (one.text for one in matchers)), metric=metric, matchers=matchers)

    @property
    def bare(self) -> str:
        """The metric alone."""
        return _written(self.metric, ())

    def loosened(self, texts: Iterable[str]) -> str:
        """The selector with any value for the labels of these matchers; one that asks for any value is left out."""
        free = set(texts)
        loose = {one.text: None if one.text == f'{one.label}=~".+"' else f'{one.label}!=""' for one in self.matchers}
        kept = (loose[one.text] if one.text in free else one.text for one in self.matchers)
        return _written(self.metric, (text for text in kept if text))


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """What is declared."""

    metrics: Reasons = field(default_factory=dict[str, str])
    """Metric -> why there may be no series of it."""
    values: Mapping[str, Reasons] = field(default_factory=dict[str, Reasons])
    """Metric -> matcher -> why there may be no series that fits it."""

    def whole(self, selector: Selector) -> str | None:
        """Why the selector's metric may be absent."""
        return next((why for name, why in self.metrics.items() if _fits(selector, name)), None)

    def parts(self, selector: Selector) -> Reasons:
        """Those of the selector's matchers that nothing may fit, with the reasons.

        A metric that may be absent appears in one namespace after the other.
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
    """What is declared in rules/systems and in `file`. Raises OpsError for a wrong `file`."""
    found, problems = systems.load(RULES)
    if problems:
        raise OpsError("\n".join(problems))
    absent = {metric: why for system in found.values() for metric, why in system.absent.items()}
    document: Any = read_yaml(file, file.name)
    try:
        declared = _File.model_validate(document)
    except ValidationError as error:
        raise OpsError(f"{file.name} is wrong: {error}") from error
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
    """A value as a selector holds it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
