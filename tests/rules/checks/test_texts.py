"""A text that fails when its alert fires is refused. Prometheus would write the error into the message."""

from pathlib import Path

import pytest

from alerting import loader
from alerting.checks import texts
from tests.rules import fixed_rules

LABELS = frozenset({"queue", "app"})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ $labels.queu }} is stuck", "reads a label that no series of the alert has; allowed: app, queue"),
        ("{{ with $labels.queu }}{{ . }}{{ end }}", "reads a label that no series"),
        ("{{ $labels.queue.name }}", "reads .name of a label, which is a text; allowed: $labels.queue"),
        ("{{ if gt $value 5 }}many{{ end }}", "compares the value with a whole number, which fails"),
        ("{{ if lt 5 $value }}many{{ end }}", "compares the value with a whole number, which fails"),
        ('{{ printf "%d" $value }}', 'writes the value as a whole number, which fails; allowed: printf "%.0f"'),
        ('{{ $value | printf "%5d items" }}', "writes the value as a whole number"),
        ('{{ range query "up" }}{{ . }}{{ end }}', "uses the function query; allowed: the alert's own labels"),
        ("{{ `{job=~`}}{{ $labels.queue | safeHtml }}", "uses the function safeHtml; allowed: the alert's own labels"),
    ],
)
def test_a_text_that_fails_later(text: str, problem: str) -> None:
    (found,) = texts.problems(text, LABELS)
    assert problem in found
    assert found.partition("}}")[0] in text


@pytest.mark.parametrize(
    "text",
    [
        "{{ $labels.queue }} of {{ $labels.app }}: {{ $value | humanize }}",
        "{{ if gt $value 5.0 }}many{{ end }}, {{ if lt 0.5 $value }}some{{ end }}, {{ if ge $value 1e3 }}most{{ end }}",
        '{{ $value | printf "%.0f" }}, {{ printf "%s" $labels.queue }}, {{ len $labels.queue | printf "%d" }}',
        "$labels.queu and %d outside of an action",
        '{{ $query := $labels.queue }}{{ $query }}, {{ printf "query %s" $labels.queue }}, query',
    ],
)
def test_a_text_that_works(text: str) -> None:
    assert list(texts.problems(text, LABELS)) == []


def test_of_an_alert_on_lines_the_labels_are_not_known() -> None:
    assert list(texts.problems("{{ $labels.any }}", None)) == []


def test_the_line_names_file_alert_and_text(tmp_path: Path) -> None:
    old = "{{ $value | humanize }} (or"
    fixed_rules.edited(tmp_path, "prometheus/orders.yaml", old, "{{ $value | humanize }}{{ $labels.nobody }} (or")
    (problem,) = loader.read(tmp_path)[1]
    assert problem.startswith("rules/prometheus/orders.yaml: alert OrdersNoWorkers: description: {{ $labels.nobody }}")
