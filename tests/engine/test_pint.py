"""What the linter finds in rules that Prometheus accepts: by their texts, and with the series of a server."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import rule_checks
from engine.rule_checks import __main__ as command_line
from engine.rule_checks import pint
from local.errors import LocalError
from local.toolchain import tool
from settings import deployed
from settings.eks.secret_references import placeholder
from tests.backends.test_remote_write import Prometheus
from tests.mock_engine import STACKS
from tools.programs import eventually

STAGING = deployed.read("staging", placeholder)
Alerts = Mapping[str, str]


def rules(alerts: Alerts) -> dict[str, str]:
    listed = [{"alert": name, "expr": expr, "annotations": {"summary": "s"}} for name, expr in alerts.items()]
    return {"shop.yaml": yaml.safe_dump({"groups": [{"name": "g", "rules": listed}]})}


def test_everything_that_the_stacks_deploy_is_accepted(tmp_path: Path) -> None:
    assert pint.problems(tool("pint"), [deployed.read(stack, placeholder) for stack in STACKS], tmp_path / "a") == []


def test_what_prometheus_accepts_and_is_wrong_is_found_with_file_and_alert(tmp_path: Path) -> None:
    wrong = {
        "NoSuchLabel": "sum by (shop) (orders) / on (till) sum by (till) (visits) > 1",
        "AlwaysFires": "orders",
        "Fine": "orders > 1",
    }
    found = pint.problems(tool("pint"), [replace(STAGING, prometheus=rules(wrong))], tmp_path / "a")
    assert {text.partition(": pint: ")[0] for text in found} == {
        "rules/prometheus/shop.yaml: alert: AlwaysFires",
        "rules/prometheus/shop.yaml: alert: NoSuchLabel",
    }
    assert any("(promql/impossible)" in text for text in found)


@pytest.mark.parametrize("alert", pint._EXCEPTIONS)  # pyright: ignore[reportPrivateUsage]
def test_an_exception_is_needed(alert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(pint._EXCEPTIONS, alert)  # pyright: ignore[reportPrivateUsage]
    found = pint.problems(tool("pint"), [STAGING], tmp_path / "a")
    assert found
    assert all(f"alert: {alert}:" in text for text in found)


def test_a_join_that_no_series_can_make_is_found_on_a_server(tmp_path: Path) -> None:
    joined = {"Impossible": "prometheus_http_requests_total / prometheus_build_info > 1", "Fine": "up == 0"}
    scraping: dict[str, Any] = {"scrape_configs": [{"job_name": "itself", "scrape_interval": "1s"}]}
    with Prometheus(tmp_path / "server", scraping) as server:
        eventually(lambda: server.series("prometheus_http_requests_total"), what="nothing is scraped")
        mistakes, warnings = pint.live_problems(tool("pint"), rules(joined), tmp_path / "a", f"http://{server.address}")
    assert {text.partition(": pint: ")[0] for text in (*mistakes, *warnings)} == {
        "rules/prometheus/shop.yaml: alert: Impossible"
    }
    assert any("(promql/vector_matching)" in text for text in mistakes)


def test_a_linter_that_cannot_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="pint cannot judge the rules"):
        pint.problems(Path("/bin/false"), [STAGING], tmp_path / "a")


def test_make_check_shows_what_it_finds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def ensure(_: list[str]) -> None: ...

    def built(name: str) -> Path:
        return Path("/no") / name

    def of_stacks(_: list[str]) -> rule_checks.Result:
        return rule_checks.Result(problems=(), absent=())

    def problems(program: Path, *_: object) -> list[str]:
        return [f"{program}: wrong"]

    monkeypatch.setattr("local.toolchain.ensure", ensure)
    monkeypatch.setattr("local.toolchain.built", built)
    monkeypatch.setattr(rule_checks, "of_stacks", of_stacks)
    monkeypatch.setattr(pint, "problems", problems)
    assert command_line.main() == 1
    assert capsys.readouterr().out == "/no/pint: wrong\n"
