"""Alertmanager's configuration and the message templates, judged by amtool, which also renders each message once."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from alerting.routing import FILE, TEMPLATES
from engine.rule_checks.problem import below
from settings.deployed import Deployed

_PROGRAM = "amtool"
_WHERE = f"rules/{TEMPLATES}"
_FAILED = re.compile(r"^.*?FAILED: (.+)$", re.MULTILINE)
_LINE = re.compile(rf"{re.escape(TEMPLATES)}:(\d+)")
# html/template names a template after its place in the page.
_PLACE_IN_PAGE = re.compile(r"\$htmltemplate_\w+")
_Form = Literal["text", "html"]


def problems(amtool: Path, stacks: Sequence[Deployed], folder: Path) -> list[str]:
    """Everything that amtool refuses; `folder` is created and holds the files that it reads."""
    configs = [folder / str(number) / "alertmanager.yml" for number in range(len(stacks))]
    for config, one in zip(configs, stacks, strict=True):
        config.parent.mkdir(parents=True)
        config.write_text(one.alertmanager, encoding="utf-8")
        (config.parent / TEMPLATES).write_text(one.templates, encoding="utf-8")
    if not configs:
        return []
    done = subprocess.run([amtool, "check-config", *configs], capture_output=True, text=True, check=False)
    if done.returncode:
        said = dict.fromkeys(_FAILED.findall(done.stdout)) or [done.stdout + done.stderr]
        return [_described(message, FILE, stacks[0].templates) for message in said]
    texts = {text: None for one in stacks for text in _messages(yaml.safe_load(one.alertmanager))}
    return list(_unrendered(amtool, list(texts), stacks[0].templates, configs[0].parent / TEMPLATES))


def _messages(document: object, form: _Form = "text") -> Iterator[tuple[str, _Form]]:
    """Every template in the configuration, with the form of the message that it is for."""
    if isinstance(document, dict):
        for key, value in cast(dict[str, Any], document).items():
            yield from _messages(value, "html" if key == "html" else "text")
    elif isinstance(document, list):
        for value in cast(list[Any], document):
            yield from _messages(value)
    elif isinstance(document, str) and "{{" in document:
        yield document, form


def _unrendered(amtool: Path, messages: list[tuple[str, _Form]], templates: str, file: Path) -> Iterator[str]:
    forms: tuple[_Form, ...] = ("text", "html")
    for form in forms:
        texts = [text for text, own in messages if own == form]
        # All at once; one by one only if one fails, because amtool reports the first problem only.
        if texts and _rendered(amtool, "\n".join(texts), form, file):
            for text in texts:
                if message := _rendered(amtool, text, form, file):
                    yield _described(message, f"{FILE}: message {text}", templates)


def _rendered(amtool: Path, text: str, form: _Form, file: Path) -> str:
    """Why amtool cannot render a message of its own sample alerts, one firing and one resolved; empty if it can."""
    options = {"glob": file, "type": form, "text": text}
    arguments = [f"--template.{name}={value}" for name, value in options.items()]
    done = subprocess.run([amtool, "template", "render", *arguments], capture_output=True, text=True, check=False)
    message = done.stderr.strip().removeprefix("amtool: error: ")
    return _PLACE_IN_PAGE.sub("", message) if done.returncode else ""


def _described(message: str, where: str, templates: str) -> str:
    """With the line of the templates' file that the message names, if any."""
    line = _LINE.search(message)
    if not line:
        return f"{where}: {_PROGRAM}: {message}"
    return below(f"{_WHERE}: {_PROGRAM}: {message}", templates.splitlines()[int(line[1]) - 1])
