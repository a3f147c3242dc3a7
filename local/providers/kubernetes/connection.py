"""One connection to one API server: requests by static paths, and errors in words that a person can act on."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration

from local.providers.errors import ProviderError
from local.providers.kubernetes.kinds import Kind
from local.providers.values import Object

# A kubeconfig that says insecure-skip-tls-verify has been decided on; a warning per connection helps nobody.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

OFFLINE_SERVER = "https://offline.invalid"
"""An API server of this address is none: previews are made without asking it, and nothing else is done."""
PARALLEL = 32
"""Requests in flight at a time; more than the engine's own parallelism, so that readers of pod logs never wait."""

# Seconds. The API server itself gives up on a request after 60.
_TIMEOUT = (10, 65)
_RETRIES = (0.5, 1, 2, 4)
_TRANSIENT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}


class ApiError(ProviderError):
    """The API server refused a request."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which cluster: `kubeconfig` (path or content; empty: KUBECONFIG, then ~/.kube/config) and `context`."""

    kubeconfig: str = ""
    context: str = ""

    def __str__(self) -> str:
        if "\n" in self.kubeconfig or self.kubeconfig.startswith("{"):
            where = "the kubeconfig given as text"
        else:
            where = f"kubeconfig {self.kubeconfig or config.KUBE_CONFIG_DEFAULT_LOCATION}"
        return f"{where}, {f'context {self.context}' if self.context else 'its current context'}"


class Connection:
    """Blocking requests to the API server of a target; may be used by several threads."""

    def __init__(self, target: Target) -> None:
        """Read the kubeconfig; raises ProviderError when it can not be used. Nothing is sent yet."""
        self._target = target
        self.offline = OFFLINE_SERVER in target.kubeconfig
        if self.offline:
            return
        settings = Configuration()
        settings.connection_pool_maxsize = PARALLEL
        settings.retries = urllib3.Retry(0)  # ours, below, also cover statuses
        try:
            self._client = _client(target, settings)
        except Exception as error:
            raise ProviderError(f"no cluster to talk to ({target}): {error}") from error

    def check(self) -> None:
        """Raise ProviderError unless the API server answers and accepts our login, or there is none on purpose."""
        if self.offline:
            return
        try:
            self.request("GET", "/version", patient=False)
        except ApiError as error:
            raise ProviderError(f"{self._name} refused the login: {error}") from error

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The live object, or None when there is none."""
        try:
            return self.request("GET", kind.path(namespace, name))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def apply(self, kind: Kind, body: Object, *, manager: str, force: bool = False, dry_run: bool = False) -> Object:
        """Server-side apply; raises ApiError, with what to do when another manager owns a field."""
        metadata = cast(Object, body["metadata"])
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        try:
            return self.request("PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml")
        except ApiError as error:
            if error.status == HTTPStatus.CONFLICT and "conflict" in str(error):
                raise ApiError(
                    error.status,
                    f"{error}. Undo that change, stop managing the field (ignore_changes), or take the field over "
                    'with the annotation pulumi.com/patchForce: "true"',
                    error.reason,
                ) from error
            raise

    def delete(self, kind: Kind, namespace: str, name: str, *, propagation: str) -> bool:
        """Ask for deletion; false when the object is already gone."""
        try:
            options = {"propagationPolicy": propagation}
            self.request("DELETE", kind.path(namespace, name), query=options)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def items(self, path: str, **query: str) -> list[Object]:
        """The items of a collection, as in `/api/v1/namespaces/x/pods`."""
        return cast(list[Object], self.request("GET", path, query=query).get("items") or [])

    def text(self, path: str, **query: str) -> str:
        """An answer that is no JSON (logs); empty when it can not be had."""
        try:
            return self._send("GET", path, query, None, "application/json")[1]
        except ProviderError:
            return ""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        patient: bool = True,
    ) -> Object:
        """One request and its JSON answer; busy servers and broken connections are tried again for some seconds."""
        waits = iter(_RETRIES if patient else ())
        while True:
            try:
                _, text = self._send(method, path, query or {}, body, content_type)
                return cast(Object, json.loads(text))
            except ProviderError as error:
                transient = not isinstance(error, ApiError) or error.status in _TRANSIENT or _lost_race(error)
                wait = next(waits, None) if transient else None
                if wait is None:
                    raise
                time.sleep(wait)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Object | None, content_type: str
    ) -> tuple[int, str]:
        if self.offline:
            raise ProviderError(f"{OFFLINE_SERVER} is no cluster: an offline preview can only be a preview")
        settings = self._client.configuration
        headers = {"Accept": "application/json, */*", "Content-Type": content_type, "User-Agent": "pulumi-kubernetes"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{settings.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body),
                timeout=urllib3.Timeout(*_TIMEOUT),
            )
        except urllib3.exceptions.HTTPError as error:
            raise ProviderError(f"{self._name} does not answer: {_cause(error)}") from error
        text = answer.data.decode(errors="replace")
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _api_error(answer.status, text)
        return answer.status, text

    @property
    def _name(self) -> str:
        return f"the Kubernetes API server {self._client.configuration.host} ({self._target})"


def server_of(target: Target) -> str | None:
    """URL of the API server that a target names, None when its kubeconfig can not be read."""
    try:
        return _client(target, Configuration()).configuration.host
    except Exception:  # whatever is wrong is reported by Connection; here it only means "unknown"
        return None


def _client(target: Target, settings: Configuration) -> ApiClient:
    context = target.context or None
    if "\n" in target.kubeconfig or target.kubeconfig.startswith("{"):
        content = cast(Object, yaml.safe_load(target.kubeconfig))
        return config.new_client_from_config_dict(content, context, False, client_configuration=settings)
    path = str(Path(target.kubeconfig).expanduser()) if target.kubeconfig else None
    return config.new_client_from_config(path, context, False, client_configuration=settings)


def _api_error(status: int, text: str) -> ApiError:
    try:
        answer: Any = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return ApiError(status, f"HTTP {status}: {text.strip()[:500]}")
    found = cast(Object, answer)
    return ApiError(status, str(found.get("message") or f"HTTP {status}"), str(found.get("reason", "")))


def _lost_race(error: ApiError) -> bool:
    """Whether a controller wrote the object meanwhile; a conflict of field managers is another thing."""
    return error.status == HTTPStatus.CONFLICT and "has been modified" in str(error)


def _cause(error: Exception) -> str:
    reason: object = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] if isinstance(reason, urllib3.exceptions.NewConnectionError) else str(reason)
