"""Writes Grafana's file-provisioning format into one folder, which Grafana loads as its GF_PATHS_PROVISIONING.

No secret is written: Grafana replaces `$__env{NAME}` from its environment when it reads the files. In files in which
Grafana expands variables, a literal dollar sign is doubled.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pulumi.provider.experimental.property_value import PropertyValue

from engine.stand_ins.values import Object, Values

FILES_VARIABLE = "OBSERVABILITY_GRAFANA_FILES"
"""Environment variable that names the folder."""

_README = """Content for a Grafana, in its file-provisioning format. Written by `make up`, because no Grafana answered.

Load it:  GF_PATHS_PROVISIONING={folder} <how you start Grafana>
(on another machine: copy the folder, and set the variable to the copy)

These files contain no secrets. Grafana reads secrets from its environment when it starts{variables}
Do not run this Grafana at the address in the setting grafanaApiUrl: the next `make up` would manage it there.
"""
_ENVIRONMENT = re.compile(r"\$__env\{(GRAFANA_\w+)\}")


class Files:
    """The folder; paths are relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self, path: str) -> bool:
        """Whether the file exists."""
        return (self.folder / path).is_file()

    def read(self, path: str) -> str | None:
        """The file's text; None if it does not exist."""
        return (self.folder / path).read_text() if self.exists(path) else None

    def write(self, path: str, text: str) -> None:
        """Write a file atomically; only this user can read it."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)
        scratch.write_text(text)
        scratch.replace(target)

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that are then empty."""
        target = self.folder / path
        target.unlink(missing_ok=True)
        for parent in list(target.parents)[: len(Path(path).parts) - 1]:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()

    def explain(self) -> None:
        """Write a README on how to load the folder and which variables it needs; remove it if there is no content."""
        documents = [*self.folder.glob("*/*.yaml")]
        if not documents:
            self.remove("README.txt")
            for folder in sorted((path for path in self.folder.rglob("*") if path.is_dir()), reverse=True):
                if not any(folder.iterdir()):
                    folder.rmdir()
            return
        names = sorted({name for file in documents for name in _ENVIRONMENT.findall(file.read_text())})
        variables = ":\n" + "".join(f"  {name}\n" for name in names) if names else " (none is needed now).\n"
        self.write("README.txt", _README.format(folder=self.folder.resolve(), variables=variables))


def document(kind: str, items: Sequence[Object]) -> str:
    """YAML of one provisioning file with `items` under the key `kind`, such as `datasources`."""
    return yaml.safe_dump({"apiVersion": 1, kind: list(items)}, sort_keys=False, allow_unicode=True, width=1000)


def expandable(value: object) -> object:
    """`value` with every dollar sign doubled, for files in which Grafana expands variables."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: expandable(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [expandable(item) for item in value]
    return value


def variable(*parts: str) -> str:
    """Reference to the environment variable for a secret, named after the resource and the field."""
    name = "_".join(re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part)) for part in parts)
    return f"$__env{{GRAFANA_{name.upper()}}}"


def without_secrets(values: Values, known: Sequence[str], owner: str) -> Object:
    """JSON of `values` for a file: secrets, and fields named in `known`, become references; dollar signs are doubled"""
    return {
        key: _without_secrets(value, key, known, owner, inside=False)
        for key, value in values.items()
        if value.value is not None
    }


def _without_secrets(value: PropertyValue, key: str, known: Sequence[str], owner: str, *, inside: bool) -> object:
    inside = inside or value.is_secret or key in known
    inner = value.value
    if isinstance(inner, Mapping):
        return {
            name: _without_secrets(item, name, known, owner, inside=inside)
            for name, item in inner.items()
            if item.value is not None
        }
    if isinstance(inner, str):
        return variable(owner, key) if inside else inner.replace("$", "$$")
    if isinstance(inner, Sequence):
        # Each further receiver of a kind has its own secret.
        owners = [owner if index == 0 else f"{owner}-{index + 1}" for index in range(len(inner))]
        return [_without_secrets(item, key, known, own, inside=inside) for own, item in zip(owners, inner, strict=True)]
    return int(inner) if isinstance(inner, float) and inner.is_integer() else inner


def parsed(text: object) -> Object:
    """The object in a JSON text; empty for an empty text."""
    return json.loads(str(text)) if text else {}
