"""Path of the rules, and how their YAML is read and written."""

import functools
import json
import pickle
import re
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml

from alerting.base import Document
from alerting.problems import RulesError

ROOT = Path(__file__).resolve().parent.parent
"""The project's folder. Every other path in the project starts here."""
RULES = ROOT / "rules"
_OPENING = re.compile(r"[\[{]|[-?:] ")  # of whatever can hold something
_DEEPEST = 100
"""Levels. PyYAML's parser in C overflows the stack of the process at some ten thousands."""
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
    """The document in a YAML file of the repository. Raises RulesError with `where` as the file's name.

    Texts without quotes are those of YAML 1.2: `012`, `1:30`, `2026-01-01`, `no` and `1_000` stay as written.
    """
    text = read_text(file, where)
    try:
        return pickle.loads(_content(text))  # noqa: S301 -- made by _content
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise RulesError([f"{where}: not valid YAML: {said}{place}"]) from error
    except yaml.YAMLError as error:
        raise RulesError([f"{where}: not valid YAML: {_unplaced(str(error))}"]) from error
    except (LookupError, TypeError, ValueError) as error:  # `!!float ''`, an alias of itself, 5,000 digits
        raise RulesError([f"{where}: not valid YAML: {str(error).partition(';')[0]}"]) from error


# A process that reads several stacks, or several commits, reads most files once for each of them.
@functools.lru_cache(maxsize=1024)
def _content(text: str) -> bytes:
    """The document in a text, pickled, so that each caller gets its own. Raises YAMLError, or others for odd values."""
    if len(_OPENING.findall(text)) > _DEEPEST and _depth(text) > _DEEPEST:
        raise ValueError(f"nested too deep, allowed: {_DEEPEST} levels")
    content: object = yaml.load(text, Loader=_UniqueKeys)  # noqa: S506 -- a SafeLoader
    json.dumps(content, default=str)  # ends where an alias contains itself
    return pickle.dumps(content)


def _unplaced(message: str) -> str:
    return " ".join(message.replace('in "<unicode string>", position', "at position").split())


def _depth(text: str) -> int:
    depth = deepest = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        deepest = max(deepest, depth)
    return deepest


def write_yaml(document: Document) -> str:
    """YAML that diffs well: keys keep the document's order, and texts of several lines are written as blocks."""
    return yaml.dump(document, Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=1000)


# Where PyYAML was built with libyaml, it reads and writes ten times as fast and gives the same result.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(_Loader):
    """Rejects a key that appears twice in one mapping; PyYAML itself silently keeps the last.

    It reads plain texts as the engine and the programs behind the rules do, which know YAML 1.2. PyYAML knows 1.1 and
    would make 90 of `1:30`, a date of `2026-01-01` and false of `no`.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}
    yaml_constructors: ClassVar[dict[str | None, Any]] = {
        tag: make
        for tag, make in yaml.SafeLoader.yaml_constructors.items()
        if str(tag).rpartition(":")[2] not in ("timestamp", "binary", "omap", "pairs", "set")
    }

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


_NUMBER = r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_PLAIN = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "float": (rf"{_NUMBER}|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    "merge": (r"<<", "<"),
}
"""Tag -> what a text without quotes looks like that has it, and its first characters. An empty text is null."""
for _tag, (_form, _first) in _PLAIN.items():
    first = [*_first, ""] if _tag == "null" else [*_first]
    _UniqueKeys.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), first)


_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _BlockDumper(_Dumper):
    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


# Quotes the text 1e3, too, which is a number in YAML 1.2 only.
_BlockDumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_NUMBER})$"), [*_PLAIN["float"][1]])
_BlockDumper.add_representer(str, _BlockDumper.represent_text)
