"""A thousand alerts of one cause are a bounded number of messages: of the deployed rules, by the real programs."""

from pathlib import Path

import pytest
import yaml

from alerting import crowds, loader, routing
from alerting.routing import notified
from tools.rule_tests import alertmanager
from tools.rule_tests.promtool import LINKS, promtool

ALERT = "JobQueueDepthHigh"
CAUSE = {"alertname": ALERT, "severity": "warning", "system": "job-queue", "team": "backend", "page": "false"}


@pytest.mark.parametrize("queues", [crowds.MOST, crowds.MOST + 1])
def test_more_incidents_than_a_person_reads_are_a_crowd(queues: int, tmp_path: Path) -> None:
    rules = loader.render(loader.load(), {}, LINKS, interval="1m")
    (tmp_path / "job-queue.yaml").write_text(rules["job-queue.yaml"])
    series = [
        {
            "series": f'jq_queue_depth{{namespace="job-queue", queue="q{number}", status="PENDING"}}',
            "values": "5000x120",
        }
        for number in range(queues)
    ]
    crowd = f'{{{crowds.LABEL}="true"}}' if queues > crowds.MOST else "{}"
    test = {
        "rule_files": ["job-queue.yaml"],
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": f'count by ({crowds.LABEL}) (ALERTS{{alertname="{ALERT}", alertstate="firing"}})',
                        "eval_time": "2h",
                        "exp_samples": [{"labels": crowd, "value": queues}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    done = promtool("test", "rules", tmp_path / "test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_thousand_alerts_are_one_message_for_each_channel(tmp_path: Path) -> None:
    few = [CAUSE | {"cluster": "few", "namespace": "jobs", "queue": f"q{number}"} for number in range(crowds.MOST)]
    many = [
        CAUSE | {"cluster": "many", "namespace": "jobs", "queue": f"q{number}", crowds.LABEL: "true"}
        for number in range(1000)
    ]
    config = alertmanager.document(mute_windows=False)
    with alertmanager.running(config, tmp_path) as found:
        found.fire(*few, *many)
        found.settle()
        groups = {(one.receiver, one.group, one.alerts[0]["cluster"]) for one in found.messages}
        told = [alert["queue"] for one in found.messages for alert in one.alerts if alert["cluster"] == "many"]
    channels = notified.channels(routing.load(), many[0])
    assert sorted(receiver for receiver, _, cluster in groups if cluster == "many") == sorted(channels)
    assert len([1 for _, _, cluster in groups if cluster == "few"]) == crowds.MOST * len(channels)
    assert len(told) == 1000 * len(channels), "no alert is left out"
