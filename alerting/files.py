"""Path of the rules, and how their YAML is read and written."""

import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from alerting.base import Document
from alerting.problems import RulesError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder. Every other path in the project starts here."""
RULES = ROOT / "rules"
_NAME = re.compile(r"[-._a-zA-Z0-9]+")  # the keys of a ConfigMap


def read_text(file: Path, where: str) -> str:
    """The text of a file of the repository. Raises RulesError with `where` as the file's name.

    A link is refused: it would put a file of the machine into a preview that others read.
    """
    if file.is_symlink():
        raise RulesError([f"{where}: is a symbolic link; allowed: a file"])
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RulesError([f"{where}: missing"]) from error
    except OSError as error:
        raise RulesError([f"{where}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise RulesError([f"{where}: not UTF-8: {error.reason} at byte {error.start}"]) from error


def strays(folder: Path, where: str, ending: str = ".yaml") -> Iterator[str]:
    """A problem for each entry of a folder that its reader would pass over. Hidden files are those of editors."""
    for entry in sorted(folder.glob("[!.]*")):
        if not _NAME.fullmatch(entry.name) or entry.suffix != ending:
            allowed = f"names of letters, digits, `-`, `_` and `.` that end in {ending}"
            yield f"{where}/{entry.name}: is not read; allowed: {allowed}"


def read_yaml(file: Path, where: str) -> object:
    """The document in a YAML file of the repository. Raises RulesError with `where` as the file's name."""
    try:
        return yaml.load(read_text(file, where), Loader=_UniqueKeys)  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as error:
        raise RulesError([f"{where}: not valid YAML: {' '.join(str(error).split())}"]) from error


def write_yaml(document: Document) -> str:
    """YAML that diffs well: keys keep the document's order, and texts of several lines are written as blocks."""
    return yaml.dump(document, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=1000)


# Where PyYAML was built with libyaml, it reads and writes ten times as fast and gives the same result.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):
    """Rejects a key that appears twice in one mapping; PyYAML itself silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                key = (key_node.tag, key_node.value)
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key_node.value!r} appears twice", key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _BlockDumper(_Dumper):
    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _BlockDumper.represent_text)
