"""The rendered workspace, locks, and runs of the real engine with a program that needs no cluster."""

import json
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from engine import actions, state, workspace
from engine.workspace import Workspace
from local.errors import LocalError
from local.toolchain import tool

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.usefixtures("collected")]

PROJECT = """
name: small
runtime: {name: python, options: {toolchain: uv}}
config:
  size: {type: integer, default: 1}
"""
STACK = "config:\n  small:kubeconfig: .state/kubeconfig\n"
PROGRAM = """
import pulumi
config = pulumi.Config()
if config.get("mode") == "bad settings":
    raise pulumi.RunError("2 problems in the settings; nothing was changed.\\n  a: wrong\\n  b: wrong")
pulumi.export("size", config.get_int("size"))
pulumi.export("token", pulumi.Output.secret("hunter22"))
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small project outside the repository."""
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    root = tmp_path / "project"
    root.mkdir()
    for name, text in (("Pulumi.yaml", PROJECT), ("Pulumi.dev.yaml", STACK), ("__main__.py", PROGRAM)):
        (root / name).write_text(text)
    return root


def make(tree, **config) -> Workspace:
    keyed = {f"small:{key}": value for key, value in config.items()}
    return Workspace(stack="dev", root=tree, state=tree / ".state", config=keyed)


def tracked(tree) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in tree.iterdir() if path.is_file()}


def test_up_again_outputs_and_destroy_leave_the_tracked_files_alone(tree):
    before, small, lines = tracked(tree), make(tree, size="2"), []
    assert actions.up(small, report=lines.append).changes == {"create": 1}
    again = actions.up(small, expect_no_changes=True, report=lines.append)
    assert (again.count, again.unchanged) == (0, 1)
    assert actions.outputs(small) == {"size": 2, "token": "[secret]"}
    assert actions.outputs(small, show_secrets=True)["token"] == "hunter22"
    assert actions.refresh(small, expect_no_changes=True, report=lines.append).count == 0
    assert actions.destroy(small, report=lines.append).changes == {"delete": 1}
    assert tracked(tree) == before
    assert not any("hunter22" in line for line in lines)


def test_change_is_an_error_when_none_is_expected(tree):
    with pytest.raises(LocalError, match=r"no changes were expected, but there are 1:\ncreate urn:pulumi:dev::small"):
        actions.preview(make(tree), expect_no_changes=True, report=lambda _: None)


def test_problem_in_the_settings_is_one_clear_error(tree):
    with pytest.raises(LocalError) as caught:
        actions.up(make(tree, mode="bad settings"), report=lambda _: None)
    assert str(caught.value) == (
        "preview of stack dev failed.\n2 problems in the settings; nothing was changed.\n  a: wrong\n  b: wrong"
    )


def test_unreachable_cluster_fails_the_preview_of_the_platform_once(tmp_path):
    cluster = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
    }
    context = {"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump({**cluster, **context}))
    config = {"observability:kubeconfig": str(tmp_path / "kubeconfig"), "observability:grafana": "false"}
    with pytest.raises(LocalError, match=r"https://127\.0\.0\.1:1 .*Nothing was changed") as caught:
        actions.preview(Workspace(stack="local", config=config, state=tmp_path / "state"), report=lambda _: None)
    assert str(caught.value).count("127.0.0.1:1") == 1
    assert "Traceback" not in str(caught.value)


def test_secrets_in_the_state_are_encrypted_with_the_same_key_in_every_run(tree):
    small = make(tree)
    actions.up(small, report=lambda _: None)
    salt = yaml.safe_load(small.stack_file.read_text())["encryptionsalt"]
    actions.preview(small, report=lambda _: None)
    assert yaml.safe_load(small.stack_file.read_text())["encryptionsalt"] == salt
    state_files = [path for path in (tree / ".state").rglob("*") if path.is_file()]
    assert state_files
    assert [path.name for path in state_files if b"hunter22" in path.read_bytes()] == []


def test_a_run_after_one_on_a_full_disk_works(tree):
    """Every file that the run wrote is empty, as after a full disk, but for the last whole checkpoint."""
    small = make(tree)
    actions.up(small, report=lambda _: None)
    kept = small.backend / ".pulumi" / "stacks" / "small"
    for file in (tree / ".state").rglob("*"):
        if file.is_file() and not file.is_symlink() and file.parent != kept and "plugins" not in file.parts:
            file.write_bytes(b"")
    lock = small.backend / ".pulumi" / "locks" / "organization" / "small" / "dev"
    lock.mkdir(parents=True, exist_ok=True)
    for name in ("a.json", "b.json.123.tmp"):
        (lock / name).touch()
    (tree / ".state" / "passphrase").unlink()
    (kept / "dev.json").write_bytes(b"")
    (kept / "dev.json.bak").unlink(missing_ok=True)
    assert actions.preview(small, report=lambda _: None).count == 1
    assert list(lock.iterdir()) == []


def test_rendered_project_needs_no_language_host_and_names_the_plugins(tree, monkeypatch):
    monkeypatch.setattr(workspace, "official_plugin", lambda name: None)
    small = make(tree)
    built = tool("pulumi-resource-kubernetes").parent
    assert small.render() == {"kubernetes": built, "grafana": None, "aws": None}
    rendered = yaml.safe_load((small.folder / "Pulumi.yaml").read_text())
    assert rendered["runtime"] == {"name": "python"}
    folders = {plugin["name"]: Path(plugin["path"]) for plugin in rendered["plugins"]["providers"]}
    assert folders == {"kubernetes": built, **{name: workspace.PROVIDERS / name for name in ("grafana", "aws")}}
    assert all((folder / f"pulumi-resource-{name}").stat().st_mode & 0o100 for name, folder in folders.items())
    assert rendered["config"] == {}
    assert yaml.safe_load(small.stack_file.read_text())["config"]["small:size"] == "1"


def test_official_plugin_is_used_when_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    in_path = tmp_path / "path"
    in_path.mkdir()
    monkeypatch.setenv("PATH", str(in_path))
    for name, package in (
        ("kubernetes", "pulumi-kubernetes"),
        ("grafana", "pulumiverse-grafana"),
        ("aws", "pulumi-aws"),
    ):
        (in_path / f"pulumi-resource-{name}").touch(mode=0o755)
        assert workspace.official_plugin(name) is None, "the version of a plugin on PATH is unknown"
        folder = tmp_path / "plugins" / f"resource-{name}-v{workspace.version(package)}"
        folder.mkdir(parents=True)
        (folder / f"pulumi-resource-{name}").touch(mode=0o755)
        assert workspace.official_plugin(name) == folder


def test_an_installed_kubernetes_plugin_replaces_the_built_one(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "official_plugin", lambda name: tmp_path / name)
    assert make(tree).render()["kubernetes"] == tmp_path / "kubernetes"


def test_secrets_of_the_state_are_masked_in_texts(tree):
    small = make(tree)
    actions.up(small, report=lambda _: None)
    found = state.read(actions._stack(small, lambda _: None))
    assert found.secrets == {"hunter22"}
    assert found.resources[0]["outputs"]["token"] == "hunter22"
    assert found._masked("it says hunter22") == "it says [secret]"
    assert found.cluster() is None


def test_passphrase_file_is_private_and_only_created_when_the_user_has_no_passphrase(tree, monkeypatch):
    small = make(tree)
    variable = small.environment()["PULUMI_CONFIG_PASSPHRASE_FILE"]
    assert stat.S_IMODE(Path(variable).stat().st_mode) == 0o600
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "mine")
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in small.environment()


def test_only_this_user_may_enter_the_folders_of_the_state(tree):
    small = make(tree)
    small.render()
    small.environment()
    folders = (small.folder, small.backend, small.state / "pulumi-home")
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_encrypted_stack_file_requires_its_passphrase(tree):
    (tree / "Pulumi.dev.yaml").write_text(STACK + "encryptionsalt: v1:x\n")
    with pytest.raises(LocalError, match="PULUMI_CONFIG_PASSPHRASE"):
        make(tree).render()


def test_offline_stack_file_needs_no_passphrase_and_no_secret(tree):
    text = (
        "config:\n  small:token: {secure: v1:x}\n  small:size: 3\nencryptionsalt: v1:x\nsecretsprovider: awskms://x\n"
    )
    (tree / "Pulumi.dev.yaml").write_text(text)
    small = Workspace(stack="dev", root=tree, state=tree / ".state", offline=True)
    small.render()
    assert yaml.safe_load(small.stack_file.read_text()) == {
        "config": {"small:token": "aws-secret:offline", "small:size": "3", "observability:offlinePreview": "true"}
    }


def lock(small: Workspace, pid: int) -> None:
    folder = small.backend / ".pulumi" / "locks" / "organization" / "small" / "dev"
    folder.mkdir(parents=True)
    holder = {"pid": pid, "username": "me", "hostname": socket.gethostname(), "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "lock.json").write_text(json.dumps(holder))


def test_lock_of_a_killed_run_is_released(tree):
    small, lines = make(tree), []
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock(small, gone.pid)
    assert actions.up(small, report=lines.append).count == 1
    assert "the last run was killed; its lock is released" in lines


def test_lock_of_a_living_run_is_respected(tree, tmp_path):
    program = tmp_path / "pulumi"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    alive = subprocess.Popen([program, "60"])
    while "pulumi" not in Path(f"/proc/{alive.pid}/comm").read_text():
        time.sleep(0.01)  # the process gets its new name a moment after it has started
    try:
        small = make(tree)
        lock(small, alive.pid)
        with pytest.raises(LocalError, match=f"in use by process {alive.pid}"):
            actions.up(small, report=lambda _: None)
    finally:
        alive.kill()
        alive.wait()


def test_kube_context_replaces_only_the_embedded_cluster(tree, monkeypatch):
    monkeypatch.setenv("KUBE_CONTEXT", "other")
    (tree / "Pulumi.dev.yaml").write_text("config:\n  observability:kubeconfig: .state/kubeconfig\n")
    monkeypatch.delenv("SIMULATOR_IMAGE", raising=False)
    cluster = {
        "observability:clusterName": "other",
        "observability:kubeconfig": "",
        "observability:kubeContext": "other",
    }
    no_simulator = {"observability:simulator": "false", "observability:simulatorImage": ""}
    assert workspace.machine_config("dev", tree) == {**cluster, **no_simulator}
    monkeypatch.setenv("SIMULATOR_IMAGE", "registry.example.com/simulator:1")
    image = {"observability:simulator": "true", "observability:simulatorImage": "registry.example.com/simulator:1"}
    assert workspace.machine_config("dev", tree) == {**cluster, **image}
    state = workspace.state_folder("dev", tree)
    monkeypatch.setenv("KUBE_CONTEXT", "another")
    assert len({state, workspace.state_folder("dev", tree), workspace.STATE}) == 3, (
        "each cluster has a state of its own"
    )
    (tree / "Pulumi.dev.yaml").write_text("config:\n  observability:kubeconfig: /etc/their/kubeconfig\n")
    assert workspace.machine_config("dev", tree) == {}
