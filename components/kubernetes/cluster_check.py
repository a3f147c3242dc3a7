"""Checks the cluster before the first resource is created.

Pulumi's Kubernetes provider shows a successful preview even if it cannot reach the cluster. This check fails instead.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple, cast

import pulumi
import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from components.eks.network import network_enforcement
from components.kubernetes.labels import PART_OF, PLATFORM
from settings import versions

TIMEOUT = 10.0
"""Seconds until a request to the API server times out."""
_LOAD_BALANCER_CONTROLLER = "ingress.k8s.aws/alb"


class IngressClass(NamedTuple):
    """An ingress class that the cluster must have."""

    name: str
    is_alb: bool
    """Whether it must be one of the AWS Load Balancer Controller."""


Question = Callable[[client.ApiClient, float], str | None]
"""Asks the API server, with a timeout in seconds. Returns the problem as one line that starts with a key, or None.

It may raise ApiException and the exceptions of urllib3."""


class ClusterError(pulumi.RunError):
    """The cluster cannot be reached, has an unsupported version, or lacks a prerequisite."""


def require_cluster(
    kubeconfig: str | None,
    context: str | None,
    ingress_class: IngressClass | None = None,
    namespaces: Sequence[str] = (),
    questions: Sequence[Question] = (),
    doubts: Mapping[str, Question] | None = None,
) -> str:
    """Checks the cluster and returns its version, such as `v1.34.4`. `kubeconfig` is a path, or a kubeconfig as JSON.

    `ingress_class` must exist, if it is given. `namespaces` are those that the program creates: any that exist must
    belong to the platform. `questions` find further problems, which are reported together. Warns of what `doubts`
    find, or with the key of one that may not ask, and if network policies may not be enforced. Raises ClusterError,
    which names server, context and kubeconfig.
    """
    text = kubeconfig if kubeconfig and kubeconfig.startswith("{") else None
    file = "of the EKS cluster" if text else kubeconfig or "(KUBECONFIG or ~/.kube/config)"
    where = f"context {context or '(current)'} of kubeconfig {file}"
    try:
        # The client does not write to the file: a refreshed token stays in memory.
        if text:
            api = config.new_client_from_config_dict(json.loads(text), context, persist_config=False)
        else:
            api = config.new_client_from_config(kubeconfig, context, persist_config=False)
    except (ConfigException, OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ClusterError(f"No cluster: {where} cannot be used: {_line(error)}. Nothing was changed.") from error
    server = f"{cast(str, api.configuration.host)} ({where})"
    api.configuration.retries = False
    try:
        version = client.VersionApi(client.ApiClient(api.configuration)).get_code(_request_timeout=TIMEOUT)
    except (client.ApiException, HTTPError, OSError) as error:
        raise ClusterError(f"{server} does not report its version: {_line(error)}. Nothing was changed.") from error
    release = version.git_version
    if not supported(version.major, version.minor):
        low, below = (".".join(map(str, bound)) for bound in (versions.KUBERNETES_MIN, versions.KUBERNETES_BELOW))
        raise ClusterError(
            f"{server} runs Kubernetes {release}; allowed: {low} <= version < {below}. Nothing was changed."
        )
    _require_login(api, server)
    if ingress_class:
        _require_ingress_class(api, server, ingress_class)
    for namespace in namespaces:
        _require_own_namespace(api, server, namespace)
    _require_no_problem(api, server, questions)
    _warn(api, server, doubts or {})
    _warn_of_open_network(api, server)
    return release


def _require_login(api: client.ApiClient, where: str) -> None:
    """Raises ClusterError unless the server accepts the login. It reports its version even to anonymous clients."""
    review = client.V1SelfSubjectReview()
    try:
        client.AuthenticationV1Api(api).create_self_subject_review(review, _request_timeout=TIMEOUT)
    except (client.ApiException, HTTPError, OSError) as error:
        raise ClusterError(f"{where} does not accept our login: {_line(error)}. Nothing was changed.") from error


def _require_ingress_class(api: client.ApiClient, where: str, wanted: IngressClass) -> None:
    """Raises ClusterError unless the class exists. Without it, an Ingress would wait ten minutes for its address."""
    try:
        classes = client.NetworkingV1Api(api).list_ingress_class(_request_timeout=TIMEOUT).items
    except (client.ApiException, HTTPError, OSError) as error:
        raise ClusterError(
            f"{where} does not list its ingress classes: {_line(error)}. Nothing was changed."
        ) from error
    controllers = {item.metadata.name: item.spec.controller for item in classes if item.metadata and item.spec}
    found = controllers.get(wanted.name)
    if found is None or (wanted.is_alb and found != _LOAD_BALANCER_CONTROLLER):
        of = f" of the AWS Load Balancer Controller ({_LOAD_BALANCER_CONTROLLER})" if wanted.is_alb else ""
        existing = ", ".join(f"{other} ({controller})" for other, controller in sorted(controllers.items())) or "none"
        raise ClusterError(
            f"{where} has no ingress class {json.dumps(wanted.name)} (observability:ingressClass){of}; there are: "
            f"{existing}. Nothing was changed."
        )


def _require_own_namespace(api: client.ApiClient, where: str, name: str) -> None:
    """Raises ClusterError if the namespace exists and does not belong to the platform.

    The provider would silently adopt the namespace, block all traffic of its pods, and delete it with the stack.
    """
    try:
        namespace = client.CoreV1Api(api).read_namespace(name, _request_timeout=TIMEOUT)
    except (client.ApiException, HTTPError, OSError) as error:
        if isinstance(error, client.ApiException) and error.status == HTTPStatus.NOT_FOUND:
            return
        problem = f"{where} does not return its namespace {name}: {_line(error)}. Nothing was changed."
        raise ClusterError(problem) from error
    labels = (namespace.metadata.labels if namespace.metadata else None) or {}
    if labels.get(PART_OF) != PLATFORM:
        raise ClusterError(
            f"{where} has a namespace {json.dumps(name)} that this platform did not create. Allowed: another name "
            f"(observability:namespace; for a simulated system, observability:simulator false), or this namespace with "
            f"everything in it, once it has the label {PART_OF}={PLATFORM}. Nothing was changed."
        )


def _require_no_problem(api: client.ApiClient, where: str, questions: Sequence[Question]) -> None:
    try:
        problems = [problem for question in questions if (problem := question(api, TIMEOUT))]
    except (client.ApiException, HTTPError, OSError) as error:
        raise ClusterError(f"{where} does not say what it contains: {_line(error)}. Nothing was changed.") from error
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ClusterError(f"{where} does not fit the settings. Nothing was changed.{lines}")


def _warn(api: client.ApiClient, where: str, doubts: Mapping[str, Question]) -> None:
    """Warns of each doubt. A login that may not ask is warned with the key: what is not checked."""
    for unchecked, ask in doubts.items():
        try:
            found = ask(api, TIMEOUT)
        except (client.ApiException, HTTPError, OSError) as error:
            found = f"{unchecked}: {_line(error)}"
        if found:
            pulumi.log.warn(f"{where}: {found}")


def _warn_of_open_network(api: client.ApiClient, where: str) -> None:
    """Warns instead of failing, because a plugin other than Amazon's may enforce network policies."""
    try:
        doubt = network_enforcement.doubt(api, timeout=TIMEOUT)
    except (client.ApiException, HTTPError, OSError) as error:
        doubt = f"it does not report its network plugin: {_line(error)}"
    if doubt:
        pulumi.log.warn(f"{where} may not enforce network policies, so that every pod reaches every other: {doubt}")


def supported(major: str, minor: str) -> bool:
    """Whether the program supports this version. EKS writes its minor as `33+`."""
    numbers = tuple(int(match[0]) if (match := re.match(r"\d+", part)) else -1 for part in (major, minor))
    return versions.KUBERNETES_MIN <= numbers < versions.KUBERNETES_BELOW


def _line(error: Exception) -> str:
    text = f"HTTP {error.status} {error.reason}" if isinstance(error, client.ApiException) else str(error)
    return " ".join(text.split()).rstrip(".")
