"""Alerts on gauges fire although one scrape in four fails: every scenario in which one fires, with samples left out.

A new alert on a gauge gets its case from its own scenarios. Counters have theirs in test_counting.py.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from alerting import loader
from alerting.durations import seconds
from tools.rule_tests import promtool, scenario_rules, yaml_text

FOLDER = Path(__file__).parent
_BRIDGED = re.compile(r"last_over_time\((\w+(?:\{[^{}]*\})?)\[2m\]\)")
GAUGES = {
    name: rule
    for name, rule in loader.load().rules().items()
    if rule.engine == "prometheus" and _BRIDGED.search(rule.expr)
}
LONGEST = 60
"""Seconds between two samples of which a window of 2m still holds one if every fourth is missing."""
# Reads every value as a text, such as 0x40, which is no number in promtool's notation.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_REPEATED = re.compile(r"(_|stale|-?[\d.]+(?:e[+-]?\d+)?)(?:([+-][\d.]+))?x(\d+)")


def samples(values: str) -> Iterator[str]:
    """The samples of promtool's notation, one by one."""
    for token in values.split():
        found = _REPEATED.fullmatch(token)
        if not found:
            yield token
        elif found[1] == "_":
            yield from ["_"] * int(found[3])
        else:
            step = float(found[2] or 0)
            yield from (f"{float(found[1]) + step * number:.12g}" for number in range(int(found[3]) + 1))


def thinned(values: str) -> str:
    """The samples with every fourth scrape missed."""
    found = enumerate(samples(values))
    return " ".join("stale" if number % 4 == 3 and sample != "_" else sample for number, sample in found)


def variants(file: Path) -> dict[str, Any] | None:
    """The scenarios of a file in which an alert on a gauge fires, with missed scrapes; None without one."""
    document = yaml.load(file.read_text(), Loader=_LOADER)  # noqa: S506 -- texts only
    evaluation = seconds(document["evaluation_interval"])
    tests = [found for test in document["tests"] if (found := _variant(test, evaluation))]
    return {**document, "tests": tests} if tests else None


def _variant(test: Mapping[str, Any], evaluation: float) -> dict[str, Any] | None:
    interval = seconds(test.get("interval", "1m"))
    fires = [
        (check["alertname"], seconds(check["eval_time"]))
        for check in test.get("alert_rule_test", [])
        if check["exp_alerts"] and check["alertname"] in GAUGES
    ]
    if not fires or interval > LONGEST:
        return None
    late = 2 * interval  # the sample that makes the condition true may be one that is missed
    return {
        "name": f"{test['name']}; one scrape in four is missed",
        "interval": test.get("interval", "1m"),
        "input_series": [
            # `up` is 0 after a missed scrape, which is what TargetDown's own scenarios are about.
            one if one["series"].startswith("up{") else {**one, "values": thinned(one["values"])}
            for one in test["input_series"]
        ],
        "promql_expr_test": [
            {
                "expr": f'count(last_over_time(ALERTS{{alertname="{alert}", alertstate="firing"}}'
                f"[{int(late + evaluation)}s])) > bool 0",
                "eval_time": f"{int(time + late)}s",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for alert, time in fires
        ],
    }


def run(folder: Path, file: Path, rules: Mapping[str, str]) -> str:
    """promtool's complaints about the variants of a scenario file; empty if all fire."""
    folder.mkdir()
    document = variants(file)
    assert document
    made = folder / file.name
    made.write_text(yaml_text.dump(document))
    (folder / "run").mkdir()
    done = scenario_rules.run(made, rules, folder / "run")
    return "" if done.returncode == 0 else done.stdout[-3000:] + done.stderr[-2000:]


FILES = [file for file in sorted(FOLDER.glob("*.test.yaml")) if variants(file)]


def test_every_alert_on_a_gauge_has_a_case() -> None:
    cases = "".join(yaml_text.dump(variants(file)) for file in FILES)
    assert [alert for alert in GAUGES if f'alertname="{alert}"' not in cases] == []


def test_alerts_on_gauges_fire_over_missed_scrapes(tmp_path: Path) -> None:
    said = {file.name: run(tmp_path / file.stem, file, promtool.rendered()) for file in FILES}
    assert {name: text for name, text in said.items() if text} == {}


def test_an_alert_that_reads_only_the_newest_sample_is_found(tmp_path: Path) -> None:
    rules = {name: _BRIDGED.sub(r"\1", text) for name, text in promtool.rendered().items()}
    assert "DatabasePoolExhausted" in run(tmp_path / "bare", FOLDER / "media-upload-parts.test.yaml", rules)


def test_samples_are_those_that_promtool_reads() -> None:
    assert list(samples("1 2+0.5x2 _x2 3x1 4-1x1 stale")) == [
        "1",
        "2",
        "2.5",
        "3",
        "_",
        "_",
        "3",
        "3",
        "4",
        "3",
        "stale",
    ]
    assert thinned("1x7") == "1 1 1 stale 1 1 1 stale"
