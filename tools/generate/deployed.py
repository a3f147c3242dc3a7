"""What each stack deploys, as files that a reviewer can read: rules with overrides, and Alertmanager's configuration.

The rules include the alerts that are generated from SLOs and from missing metrics. The name of its key stands for each
secret.
"""

from collections.abc import Iterator
from pathlib import Path

from alerting.files import ROOT
from settings import deployed, stack_files

FOLDER = "rules/rendered"


def files(root: Path = ROOT) -> dict[str, str]:
    """Path, relative to the project -> text, of every file of every stack."""
    return {
        f"{FOLDER}/{stack}/{name}": text
        for stack in stack_files.names(root)
        for name, text in _of_stack(deployed.read(stack, lambda _form, key: f"<{key}>", root))
    }


def _of_stack(found: deployed.Deployed) -> Iterator[tuple[str, str]]:
    for name, text in found.prometheus.items():
        yield f"prometheus/{name}", text
    for name, text in found.loki.items():
        yield f"loki/{name}", text
    yield "alertmanager.yml", found.alertmanager
