"""Prometheus's rules, judged by promtool: the expressions and the templates of annotations and labels."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml

from alerting.checks import place
from engine.rule_checks.problem import in_rule
from settings.deployed import Deployed

_PROGRAM = "promtool"
# A line of promtool about one rule: file, line and column in it, group, number from 1, name, message.
_LINE = re.compile(
    r'(?P<file>.+?): (?:\d+:\d+: )?group "(?P<group>[^"]+)", rule (?P<number>\d+), "[^"]*": (?P<said>.*)'
)


def problems(promtool: Path, stacks: Sequence[Deployed], folder: Path) -> list[str]:
    """Everything that promtool refuses; `folder` is created and holds the files that it reads."""
    texts = {f"{number}/{name}": text for number, one in enumerate(stacks) for name, text in one.prometheus.items()}
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    if not texts:
        return []
    command = [promtool, "check", "rules", "--lint=all", "--lint-fatal", *texts]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip() not in ("", "FAILED:")]
    of_rules = [match for line in lines if (match := _LINE.fullmatch(line))]
    others = " ".join(line for line in lines if not _LINE.fullmatch(line))
    return [*(_problem(match, texts) for match in of_rules), *([f"{_PROGRAM}: {others}"] if others else [])]


def _problem(match: re.Match[str], texts: dict[str, str]) -> str:
    groups = yaml.safe_load(texts[match["file"]])["groups"]
    (group,) = [one for one in groups if one["name"] == match["group"]]
    rule = group["rules"][int(match["number"]) - 1]
    return in_rule(place("prometheus", Path(match["file"]).name), group["name"], rule, _PROGRAM, match["said"])
