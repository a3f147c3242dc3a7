"""The stand-in provider against a real API server, by the real engine: the life of objects in a throwaway namespace."""

import json
import subprocess
import uuid
from pathlib import Path

import pytest

from components.versions import SIMULATOR_IMAGE
from local import engine
from local.errors import LocalError
from local.paths import KUBECONFIG
from local.toolchain import tool
from local.workspace import Workspace

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]

CLUSTER = str(KUBECONFIG)
PROJECT = "name: life\nruntime: python\n"
PROGRAM = """
import json
import pulumi, pulumi_kubernetes as k8s
config = pulumi.Config()
want = json.loads(config.require("want"))
cluster = k8s.Provider("c", kubeconfig=config.require("kubeconfig"), cluster_identifier="e2e",
    enable_config_map_mutable=True, enable_secret_mutable=True)
there = pulumi.ResourceOptions(provider=cluster)
space = k8s.core.v1.Namespace("space", metadata={"name": config.require("space")}, opts=there)
def at(name): return {"name": name, "namespace": space.metadata.name}
k8s.core.v1.ConfigMap("named", metadata=at("named"), data={"a": want.get("data", "1")}, opts=there)
auto = k8s.core.v1.ConfigMap("auto", metadata={"namespace": space.metadata.name}, data={"a": "1"}, opts=there)
texts = want.get("secret", {"a": "hunter22", "b": "x"})
k8s.core.v1.Secret("secret", metadata=at("secret"), string_data=texts, opts=there)
k8s.core.v1.Service("service", metadata=at("service"), opts=there,
    spec={"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80}]})
k8s.apps.v1.StatefulSet("set", metadata=at("set"), opts=there, spec={
    "replicas": 0, "serviceName": want.get("service", "one"), "selector": {"matchLabels": {"app": "x"}},
    "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{
        "name": "c", "image": "none.invalid/x:1", "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}]}}})
if "wrong" in want:
    k8s.core.v1.ConfigMap("wrong", metadata=at("Not A Name"), data={}, opts=there)
if "taken" in want:
    k8s.core.v1.ServiceAccount("taken", metadata=at("default"), opts=there)
if "broken" in want:
    k8s.apps.v1.Deployment("broken", metadata={**at("broken"), "annotations": {"pulumi.com/timeoutSeconds": "15"}},
        opts=there, spec={"replicas": 1, "selector": {"matchLabels": {"app": "y"}}, "template": {
            "metadata": {"labels": {"app": "y"}},
            "spec": {"containers": [{"name": "c", "image": "none.invalid/x:1"}]}}})
if "crashing" in want:
    k8s.apps.v1.Deployment("crashing", metadata={**at("crashing"), "annotations": {"pulumi.com/timeoutSeconds": "20"}},
        opts=there, spec={"replicas": 1, "minReadySeconds": 10, "selector": {"matchLabels": {"app": "z"}}, "template": {
            "metadata": {"labels": {"app": "z"}},
            "spec": {"containers": [{"name": "c", "image": want["crashing"], "imagePullPolicy": "Never",
                "command": ["python3", "-c", "print('the database is not there'); exit(3)"]}]}}})
pulumi.export("uid", space.metadata.uid)
pulumi.export("auto", auto.metadata.name)
"""


class Life:
    """One stack of its own namespace."""

    def __init__(self, folder: Path) -> None:
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM)
        self.folder, self.space = folder, f"life-{uuid.uuid4().hex[:8]}"

    def stack(self, **want) -> Workspace:
        config = {"kubeconfig": CLUSTER, "space": self.space, "want": json.dumps(want)}
        keyed = {f"life:{key}": value for key, value in config.items()}
        return Workspace(stack="e2e", root=self.folder, state=self.folder / ".state", config=keyed)

    def preview(self, **want) -> engine.Summary:
        return engine.preview(self.stack(**want), report=lambda _: None)

    def up(self, **want) -> engine.Summary:
        return engine.up(self.stack(**want), report=lambda _: None)

    def refresh(self) -> engine.Summary:
        return engine.refresh(self.stack(), report=lambda _: None)

    def kubectl(self, *arguments: str) -> str:
        command = [str(tool("kubectl")), f"--kubeconfig={CLUSTER}", f"--namespace={self.space}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def life(tmp_path):
    found = Life(tmp_path)
    yield found
    engine.destroy(found.stack(), report=lambda _: None)
    assert found.space not in found.kubectl("get", "namespaces", "-o", "name")


def test_life_of_objects(life):
    assert life.preview().changes == {"create": 8}
    assert life.space not in life.kubectl("get", "namespaces", "-o", "name")
    life.up()
    assert life.up().count == 0
    assert life.refresh().count == 0
    assert life.up().count == 0
    uid = life.kubectl("get", "configmap", "named", "-o", "jsonpath={.metadata.uid}")
    assert life.up(data="2").changes == {"update": 1}
    assert life.kubectl("get", "configmap", "named", "-o", "jsonpath={.data.a} {.metadata.uid}") == f"2 {uid}"
    assert life.up(data="2", service="two").changes == {"replace": 1}
    assert life.kubectl("get", "statefulset", "set", "-o", "jsonpath={.spec.serviceName}") == "two"
    assert life.up(data="2", service="two", secret={"a": "hunter22"}).changes == {"update": 1}
    assert json.loads(life.kubectl("get", "secret", "secret", "-o", "jsonpath={.data}")).keys() == {"a"}
    state = (life.folder / ".state/pulumi/.pulumi/stacks/life/e2e.json").read_text()
    assert "hunter22" not in state


def test_foreign_fields_are_no_drift_but_ours_and_lost_objects_are(life):
    life.up()
    life.kubectl("label", "configmap", "named", "theirs=1")
    assert life.refresh().count == 0
    life.kubectl("patch", "configmap", "named", "--type=merge", '-p={"data":{"a":"theirs"}}')
    life.kubectl("delete", "service", "service")
    assert life.refresh().changes == {"update": 1, "delete": 1}
    with pytest.raises(LocalError, match=r"conflict with .*kubectl.*patchForce"):
        life.preview()


def test_preview_finds_what_the_api_server_would_refuse(life):
    with pytest.raises(LocalError, match="Not A Name"):
        life.preview(wrong=True)
    life.up()
    with pytest.raises(LocalError, match=r"ServiceAccount .*/default already exists and does not belong to this stack"):
        life.preview(taken=True)


def test_object_that_does_not_become_ready_is_explained_and_kept(life):
    with pytest.raises(LocalError, match=r"Deployment .*/broken: (not ready after 15 s|pod broken)") as caught:
        life.up(broken=True)
    assert "pod broken-" in str(caught.value)
    with pytest.raises(LocalError, match="broken"):
        life.up(broken=True)  # still awaited, not taken for done
    assert life.up().changes == {"delete": 1}


def test_error_holds_the_last_log_lines_of_a_crashing_pod(life):
    with pytest.raises(LocalError) as caught:
        life.up(crashing=SIMULATOR_IMAGE)
    text = str(caught.value)
    assert "log: the database is not there" in text
    assert "last exit code 3" in text
