# ruff: noqa: E501  (a case of a table stays on its line)
"""Who is told of what, asked of Alertmanager's own amtool, and what routing.yaml may not say."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from local.toolchain import tool
from rules import disruption_budgets, loader, routing
from rules.durations import seconds
from rules.problems import RulesError
from rules.routing import Timing
from tests.mock_engine import ROOT, SECRETS

TIMING = Timing(group_wait="30s", group_interval="5m", repeat_interval="4h")
# Every alert there is, and whom it must reach.
EXPECTED = {
    "JobQueueNoWorkers": "job-queue-slack,job-queue-webhook",
    "JobQueueDepthHigh": "job-queue-slack,job-queue-webhook",
    "JobQueueSchedulerSlow": "job-queue-slack,job-queue-webhook",
    "JobQueueFailureRateHigh": "job-queue-slack,job-queue-webhook",
    "JobQueueRedisErrors": "job-queue-slack,job-queue-webhook",
    "JobQueueKafkaPublishErrorsSpiking": "job-queue-slack,job-queue-webhook",
    "Watchdog": "dead-mans-switch",
    "TargetDown": "platform-slack",
    "SpecCursorErrorLogBurst": "speccursor-slack",
    "SpecCursorErrorLogAnomalous": "speccursor-slack",
    **dict.fromkeys(
        (
            "AlertsOnMissingMetrics",
            "PodCrashLooping",
            "PersistentVolumeFillingUp",
            "GrafanaDown",
            "AlertmanagerNotificationsFailing",
            "PrometheusRuleFailures",
            "PrometheusConfigReloadFailed",
            "PrometheusRemoteWriteBehind",
            "AlertmanagerClusterDegraded",
            "LokiIngestionStopped",
            "CollectorDroppingTelemetry",
            "CollectorQueueNearlyFull",
            "LokiRequestErrors",
            "JaegerStorageErrors",
        ),
        "platform-slack",
    ),
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "alertmanager.yml"
    file.write_text(routing.render(routing.load(), TIMING, SECRETS))
    return file


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool("amtool"), *arguments], capture_output=True, text=True, check=False)


def test_alertmanager_accepts_the_configuration(config: Path) -> None:
    result = amtool("check-config", config)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_an_expected_route() -> None:
    assert set(EXPECTED) == set(loader.load().rules())


@pytest.mark.parametrize("alert", EXPECTED)
def test_alertmanager_sends_the_alert_where_it_belongs(config: Path, alert: str) -> None:
    labels = loader.load().rules()[alert].labels.model_dump() | {"alertname": alert}
    arguments = [f"{key}={value}" for key, value in labels.items()]
    result = amtool("config", "routes", "test", f"--config.file={config}", *arguments)
    assert result.stdout.strip() == EXPECTED[alert], result.stderr
    assert ",".join(routing.load().channels_for(labels)) == EXPECTED[alert]


@pytest.mark.parametrize(("system", "channel"), [("speccursor", "speccursor-slack"), ("api", "platform-slack")])
def test_a_system_without_rules_of_its_own_has_its_route(config: Path, system: str, channel: str) -> None:
    result = amtool("config", "routes", "test", f"--config.file={config}", f"system={system}", "alertname=X")
    assert result.stdout.strip() == channel
    assert routing.load().channels_for({"system": system}) == (channel,)


def test_what_nobody_claims_still_reaches_a_person(config: Path) -> None:
    result = amtool("config", "routes", "test", f"--config.file={config}", "system=unheard-of", "alertname=X")
    assert result.stdout.strip() == "platform-slack"


def test_nothing_mutes_watchdog() -> None:
    rendered = yaml.safe_load(routing.render(routing.load(), TIMING, SECRETS))
    assert rendered["inhibit_rules"]
    assert all('alertname!="Watchdog"' in rule["target_matchers"] for rule in rendered["inhibit_rules"])


def test_target_down_never_mutes_a_page() -> None:
    rendered = yaml.safe_load(routing.render(routing.load(), TIMING, SECRETS))
    (rule,) = [rule for rule in rendered["inhibit_rules"] if rule["source_matchers"] == ['alertname="TargetDown"']]
    assert 'page="false"' in rule["target_matchers"]


def test_different_trouble_of_one_system_is_not_muted() -> None:
    """Inhibition goes by `subject`: two alerts share one only if they are the same trouble at two severities."""
    subjects = [
        (rule.labels.system, rule.labels.subject, rule.labels.severity) for rule in loader.load().rules().values()
    ]
    assert len(set(subjects)) == len(subjects)


def test_slack_messages_say_what_a_person_needs(tmp_path: Path) -> None:
    rendered = yaml.safe_load(routing.render(routing.load(), TIMING, SECRETS))
    (slack,) = next(one["slack_configs"] for one in rendered["receivers"] if one["name"] == "job-queue-slack")
    (tmp_path / "none.tmpl").write_text("")
    data = tmp_path / "data.json"
    data.write_text(
        """{"status": "firing", "receiver": "job-queue-slack", "externalURL": "http://am",
        "commonLabels": {"alertname": "JobQueueDepthHigh", "severity": "warning", "cluster": "local"},
        "commonAnnotations": {}, "groupLabels": {},
        "alerts": [{"status": "firing", "labels": {"queue": "email"}, "generatorURL": "http://prom/graph",
        "annotations": {"summary": "SUM", "description": "DESC", "runbook_url": "http://run", "dashboard_url": "http://dash"}}]}"""
    )
    texts = {
        key: amtool("template", "render", f"--template.glob={tmp_path}/*.tmpl", f"--template.data={data}", "--template.type=text", f"--template.text={slack[key]}")
        for key in ("title", "text", "color")
    }  # fmt: skip
    assert [result.stderr for result in texts.values() if result.returncode] == []
    assert texts["title"].stdout.strip() == "[FIRING:1] JobQueueDepthHigh (warning, local)"
    assert texts["color"].stdout.strip() == "warning"
    for part in (
        "*SUM*",
        "DESC",
        "<http://run|Runbook>",
        "<http://dash|Dashboard>",
        "<http://prom/graph|Query>",
        "silences",
    ):
        assert part in texts["text"].stdout


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[job-queue-slack, job-queue-webhook]", "[job-queue-slak]", "rules/routing.yaml: routes[1].channels: no channel 'job-queue-slak'; did you mean job-queue-slack?"),
        ("default: platform-slack", "default: nobody", "rules/routing.yaml: default: no channel 'nobody'; known: dead-mans-switch, job-queue-slack, job-queue-webhook, platform-slack, speccursor-slack"),
        (", job-queue-webhook]", "]", "rules/routing.yaml: channels.job-queue-webhook: no route leads to it"),
        (", url_secret: slackWebhookUrl", "", "rules/routing.yaml: channels.job-queue-slack.slack.url_secret: required, but missing"),
        ("webhook: {url_secret: notif", "pager: {url_secret: notif", "rules/routing.yaml: channels.job-queue-webhook.pager: unknown field"),
        ("slack: {channel: \"#job-queue-alerts\", url_secret: slackWebhookUrl}", "{}", "rules/routing.yaml: channels.job-queue-slack: needs exactly one of slack, webhook"),
        ('"#job-queue-alerts"', "job queue", "rules/routing.yaml: channels.job-queue-slack.slack.channel: "),
        ("match: {alertname: Watchdog}", "match: {}", "rules/routing.yaml: routes[0].match: "),
        ("group_interval: 1m", "group_interval: often", "rules/routing.yaml: routes[0].group_interval: must be a Prometheus duration such as 30s, 5m, 1h30m or 15d; got 'often'"),
        ("repeat_interval: 50s", "repeat_interval: 60s", "rules/routing.yaml: routes[0]: repeat_interval 60s equals group_interval 1m, so Alertmanager would skip every second repetition; allowed: shorter (repeats every group_interval) or longer"),
        ("channels:", "channels: [", "rules/routing.yaml: no valid YAML: "),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (ROOT / "rules/routing.yaml").read_text()
    assert old in text
    (tmp_path / "routing.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(RulesError) as error:
        routing.load(tmp_path)
    assert any(line.startswith(problem) for line in error.value.problems), error.value.problems


@pytest.mark.parametrize("repeat", ["50s", "2m"])
def test_a_route_may_repeat_at_another_pace_than_it_looks(tmp_path: Path, repeat: str) -> None:
    text = (ROOT / "rules/routing.yaml").read_text()
    (tmp_path / "routing.yaml").write_text(text.replace("repeat_interval: 50s", f"repeat_interval: {repeat}"))
    assert routing.load(tmp_path).routes[0].repeat_interval == repeat


def test_every_look_at_watchdog_sends_the_heartbeat() -> None:
    """Alertmanager repeats what is older than repeat_interval when it looks, and it looks every group_interval."""
    (watchdog,) = [one for one in routing.load().routes if one.match == {"alertname": "Watchdog"}]
    assert watchdog.group_interval == "1m"
    assert seconds(str(watchdog.repeat_interval)) <= 60 - 10  # sending may take a while


def test_a_route_with_one_interval_must_fit_the_stacks_other() -> None:
    stack = Timing(group_wait="0s", group_interval="50s", repeat_interval="1h")
    half = routing.load()
    half = half.model_copy(update={"routes": [half.routes[0].model_copy(update={"group_interval": None})]})
    (problem,) = half.timing_problems(stack)
    assert problem.startswith(
        "rules/routing.yaml: routes[0]: repeat_interval 50s equals group_interval 50s (one of them"
    )
    assert half.timing_problems(TIMING) == half.timing_problems() == []


def test_secrets_that_are_needed_follow_from_the_channels() -> None:
    assert routing.load().secrets() == {
        "slackWebhookUrl": ["job-queue-slack", "speccursor-slack", "platform-slack"],
        "notificationWebhookUrl": ["job-queue-webhook"],
        "deadMansSwitchUrl": ["dead-mans-switch"],
    }


def test_disruption_budgets_are_checked(tmp_path: Path) -> None:
    shutil.copy(ROOT / "rules/disruption-budgets.yaml", tmp_path)
    assert disruption_budgets.load(tmp_path)["jq-worker"].min_available == 1
    file = tmp_path / "disruption-budgets.yaml"
    file.write_text(file.read_text().replace("minAvailable: 1", "minAvailable: 0"))
    with pytest.raises(RulesError, match=r"rules/disruption-budgets.yaml: jq-worker.minAvailable: must be greater"):
        disruption_budgets.load(tmp_path)
