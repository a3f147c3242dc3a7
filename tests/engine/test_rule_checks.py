# ruff: noqa: E501  (a message stays on its line)
"""What promtool, Loki and amtool refuse, in which words: before anything changes, and all of it at once."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from engine import __main__ as engine
from engine import actions, rule_checks
from engine.rule_checks import __main__ as command_line
from local.errors import LocalError
from settings import deployed
from settings.deployed import Deployed
from settings.eks.secret_references import placeholder
from tests.mock_engine import STACKS

STAGING = deployed.read("staging", placeholder)
Rule = Mapping[str, Any]
RANGE = 'sum(rate({app="a"} | level="ERROR" [5m])) > 1'


def rules(*listed: Rule, group: str = "g") -> str:
    return yaml.safe_dump({"groups": [{"name": group, "rules": [dict(one) for one in listed]}]})


def alert(name: str, expr: str, description: str = "{{ $value }}", **labels: str) -> Rule:
    return {"alert": name, "expr": expr, "labels": labels, "annotations": {"description": description}}


def texts(**changes: Any) -> Deployed:
    """What an imaginary stack deploys; everything but the changes is accepted."""
    return replace(STAGING, **{"prometheus": {}, "loki": {}, **changes})


def problems(*found: Deployed) -> list[str]:
    result = rule_checks.of_texts(found)
    assert list(result.absent) == []
    return list(result.problems)


def test_everything_that_the_stacks_deploy_is_accepted() -> None:
    found = rule_checks.of_stacks(STACKS)
    assert (list(found.problems), list(found.absent)) == ([], [])


def test_prometheus_refuses_with_file_rule_text_and_reason() -> None:
    found = problems(
        texts(
            prometheus={
                # Accepted by the library that the program reads PromQL with, and refused by Prometheus.
                "shop.yaml": rules(
                    alert("Or", 'x{a="b" or c="d"} > 1'),
                    {"record": "a:b:c", "expr": 'sum(rate(x{a="b" or c="d"}[5m]))'},
                    alert("Regex", 'x{a=~"b++"} > 1'),
                    alert("Multiline", "x\n  > > 1"),
                ),
                "slos-shop.yaml": rules(
                    alert("Template", "up", "{{ $value | humanise }}"),
                    alert("Label", "up", team="{{ $labels.team"),
                    alert("Both", "up >", "{{ end }}"),
                    group="h",
                ),
            }
        )
    )
    reason = 'unexpected identifier "or" in label matching, expected "," or "}"'
    assert found == [
        f'rules/prometheus/shop.yaml: group g, alert Or: promtool: could not parse expression: 1:9: parse error: {reason}\n      x{{a="b" or c="d"}} > 1',
        f'rules/prometheus/shop.yaml: group g, record a:b:c: promtool: could not parse expression: 1:18: parse error: {reason}\n      sum(rate(x{{a="b" or c="d"}}[5m]))',
        'rules/prometheus/shop.yaml: group g, alert Regex: promtool: could not parse expression: 1:3: parse error: error parsing regexp: invalid nested repetition operator: `++`\n      x{a=~"b++"} > 1',
        "rules/prometheus/shop.yaml: group g, alert Multiline: promtool: could not parse expression: 2:5: parse error: unexpected <op:>>\n      x\n        > > 1",
        'rules/slos/shop.yaml: group h, alert Template: promtool: annotation "description": template: __alert_Template:1: function "humanise" not defined\n      {{ $value | humanise }}',
        'rules/slos/shop.yaml: group h, alert Label: promtool: label "team": template: __alert_Label:1: unclosed action\n      {{ $labels.team',
        "rules/slos/shop.yaml: group h, alert Both: promtool: could not parse expression: 1:5: parse error: unexpected end of input\n      up >",
        'rules/slos/shop.yaml: group h, alert Both: promtool: annotation "description": template: __alert_Both:1: unexpected {{end}}\n      {{ end }}',
    ]


def test_what_promtool_says_about_a_whole_file_is_not_lost() -> None:
    twice = rules({"record": "a:b:c", "expr": "up"}, {"record": "a:b:c", "expr": "up"})
    (found,) = problems(texts(prometheus={"shop.yaml": twice}))
    assert found.startswith("promtool: lint error 1 duplicate rule(s) found. Metric: a:b:c ")


def test_loki_refuses_with_file_rule_text_and_reason() -> None:
    refused = {
        'rate({app="a"}[5m]': "parse error at line 1, col 19: syntax error: unexpected $end, expecting )",
        '{app="a"} |= "x"': "log queries are not supported as an instant query type, please change your query to a range query type",
        "1 + 2": "must be an instant vector, not a scalar",
        'rate({app="a"} |~ "(" [5m]) > 1': "parse error : stage '|~ \"(\"' : error parsing regexp: missing closing ): `(`",
        "increase(x[5m])": "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
    }
    listed = [alert(f"A{number}", expr) for number, expr in enumerate(refused)]
    templates = [
        alert("Fine", RANGE),
        alert("Template", RANGE, "{{ $value | humanise }}"),
        alert("Url", RANGE, "{{ $externalURL }}"),
        alert("Both", "rate(", "{{ end }}"),
    ]
    one = texts(loki={"shop.yaml": rules(*listed, *templates)})
    where = "rules/loki/shop.yaml: group g, alert "
    assert problems(one, one) == [
        *(f"{where}A{number}: loki: {said}\n      {expr}" for number, (expr, said) in enumerate(refused.items())),
        f'{where}Template: loki: annotation "description": template: __alert_Template:1: function "humanise" not defined\n      {{{{ $value | humanise }}}}',
        f'{where}Url: loki: annotation "description": template: __alert_Url:1: undefined variable "$externalURL"\n      {{{{ $externalURL }}}}',
        f"{where}Both: loki: parse error at line 1, col 6: syntax error: unexpected $end, expecting NUMBER or {{ or (\n      rate(",
        f'{where}Both: loki: annotation "description": template: __alert_Both:1: unexpected {{{{end}}}}\n      {{{{ end }}}}',
    ]


_TITLE = STAGING.templates.split("| toUpper", maxsplit=1)[0]
LINE_OF_TITLE = _TITLE.count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "toUpper",
            "upper",
            f'rules/notifications.tmpl: amtool: template: notifications.tmpl:{LINE_OF_TITLE}: function "upper" not defined\n'
            "      [{{ .Status | upper }}",
        ),
        (
            "{{ . }}{{ end }}{{ end }}",
            "{{ . }}{{ end }}",
            "rules/notifications.tmpl: amtool: template: notifications.tmpl:",
        ),
    ],
)
def test_alertmanager_refuses_a_template(old: str, new: str, problem: str) -> None:
    (found,) = problems(texts(templates=STAGING.templates.replace(old, new, 1)))
    assert found.startswith(problem)


def test_alertmanager_refuses_messages_that_cannot_be_rendered() -> None:
    """Each once, although many messages use the title, as text and as HTML."""
    config = STAGING.alertmanager.replace('{{ or .CommonLabels.severity "error" }}', "{{ template `none` }}")
    templates = STAGING.templates.replace("{{ .Status | toUpper }}", "{{ .State }}", 1)
    title, message = sorted(problems(texts(alertmanager=config, templates=templates)))
    assert title.startswith(
        f'rules/notifications.tmpl: amtool: template: notifications.tmpl:{LINE_OF_TITLE}:4: executing "title" at <.State>: '
        "can't evaluate field State in type template.Data\n      [{{ .State }}"
    )
    assert message.startswith("rules/routing.yaml: message {{ template `none` }}: amtool: template: :1:")


def test_alertmanager_refuses_a_configuration() -> None:
    (found,) = problems(texts(alertmanager=STAGING.alertmanager.replace("group_wait: 30s", "group_wait: soon", 1)))
    assert found == 'rules/routing.yaml: amtool: not a valid duration string: "soon"'


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.toolchain.present", lambda name: None if name == "loki" else subprocess)
    monkeypatch.setattr("engine.rule_checks._CHECKS", dict.fromkeys(rule_checks.PROGRAMS, lambda *_: ["wrong"]))
    found = rule_checks.of_texts([STAGING])
    assert (list(found.problems), list(found.absent)) == (["wrong"], ["loki"])


@pytest.mark.parametrize(
    ("result", "code", "printed"),
    [
        (rule_checks.Result(problems=(), absent=()), 0, ""),
        (rule_checks.Result(problems=["a: wrong"], absent=()), 1, "a: wrong\n"),
        (ValueError("rules/routing.yaml: missing"), 1, "error: rules/routing.yaml: missing\n"),
    ],
)
def test_make_check_builds_the_programs_and_judges_every_stack(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    result: rule_checks.Result | ValueError,
    code: int,
    printed: str,
) -> None:
    built: list[str] = []
    monkeypatch.setattr("local.toolchain.ensure", built.extend)
    monkeypatch.setattr(command_line, "_linted", list)
    asked = Asked(monkeypatch, result)
    assert command_line.main() == code
    assert "".join(capsys.readouterr()) == printed
    assert (built, asked.stacks) == (["promtool", "loki", "amtool", "pint"], sorted(STACKS))


class Asked:
    """Stands in for the engine's actions, and for what the programs say."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: rule_checks.Result | ValueError) -> None:
        self.actions: list[str] = []
        self.stacks: list[str] = []

        def of_stacks(stacks: list[str]) -> rule_checks.Result:
            self.stacks += stacks
            if isinstance(result, ValueError):
                raise result
            return result

        monkeypatch.setattr(rule_checks, "of_stacks", of_stacks)
        for name in ("preview", "up"):
            monkeypatch.setattr(actions, name, lambda *_, name=name, **__: self.actions.append(name) or _Summary())
        monkeypatch.setattr(actions, "outputs", lambda *_, **__: {})
        monkeypatch.setattr(engine, "_start_cluster", lambda _: None)


class _Summary:
    seconds = 0.0


COMMANDS = {"preview": lambda: engine.preview("staging", offline=True), "up": lambda: engine.up("staging")}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_changes_while_a_program_refuses_something(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    asked = Asked(monkeypatch, rule_checks.Result(problems=["a: wrong\n    text", "b: wrong"], absent=()))
    with pytest.raises(LocalError) as error:
        COMMANDS[command]()
    assert (
        str(error.value)
        == "2 problems in the rules of stack staging; nothing was changed.\n  a: wrong\n      text\n  b: wrong"
    )
    assert (asked.actions, asked.stacks) == ([], ["staging"])


@pytest.mark.parametrize("command", COMMANDS)
def test_one_line_says_what_is_unchecked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    asked = Asked(monkeypatch, rule_checks.Result(problems=(), absent=("loki", "amtool")))
    COMMANDS[command]()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "loki" in line]
    assert line == "not checked by loki, amtool, which are not built; `make check` builds them and checks every rule"
    assert asked.actions == [command]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_be_read_is_left_to_the_program(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """It reports these problems together with those of all other settings."""
    asked = Asked(monkeypatch, ValueError("rules/routing.yaml: missing"))
    COMMANDS[command]()
    assert asked.actions == [command]
