"""The embedded node's cgroup has more of a busy CPU than the programs beside it, on cgroup v1 and v2."""

from pathlib import Path

import pytest

from local import node_process


@pytest.mark.parametrize(
    ("controllers", "folder", "file", "share"),
    [([], "cpu/node", "cpu.shares", "8192"), (["cgroup.controllers"], "node", "cpu.weight", "800")],
)
def test_a_busy_machine_leaves_the_pods_their_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, controllers: list[str], folder: str, file: str, share: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    for name in (*controllers, f"{folder}/{file}"):  # the kernel makes the files of a cgroup
        (tmp_path / name).write_text("100")
    monkeypatch.setattr(node_process, "CGROUPS", tmp_path)
    node_process.make_cgroups("/node")
    assert (tmp_path / folder / file).read_text() == share
