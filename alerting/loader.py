"""Reads and checks the rule files, and renders them for one stack with overrides applied and links completed.

Pure: no provider, no network. An invalid rule file never reaches a server, because loading it fails.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from alerting import (
    checks,
    counting,
    crowds,
    expressions,
    log_streams,
    missing_metrics,
    reach,
    slo_rules,
    slos,
    speakers,
    systems,
)
from alerting.base import Document
from alerting.checks import RUNBOOKS, thresholds
from alerting.files import RULES, read_yaml, strays, write_yaml
from alerting.model import (
    AlertOverride,
    AnyAlert,
    AnyRule,
    Engine,
    Links,
    LogRule,
    MetricRule,
    Metrics,
    RecordingRule,
    Rule,
    RuleFile,
    RuleSet,
    Thresholds,
)
from alerting.problems import RulesError, closest, describe, path, reason


def load(folder: Path = RULES) -> RuleSet:
    """All rules under `folder`: those of prometheus/ and loki/, and those generated from slos/, with systems/ applied.

    Includes AlertsOnMissingMetrics, which is generated from the other rules. Every alert must have a page in runbooks/.
    While no file changes, every call returns the same object. Raises RulesError with every problem found.
    """
    rule_set, problems = read(folder)
    if problems:
        raise RulesError(problems)
    return rule_set


def read(folder: Path = RULES) -> tuple[RuleSet, Sequence[str]]:
    """Like `load`, but returns the problems, and then a rule set of what has none: not every rule, and no generated
    AlertsOnMissingMetrics."""
    return _read(folder, _contents(folder))


_PARTS = (systems.FOLDER, "prometheus", "loki", slos.FOLDER)
_Contents = tuple[tuple[Path, bytes | None], ...]  # every file that a rule set is read from


def _contents(folder: Path) -> _Contents:
    files = [file for part in _PARTS for file in sorted((folder / part).glob("*"))]
    return (
        *((file, file.read_bytes() if file.is_file() and os.access(file, os.R_OK) else None) for file in files),
        *((page, None) for page in sorted((folder / RUNBOOKS).glob("*.md"))),
    )


@functools.lru_cache(maxsize=16)
def _read(folder: Path, _key: _Contents) -> tuple[RuleSet, Sequence[str]]:
    """`_key` is the cache key: a rule set is read again only after one of its files has changed."""
    found, problems = systems.load(folder)
    files, metric_problems = _files(folder, "prometheus", RuleFile[MetricRule])
    loki_files, loki_problems = _files(folder, "loki", RuleFile[LogRule])
    objectives, slo_problems = slos.load(folder)
    problems += [*metric_problems, *loki_problems, *slo_problems, *reach.objective_problems(objectives.values())]
    generated = slo_rules.files(objectives.values())
    problems += [line for part in _PARTS for line in strays(folder / part, f"rules/{part}")]
    own = [f"prometheus/{name}" for name in sorted({*generated, missing_metrics.FILE} & files.keys())]
    own += [f"loki/{name}" for name in loki_files if name == log_streams.FILE]
    problems += [f"rules/{name}: this name belongs to a generated file; allowed: another" for name in own]
    rule_set = RuleSet.model_construct(
        files=files | generated,
        loki_files=loki_files,
        thresholds={alert: named for system in found.values() for alert, named in system.thresholds.items()},
        metrics=Metrics(
            exporters={start: target for system in found.values() for start, target in system.exporters.items()},
            absent={metric: why for system in found.values() for metric, why in system.absent.items()},
        ),
        systems=found,
        slos=objectives,
    )
    complete = not problems
    problems += [*checks.problems(rule_set, folder), *thresholds.problems(rule_set, complete=complete)]
    slo_thresholds = slo_rules.thresholds(objectives.values())
    rule_set = rule_set.model_copy(update={"thresholds": rule_set.thresholds | slo_thresholds})
    return rule_set if problems else missing_metrics.extended(rule_set), problems


def overrides(raw: Mapping[str, Any], rule_set: RuleSet, *, complete: bool = True) -> dict[str, AlertOverride]:
    """A stack's `alertOverrides`, checked against the rules.

    Unless the rule set is `complete`, alerts that it does not have pass. Raises RulesError; each line starts with a
    path in `raw`.
    """
    problems: list[str] = []
    checked: dict[str, AlertOverride] = {}
    rules = rule_set.rules()
    for alert, value in raw.items():
        if alert not in rules:
            problems += [f"{alert}: no such alert; {closest(alert, tuple(rules))}"] if complete else []
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
        problems += [
            f"{alert}.thresholds.{name}: {found}"
            for name, number in checked[alert].thresholds.items()
            if name in known and (found := reach.threshold_problem(rule_set, alert, name, number))
        ]
    if problems:
        raise RulesError(problems)
    return checked


def render(
    rule_set: RuleSet,
    changes: Mapping[str, AlertOverride],
    links: Links,
    *,
    interval: str | None,
    namespaces: speakers.StackNamespaces | None = None,
) -> dict[str, str]:
    """Prometheus's rule files for one stack: file name -> YAML. Disabled alerts and empty groups are left out.

    Rules count in the stack's `interval` between evaluations, see alerting.counting, and their incidents are bounded,
    see alerting.crowds; None leaves both as written.
    They believe the system's namespaces and these, see alerting.speakers; None leaves the selectors as written.
    """
    rule_set = missing_metrics.extended(rule_set, disabled=_disabled(changes))
    groups = {name: _groups(file, rule_set.thresholds, changes, links) for name, file in rule_set.files.items()}
    if namespaces is not None:
        groups = speakers.restricted(groups, rule_set, namespaces)
    if missing_metrics.FILE in groups:
        groups[missing_metrics.FILE] = missing_metrics.recorded(groups[missing_metrics.FILE])
    if interval:
        groups = {name: _bounded(counting.deployed(one, interval), rule_set) for name, one in groups.items()}
    return {name: _yaml(one) for name, one in groups.items()}


def render_loki(rule_set: RuleSet, changes: Mapping[str, AlertOverride], links: Links) -> dict[str, str]:
    """Rule files of Loki's ruler for one stack, in the same form, and one for AlertsOnMissingMetrics."""
    files = {name: _groups(one, rule_set.thresholds, changes, links) for name, one in rule_set.loki_files.items()}
    files[log_streams.FILE] = list(log_streams.groups(rule_set, _disabled(changes)))
    return {name: _yaml(groups) for name, groups in files.items()}


def _disabled(changes: Mapping[str, AlertOverride]) -> list[str]:
    return [name for name, change in changes.items() if not change.enabled]


def effective(rule: AnyAlert, defaults: Mapping[str, float], change: AlertOverride) -> AnyAlert:
    """The rule with a stack's override applied."""
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
    values = {defaults[name]: value for name, value in change.thresholds.items()}
    return rule.model_copy(
        update={
            "expr": expressions.substitute(rule.expr, values),
            "for_": rule.for_ if change.for_ is None else change.for_,
            "keep_firing_for": rule.keep_firing_for if change.keep_firing_for is None else change.keep_firing_for,
            "labels": labels,
        }
    )


def _files(
    folder: Path, engine: Engine, model: type[RuleFile[AnyRule]]
) -> tuple[dict[str, RuleFile[AnyRule]], list[str]]:
    """The valid files of one engine's folder by name, and the problems of the others."""
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


def _bounded(groups: list[Document], rule_set: RuleSet) -> list[Document]:
    """The groups, with a bound for alerts whose incidents are told apart by labels."""
    apart = {alert for system in rule_set.systems.values() for alert in system.incidents}
    return [
        group
        | {
            "rules": [
                rule | {"expr": crowds.bounded(rule["expr"])} if rule.get("alert") in apart else rule
                for rule in group["rules"]
            ]
        }
        for group in groups
    ]


def _yaml(groups: list[Document]) -> str:
    return write_yaml({"groups": [group for group in groups if group["rules"]]})


def _groups(
    file: RuleFile[AnyRule], defaults: Thresholds, changes: Mapping[str, AlertOverride], links: Links
) -> list[dict[str, Any]]:
    unchanged = AlertOverride()
    groups: list[dict[str, Any]] = []
    for group in file.groups:
        document: Document = {"name": group.name} | ({"interval": group.interval} if group.interval else {})
        document["rules"] = [
            rule.model_dump(exclude_none=True)
            if isinstance(rule, RecordingRule)
            else _document(effective(rule, defaults.get(rule.alert, {}), changes.get(rule.alert, unchanged)), links)
            for rule in group.rules
            if isinstance(rule, RecordingRule) or changes.get(rule.alert, unchanged).enabled
        ]
        groups.append(document)
    return groups


def _document(rule: Rule, links: Links) -> Document:
    document: Document = rule.model_dump(by_alias=True, exclude_none=True)
    document["annotations"] |= links.of(rule)
    return document


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
