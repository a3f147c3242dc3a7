"""The kinds of notification channels: one module each, whose name is the key of the kind in rules/routing.yaml.

A new kind is one new module with one subclass of ChannelKind. It says how Alertmanager and Grafana reach the channel;
rules/notifications.tmpl contains the texts.
"""

import importlib
import pkgutil
from collections.abc import Iterator

from alerting.routing.kinds.base import ChannelKind


def _modules() -> Iterator[tuple[str, type[ChannelKind]]]:
    for module in sorted(found.name for found in pkgutil.iter_modules(__path__)):
        if module == "base":
            continue
        content = vars(importlib.import_module(f"{__name__}.{module}")).values()
        (kind,) = (one for one in content if isinstance(one, type) and ChannelKind in one.__bases__)
        yield module, kind


KINDS = dict(_modules())
"""Name of each kind -> its class."""
