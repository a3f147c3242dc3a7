"""Several worker processes: sums are exact, whatever happens to their files, and a scrape grows with none of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from observability_fastapi.counting import folding
from observability_fastapi.counting.names import OTHER, Names
from observability_fastapi.failures import FAILURES, PARTS
from prometheus_client.mmap_dict import MmapedDict, mmap_key

PROGRAM = """
import json, os, shutil, sys
from pathlib import Path
from fastapi import FastAPI
from observability_fastapi import InstrumentationError
from prometheus_client import Counter, Gauge, Histogram, REGISTRY
from instrumentation.tests.service import Service
folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])

def shop(**options):
    app = FastAPI()
    app.add_api_route("/items/{item_id}", lambda item_id: item_id)
    return Service(app, registry=REGISTRY, **options)

def page(service):
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in service.ask("/metrics").text.splitlines() if not line.startswith("#")}

def total(service, name="request_count"):
    return sum(value for key, value in page(service).items() if key.split("{")[0] == name)
"""


def run(folder: Path, code: str) -> Any:
    """What the program prints as JSON."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_failures_of_all_processes_are_added_up_and_the_others_are_0(tmp_path: Path) -> None:
    fails = """
from observability_fastapi.failures import FAILURES, PARTS
service = shop()
FAILURES.note("trace")
print(json.dumps({key: value for key, value in page(service).items() if key.startswith("observability_errors_total")}))
"""
    first, second = run(tmp_path, fails), run(tmp_path, fails)
    trace = 'observability_errors_total{where="trace"}'
    assert (first.pop(trace), second.pop(trace)) == (1.0, 2.0)
    assert len(second) == len(PARTS) - 1
    assert {*first.values(), *second.values()} == {0.0}


def ended() -> Iterator[int]:
    """Ids of processes that have ended."""
    for _ in range(2):
        done = subprocess.Popen(["true"])
        done.wait()
        yield done.pid


def test_files_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "histogram_99999999.db").touch()
    (tmp_path / "counter_99999998.db").write_bytes(b"\xff" * 100)
    (tmp_path / "histogram_1.db").write_bytes(b"\x40\x00\x00\x00" + b"\xff" * 100)  # of a process that runs
    found = run(
        tmp_path,
        """
service = shop()
service.ask("/items/1")
print(json.dumps([service.ask("/metrics").status, total(service), total(service, "observability_errors_total") > 0]))
""",
    )
    assert found == [200, 1.0, True]


@pytest.mark.parametrize(
    "metric", ['Histogram("request_duration_seconds", "Mine.", ["path"])', 'Counter("request_count", "x")']
)
def test_a_metric_of_the_service_with_the_same_name_is_refused(tmp_path: Path, metric: str) -> None:
    found = run(
        tmp_path,
        f"""
{metric}
try:
    shop()
except InstrumentationError as error:
    print(json.dumps(str(error)))
""",
    )
    assert "the registry has other metrics of these names" in found


def test_all_processes_name_the_same_projects(tmp_path: Path) -> None:
    asks = """
service = shop(max_projects=5)
for number in range(10):
    service.ask("/items/1", headers={"X-Project-Id": f"p{os.getpid()}-{number}"})
found = [key.split('project_id="')[1].split('"')[0] for key in page(service) if key.startswith("request_count{")]
print(json.dumps(sorted(found)))
"""
    first, second, third = (run(tmp_path, asks) for _ in range(3))
    assert len(first) == 6
    assert first == second == third


def test_a_folder_that_is_removed_before_the_first_request_takes_no_answer_and_no_count(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
service = shop(in_flight=True)
shutil.rmtree(folder)
answers = [service.ask("/items/1") for _ in range(3)]
print(json.dumps([[one.status for one in answers], [str(one.error) for one in answers], total(service),
    service.ask("/metrics").status, total(service, "observability_errors_total") > 0]))
""",
    )
    assert found == [[200] * 3, ["None"] * 3, 3.0, 200, True]


def test_a_folder_that_is_removed_later_takes_no_count_either(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
service = shop(sizes=True)
for _ in range(3): service.ask("/items/1")
before = total(service), total(service, "response_size_bytes_sum")
shutil.rmtree(folder)
service.ask("/items/1"); service.ask("/nothing")
after = total(service), total(service, "request_duration_seconds_count")
print(json.dumps([before, *after, service.ask("/metrics").status]))
""",
    )
    assert found == [[3.0, 9.0], 5.0, 5.0, 200]


def test_a_forked_process_starts_at_nothing(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        """
service = shop()
for _ in range(3): service.ask("/items/1")
child = os.fork()
if not child:
    service.ask("/items/1")
    os._exit(0)
os.waitpid(child, 0)
shutil.rmtree(folder)
print(json.dumps(total(service)))
""",
    )
    assert found == 3.0, "what the child counted is gone with its file; what the parent counted is in its memory"


def histogram(folder: Path, process: object, count: float) -> None:
    file = MmapedDict(str(folder / f"histogram_{process}.db"))
    for name, labels, value in (("d_sum", {}, count / 2), ("d_bucket", {"le": "+Inf"}, count)):
        file.write_value(mmap_key("d", name, list(labels), list(labels.values()), "Help."), value, 0.0)
    file.close()


def gauge(folder: Path, mode: str, process: object, value: float, at: float = 0.0) -> None:
    file = MmapedDict(str(folder / f"gauge_{mode}_{process}.db"))
    file.write_value(mmap_key("g", "g", [], [], "Help."), value, at)
    file.close()


def values(folder: Path) -> dict[str, list[float]]:
    """Kind -> the values of its series, over all files."""
    with folding.files(folder) as files:
        found: dict[str, list[float]] = {}
        for file in files:
            kind = file.name.rpartition("_")[0]
            found.setdefault(kind, []).extend(
                value for _, value, _, _ in MmapedDict.read_all_values_from_file(str(file))
            )
        return found


def test_files_of_ended_processes_become_one(tmp_path: Path) -> None:
    first, second = ended()
    for process, count in ((first, 10), (second, 20), (os.getpid(), 4)):
        histogram(tmp_path, process, count)
        for mode in ("max", "min", "sum", "all", "livesum", "mostrecent"):
            gauge(tmp_path, mode, process, count, at=1000 - count)
    found = values(tmp_path)
    assert sorted(found["histogram"]) == [2, 4, 15, 30]
    assert sorted(found["gauge_max"]) == [4, 20]
    assert sorted(found["gauge_min"]) == [4, 10]
    assert sorted(found["gauge_sum"]) == [4, 30]
    assert sorted(found["gauge_mostrecent"]) == [4, 10]
    assert found["gauge_livesum"] == [4], "of running processes only"
    assert sorted(found["gauge_all"]) == [4, 10, 20], "a series per process"
    assert {one.name for one in tmp_path.glob("histogram*")} == {
        f"histogram_{os.getpid()}.db",
        "histogram_folded.db",
    }
    assert values(tmp_path) == found
    assert FAILURES.counts() == {}


@pytest.mark.parametrize("steps", range(8))
def test_a_process_that_is_killed_while_it_folds_loses_and_doubles_nothing(
    steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ended()
    histogram(tmp_path, first, 10)
    histogram(tmp_path, second, 20)
    histogram(tmp_path, "folded", 100)
    left = steps

    class Killed(BaseException):
        pass

    def until_killed(name: str) -> None:
        method = getattr(Path, name)

        def step(self: Path, *args: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return method(self, *args, **options)

        monkeypatch.setattr(Path, name, step)

    for name in ("rename", "unlink", "write_bytes"):
        until_killed(name)
    try:
        values(tmp_path)
    except Killed:
        monkeypatch.undo()
    assert sum(values(tmp_path)["histogram"]) == 130 * 1.5
    assert len(list(tmp_path.glob("histogram*"))) == 1


def test_a_new_process_with_the_id_of_an_ended_one_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (process, _) = ended()
    histogram(tmp_path, process, 10)
    alive = iter([False, True])
    monkeypatch.setattr(folding, "_is_alive", lambda _: next(alive, True))
    values(tmp_path)
    assert (tmp_path / f"histogram_{process}.db").exists()


def test_a_full_disk_ends_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ended()
    histogram(tmp_path, first, 10)
    histogram(tmp_path, second, 20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert sum(values(tmp_path)["histogram"]) == 30 * 1.5
    assert FAILURES.counts() == {"folding": 1}
    monkeypatch.undo()
    assert sum(values(tmp_path)["histogram"]) == 30 * 1.5


def test_names_of_a_folder_that_is_gone_are_still_limited(tmp_path: Path) -> None:
    names = Names(2, file=tmp_path / "gone" / "projects.names")
    assert [names.label(name) for name in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]
    assert FAILURES.counts() == {"names": 2}
