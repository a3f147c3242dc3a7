"""The parts of Grafana's HTTP API that uploading dashboards needs. No message and no URL contains the token."""

from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from ops.clients.certificates import certificates
from ops.errors import OpsError

_TIMEOUT = 30.0
_UNAUTHORIZED, _NOT_FOUND = 401, 404


class GrafanaError(OpsError):
    """Grafana rejected one call; the text includes Grafana's message."""


@dataclass(frozen=True)
class Folder:
    """A folder of dashboards."""

    uid: str
    title: str


@dataclass(frozen=True)
class Grafana:
    """One Grafana, called with a service account's token or an API key."""

    url: str
    token: str = field(repr=False)

    def data_sources(self) -> dict[str, str]:
        """Maps the uid of every data source that the token may read to its type."""
        found = cast(list[dict[str, Any]], self._call("GET", "/api/datasources"))
        return {str(one["uid"]): str(one["type"]) for one in found}

    def folders(self) -> dict[str, Folder]:
        """Every folder by its uid."""
        found = cast(list[dict[str, Any]], self._call("GET", "/api/folders?limit=1000"))
        return {str(one["uid"]): Folder(str(one["uid"]), str(one["title"])) for one in found}

    def create_folder(self, folder: Folder) -> None:
        """Create a folder. Raises GrafanaError, also when another folder has the same title."""
        self._call("POST", "/api/folders", {"uid": folder.uid, "title": folder.title})

    def rename_folder(self, folder: Folder) -> None:
        """Set the title of the folder with this uid."""
        self._call("PUT", f"/api/folders/{folder.uid}", {"title": folder.title, "overwrite": True})

    def dashboard(self, uid: str) -> tuple[dict[str, Any], str] | None:
        """A dashboard's JSON and its folder's uid (empty for the General folder); None if it does not exist."""
        found = self._call("GET", f"/api/dashboards/uid/{uid}", missing=True)
        return None if found is None else (found["dashboard"], str(found["meta"].get("folderUid") or ""))

    def write_dashboard(self, dashboard: dict[str, Any], folder: str) -> None:
        """Create or replace a dashboard in the folder with this uid."""
        body = {
            "dashboard": {key: value for key, value in dashboard.items() if key not in ("id", "version")}
            | {"id": None},
            "folderUid": folder,
            "overwrite": True,
            "message": "ops deploy-dashboards",
        }
        self._call("POST", "/api/dashboards/db", body)

    def _call(self, method: str, path: str, body: object = None, *, missing: bool = False) -> Any:  # noqa: ANN401
        """The JSON answer; with `missing`, None for a 404. Raises GrafanaError for an error status, else OpsError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            answer = httpx.request(
                method, self.url + path, headers=headers, json=body, timeout=_TIMEOUT, verify=certificates()
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise OpsError(f"GRAFANA_URL {self.url!r} is not a URL: {error}") from error
        except httpx.HTTPError as error:
            raise OpsError(f"Grafana at {self.url} does not answer: {error or type(error).__name__}") from error
        if missing and answer.status_code == _NOT_FOUND:
            return None
        message = _message(answer)
        if answer.status_code == _UNAUTHORIZED:
            raise OpsError(f"Grafana at {self.url} does not accept GRAFANA_API_TOKEN: {message}")
        if answer.is_error:
            raise GrafanaError(f"{answer.status_code} {message}")
        try:
            return answer.json()
        except ValueError as error:
            raise OpsError(f"Grafana at {self.url}: the answer is not JSON; is this a Grafana?") from error


def _message(answer: httpx.Response) -> str:
    try:
        document: object = answer.json()
    except ValueError:
        return answer.text[:200]
    return str(cast(dict[str, Any], document).get("message", "")) if isinstance(document, dict) else ""
