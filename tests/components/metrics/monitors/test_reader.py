"""The reader reads monitors, writes jobs and logs what it skips, whatever the API server answers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.metrics.monitors import api_server
from components.metrics.monitors.api_server import ApiServer
from components.metrics.monitors.reader import Reader
from tests.components.metrics.monitors.api import PODS, SERVICES, Cluster, monitor


@pytest.fixture
def reader(cluster: Cluster, folder: Path) -> Reader:
    return Reader(ApiServer(cluster.url, folder, 2), folder / "common.json", folder / "monitors.json")


def names(folder: Path) -> list[str]:
    document = json.loads((folder / "monitors.json").read_text())
    return [job["job_name"] for job in document["scrape_configs"]]


def written(folder: Path) -> tuple[int, int]:
    """Changes whenever the file is written."""
    found = (folder / "monitors.json").stat()
    return found.st_ino, found.st_mtime_ns


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Gives the lines since the last call."""
    return lambda: [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_all_pages_of_both_kinds_are_read(cluster: Cluster, reader: Reader, folder: Path) -> None:
    # One namespace has no share for so many.
    cluster.monitors[SERVICES] = [monitor("m", f"n{number}") for number in range(2 * api_server.PAGE + 1)]
    cluster.monitors[PODS] = [monitor("pods")]
    assert reader.once()
    assert names(folder) == [
        *(f"serviceMonitor/n{number}/m/0" for number in range(2 * api_server.PAGE + 1)),
        "podMonitor/shop/pods/0",
    ]


def test_a_cluster_without_the_kinds_has_none_until_it_has(cluster: Cluster, reader: Reader, folder: Path) -> None:
    cluster.monitors = {SERVICES: None, PODS: None}
    assert reader.once()
    assert names(folder) == []
    cluster.monitors = {SERVICES: None, PODS: [monitor("pods")]}
    assert reader.once()
    assert names(folder) == ["podMonitor/shop/pods/0"]
    cluster.monitors = {SERVICES: None, PODS: None}
    assert reader.once()
    assert names(folder) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500, "body": b"the database is slow"},
        {"status": 403, "body": b'{"kind": "Status"}'},
        {"status": 302},
        {"body": b""},
        {"body": b"{}"},
        {"body": b"[]"},
        {"body": b'{"items": {}}'},
        {"body": b"[" * 100_000},
        {"body": b"{" * 3 * 2**20},
        {"wait": 0.5},
    ],
)
def test_the_last_jobs_stay_while_the_api_server_does_not_answer(
    cluster: Cluster, reader: Reader, folder: Path, said: Callable[[], Any], broken: dict[str, Any]
) -> None:
    cluster.monitors[SERVICES] = [monitor("a")]
    assert reader.once()
    before = written(folder)
    said()
    cluster.__dict__.update(broken)
    assert not reader.once()
    assert not reader.once()
    (line,) = said()
    assert (line["level"], line["message"]) == ("error", "monitors cannot be read, the last ones stay")
    assert written(folder) == before
    cluster.__dict__.update({"status": 200, "body": None, "wait": 0.0})
    assert reader.once()
    assert [line["message"] for line in said()] == ["monitors can be read again"]


def test_nothing_is_written_without_an_answer_or_a_change(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    silent = Reader(ApiServer("http://127.0.0.1:9", folder), folder / "common.json", folder / "monitors.json")
    assert not silent.once()
    assert not (folder / "monitors.json").exists()
    cluster.monitors[SERVICES] = [monitor("a")]
    # A restarted reader finds the file of the one before.
    for _ in range(2):
        reader = Reader(ApiServer(cluster.url, folder), folder / "common.json", folder / "monitors.json")
        assert reader.once()
        before = written(folder)
        assert reader.once()
        assert written(folder) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["common.json", "monitors.json", "token"]


def test_a_renewed_token_and_common_part_count_at_once(cluster: Cluster, reader: Reader, folder: Path) -> None:
    cluster.monitors[SERVICES] = [monitor("a")]
    assert reader.once()
    (folder / "token").write_text("second")
    common = json.loads((folder / "common.json").read_text())
    (folder / "common.json").write_text(json.dumps({**common, "interval": 60_000}))
    assert reader.once()
    assert (cluster.tokens[0], cluster.tokens[-1]) == ("Bearer first", "Bearer second")
    assert '"scrape_interval": "60000ms"' in (folder / "monitors.json").read_text()


def test_a_skipped_monitor_is_told_once_and_the_others_go_on(
    cluster: Cluster, reader: Reader, folder: Path, said: Callable[[], Any]
) -> None:
    cluster.monitors[SERVICES] = [monitor("bad", port="a b"), monitor("good")]
    assert reader.once()
    assert names(folder) == ["serviceMonitor/shop/good/0"]
    assert said() == [
        {
            "level": "warning",
            "message": "monitor is skipped",
            "kind": "ServiceMonitor",
            "namespace": "shop",
            "name": "bad",
            "endpoint": 0,
            "reason": "endpoints[0].port: a b is not allowed; allowed: the name of a port",
        },
        {"level": "info", "message": "monitors are read", "monitors": 2, "skipped": 1, "jobs": 1},
    ]
    assert reader.once()
    assert said() == []
    cluster.monitors[SERVICES] = [monitor("bad", port="c d"), monitor("good")]
    assert reader.once()
    assert [line["message"] for line in said()] == ["monitor is skipped"]
    cluster.monitors[SERVICES] = [monitor("bad"), monitor("good")]
    assert reader.once()
    assert [line["message"] for line in said()] == ["monitor is not skipped any more", "monitors are read"]


@pytest.mark.parametrize(
    "item",
    [
        *(
            None,
            [],
            "a",
            {},
            {"metadata": None},
            {"metadata": {"name": "a"}},
            {"metadata": {"namespace": 1, "name": 2}},
        ),
        {"metadata": {"namespace": "shop", "name": "../a"}},
        {"metadata": {"namespace": "shop", "name": "a"}, "spec": []},
        {"metadata": {"namespace": "shop", "name": "a"}, "spec": {"endpoints": [None, 1]}},
        {
            "metadata": {"namespace": "shop", "name": "a"},
            "spec": {"invented": json.loads("[" * 700 + "{}" + "]" * 700)},
        },
    ],
)
def test_nothing_that_is_no_monitor_harms_the_others(
    cluster: Cluster, reader: Reader, folder: Path, said: Callable[[], Any], item: Any
) -> None:
    cluster.monitors[SERVICES] = [item, monitor("good"), monitor("good")]
    assert reader.once()
    assert names(folder) == ["serviceMonitor/shop/good/0"]
    assert [line["level"] for line in said()] == ["warning", "info"]


def test_the_log_is_bounded(cluster: Cluster, reader: Reader, said: Callable[[], Any]) -> None:
    cluster.monitors[SERVICES] = [monitor(f"m{number}", port="\x1b[2J" * 5000) for number in range(150)]
    assert reader.once()
    lines = said()
    assert (len(lines), lines[-2]["count"]) == (102, 50)
    assert all(len(json.dumps(line)) < 500 for line in lines)
    assert all(line.get("reason", "").isprintable() for line in lines)


def test_a_page_that_is_too_large_is_asked_for_in_parts(cluster: Cluster, reader: Reader, folder: Path) -> None:
    large = {"annotations": {"a": "x" * 2**20}}
    cluster.monitors[PODS] = [
        {**one, "metadata": {**one["metadata"], **large}} for one in (monitor(f"m{number}") for number in range(5))
    ]
    assert reader.once()
    assert len(names(folder)) == 5
    assert min(cluster.limits) == 1
