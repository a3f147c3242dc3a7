"""Faults in files: their checks, and the series that the program makes from them."""

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from alerting import loader
from simulator.__main__ import main
from simulator.engine.faults import Switchboard
from simulator.engine.signals import MetricKind
from simulator.engine.workload import Workload
from simulator.systems import api, job_queue, media_clustering, media_upload_faults, series_files, speccursor
from simulator.systems.series_files import SeriesError, load

GAUGE = "{metric: m, kind: gauge, value: 1}"
RATIO = "metric: r_total, kind: ratio, good: {s: good}, bad: {s: bad}, least: 1000, times: 2, window: 600, left: 0.001"


def written(folder: Path, text: str, name: str = "shop.yaml") -> Path:
    (folder / name).write_text(text)
    return folder


def one(series: str) -> str:
    return f"ShopDown:\n  text: t\n  series:\n    - {series}\n"


def exposed(workload: Workload) -> list[str]:
    workload.advance()
    return [line for line in generate_latest(workload.registry).decode().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "(whole file): must be an object"),
        ("{}", "(whole file): Dictionary should have at least 1 item after validation, not 0"),
        ("a: [", "not valid YAML: while parsing"),
        (one(GAUGE) + one(GAUGE), "key 'ShopDown' appears twice"),
        (one(GAUGE).replace("ShopDown", "shop-down"), "shop-down: String should match pattern"),
        ("ShopDown: 5", "ShopDown: must be an object; got 5"),
        ("ShopDown: {text: t}", "ShopDown.series: required, but missing"),
        ("ShopDown: {text: t, series: []}", "ShopDown.series: List should have at least 1 item"),
        ("ShopDown: {text: '', series: [" + GAUGE + "]}", "ShopDown.text: String should have at least 1 character"),
        (one("{metric: m, value: 1}"), "ShopDown.series[0]: kind: required, but missing; allowed: gauge, counter"),
        (
            one("{metric: m, kind: gage}"),
            "ShopDown.series[0]: kind: allowed: gauge, counter, ratio, histogram; got 'gage'",
        ),
        (one("{metric: m, kind: gauge}"), "ShopDown.series[0].value: required, but missing"),
        (one("{metric: m, kind: gauge, value: '1'}"), "ShopDown.series[0].value: must be a valid number; got '1'"),
        (one("{metric: m, kind: gauge, value: .nan}"), "ShopDown.series[0].value: must be a finite number; got nan"),
        (one("{metric: m, kind: gauge, value: 1, burst: 1}"), "ShopDown.series[0].burst: unknown field; got 1"),
        (one("{metric: m-m, kind: gauge, value: 1}"), "ShopDown.series[0].metric: String should match pattern"),
        (
            one("{metric: m, kind: gauge, value: 1, labels: {a: 1}}"),
            "series[0].labels.a: must be a valid string; got 1",
        ),
        (
            one("{metric: m, kind: gauge, value: 1, labels: {pod: a}}"),
            "labels.pod: 'pod' is set by the scrape; allowed",
        ),
        (one("{metric: m, kind: gauge, value: 1, labels: {__a: a}}"), "labels.__a: '__a' is Prometheus' own; allowed"),
        (one("{metric: m_total, kind: counter}"), "series[0]: nothing happens: per_second and burst are both 0"),
        (
            one("{metric: m_total, kind: counter, per_second: -1}"),
            "per_second: must be greater than or equal to 0; got",
        ),
        (one("{metric: m, kind: histogram, burst: 1}"), "series[0].median: required, but missing"),
        (one("{metric: m_bucket, kind: histogram, burst: 1, median: 1}"), "series[0].metric: _bucket is appended; "),
        (
            one("{metric: m, kind: histogram, burst: 1, median: 1, buckets: [2, 1]}"),
            "buckets: must be in ascending order",
        ),
        (
            one(f"{{{RATIO}, share: 1}}"),
            "ShopDown.series[0].share: must be less than 1; got 1",
        ),
        (
            one(GAUGE) + "    - {metric: m, kind: counter, burst: 1}\n",
            "series[1].kind: m differs from simulator/series/",
        ),
        (one(GAUGE) + "    - {metric: m_total, kind: counter, burst: 1}\n", "series[1].kind: m_total differs from"),
    ],
)
def test_a_problem_names_its_file_and_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SeriesError) as caught:
        load(written(tmp_path, text))
    (line,) = caught.value.problems
    assert line.startswith("simulator/series/shop.yaml: ")
    assert problem in line


def test_all_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    written(tmp_path, one("{metric: m, kind: gauge}"), "a.yaml")
    written(tmp_path, one(GAUGE), "b.yaml")
    written(tmp_path, one(GAUGE), "c.yaml")
    with pytest.raises(SeriesError) as caught:
        load(tmp_path)
    assert caught.value.problems == (
        "simulator/series/a.yaml: ShopDown.series[0].value: required, but missing",
        "simulator/series/c.yaml: ShopDown: already has a fault in simulator/series/b.yaml; "
        "allowed: one for each alert",
    )


def test_buckets_of_a_metric_are_the_same_everywhere(tmp_path: Path) -> None:
    metric = "{metric: m, kind: histogram, median: 1, burst: 1, buckets: [1, %d]}"
    written(tmp_path, one(metric % 2), "a.yaml")
    written(tmp_path, one(metric % 3).replace("ShopDown", "ShopSlow"), "b.yaml")
    with pytest.raises(SeriesError, match=r"b\.yaml: ShopSlow\.series\[0\]\.buckets: m differs from .*a\.yaml"):
        load(tmp_path)


def test_series_exist_only_while_their_fault_is_on_and_for_a_while_after(tmp_path: Path) -> None:
    text = one("{metric: bare, kind: gauge, value: 0.25, after: 0.5}")
    text += "    - {metric: bare_total, kind: counter, burst: 3}\n".replace("bare", "single")
    text += "    - {metric: two, labels: {a: x}, kind: gauge, value: 7}\n    - {metric: two, kind: gauge, value: 8}\n"
    series = load(written(tmp_path, text))
    now = 0.0
    workload = Workload(series.metrics, (), clock=lambda: now)
    switches = Switchboard(workload, series.faults, clock=lambda: now)

    assert exposed(workload) == []
    switches.switch_on("ShopDown", seconds=60)
    on = {'bare{simulated="true"} 0.25', 'single_total{simulated="true"} 3.0', 'two{a="x"} 7.0', 'two{a=""} 8.0'}
    assert set(exposed(workload)) == on
    switches.switch_off("ShopDown")
    assert {'bare{simulated="true"} 0.5', 'two{a="x"} 0.0'} <= set(exposed(workload))
    now = 2000.0
    assert exposed(workload) == []


def test_a_ratio_outweighs_earlier_faults_and_ends_with_enough_good_events(tmp_path: Path) -> None:
    series = load(written(tmp_path, one(f"{{{RATIO}, share: 0.1, per_second: 10}}")))
    now = 0.0
    workload = Workload(series.metrics, (), clock=lambda: now)
    switches = Switchboard(workload, series.faults, clock=lambda: now)

    def counts() -> list[float]:
        return [workload.registry.get_sample_value("r_total", {"s": kind}) or 0 for kind in ("good", "bad")]

    switches.switch_on("ShopDown")
    assert counts() == [900, 100]
    now = 10.0
    workload.advance()
    assert counts() == [990, 110]
    switches.switch_off("ShopDown")
    assert counts() == [109_890, 110]  # 0.1 %
    switches.switch_on("ShopDown")
    assert counts() == [109_890 + 198_000, 110 + 22_000]  # a tenth of twice as many
    switches.switch_off("ShopDown")
    now = 2000.0
    assert exposed(workload) == []


def test_a_counter_and_a_histogram_need_a_second_scrape(tmp_path: Path) -> None:
    written(tmp_path, one(GAUGE), "a.yaml")
    more = one("{metric: n, kind: counter, burst: 1}").replace("ShopDown", "ShopSlow")
    series = load(written(tmp_path, more, "b.yaml"))
    assert series.alerts == {"ShopDown", "ShopSlow"}
    assert series.second_scrape == {"ShopSlow"}
    assert {metric.name: metric.kind for metric in series.metrics} == {
        "m": MetricKind.GAUGE,
        "n": MetricKind.PLAIN_COUNTER,
    }


def test_the_files_of_this_checkout_name_existing_alerts_and_systems() -> None:
    rules = loader.load().rules()
    assert load().alerts <= set(rules)
    for file in series_files.FOLDER.iterdir():
        assert file.suffix == ".yaml", file
        for alert in load().alerts:
            if f"\n{alert}:" in "\n" + file.read_text():
                assert rules[alert].labels.system == file.stem, alert


def test_no_alert_has_two_faults() -> None:
    programs = (api, job_queue, media_upload_faults, speccursor, media_clustering)
    assert load().alerts & {fault.alert for program in programs for fault in program.FAULTS} == set()


def test_the_program_refuses_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, one("{metric: m, kind: gauge}"))
    monkeypatch.setattr(series_files.load, "__defaults__", (tmp_path,))
    monkeypatch.setenv("SIMULATOR_ROLE", "platform-faults")
    with pytest.raises(SystemExit, match=r"simulator/series/shop\.yaml: ShopDown\.series\[0\]\.value"):
        main()
