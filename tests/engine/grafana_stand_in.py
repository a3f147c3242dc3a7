"""A fake of Grafana's HTTP API. It has the endpoints that the provider uses, and stores what it is sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools.http_server import Handler, serving


class GrafanaStandIn:
    """The content of the fake Grafana, which a test may read and change."""

    def __init__(self) -> None:
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.points: dict[str, dict[str, Any]] = {}
        self.mutes: dict[str, dict[str, Any]] = {}
        self.policy: dict[str, Any] = {"receiver": "grafana-default-email"}
        self.login = ""
        self.url = ""

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path = path.partition("?")[0]
        fixed = {"/api/health": {"database": "ok", "version": "0-stand-in"}, "/api/org": {"id": 1}}
        if path in fixed:
            return 200, fixed[path]
        if path == "/api/search":
            return 200, [
                {"uid": uid, "title": one["dashboard"].get("title", ""), "folderUid": one["meta"]["folderUid"]}
                for uid, one in self.dashboards.items()
            ]
        if path == "/api/dashboards/db":
            return self._dashboard(body)
        if path == "/api/v1/provisioning/policies":
            return self._policies(method, body)
        for prefix, store in (
            ("/api/folders", self.folders),
            ("/api/dashboards/uid", self.dashboards),
            ("/api/datasources/uid", self.sources),
            ("/api/datasources", self.sources),
            ("/api/v1/provisioning/contact-points", self.points),
            ("/api/v1/provisioning/mute-timings", self.mutes),
        ):
            if path == prefix or path.startswith(prefix + "/"):
                return self._stored(store, method, path[len(prefix) + 1 :], body)
        return 404, {"message": "not found"}

    def _stored(self, store: dict[str, dict[str, Any]], method: str, uid: str, body: Any) -> tuple[int, Any]:
        if not uid and method == "GET":
            return 200, [self._shown(item) for item in store.values()]
        if not uid:
            name = body.get("uid") or body["name"]  # a mute timing has no uid
            store[name] = {**body, "url": body.get("url", f"/x/{name}")}
            return 200, store[name]
        if uid not in store:
            return 404, {"message": "not found"}
        if method == "PUT":
            store[uid] = {**store[uid], **body}
        if method == "DELETE":
            return 200, store.pop(uid)
        return 200, self._shown(store[uid])

    def _shown(self, item: dict[str, Any]) -> dict[str, Any]:
        """The item without its secrets, which Grafana does not return either."""
        shown = {key: value for key, value in item.items() if key != "secureJsonData"}
        hidden = ("integrationKey",) if shown.get("type") == "pagerduty" else ("url",)
        if "settings" in shown:
            shown["settings"] = {
                key: "[REDACTED]" if key in hidden else value for key, value in shown["settings"].items()
            }
        return shown

    def _dashboard(self, body: Any) -> tuple[int, Any]:
        uid = body["dashboard"]["uid"]
        version = self.dashboards.get(uid, {"dashboard": {"version": 0}})["dashboard"]["version"] + 1
        dashboard = {**body["dashboard"], "version": version, "id": 7}
        self.dashboards[uid] = {"dashboard": dashboard, "meta": {"folderUid": body["folderUid"]}}
        return 200, {"uid": uid, "id": 7, "version": version, "url": f"/d/{uid}"}

    def _policies(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "PUT":
            if not _has_receiver(body):
                return 400, {"message": "invalid object specification: receiver '' does not exist"}
            self.policy = body
        if method == "DELETE":
            self.policy = {"receiver": "grafana-default-email"}
        return 200, {**self.policy, "provenance": "api"}


def _has_receiver(policy: dict[str, Any]) -> bool:
    """Grafana 9.4 requires a receiver for every policy, even for one that could inherit its parent's."""
    return bool(policy.get("receiver")) and all(map(_has_receiver, policy.get("routes") or []))


@contextmanager
def running(grafana: GrafanaStandIn, port: int = 0) -> Iterator[str]:
    """Serves the fake on a loopback port; gives its URL."""

    class Api(Handler):
        def respond(self) -> None:
            grafana.login = self.headers.get("Authorization", "")
            status, answer = grafana.answer(self.command, self.path, json.loads(self.body() or "null"))
            self.answer(status, json.dumps(answer).encode())

    with serving(Api, port) as grafana.url:
        yield grafana.url
