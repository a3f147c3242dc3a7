"""What each stack deploys, as files that a reviewer can read: rules with overrides, and Alertmanager's configuration.

The rules include the alerts that are generated from SLOs and from missing metrics. The name of its key stands for each
secret.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from alerting import loader, routing
from alerting.files import ROOT
from settings import stack_files

FOLDER = "rules/rendered"


class _Names(dict[str, str]):
    """Every secret is the name of its key."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def files(root: Path = ROOT) -> dict[str, str]:
    """Path, relative to the project -> text, of every file of every stack."""
    return {
        f"{FOLDER}/{stack}/{name}": text
        for stack in stack_files.names(root)
        for name, text in _of_stack(stack_files.read(stack, root).values)
    }


def _of_stack(written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    values = stack_files.typed(written)
    rule_set = loader.load()
    overrides = loader.overrides(cast(dict[str, Any], written.get("alertOverrides") or {}), rule_set)
    for name, text in loader.render(rule_set, overrides, values.links).items():
        yield f"prometheus/{name}", text
    for name, text in loader.render_loki(rule_set, overrides, values.links).items():
        yield f"loki/{name}", text
    yield (
        "alertmanager.yml",
        routing.render(
            routing.load(),
            values.timing,
            _Names(),
            mail=values.mail("<smtpPassword>"),
            pagerduty_url=values.pagerduty_url,
            mute_windows=values.mute_windows,
        ),
    )
