"""The folders of the embedded cluster's volumes: users of this machine may not enter them."""

import json
import stat
from pathlib import Path

import pytest

from local import cluster


def test_only_root_may_enter_the_volumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = {"get": json.dumps({"items": []}), "apply": ""}
    monkeypatch.setattr(cluster, "NODE_ROOT", tmp_path)
    monkeypatch.setattr(cluster, "_kubectl", lambda verb, *_, **__: answers[verb])
    cluster._storage()
    volumes = tmp_path / "var/lib/volumes"
    assert stat.S_IMODE(volumes.stat().st_mode) == 0o700
    assert len([*volumes.iterdir()]) == cluster._VOLUMES
