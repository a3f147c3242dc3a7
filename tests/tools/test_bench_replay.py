"""The data of the replay's bench: a stretch of real series, again and again."""

from ops.replay.episodes import SECOND
from tools.bench_replay import picked, repeated

STEP = 30
UP = {0: 1.0, 30 * SECOND: 0.0, 60 * SECOND: 1.0}
JOBS = {0: 5.0, 30 * SECOND: 6.0, 60 * SECOND: 9.0, 90 * SECOND: 9.0}


def test_counters_go_on_and_gauges_repeat() -> None:
    series = {"up{}": UP, "jobs_total{}": JOBS}
    lines = list(repeated(series, since=1000 * SECOND, until=1000 * SECOND + 6 * STEP * SECOND))
    values = [[line.split()[1] for line in lines if line.startswith(name)] for name in series]
    assert values == [["1", "0", "1", "1", "0", "1", "1"], ["5", "6", "9", "9", "10", "13", "13"]]
    assert [line.split()[2] for line in lines[:3]] == ["1000", "1030", "1060"]
    assert lines[-1] == "# EOF\n"


def test_of_each_metric_the_fullest_series_are_taken() -> None:
    series = {'up{a="1"}': {0: 1.0}, 'up{a="2"}': UP, 'up{a="3"}': UP, "jobs_total{}": JOBS}
    assert picked(series, 2).keys() == {'up{a="2"}', 'up{a="3"}', "jobs_total{}"}
