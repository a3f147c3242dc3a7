"""What pint, a linter of Prometheus' rules, says about the rules of stacks: mistakes that Prometheus itself accepts.

Without a server it reads the texts. With one it also asks for the series, such as those that two sides of a join have.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alerting.checks import place
from local.errors import LocalError
from settings.deployed import Deployed

# Check -> why it says nothing useful about these rules.
_DISABLED = {
    "promql/regexp": "the loader selects namespaces by =~ even if there is one, because `absent` would take a label "
    "from =, and give it to its alert",
    "rule/dependency": "the sums of an SLO are recorded every 30 s, and its ratios in a slower group of their own; a "
    "sum that is one evaluation old changes no ratio of hours",
    "promql/series": "check-queries asks for every selector itself, and knows which metrics may be absent",
    "query/cost": "it judges nothing without a limit, and evaluates every rule once more",
}
# Alert -> check that is wrong about it.
_EXCEPTIONS = {
    "Watchdog": "alerts/comparison",  # it always fires
    "AlertsOnMissingMetrics": "alerts/comparison",  # the recorded series exists only while something is missing
    "PrometheusRuleFailures": "promql/impossible",  # one side of its `or` has no rule_group, and needs none
}
_SERIOUS = ("Fatal", "Bug")


def problems(pint: Path, stacks: Sequence[Deployed], folder: Path) -> list[str]:
    """Everything that pint warns of, without a server; `folder` is created and holds the files that it reads."""
    return [text for _, text in _found(pint, [one.prometheus for one in stacks], folder, "")]


def live_problems(pint: Path, rules: Mapping[str, str], folder: Path, url: str) -> tuple[list[str], list[str]]:
    """What pint says of rules by file name, with the series of the Prometheus at `url`: mistakes, and warnings."""
    found = _found(pint, [rules], folder, url)
    return ([text for serious, text in found if serious], [text for serious, text in found if not serious])


def _found(pint: Path, stacks: Sequence[Mapping[str, str]], folder: Path, url: str) -> list[tuple[bool, str]]:
    texts = {f"{number}/{name}": text for number, one in enumerate(stacks) for name, text in one.items()}
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    if not texts:
        return []
    (folder / "pint.hcl").write_text(_configuration(url), encoding="utf-8")
    report = folder / "report.json"
    command = [pint, "--no-color", "--log-level=error", "--config=pint.hcl", *(() if url else ("--offline",))]
    done = subprocess.run(
        [*command, "lint", "--min-severity=warning", f"--json={report}", *texts],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if not report.is_file():
        raise LocalError(f"pint cannot judge the rules: {done.stderr.strip() or done.stdout.strip()}")
    said = [one for one in json.loads(report.read_text()) if one["severity"] != "Information"]
    return [*dict.fromkeys((one["severity"] in _SERIOUS, _text(one, texts)) for one in said)]


def _text(one: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    name = Path(one["path"]).name
    lines = texts[one["path"]].splitlines()
    about = next((text for text in reversed(lines[: one["lines"][0]]) if "- alert:" in text or "- record:" in text), "")
    where = f"{place('prometheus', name)}: {about.strip().removeprefix('- ') or name}"
    return f"{where}: pint: {one['problem']} ({one['reporter']}) {one.get('details', '')}".strip()


def _configuration(url: str) -> str:
    """pint's configuration: HCL, whose strings are those of JSON."""
    blocks = [f"checks {{ disabled = {json.dumps([*_DISABLED])} }}"]
    for alert, check in _EXCEPTIONS.items():
        blocks.append(f"rule {{\n  match {{ name = {json.dumps(alert)} }}\n  disable = {json.dumps([check])}\n}}")
    if url:
        blocks.append(f'prometheus "stack" {{\n  uri = {json.dumps(url)}\n  timeout = "30s"\n  required = true\n}}')
    return "\n".join([*blocks, ""])
