"""Reads the rule files, checks them, and renders them for one stack: overrides applied, links completed.

Pure: no provider, no network. A rule file that is wrong never reaches a server, because it is refused here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from rules import expressions, missing_metrics
from rules.model import (
    AlertOverride,
    AnyRule,
    Document,
    Engine,
    Links,
    LogRule,
    Metrics,
    Rule,
    RuleFile,
    RuleSet,
    Thresholds,
)
from rules.problems import RulesError, closest, describe, path, reason

RULES = Path(__file__).parent
_THRESHOLDS = "thresholds.yaml"
_METRICS = "metrics.yaml"


def load(folder: Path = RULES) -> RuleSet:
    """All rules under `folder`, prometheus/ and loki/, with thresholds.yaml and metrics.yaml.

    AlertsOnMissingMetrics, which is made from the others, is among them. Raises RulesError with every problem.
    """
    files, problems = _files(folder, "prometheus", RuleFile[Rule])
    loki_files, loki_problems = _files(folder, "loki", RuleFile[LogRule])
    problems += loki_problems
    problems += _duplicates(files, loki_files)
    thresholds: Thresholds = {}
    try:
        document = read_yaml(folder / _THRESHOLDS, f"rules/{_THRESHOLDS}")
        thresholds = TypeAdapter(Thresholds).validate_python(document, strict=True)
    except RulesError as error:
        problems += error.problems
    except ValidationError as error:
        problems += describe(error, f"rules/{_THRESHOLDS}")
    metrics = Metrics(exporters={}, absent={})
    try:
        metrics = missing_metrics.parse(read_yaml(folder / _METRICS, f"rules/{_METRICS}"), f"rules/{_METRICS}")
    except RulesError as error:
        problems += error.problems
    rule_set = RuleSet.model_construct(files=files, loki_files=loki_files, thresholds=thresholds, metrics=metrics)
    if not problems:
        problems = _threshold_problems(rule_set)
    if problems:
        raise RulesError(problems)
    return missing_metrics.extended(rule_set)


def read_yaml(file: Path, where: str) -> object:
    """The document in a YAML file. Raises RulesError that names `where`."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RulesError([f"{where}: missing"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RulesError([f"{where}: no valid YAML: {' '.join(str(error).split())}"]) from error


def write_yaml(document: Document) -> str:
    """YAML in the order of the document, with texts of several lines as blocks, so that a diff of it can be read."""
    return yaml.dump(document, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=1000)


def overrides(raw: Mapping[str, Any], rule_set: RuleSet) -> dict[str, AlertOverride]:
    """A stack's `alertOverrides`, checked against the rules. Raises RulesError; lines start with the path in `raw`."""
    problems: list[str] = []
    checked: dict[str, AlertOverride] = {}
    rules = rule_set.rules()
    for alert, value in raw.items():
        if alert not in rules:
            problems.append(f"{alert}: no such alert; {closest(alert, tuple(rules))}")
            continue
        try:
            checked[alert] = AlertOverride.model_validate(value)
        except ValidationError as error:
            problems += _override_problems(alert, error)
            continue
        known = rule_set.thresholds.get(alert, {})
        problems += [
            f"{alert}.thresholds.{name}: no such threshold; {closest(name, tuple(known))}"
            for name in checked[alert].thresholds
            if name not in known
        ]
    if problems:
        raise RulesError(problems)
    return checked


def render(rule_set: RuleSet, changes: Mapping[str, AlertOverride], links: Links) -> dict[str, str]:
    """File name -> YAML for one stack, as Prometheus reads it. Disabled alerts and empty groups are left out."""
    off = [name for name, change in changes.items() if not change.enabled]
    rule_set = missing_metrics.extended(rule_set, disabled=off)
    return {name: _rendered(file, rule_set.thresholds, changes, links) for name, file in rule_set.files.items()}


def render_loki(rule_set: RuleSet, changes: Mapping[str, AlertOverride], links: Links) -> dict[str, str]:
    """File name -> YAML for one stack, as Loki's ruler reads it. Disabled alerts and empty groups are left out."""
    return {name: _rendered(file, rule_set.thresholds, changes, links) for name, file in rule_set.loki_files.items()}


def effective(rule: AnyRule, thresholds: Mapping[str, float], change: AlertOverride) -> AnyRule:
    """The rule with a stack's change applied."""
    labels = rule.labels.model_copy(
        update={
            key: value
            for key, value in (
                ("severity", change.severity),
                ("page", None if change.page is None else str(change.page).lower()),
            )
            if value is not None
        }
    )
    values = {thresholds[name]: value for name, value in change.thresholds.items()}
    return rule.model_copy(
        update={
            "expr": expressions.substitute(rule.expr, values),
            "for_": rule.for_ if change.for_ is None else change.for_,
            "labels": labels,
        }
    )


class _BlockDumper(yaml.SafeDumper):
    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _BlockDumper.represent_text)


def _files(
    folder: Path, engine: Engine, model: type[RuleFile[AnyRule]]
) -> tuple[dict[str, RuleFile[AnyRule]], list[str]]:
    """File name -> content of one engine's folder, and the problems of the files that are left out."""
    problems: list[str] = []
    files: dict[str, RuleFile[AnyRule]] = {}
    for file in sorted((folder / engine).glob("*.yaml")):
        where = f"rules/{engine}/{file.name}"
        try:
            files[file.name] = model.model_validate(read_yaml(file, where))
        except RulesError as error:
            problems += error.problems
        except ValidationError as error:
            problems += describe(error, where)
    return files, problems


def _rendered(
    file: RuleFile[AnyRule], thresholds: Thresholds, changes: Mapping[str, AlertOverride], links: Links
) -> str:
    return write_yaml({"groups": [group for group in _groups(file, thresholds, changes, links) if group["rules"]]})


def _groups(
    file: RuleFile[AnyRule], thresholds: Thresholds, changes: Mapping[str, AlertOverride], links: Links
) -> list[dict[str, Any]]:
    unchanged = AlertOverride()
    groups: list[dict[str, Any]] = []
    for group in file.groups:
        document: Document = {"name": group.name} | ({"interval": group.interval} if group.interval else {})
        document["rules"] = [
            _document(effective(rule, thresholds.get(rule.alert, {}), changes.get(rule.alert, unchanged)), links)
            for rule in group.rules
            if changes.get(rule.alert, unchanged).enabled
        ]
        groups.append(document)
    return groups


def _document(rule: Rule, links: Links) -> Document:
    document: Document = rule.model_dump(by_alias=True, exclude_none=True)
    annotations = document["annotations"]
    annotations["runbook_url"] = f"{links.runbook_base_url.rstrip('/')}/{rule.alert}.md"
    annotations["dashboard_url"] = links.dashboard_base_url.rstrip("/") + annotations["dashboard_url"]
    return document


def _duplicates(files: Mapping[str, RuleFile[Rule]], loki_files: Mapping[str, RuleFile[LogRule]]) -> list[str]:
    """Alerts have one name over both engines: overrides, runbooks and routes go by it. Groups only within one."""
    problems: list[str] = []
    seen: dict[tuple[str, str], str] = {}
    named: list[tuple[str, str, str]] = []
    for name, file in files.items():
        named += _names("prometheus", name, file)
    for name, file in loki_files.items():
        named += _names("loki", name, file)
    for where, kind, item in named:
        scope = (where.split("/")[1] + kind if kind == "group" else kind, item)
        if scope in seen:
            problems.append(f"{where}: {kind} {item} is defined twice (first in {seen[scope]})")
        seen.setdefault(scope, where)
    return problems


def _names(engine: Engine, name: str, file: RuleFile[AnyRule]) -> list[tuple[str, str, str]]:
    """(file, `group` or `alert`, name) of everything that a file defines."""
    where = f"rules/{engine}/{name}"
    return [(where, "group", group.name) for group in file.groups] + [
        (where, "alert", rule.alert) for group in file.groups for rule in group.rules
    ]


def _threshold_problems(rule_set: RuleSet) -> list[str]:
    problems: list[str] = []
    rules = rule_set.rules()
    for alert, thresholds in rule_set.thresholds.items():
        where = f"rules/{_THRESHOLDS}: {alert}"
        if alert not in rules:
            problems.append(f"{where}: no such alert; {closest(alert, tuple(rules))}")
            continue
        for name, value in thresholds.items():
            count = expressions.occurrences(rules[alert].expr, value)
            if count != 1:
                problems.append(
                    f"{where}.{name}: {expressions.number(value)} must stand exactly once in its expr, "
                    f"not {count} times"
                )
        if len(set(thresholds.values())) < len(thresholds):
            problems.append(f"{where}: two thresholds have the same default, so they cannot be told apart in its expr")
    return problems


def _override_problems(alert: str, error: ValidationError) -> list[str]:
    problems: list[str] = []
    for item in error.errors():
        where = path((alert, *(part for part in item["loc"] if part not in ("int", "float"))))
        text = reason(item["type"], item["msg"])
        if text == "unknown field":
            known = tuple(field.alias or name for name, field in AlertOverride.model_fields.items())
            text += f"; {closest(str(item['loc'][-1]), known)}"
        problems.append(f"{where}: {item['input']!r}: {text}")
    return list(dict.fromkeys(problems))
