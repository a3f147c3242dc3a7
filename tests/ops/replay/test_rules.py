"""The replay of rules: a real Prometheus holds a recorded day, and the episodes are those of its own rules package."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.errors import OpsError
from ops.replay import rules
from ops.replay.episodes import SECOND, Episode, periods
from ops.replay.rules import Recorded
from tests.ops.replay.conftest import START, UNTIL, Recording
from tools.programs import eventually


def document(*alerts: dict[str, Any], interval: str = "30s") -> str:
    """A rule file with one group; JSON is YAML, too."""
    return json.dumps({"groups": [{"name": "queues", "interval": interval, "rules": list(alerts)}]})


@pytest.fixture
def recorded(server: Recording) -> Recorded:
    return Recorded(url=server.url, start=START, until=UNTIL, interval="1m", external_labels={"cluster": "shop"})


def minutes(episodes: tuple[Episode, ...]) -> list[tuple[str, float, float | None]]:
    """(queue, start, end) of each, in minutes, to half a minute; None: it still fires at the end."""

    def rounded(at: int) -> float:
        return (at - START) // (30 * SECOND) / 2

    return [
        (one.labels["queue"], rounded(one.starts), None if one.ends > UNTIL else rounded(one.ends)) for one in episodes
    ]


def raised(recorded: Recorded, **alert: Any) -> tuple[Episode, ...]:
    found = rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth > 100", **alert})}, recorded)
    assert not found.errors
    return found.episodes


def test_for_waits_and_a_short_excess_is_nothing(recorded: Recorded) -> None:
    assert minutes(raised(recorded, **{"for": "5m"})) == [
        ("gone", 5, 104.5),  # its last sample, at 99:45, counts for five minutes
        ("mail", 65, 120),
        ("flaps", 205, 210),
        ("flaps", 220, 230),
        ("open", 305, None),
    ]


def test_keep_firing_for_bridges_a_gap(recorded: Recorded) -> None:
    found = minutes(raised(recorded, **{"for": "5m", "keep_firing_for": "10m"}))
    assert [one for one in found if one[0] == "flaps"] == [("flaps", 205, 240)]


def test_labels_are_expanded_and_those_of_the_server_added(recorded: Recorded) -> None:
    expression = 'depth{queue="mail"} > 100'
    (found,) = raised(recorded, expr=expression, labels={"team": "{{ $labels.queue }}-{{ $externalLabels.cluster }}"})
    assert found.labels == {"alertname": "Full", "queue": "mail", "team": "mail-shop", "cluster": "shop"}


def test_a_label_made_from_the_value_makes_another_alert_when_the_value_changes(recorded: Recorded) -> None:
    hour = f"floor(vector((time() - {START // SECOND}) / 3600))"
    # Nothing is sent again, so that only the changed value makes an evaluation necessary.
    found = raised(replace(recorded, resend="6h"), expr=hour, labels={"queue": "{{ $value }}"})
    assert minutes(found)[:3] == [("0", 0, 60), ("1", 60, 120), ("2", 120, 180)]


def test_an_alert_is_sent_as_the_episodes_of_a_history_assume(recorded: Recorded) -> None:
    """Two ways lead to an episode; Prometheus' own decides how often it is sent, and for how long."""
    found = raised(recorded, expr='depth{queue=~"mail|open"} > 100')
    for one in found:
        ends = None if one.ends > UNTIL else one.ends
        assert periods(one.labels, [(one.starts, ends)], interval=30 * SECOND, until=UNTIL) == [one]


def test_rules_are_evaluated_at_the_instants_of_the_server(server: Recording, recorded: Recorded) -> None:
    url, folder = server.url, server.folder

    def evaluated() -> Any:
        query = {"query": 'ALERTS{alertname="Always"}[1m]'}
        series = httpx.get(f"{url}/api/v1/query", params=query).json()["data"]["result"]
        return series and series[0]["values"][0][0] * 1000

    instant = eventually(evaluated, what="the rule is not evaluated")
    here = Recorded(url=url, start=START, until=UNTIL, interval="1m", folder=str(folder))
    (found,) = rules.raised({"always.yaml": (folder / "always.yaml").read_text()}, here).episodes
    assert START <= found.starts < START + 2 * SECOND
    assert (instant - found.starts) % (2 * SECOND) == 0


def test_an_alert_on_log_lines_fires_over_many_queries(logs: str) -> None:
    """Loki answers a query for some steps with one more, and at instants of its own."""
    expression = 'sum by (namespace) (count_over_time({namespace="search"}[1h])) > 0'
    here = Recorded(url=logs, start=START, until=UNTIL, interval="30s", logs=True)
    alert = {"alert": "Full", "expr": expression, "for": "5m", "labels": {"queue": "search"}}
    found = rules.raised({"search.yaml": document(alert)}, here)
    assert not found.errors
    assert minutes(found.episodes) == [("search", 5, 105), ("search", 285, 341)]


RECORD = {"record": "queue:depth:max", "expr": "max by (queue) (depth)", "labels": {"of": "depth"}}


def test_recorded_series_are_recorded_first_and_end_with_their_source(recorded: Recorded) -> None:
    """As the alert on the source itself: labels, the gap of a series that is gone, and a chain of two records."""
    twice = {"record": "queue:depth:twice", "expr": "2 * queue:depth:max"}
    for alert, records in (
        ({"expr": 'queue:depth:max{of="depth"} > 100'}, [RECORD]),
        ({"expr": "queue:depth:twice > 200"}, [RECORD, twice]),
        ({"expr": '{__name__=~"queue:depth:m.*"} > 100'}, [RECORD]),
    ):
        text = document(*records, {"alert": "Full", "for": "5m", **alert})
        found = rules.raised({"queues.yaml": text}, recorded)
        assert not found.errors
        assert minutes(found.episodes) == minutes(raised(recorded, **{"for": "5m"}))


def test_a_record_before_what_it_reads_sees_the_evaluation_before(recorded: Recorded) -> None:
    """The rules of a group are evaluated one after the other."""
    twice = {"record": "queue:depth:twice", "expr": 'last_over_time(queue:depth:max{queue="mail"}[1m])'}
    alert = {"alert": "Full", "expr": "queue:depth:twice > 100", "for": "5m"}
    found = rules.raised({"queues.yaml": document(twice, RECORD, alert)}, recorded)
    assert minutes(found.episodes) == [("mail", 65.5, 120.5)]


def test_a_window_over_a_recorded_series_has_its_past(recorded: Recorded) -> None:
    """The record begins before the replay, where there are samples."""
    late = replace(recorded, start=START + 100 * 60 * SECOND)
    alert = {"alert": "Full", "expr": 'max_over_time(queue:depth:max{queue="mail"}[1h] offset 10m) > 100'}
    (found,) = rules.raised({"queues.yaml": document(RECORD, alert)}, late).episodes
    assert minutes((found,)) == [("mail", 100, 189.5)]


def test_what_reads_a_series_that_cannot_be_recorded_is_an_error(recorded: Recorded) -> None:
    own = {"record": "a", "expr": "other"}
    other = {"record": "other", "expr": "a + 1"}
    both = {"record": "b", "expr": "depth", "labels": {"queue": "same"}}
    alerts = [{"alert": name, "expr": f"{name.lower()} > 1"} for name in ("A", "B")]
    found = rules.raised({"queues.yaml": document(own, other, both, *alerts)}, recorded)
    assert found.errors["A"] == "reads a is recorded from its own result through others, which cannot be replayed"
    assert found.errors["B"].startswith("reads b cannot be recorded: vector contains metrics with the same labelset")


def test_a_record_of_its_own_past_and_of_what_is_recorded_after_it(recorded: Recorded) -> None:
    """Counts the evaluations at which a queue has become full: by its own value, and by the one that follows it."""
    seen = "last_over_time(full:count[1h]) + (depth_full - last_over_time(full:last[1h]) > bool 0) or 0 * depth_full"
    full = '(max(depth{queue=~"mail|flaps"}) > bool 100)'
    count = {"record": "full:count", "expr": seen.replace("depth_full", full)}
    last = {"record": "full:last", "expr": full}
    alert = {"alert": "Full", "expr": "label_replace(full:count >= 3, 'queue', 'any', '', '')"}
    found = rules.raised({"queues.yaml": document(count, last, alert)}, recorded)
    assert not found.errors
    # mail from 60, flaps from 200 and from 215 on
    assert minutes(found.episodes) == [("any", 215, None)]


def test_captured_samples_replay_like_the_server(recorded: Recorded, tmp_path: Path) -> None:
    file = tmp_path / "captured.txt"
    alerts = [
        {"alert": "Full", "expr": "queue:depth:max > 100", "for": "5m"},
        {"alert": "Deep", "expr": 'orders_queue_depth{status="PENDING"} > 1000'},
    ]
    text = {"queues.yaml": document(RECORD, *alerts)}
    file.write_text(rules.captured(text, recorded))
    assert "orders_failed_total" not in file.read_text()
    away = replace(recorded, url="http://127.0.0.1:1", data=file)
    found = rules.raised(text, away)
    assert {one.name for one in found.episodes} == {"Full", "Deep"}
    assert found.episodes == rules.raised(text, recorded).episodes


def test_a_stale_marker_ends_a_series_at_once(recorded: Recorded, tmp_path: Path) -> None:
    file = tmp_path / "captured.txt"
    samples = [f'depth{{queue="a"}} 200 {START // 1000 + second}' for second in range(0, 600, 15)]
    for stale, ends in ((True, 10), (False, 14.5)):
        marker = [f'depth{{queue="a"}} NaN {START // 1000 + 600}'] if stale else []
        file.write_text("\n".join([*samples, *marker, "# EOF", ""]))
        assert minutes(raised(replace(recorded, data=file))) == [("a", 0, ends)]


def test_the_cost_of_each_rule_is_told(recorded: Recorded) -> None:
    found = rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth > 100"})}, recorded)
    (cost,) = found.costs
    # The first query asks for one instant, the second for 32, the third for the rest.
    assert (cost.rule, cost.queries, cost.error) == ("Full", 3, "")
    assert 500 < cost.samples < 1000


def test_a_rule_that_cannot_be_replayed_does_not_stop_the_others(recorded: Recorded) -> None:
    broken = {"alert": "Twice", "expr": "depth > 100", "labels": {"queue": "same"}}
    found = rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth > 100"}, broken)}, recorded)
    assert found.errors == {"Twice": "vector contains metrics with the same labelset after applying alert labels"}
    assert {one.name for one in found.episodes} == {"Full"}


def test_a_result_that_is_too_large_is_refused(recorded: Recorded) -> None:
    small = replace(recorded, most_samples=100)
    found = rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth > 100"})}, small)
    assert found.errors == {"Full": "the expression returns more than 100 samples"}


def test_a_server_that_does_not_answer_is_the_error_of_each_rule(recorded: Recorded) -> None:
    away = replace(recorded, url="http://127.0.0.1:1")
    found = rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth > 100"})}, away)
    assert "connection refused" in found.errors["Full"]


def test_a_time_that_ends_before_it_begins_is_refused(recorded: Recorded) -> None:
    with pytest.raises(OpsError, match=r"-from is \d+, -until is \d+; allowed: from before until"):
        rules.raised({"queues.yaml": document({"alert": "Full", "expr": "1"})}, replace(recorded, start=UNTIL))


def test_a_file_with_a_wrong_rule_is_refused(recorded: Recorded) -> None:
    with pytest.raises(OpsError, match=r"Full.*parse error"):
        rules.raised({"queues.yaml": document({"alert": "Full", "expr": "depth >"})}, recorded)
