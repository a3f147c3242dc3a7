"""The embedded cluster refuses to start on an unsuitable machine. It changes nothing and says what to do instead."""

import os
import platform
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from engine.__main__ import preview
from local import cluster, debian, node_process
from local.errors import LocalError
from local.paths import STATE


def test_a_user_who_is_not_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LocalError, match=r"needs root .* KUBE_CONTEXT=name make up"):
        cluster.up()


def test_a_system_other_than_linux_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(LocalError, match=r"runs on Linux only; this is Darwin\. .*KUBE_CONTEXT=name make up"):
        cluster.up()


def test_a_nearly_full_disk_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    before = STATE.exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 << 30, 100 << 30, 200 << 20))
    with pytest.raises(LocalError, match=r"disk nearly full: .* has 0\.2 GiB free, \d+ GiB are needed"):
        cluster.up()
    assert STATE.exists() == before


def test_a_machine_without_apt_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(LocalError, match=r"has no apt-get; use your own cluster instead: KUBE_CONTEXT=name make up"):
        debian.root("node", ("bash",))


def test_down_keeps_the_state_of_other_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "STATE", tmp_path)
    monkeypatch.setattr(cluster, "OTHER_STACKS", tmp_path / "stacks")
    monkeypatch.setattr(cluster.node_process, "stop", lambda: None)
    for file in ("stacks/staging/state.json", "node/file", "kubeconfig"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    cluster.down()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["stacks/staging/state.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["stacks"]


def test_preview_starts_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBE_CONTEXT", raising=False)
    monkeypatch.setattr(node_process, "current", lambda: None)
    with pytest.raises(LocalError, match=r"no cluster to compare with; start one by `make up`, or set KUBE_CONTEXT"):
        preview()
