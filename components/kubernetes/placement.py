"""Where pods run, what they reserve, from where their images come, and how they leave the cluster, for all workloads.

Every component has defaults of its own. A stack's settings change them here, so that no component needs to know them.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pulumi

from components.kubernetes import outbound, pull_secret
from components.kubernetes.labels import NAME
from components.kubernetes.outbound import Outbound
from settings import images, pod_settings
from settings.pod_settings import PodSettings

_NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_WORKLOADS = ("apps/v1:StatefulSet", "apps/v1:Deployment", "apps/v1:DaemonSet", "batch/v1:Job")


def placement(
    parts: Mapping[str, PodSettings],
    registries: Mapping[str, str],
    digests: Mapping[str, str],
    *,
    login: bool,
    out: Outbound,
) -> pulumi.ResourceTransformation:
    """A transformation for the options of components: it changes the pod template of each workload below them.

    For `registries` and `digests` see images.pulled. With `login`, nodes pull by the Secret that each Namespace then
    has. `out` also changes network policies.
    """
    pulled = partial(images.pulled, registries=registries, digests=digests)

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        props: dict[str, Any] = dict(args.props)
        if args.type_ == _NETWORK_POLICY and out.port:
            return pulumi.ResourceTransformationResult(
                {**props, "spec": outbound.network(props["spec"], out.port)}, args.opts
            )
        if args.type_.removeprefix("kubernetes:") not in _WORKLOADS:
            return None
        workload = dict(props["spec"])
        template = dict(workload["template"])
        chosen = pod_settings.of(template["metadata"]["labels"][NAME], parts)
        pod = _placed(template["spec"], chosen, replicated=workload.get("replicas", 1) > 1)
        pod["containers"] = [{**one, "image": pulled(one["image"])} for one in pod["containers"]]
        if chosen.cpu:
            # The first container is the app's own; what runs beside it stays small.
            pod["containers"][0] = _with_cpu(pod["containers"][0], chosen.cpu)
        pod = outbound.pod(pod, out)
        if login:
            pod["image_pull_secrets"] = [{"name": pull_secret.NAME}]
        props["spec"] = {**workload, "template": {**template, "spec": pod}}
        return pulumi.ResourceTransformationResult(props, args.opts)

    return transform


def _placed(pod: Mapping[str, Any], chosen: PodSettings, *, replicated: bool) -> dict[str, Any]:
    placed = dict(pod)
    if chosen.node_selector:
        placed["node_selector"] = chosen.node_selector
    if chosen.tolerations:
        placed["tolerations"] = [one.model_dump(exclude_none=True) for one in chosen.tolerations]
    if chosen.priority_class:
        placed["priority_class_name"] = chosen.priority_class
    if chosen.spread == "required" and replicated:
        # Nodes that no replica may use do not count: otherwise a cordoned node would keep a replica waiting.
        rule = {"when_unsatisfiable": "DoNotSchedule", "node_taints_policy": "Honor"}
        placed["topology_spread_constraints"] = [{**one, **rule} for one in pod["topology_spread_constraints"]]
    return placed


def _with_cpu(container: Mapping[str, Any], cpu: str) -> dict[str, Any]:
    resources = container["resources"]
    return {**container, "resources": {**resources, "requests": {**resources["requests"], "cpu": cpu}}}
