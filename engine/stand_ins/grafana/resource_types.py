"""Folders, dashboards and data sources: how each is saved, read and deleted, through the API and as files."""

import json
from abc import ABC, abstractmethod
from typing import ClassVar, cast

from engine.stand_ins.errors import ProviderError
from engine.stand_ins.grafana.api import Api
from engine.stand_ins.grafana.files import Files, document, expandable, parsed, variable, without_secrets
from engine.stand_ins.values import Object, Values, is_unknown, plain

ENVIRONMENT_PATH = "$__env{GF_PATHS_PROVISIONING}"
"""Placeholder for the folder of the files; Grafana replaces it when it loads them."""


class ResourceType(ABC):
    """One type of resource. Its uid identifies it in Grafana; ids are `1:uid` (organisation 1), as in the official
    provider.
    """

    token: ClassVar[str]
    inputs: ClassVar[frozenset[str]]
    """Supported arguments; others are rejected."""
    required: ClassVar[frozenset[str]]
    replaces: ClassVar[frozenset[str]]
    """Arguments whose change requires replacing the object."""
    texts: ClassVar[frozenset[str]] = frozenset()
    """Arguments with a JSON text, which is compared as JSON."""
    secret: ClassVar[frozenset[str]] = frozenset()
    """Arguments that Grafana never returns."""

    @abstractmethod
    def uid(self, inputs: Object) -> str:
        """The object's uid in Grafana; the engine's unknown value if it is not known yet."""

    @abstractmethod
    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:
        """Create or update the object. Returns the values that the state keeps besides the inputs.

        Raises ProviderError if the object is `new` but exists already.
        """

    @abstractmethod
    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:
        """The inputs that result in the live object, equal to `inputs` where both mean the same; None if it is gone."""

    @abstractmethod
    async def remove(self, api: Api, inputs: Object) -> None:
        """Delete the object, which may be gone already."""

    @abstractmethod
    def path(self, inputs: Object) -> str:
        """Path of the object's provisioning file."""

    @abstractmethod
    def write(self, files: Files, values: Values) -> None:
        """Write the object's provisioning file."""

    def check(self, inputs: Object) -> list[tuple[str, str]]:
        """Argument and problem, for each invalid argument."""
        stand_in = "not supported by the stand-in grafana provider; install the official plugin to use it"
        wrong = [(key, stand_in) for key in sorted(inputs) if key not in self.inputs]
        wrong += [(key, "required") for key in sorted(self.required) if inputs.get(key) in (None, "")]
        return wrong + [
            (key, "not a JSON object") for key in sorted(self.texts & inputs.keys()) if not _is_json(inputs[key])
        ]


class Folder(ResourceType):
    """A folder of dashboards."""

    token = "grafana:oss/folder:Folder"  # noqa: S105 (a type)
    inputs = frozenset({"uid", "title"})
    required = inputs
    replaces = frozenset({"uid"})

    def uid(self, inputs: Object) -> str:
        return str(inputs["uid"])

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:
        found = await api.get(f"/api/folders/{inputs['uid']}")
        if found is None:
            body = {"uid": inputs["uid"], "title": inputs["title"]}
            answer = await api.request("POST", "/api/folders", body)
        elif new:
            raise _exists("folder", inputs["uid"])
        else:
            body = {"title": inputs["title"], "overwrite": True}
            answer = await api.request("PUT", f"/api/folders/{inputs['uid']}", body)
        return {"url": api.url + str(answer.get("url", ""))}

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:  # noqa: ARG002
        found = await api.get(f"/api/folders/{inputs['uid']}")
        return None if found is None else {**inputs, "title": found["title"]}

    async def remove(self, api: Api, inputs: Object) -> None:
        await api.delete(f"/api/folders/{inputs['uid']}?forceDeleteRules=true")

    def path(self, inputs: Object) -> str:
        return f"dashboards/{inputs['uid']}.yaml"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        uid = str(inputs["uid"])
        provider: Object = {
            "name": uid,
            "orgId": 1,
            "type": "file",
            "folder": expandable(inputs["title"]),
            "folderUid": uid,
            "allowUiUpdates": False,
            "options": {"path": f"{ENVIRONMENT_PATH}/{_dashboards(uid)}"},
        }
        # Create the folder even without dashboards: Grafana logs errors about a missing folder.
        (files.folder / _dashboards(uid)).mkdir(parents=True, exist_ok=True)
        files.write(self.path(inputs), document("providers", [provider]))


class Dashboard(ResourceType):
    """A dashboard."""

    token = "grafana:oss/dashboard:Dashboard"  # noqa: S105 (a type)
    inputs = frozenset({"configJson", "folder", "overwrite", "message"})
    required = frozenset({"configJson", "folder"})
    replaces = frozenset[str]()
    texts = frozenset({"configJson"})

    def uid(self, inputs: Object) -> str:
        return (
            str(inputs["configJson"]) if is_unknown(inputs["configJson"]) else str(parsed(inputs["configJson"])["uid"])
        )

    def check(self, inputs: Object) -> list[tuple[str, str]]:
        """Also requires a uid, without which every save would create another dashboard."""
        wrong = super().check(inputs)
        text = inputs.get("configJson")
        if not wrong and not is_unknown(text) and not parsed(text).get("uid"):
            wrong.append(("configJson", "the dashboard has no uid; give it one that never changes"))
        return wrong

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:  # noqa: ARG002
        dashboard = {key: value for key, value in parsed(inputs["configJson"]).items() if key not in ("id", "version")}
        body: Object = {
            "dashboard": dashboard,
            "folderUid": _folder(inputs),
            "overwrite": inputs.get("overwrite", False),
            "message": inputs.get("message", ""),
        }
        answer = await api.request("POST", "/api/dashboards/db", body)
        return {
            "uid": answer["uid"],
            "dashboardId": answer["id"],
            "version": answer["version"],
            "url": api.url + str(answer["url"]),
        }

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:
        found = await api.get(f"/api/dashboards/uid/{self.uid(inputs)}")
        if found is None:
            return None
        folder = found["meta"].get("folderUid", "")
        moved = {} if folder == _folder(inputs) else {"folder": folder}
        dashboard = {key: value for key, value in found["dashboard"].items() if key not in ("id", "version")}
        # Grafana counts saves as versions. Its own changes of the JSON (migrations of old panels) are not drift.
        changed = found["dashboard"].get("version") != state.get("version")
        text = json.dumps(dashboard) if changed and dashboard != parsed(inputs["configJson"]) else inputs["configJson"]
        return {**inputs, **moved, "configJson": text}

    async def remove(self, api: Api, inputs: Object) -> None:
        await api.delete(f"/api/dashboards/uid/{self.uid(inputs)}")

    def path(self, inputs: Object) -> str:
        return f"{_dashboards(_folder(inputs))}/{self.uid(inputs)}.json"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        if values["configJson"].contains_secret():
            raise ProviderError("a dashboard that contains a secret is not written to a file; remove the secret")
        files.write(self.path(inputs), json.dumps(parsed(inputs["configJson"]), indent=2, ensure_ascii=False) + "\n")


# Maps the program's names of fields to Grafana's.
_SOURCE_FIELDS = {
    "uid": "uid",
    "name": "name",
    "type": "type",
    "url": "url",
    "accessMode": "access",
    "isDefault": "isDefault",
    "databaseName": "database",
    "username": "user",
    "basicAuthEnabled": "basicAuth",
    "basicAuthUsername": "basicAuthUser",
}


class DataSource(ResourceType):
    """A data source."""

    token = "grafana:oss/dataSource:DataSource"  # noqa: S105 (a type)
    inputs = frozenset({*_SOURCE_FIELDS, "jsonDataEncoded", "secureJsonDataEncoded"})
    required = frozenset({"uid", "name", "type"})
    replaces = frozenset({"uid", "type"})
    texts = frozenset({"jsonDataEncoded", "secureJsonDataEncoded"})
    secret = frozenset({"secureJsonDataEncoded"})

    def uid(self, inputs: Object) -> str:
        return str(inputs["uid"])

    async def save(self, api: Api, inputs: Object, *, new: bool) -> Object:
        path = f"/api/datasources/uid/{inputs['uid']}"
        found = await api.get(path)
        if found is not None and new:
            raise _exists("data source", inputs["uid"])
        body = {theirs: inputs[ours] for ours, theirs in _SOURCE_FIELDS.items() if ours in inputs}
        body |= {"access": inputs.get("accessMode", "proxy"), "jsonData": parsed(inputs.get("jsonDataEncoded"))}
        if "secureJsonDataEncoded" in inputs:
            body["secureJsonData"] = parsed(inputs["secureJsonDataEncoded"])
        await api.request(*(("POST", "/api/datasources") if found is None else ("PUT", path)), body)
        return {}

    async def live(self, api: Api, inputs: Object, state: Object) -> Object | None:  # noqa: ARG002
        found = await api.get(f"/api/datasources/uid/{inputs['uid']}")
        if found is None:
            return None
        values = {ours: found.get(theirs) for ours, theirs in _SOURCE_FIELDS.items() if ours in inputs}
        options = cast(Object, found.get("jsonData") or {})
        same = options == parsed(inputs.get("jsonDataEncoded"))
        return (
            {**inputs, **values}
            if same
            else {**inputs, **values, "jsonDataEncoded": json.dumps(options, sort_keys=True)}
        )

    async def remove(self, api: Api, inputs: Object) -> None:
        await api.delete(f"/api/datasources/uid/{inputs['uid']}")

    def path(self, inputs: Object) -> str:
        return f"datasources/{inputs['uid']}.yaml"

    def write(self, files: Files, values: Values) -> None:
        inputs = plain(values)
        given = without_secrets(values, (), str(inputs["uid"]))
        source: Object = {"orgId": 1, "access": "proxy", "editable": False}
        source |= {theirs: given[ours] for ours, theirs in _SOURCE_FIELDS.items() if ours in given}
        source["jsonData"] = expandable(parsed(inputs.get("jsonDataEncoded")))
        hidden = parsed(inputs.get("secureJsonDataEncoded"))
        if hidden:
            source["secureJsonData"] = {key: variable(str(inputs["uid"]), key) for key in hidden}
        files.write(self.path(inputs), document("datasources", [source]))


def _is_json(text: object) -> bool:
    if is_unknown(text):
        return True
    try:
        return isinstance(json.loads(str(text)), dict)
    except ValueError:
        return False


def _folder(inputs: Object) -> str:
    """The folder's uid; like the official provider, also accepts its id, `1:uid`."""
    return str(inputs["folder"]).rpartition(":")[2]


def _dashboards(folder: str) -> str:
    return f"dashboards-json/{folder}"


def _exists(what: str, uid: object) -> ProviderError:
    return ProviderError(
        f"{what} {uid} already exists in Grafana and does not belong to this stack; "
        "delete it there, or give it another uid"
    )
