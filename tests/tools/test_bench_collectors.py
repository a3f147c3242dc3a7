"""The measurement of the Collectors, with little load: nothing is lost, and every figure is there."""

import re

import pytest

from tools import bench_collectors


def test_spans_and_lines_pass_and_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_collectors.main(["--spans", "1000", "--lines", "1000"]) == 0
    shown = capsys.readouterr().out
    assert "spans: 1000 sent, 1000 arrived" in shown
    assert "lines: 1000 written, 1000 stored" in shown
    assert len(re.findall(r"[1-9][\d,]* per second and core", shown)) == 5, "spans, and lines by each program and all"
