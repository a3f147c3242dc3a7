"""What is asked in an existing EKS cluster before the first resource, over real HTTP."""

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes import client

from components.eks.preflight import in_cluster
from settings import stack
from settings.eks import facts
from tests.eks.account import values_of
from tests.mock_engine import SECRETS, stack_config
from tools.http_server import Handler, serving

OBJECTS = {
    "CSIDriver ebs.csi.aws.com": "/apis/storage.k8s.io/v1/csidrivers/ebs.csi.aws.com",
    "agent": "/apis/apps/v1/namespaces/kube-system/daemonsets/eks-pod-identity-agent",
    "metrics-server": "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io",
    "cert-manager": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/certificates.cert-manager.io",
    "class": "/apis/networking.k8s.io/v1/ingressclasses/observability-alb",
    "enforcement": "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni",
    "parameters": "/apis/eks.amazonaws.com/v1/ingressclassparams/observability-alb",
}
USUAL = ("CSIDriver ebs.csi.aws.com", "agent", "metrics-server")
OURS = {"app.kubernetes.io/part-of": "observability"}


@functools.cache
def _staging() -> stack.Settings:
    return stack.parse(stack_config("staging") | SECRETS, list(SECRETS), ask_aws=facts.offline)


class Cluster:
    """An API server with these objects: name in OBJECTS -> labels."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, str]] = {name: {} for name in USUAL}
        self.url = ""

    def problems(self, **changes: str) -> list[str]:
        settings = replace(_staging(), values=values_of("staging", **changes))
        api = client.ApiClient(client.Configuration(host=self.url))
        return [problem for ask in in_cluster.questions(settings) if (problem := ask(api, 5.0))]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()

    class ApiServer(Handler):
        def respond(self) -> None:
            found = {OBJECTS[name]: labels for name, labels in made.objects.items()}
            if self.path not in found:
                assert self.path in OBJECTS.values(), self.path
                self.answer(404, b'{"kind": "Status"}')
                return
            body: dict[str, Any] = {"metadata": {"name": "x", "labels": found[self.path]}, "spec": {}}
            if "customresourcedefinitions" in self.path:
                names = {"kind": "C", "plural": "c"}
                version = {"name": "v1", "served": True, "storage": True}
                body["spec"] = {"group": "g", "names": names, "scope": "Namespaced", "versions": [version]}
            if "apiservices" in self.path:
                body["spec"] = {"groupPriorityMinimum": 1, "versionPriority": 1}
            if "daemonsets" in self.path:
                body["spec"] = {"selector": {}, "template": {}}
            self.answer(200, json.dumps(body).encode())

    with serving(ApiServer) as made.url:
        yield made


def test_a_cluster_with_the_usual_add_ons_is_accepted(cluster: Cluster) -> None:
    assert cluster.problems() == []


def test_what_is_missing_is_named_with_the_way_out(cluster: Cluster) -> None:
    cluster.objects = {}
    assert cluster.problems() == [
        'eksAddons.aws-ebs-csi-driver: "existing" is not allowed: there is no CSIDriver ebs.csi.aws.com; allowed: '
        "managed, which installs it, or storageClass, with a class that another driver serves",
        'eksAddons.eks-pod-identity-agent: "existing" is not allowed: there is no DaemonSet '
        "kube-system/eks-pod-identity-agent; allowed: managed, which installs it, because pods get their AWS identity "
        "from it",
    ]
    both = '{"aws-ebs-csi-driver": "managed", "eks-pod-identity-agent": "managed"}'
    assert cluster.problems(eksAddons=both) == []
    assert [line.split(":")[0] for line in cluster.problems(storageClass="fast")] == [
        "eksAddons.eks-pod-identity-agent"
    ]


@pytest.mark.parametrize("addon", ["aws-ebs-csi-driver", "eks-pod-identity-agent", "metrics-server", "cert-manager"])
def test_what_helm_installed_is_not_installed_a_second_time(cluster: Cluster, addon: str) -> None:
    cluster.objects["cert-manager"] = {}
    (line,) = cluster.problems(eksAddons=json.dumps({addon: "managed"}))
    assert line.startswith(f'eksAddons.{addon}: "managed" is not allowed: ')
    assert line.endswith("exists, and no EKS add-on installed it; allowed: existing, which uses it and changes nothing")


@pytest.mark.parametrize("kind", ["class", "parameters"])
def test_a_class_of_others_is_not_taken_over(cluster: Cluster, kind: str) -> None:
    cluster.objects = {kind: {}}
    (line,) = cluster.problems(eksAutoMode="true")
    assert line.startswith('ingressClass: "observability-alb" is not allowed: IngressClass')
    assert "this platform did not create it" in line
    cluster.objects = {kind: OURS}
    assert cluster.problems(eksAutoMode="true") == []


def test_a_new_cluster_whose_network_plugin_others_configured(cluster: Cluster) -> None:
    new = {
        "cluster": "create",
        "eksAutoMode": "true",
        "clusterApiCidrs": '["10.0.0.0/8"]',
        "clusterSubnetIds": '["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]',
        "clusterAdminRoleArns": '["arn:aws:iam::111122223333:role/deploy"]',
    }
    cluster.objects = {"enforcement": {}}
    assert cluster.problems(**new) == [
        'cluster: "create" is not allowed: ConfigMap kube-system/amazon-vpc-cni exists, and this platform did not '
        "create it; allowed: create once it is gone, which leaves network policies unenforced until the program has "
        "written it: kubectl -n kube-system delete configmap amazon-vpc-cni"
    ]
    for fitting in ({"enforcement": OURS}, {}):
        cluster.objects = fitting
        assert cluster.problems(**new) == []
    cluster.objects = {"enforcement": {}}
    assert cluster.problems(eksAutoMode="true") == [], "only read in a cluster of others"


def test_auto_mode_has_no_add_ons_to_find(cluster: Cluster) -> None:
    cluster.objects = {}
    assert cluster.problems(eksAutoMode="true") == []


def test_outside_eks_nothing_is_asked() -> None:
    settings = stack.parse(stack_config("local"), [])
    assert in_cluster.questions(settings) == []
