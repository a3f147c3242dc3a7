"""The official Kubernetes provider with a real engine and API server: objects in a temporary namespace."""

import json
import re
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import actions
from engine.workspace import Workspace
from local.errors import LocalError
from local.paths import KUBECONFIG
from local.toolchain import tool
from settings.versions import SIMULATOR_IMAGE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("collected"),
]

PROJECT = "name: life\nruntime: python\n"
PROGRAM = """
import json
import pulumi, pulumi_kubernetes as k8s
config = pulumi.Config()
want = json.loads(config.require("want"))
cluster = k8s.Provider("c", kubeconfig=config.require("kubeconfig"), cluster_identifier="e2e",
    enable_config_map_mutable=True, enable_secret_mutable=True)
opts = pulumi.ResourceOptions(provider=cluster)
level = {"pod-security.kubernetes.io/enforce": want.get("security", "privileged")}
space = k8s.core.v1.Namespace("space", metadata={"name": config.require("space"), "labels": level}, opts=opts)
def at(name): return {"name": name, "namespace": space.metadata.name}
k8s.core.v1.ConfigMap("named", metadata=at("named"), data={"a": want.get("data", "1")},
    opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=want.get("protect", False))))
auto = k8s.core.v1.ConfigMap("auto", metadata={"namespace": space.metadata.name}, data={"a": "1"}, opts=opts)
texts = want.get("secret", {"a": "hunter22", "b": "x"})
k8s.core.v1.Secret("secret", metadata=at("secret"), string_data=texts, opts=opts)
k8s.core.v1.Service("service", metadata=at("service"), opts=opts,
    spec={"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80}]})
k8s.apps.v1.StatefulSet("set", metadata=at("set"), opts=opts, spec={
    "replicas": 0, "serviceName": want.get("service", "one"), "selector": {"matchLabels": {"app": "x"}},
    "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{
        "name": "c", "image": "none.invalid/x:1", "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}}]}}})
app = {"app": want.get("app", "x")}
k8s.apps.v1.Deployment("workers", metadata=at("workers"), opts=opts, spec={
    "replicas": 0, "selector": {"matchLabels": app}, "template": {
        "metadata": {"labels": app}, "spec": {"containers": [{"name": "c", "image": "none.invalid/x:1"}]}}})
if "wrong" in want:
    k8s.core.v1.ConfigMap("wrong", metadata=at("Not A Name"), data={}, opts=opts)
if "broken" in want:
    k8s.apps.v1.Deployment("broken", metadata={**at("broken"), "annotations": {"pulumi.com/timeoutSeconds": "15"}},
        opts=opts, spec={"replicas": 1, "selector": {"matchLabels": {"app": "y"}}, "template": {
            "metadata": {"labels": {"app": "y"}},
            "spec": {"containers": [{"name": "c", "image": "none.invalid/x:1",
                "env": [{"name": "TOKEN", "value": pulumi.Output.secret("none.invalid")}]}]}}})
if "crashing" in want:
    k8s.apps.v1.Deployment("crashing", metadata={**at("crashing"), "annotations": {"pulumi.com/timeoutSeconds": "20"}},
        opts=opts, spec={"replicas": 1, "minReadySeconds": 10, "selector": {"matchLabels": {"app": "z"}}, "template": {
            "metadata": {"labels": {"app": "z"}},
            "spec": {"containers": [{"name": "c", "image": want["crashing"], "imagePullPolicy": "Never",
                "command": ["python3", "-c", "print('the database is not there'); exit(3)"]}]}}})
pulumi.export("uid", space.metadata.uid)
pulumi.export("auto", auto.metadata.name)
"""


class Life:
    """A stack with its own namespace."""

    def __init__(self, folder: Path) -> None:
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM)
        self.folder, self.space = folder, f"life-{uuid.uuid4().hex[:8]}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG.read_text())

    def stack(self, **want) -> Workspace:
        config = {"kubeconfig": str(self.kubeconfig), "space": self.space, "want": json.dumps(want)}
        keyed = {f"life:{key}": value for key, value in config.items()}
        return Workspace(stack="e2e", root=self.folder, state=self.folder / ".state", config=keyed)

    def preview(self, **want) -> actions.Summary:
        return actions.preview(self.stack(**want), report=quiet)

    def up(self, **want) -> actions.Summary:
        return actions.up(self.stack(**want), report=quiet)

    def refresh(self) -> actions.Summary:
        return actions.refresh(self.stack(), report=quiet)

    def kubectl(self, *arguments: str) -> str:
        command = [str(tool("kubectl")), f"--kubeconfig={KUBECONFIG}", f"--namespace={self.space}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def quiet(_line: str) -> None:
    return


@contextmanager
def created_and_destroyed(folder):
    found = Life(folder)
    yield found
    found.kubeconfig.write_text(KUBECONFIG.read_text())
    actions.destroy(found.stack(), report=quiet)
    assert found.space not in found.kubectl("get", "namespaces", "-o", "name")


@pytest.fixture
def life(tmp_path):
    with created_and_destroyed(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A stack that is up, for tests that leave it as it is."""
    with created_and_destroyed(tmp_path_factory.mktemp("shared")) as found:
        found.up()
        yield found


def test_no_copy_of_the_kubeconfig_is_left_behind(shared):
    before = set(Path(tempfile.gettempdir()).glob("kubeconfig*"))
    shared.preview()
    assert set(Path(tempfile.gettempdir()).glob("kubeconfig*")) <= before
    assert not list((shared.folder / ".state").rglob("kubeconfig*"))


def test_objects_are_created_updated_and_replaced(life):
    assert life.preview().changes == {"create": 9}
    assert life.space not in life.kubectl("get", "namespaces", "-o", "name")
    life.up()
    assert life.up().count == 0
    assert life.refresh().count == 0
    assert life.up().count == 0
    uid = life.kubectl("get", "configmap", "named", "-o", "jsonpath={.metadata.uid}")
    assert life.up(data="2").changes == {"update": 1}
    assert life.kubectl("get", "configmap", "named", "-o", "jsonpath={.data.a} {.metadata.uid}") == f"2 {uid}"
    assert life.up(data="2", app="y").changes == {"replace": 1}, "a changed selector must replace the Deployment"
    assert life.kubectl("get", "deployment", "workers", "-o", "jsonpath={.spec.selector.matchLabels.app}") == "y"
    assert life.up(data="2", app="y", secret={"a": "hunter22"}).changes == {"update": 1}
    assert json.loads(life.kubectl("get", "secret", "secret", "-o", "jsonpath={.data}")).keys() == {"a"}
    assert "hunter22" not in (life.folder / ".state/pulumi/.pulumi/stacks/life/e2e.json").read_text()


def test_changed_fields_of_the_program_and_missing_objects_are_drift_and_other_fields_are_not(life):
    life.up()
    life.kubectl("label", "configmap", "named", "theirs=1")
    assert life.refresh().count == 0
    life.kubectl("patch", "configmap", "named", "--type=merge", '-p={"data":{"a":"theirs"}}')
    life.kubectl("delete", "service", "service")
    assert {
        (one.id.rpartition("/")[2], one.deleted) for one in actions.drift(life.stack(), report=quiet).differences
    } == {
        ("named", False),
        ("service", True),
    }
    assert life.refresh().changes == {"update": 1, "delete": 1}
    with pytest.raises(LocalError, match=r"conflict with .*kubectl"):
        life.preview()


def test_preview_finds_what_the_api_server_would_refuse(shared):
    with pytest.raises(LocalError, match="Not A Name"):
        shared.preview(wrong=True)


def test_an_immutable_field_of_a_stateful_set_is_refused_by_the_preview(life):
    """A replacement would lose the volumes. docs/operations.md describes how to replace it deliberately."""
    life.up()
    for action in (life.preview, life.up):
        with pytest.raises(LocalError, match=r"StatefulSet: set: .* updates to statefulset spec .* are forbidden"):
            action(service="two")
    name = ("get", "statefulset", "set", "-o", "jsonpath={.spec.serviceName}")
    assert life.kubectl(*name) == "one"
    life.kubectl("delete", "statefulset", "set", "--cascade=orphan")
    assert life.refresh().changes == {"delete": 1}
    assert life.up(service="two").changes == {"create": 1}
    assert life.kubectl(*name) == "two"


def test_a_protected_object_is_not_deleted(shared):
    shared.up(protect=True)
    with pytest.raises(LocalError, match="protected"):
        actions.destroy(shared.stack(), report=quiet)
    assert shared.kubectl("get", "configmap", "named", "-o", "name")
    shared.up()


def test_an_unreachable_cluster_is_always_an_error(shared):
    text = shared.kubeconfig.read_text()
    closed = re.sub(r"server: .*", "server: https://127.0.0.1:1", text)  # nothing listens on port 1 (tcpmux)
    assert closed != text
    shared.kubeconfig.write_text(closed)
    for action in (actions.drift, actions.refresh, actions.destroy):
        with pytest.raises(LocalError, match=r"unreachable[\s\S]*127\.0\.0\.1:1") as caught:
            action(shared.stack(), report=quiet)
        assert str(caught.value).count("unreachable") == 1
    with pytest.raises(LocalError, match=r"unreachable[\s\S]*127\.0\.0\.1:1"):
        shared.up(data="2")
    shared.kubeconfig.write_text(text)
    assert shared.up().count == 0, "the state must still have every object"


def test_object_that_does_not_become_ready_is_explained_and_stays_in_the_state(life):
    with pytest.raises(LocalError, match=r"Deployment: broken: ") as caught:
        life.up(broken=True)
    assert re.search(
        r"^pod broken-\S+ \(Pending\): (ErrImagePull|ImagePullBackOff): container c: ", str(caught.value), re.M
    )
    assert "event: Failed: " in str(caught.value)
    assert "none.invalid" not in str(caught.value).split("\npod broken-")[1], "secrets of the state must be masked"
    with pytest.raises(LocalError, match="broken"):
        life.up(broken=True)  # the next run waits for it again
    assert life.up().changes == {"delete": 1}


def test_error_holds_the_last_log_lines_of_a_crashing_pod(life):
    with pytest.raises(LocalError) as caught:
        life.up(crashing=SIMULATOR_IMAGE)
    text = str(caught.value)
    assert "log: the database is not there" in text
    assert "last exit code 3" in text


def test_pods_that_pod_security_refuses_are_explained(life):
    with pytest.raises(LocalError, match=r"FailedCreate: pods .* is forbidden: violates PodSecurity"):
        life.up(broken=True, security="restricted")
