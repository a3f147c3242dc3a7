"""The workspace of the Pulumi engine: a rendered project folder, its environment, and the lock of a state folder.

The repository's Pulumi.yaml and stack files are only read. Machine-specific values go into copies under
`.state/workspace/<stack>/`.
"""

import hashlib
import json
import os
import re
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from engine import checkpoint, offline
from engine.stand_ins.grafana.files import FILES_VARIABLE
from local import choice, image_registry
from local.errors import LocalError
from local.paths import KUBECONFIG, OTHER_STACKS, ROOT, STATE, private
from local.toolchain import tool
from settings import stack_files
from settings.images import ALL
from settings.stack_files import StackFileError

PROVIDERS = ROOT / "engine" / "stand_ins"
ANALYZERS = ROOT / "engine" / "analyzers"
STAND_INS = {
    "grafana": "the HTTP API, or provisioning files where no Grafana answers",
    "aws": "previews of new resources only",
}
"""Maps providers to a description of their stand-in, which is used if the official plugin is not installed."""
_PACKAGES = {"kubernetes": "pulumi-kubernetes", "grafana": "pulumiverse-grafana", "aws": "pulumi-aws"}
_SALT, _SECRETS_PROVIDER = "encryptionsalt", "secretsprovider"
Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One stack on this machine. Keys of `config` include their prefix, as in `observability:kubeContext`."""

    stack: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values that override those of the stack file."""
    root: Path = ROOT
    """Folder of the program."""
    state: Path = STATE
    """Folder for all files that a run writes."""
    offline: bool = False
    """Whether this is only for a preview without cluster, account and secrets."""

    @property
    def folder(self) -> Path:
        """The rendered project."""
        return self.state / "workspace" / self.stack

    @property
    def backend(self) -> Path:
        """Folder of the engine's state: stacks, locks, history."""
        return self.state / "pulumi"

    @property
    def project(self) -> str:
        """Name of the project."""
        return str(_read(self.root / "Pulumi.yaml")["name"])

    @property
    def policy_packs(self) -> list[str]:
        """Folders of the policy packs that the engine enforces."""
        pack = self.root / "policy"
        return [str(pack)] if (pack / "PulumiPolicy.yaml").exists() else []

    @property
    def stack_file(self) -> Path:
        """The rendered stack file."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    def render(self) -> dict[str, Path | None]:
        """Write the project folder. Maps providers to the official plugin's folder, or to None for a stand-in.

        Raises LocalError if the Kubernetes plugin is not installed and cannot be built.
        """
        for path in (self.folder, self.backend):
            private(path)
        official = {name: official_plugin(name) for name in _PACKAGES}
        official["kubernetes"] = official["kubernetes"] or tool("pulumi-resource-kubernetes").parent
        if self.config.get("observability:grafana") == "false":
            official["grafana"] = None  # without a Grafana, only the stand-in can work: it writes files
        project = _read(self.root / "Pulumi.yaml")
        # The program runs in this process, so the engine needs no language host and no runtime options.
        project["runtime"] = {"name": "python"}
        plugins = [
            {"name": name, "path": str(folder or PROVIDERS / name), "version": version(_PACKAGES[name])}
            for name, folder in official.items()
        ]
        # The engine uses this analyzer only if no language host is installed, which would start policy packs itself.
        analyzers = [{"name": "policy-python", "path": str(ANALYZERS)}]
        project["plugins"] = {"providers": plugins, "analyzers": analyzers}
        declared: Document = project.get("config") or {}
        # Without types, and without required keys: of those, the engine reports the first problem only, in words that
        # name neither the value nor what is allowed. The program reports all together.
        project["config"] = {key: value for key, value in declared.items() if _has(value, "value")}
        _write(self.folder / "Pulumi.yaml", project)
        self._render_stack({key: value["default"] for key, value in declared.items() if _has(value, "default")})
        return official

    def setting(self, key: str) -> str:
        """A setting of the rendered stack as text; empty if it has none."""
        return str((_read(self.stack_file).get("config") or {}).get(f"{self.project}:{key}", ""))

    def _render_stack(self, defaults: Document) -> None:
        source = self.root / f"Pulumi.{self.stack}.yaml"
        rendered = _read(source)
        rendered = offline.readable(rendered) if self.offline else rendered
        before = _read(self.stack_file)
        if _SALT in rendered and not _has_passphrase():
            raise LocalError(
                f"{source.name} has encrypted values; set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE)"
            )
        if _SECRETS_PROVIDER not in rendered and _SALT not in rendered and _SALT in before:
            rendered[_SALT] = before[_SALT]
        offline_config = offline.CONFIG if self.offline else {}
        written: Document = {**defaults, **(rendered.get("config") or {})}
        keyed = {key if ":" in str(key) else f"{self.project}:{key}": value for key, value in written.items()}
        texts = {key: value if _has(value, "secure") else stack_files.as_text(value) for key, value in keyed.items()}
        _write(self.stack_file, {**rendered, "config": {**texts, **self.config, **offline_config}})

    def environment(self) -> dict[str, str]:
        """Environment variables of the engine and its plugins, besides those of this process."""
        variables = {
            "PULUMI_BACKEND_URL": self._backend_url(),
            "PULUMI_HOME": str(self._home()),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
            FILES_VARIABLE: str(self.state / "grafana-provisioning"),
            # The stand-ins are Python scripts that need the packages of this virtual environment.
            "PATH": f"{Path(sys.executable).parent}:{tool('pulumi').parent}:{os.environ.get('PATH', '')}",
        }
        if not _has_passphrase():
            _ensure_passphrase(self.state / "passphrase")
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.state / "passphrase")
        return variables

    def _backend_url(self) -> str:
        """URL of the state: for a shared stack the user's PULUMI_BACKEND_URL, if set, else the local folder."""
        named = os.environ.get("PULUMI_BACKEND_URL", "")
        own = self.offline or not named or _names_embedded(self.stack, self.root)
        return f"file://{self.backend}" if own else named

    def locks(self) -> list[Path]:
        """Lock files of this stack."""
        return sorted((self.backend / ".pulumi" / "locks" / "organization" / self.project / self.stack).glob("*.json"))

    def release_stale_locks(self) -> bool:
        """Remove the locks of killed runs; returns whether there were any. Raises LocalError while a run is alive.

        Files that were cut are repaired: those of a killed run, and those of a run on a full disk.
        """
        found = self.locks()
        for path in found:
            holder = _holder(path)
            if holder and (holder["hostname"] != socket.gethostname() or _is_pulumi(int(holder["pid"]))):
                raise LocalError(
                    f"stack {self.stack} is in use by process {holder['pid']} of {holder['username']}@"
                    f"{holder['hostname']} since {holder['timestamp']}; wait for it or end it, then try again"
                )
            path.unlink()
            path.with_name(path.name + ".attrs").unlink(missing_ok=True)
        kept = self.backend / ".pulumi" / "stacks" / self.project / f"{self.stack}.json"
        checkpoint.repair(kept)
        checkpoint.tidy(self.backend / ".pulumi", self.state / "pulumi-home")
        return bool(found)

    def _home(self) -> Path:
        """The engine's own home inside our state, with the user's plugins."""
        home, plugins = self.state / "pulumi-home", _user_plugins()
        private(home)
        if plugins.is_dir() and not (home / "plugins").exists():
            (home / "plugins").symlink_to(plugins)
        return home


def machine_config(stack: str, root: Path = ROOT) -> Document:
    """Settings that depend on this machine: KUBE_CONTEXT replaces the embedded cluster if the stack uses that one.

    The simulator's image is in no registry, so on another cluster it runs only if SIMULATOR_IMAGE names an image. The
    embedded cluster runs images that are built here, and Grafana only if this machine could pull its image, or
    GRAFANA_HOME provides its files. A cluster in Docker pulls its images.
    """
    context = os.environ.get("KUBE_CONTEXT", "")
    if not _names_embedded(stack, root):
        return {}
    if not context:
        known = _read(root / "Pulumi.yaml").get("config") or {}
        registry = image_registry.recorded()
        found = {
            "grafana": str(choice.runs_grafana()).lower(),
            "builtImages": str(choice.builds_images()).lower(),
            **({"imageRegistry": {ALL: registry}} if registry else {}),
        }
        return {f"observability:{key}": value for key, value in found.items() if key in known}
    image = os.environ.get("SIMULATOR_IMAGE", "")
    return {
        "observability:clusterName": re.sub(r"[^A-Za-z0-9_.-]+", "-", context).strip("-._")[:100] or "cluster",
        "observability:kubeconfig": "",
        "observability:kubeContext": context,
        "observability:simulator": "true" if image else "false",
        "observability:simulatorImage": image,
    }


def state_folder(stack: str, root: Path = ROOT) -> Path:
    """Folder for the engine's state of a stack; separate for each cluster that KUBE_CONTEXT names."""
    context = os.environ.get("KUBE_CONTEXT", "")
    if not _names_embedded(stack, root):
        return OTHER_STACKS / stack
    return OTHER_STACKS / f"{stack}-{hashlib.sha256(context.encode()).hexdigest()[:12]}" if context else STATE


def _names_embedded(stack: str, root: Path) -> bool:
    config = _read(root / f"Pulumi.{stack}.yaml").get("config") or {}
    return config.get("observability:kubeconfig") == str(KUBECONFIG.relative_to(ROOT))


def official_plugin(name: str) -> Path | None:
    """Folder of the official plugin with its SDK's version in Pulumi's home; None if it is not installed.

    A plugin in PATH is not used, because its version cannot be determined.
    """
    folder = _user_plugins() / f"resource-{name}-v{version(_PACKAGES[name])}"
    return folder if (folder / f"pulumi-resource-{name}").is_file() else None


def _user_plugins() -> Path:
    return Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"


def _has_passphrase() -> bool:
    return "PULUMI_CONFIG_PASSPHRASE" in os.environ or "PULUMI_CONFIG_PASSPHRASE_FILE" in os.environ


def _ensure_passphrase(path: Path) -> None:
    """Create a file with a random passphrase, readable only for this user, unless it exists.

    It is whole or absent: an empty one, as a full disk leaves it, would encrypt the secrets with nothing.
    """
    if not path.exists() or path.stat().st_size == 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".new")
        whole.unlink(missing_ok=True)
        whole.touch(mode=0o600)
        whole.write_text(secrets.token_urlsafe(32))
        whole.replace(path)


def _holder(lock: Path) -> Document | None:
    """Who holds a lock; None if that was not written, because the disk was full."""
    try:
        return json.loads(lock.read_text())
    except ValueError:
        return None


def _is_pulumi(pid: int) -> bool:
    try:
        return "pulumi" in Path(f"/proc/{pid}/comm").read_text()
    except FileNotFoundError:
        return False


def _read(path: Path) -> Document:
    """The YAML of a project or stack file; empty if the file is missing."""
    try:
        return stack_files.document(path)
    except StackFileError as error:
        raise LocalError(str(error)) from error


def _has(value: object, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _write(path: Path, content: Document) -> None:
    path.write_text(yaml.dump(content, Dumper=_Quoting, sort_keys=False))


class _Quoting(yaml.SafeDumper):
    """Quotes every text. The engine reads YAML 1.2, in which 012345678901 is a number, and PyYAML writes 1.1."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))
