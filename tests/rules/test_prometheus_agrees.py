"""What a rule may say: the same verdict as promtool of the Prometheus that is deployed."""

import subprocess
from pathlib import Path

import pytest
import yaml

from alerting import expressions, templates
from local.toolchain import tool

GOOD_TEMPLATES = [
    "plain text, even } and }}",
    "{{ $value }}{{$labels.queue}}{{ $externalLabels.cluster }}{{ $externalURL }}{{ .Labels.queue }}",
    '{{- $value | humanize -}} {{ printf `%.2f` $value }} {{ printf "}}" }}',
    "{{ humanize1024 1.5 }}{{ $value | humanizeDuration }}{{ $value | humanizePercentage }}",
    "{{ $value | humanizeTimestamp }}{{ (toTime $value).Year }}{{ toDuration $value }}{{ now }}",
    "{{ title `a` | toUpper | toLower | urlquery | html | js | safeHtml | stripPort | stripDomain }}",
    '{{ if match "a.*" $labels.app }}a{{ else if eq $value 1.0 }}b{{ else }}c{{ end }}',
    '{{ with query "up" }}{{ . | first | value }}{{ end }}{{ range query "up" | sortByLabel "app" }}{{ . }}{{ end }}',
    '{{ range query "up" }}{{ label "app" . }}{{ break }}{{ else }}none{{ end }}{{ $value | }}',
    "{{ $x := $value }}{{ if $x }}{{ $y := 1 }}{{ $y }}{{ end }}{{ range $i, $one := query `up` }}{{ $i }}{{ end }}",
    '{{ reReplaceAll "a(.)" "$1" "ab" }}{{ parseDuration "5m" }}{{ pathPrefix }}{{ externalURL }}{{ strvalue nil }}',
    '{{ graphLink "up" }}{{ tableLink "up" }}{{ args 1 }}{{ urlQueryEscape "a" }}{{ print 1 }}{{ println 1 }}',
    "{{ and true false (or 1 (not 2)) }}{{ len $labels }}{{ index $labels `a` }}{{ slice `abc` 1 2 }}",
    "{{ ne 1 2 }}{{ lt 1 2 }}{{ le 1 2 }}{{ gt 1 2 }}{{ ge 1 2 }}{{/* a comment */}}{{- /* one more */ -}}",
]
BAD_TEMPLATES = [
    "{{ $value",
    "{{ $value }",
    "{{ $value }} and {{ $labels.queue",
    '{{ printf "%s }}',
    "{{ $value | humanise }}",
    "{{ humanizeBytes $value }}",
    '{{ tmpl "a" . }}',
    "{{ $label.queue }}",
    "{{ if $value }}yes",
    "{{ end }}",
    "{{ else }}",
    "{{ }}",
    "{{ if }}{{ end }}",
    "{{ $x := }}",
    "{{ | humanize }}",
    "{{ $value | | humanize }}",
    "{{ $value | 1 }}",
    "{{ humanize () }}",
    "{{ if 1 }}{{ else $value }}{{ end }}",
    "{{ if 1 }}{{ end $value }}",
    "{{ if 1 }}{{ break }}{{ end }}",
    "{{ $labels.a-b }}",
    "{{ humanize end }}",
    "{{ (humanize $value }}",
    "{{ humanize $value) }}",
    "{{ if $value }}{{ $x := 1 }}{{ end }}{{ $x }}",
    "{{ $value ? 1 }}",
]
GOOD_EXPRESSIONS = ["up == 0", "vector(1)", "sum(rate(a[5m])) > 1", "-up", "(up) * 2", "max_over_time(up[5m:1m])"]
EXPERIMENTAL = [
    "limitk(1, up)",
    "sum(limit_ratio(0.5, up))",
    'sort_by_label(up, "a")',
    'sort_by_label_desc(up, "a")',
    "info(up)",
    "double_exponential_smoothing(up[5m], 0.1, 0.1)",
    'histogram_quantiles(up, "q", 0.1, 0.9)',
    *(f"{name}_over_time(up[5m]) > 1" for name in ("mad", "first")),
    *(f"ts_of_{name}_over_time(up[5m]) > 1" for name in ("first", "last", "max", "min")),
    *(f"up > {call}" for call in ("max_of(1, 2)", "min_of(1, 2)", "start()", "end()", "range()", "step()")),
]  # fmt: skip
NO_VECTOR = {
    "up[5m]": "a range vector",
    "(up[5m])": "a range vector",
    "up[5m:1m]": "a range vector",
    '"up"': "a string",
    "1": "a scalar",
    "-time()": "a scalar",
    "scalar(up) > bool 1": "a scalar",
}


def accepted(tmp_path: Path, expression: str = "up", annotation: str = "") -> bool:
    """Whether promtool takes a rule with this expression and annotation."""
    rule = {"alert": "A", "expr": expression, "annotations": {"description": annotation}}
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    return subprocess.run([tool("promtool"), "check", "rules", file], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("text", GOOD_TEMPLATES)
def test_templates_that_prometheus_takes(tmp_path: Path, text: str) -> None:
    assert templates.problem(text) is None
    assert accepted(tmp_path, annotation=text)


@pytest.mark.parametrize("text", BAD_TEMPLATES)
def test_templates_that_prometheus_refuses(tmp_path: Path, text: str) -> None:
    assert templates.problem(text)
    assert not accepted(tmp_path, annotation=text)


@pytest.mark.parametrize("expression", GOOD_EXPRESSIONS)
def test_expressions_that_prometheus_takes(tmp_path: Path, expression: str) -> None:
    assert expressions.problem(expression) is None
    assert accepted(tmp_path, expression)


@pytest.mark.parametrize("expression", EXPERIMENTAL)
def test_experimental_functions_are_refused_as_by_prometheus(tmp_path: Path, expression: str) -> None:
    assert "promql-experimental-functions" in (expressions.problem(expression) or "")
    assert not accepted(tmp_path, expression)


def test_fill_modifiers_have_a_flag_of_their_own(tmp_path: Path) -> None:
    expression = "up + on(app) fill(0) up"
    assert "promql-binop-fill-modifiers" in (expressions.problem(expression) or "")
    assert not accepted(tmp_path, expression)


@pytest.mark.parametrize(("expression", "kind"), NO_VECTOR.items())
def test_an_alert_needs_an_instant_vector(expression: str, kind: str) -> None:
    """promtool takes these; Prometheus fails at each evaluation (a scalar alone it would alert on always)."""
    assert expressions.problem(expression) == f"must be an instant vector, not {kind}"
