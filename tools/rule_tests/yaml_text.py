"""YAML through PyYAML's safe loader and dumper; uses libyaml if it is available, which is ten times as fast."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(text: str) -> Any:
    """The document in the text."""
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 -- a safe loader


def dump(document: Any) -> str:
    """The document as text, with keys in its order and every value on one line."""
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, width=1 << 20)
