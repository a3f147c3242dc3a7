"""The supported EKS add-ons, and who installs each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from alerting.problems import closest
from settings import versions

Mode = Literal["managed", "existing", "off"]
"""managed: the program installs the add-on. existing: someone else has installed it, and the program uses it without
changing it. off: it is absent."""
VERSION = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
"""An add-on's version. In place of `managed`, it means managed at this version."""
ALLOWED = "managed, existing, off, or a version such as v0.8.1-eksbuild.10 to manage"

EBS_CSI_DRIVER = "aws-ebs-csi-driver"
POD_IDENTITY_AGENT = "eks-pod-identity-agent"
KUBE_STATE_METRICS = "kube-state-metrics"
NODE_EXPORTER = "prometheus-node-exporter"


@dataclass(frozen=True)
class _AddOn:
    default: Mode
    """In a cluster that exists, where everybody uses the add-ons."""
    part_of_auto_mode: bool = False
    shared: bool = False
    """Whether others in the cluster use it: volumes, credentials, autoscaling or CRDs depend on it. It stays installed
    when the program gives it up."""
    created_with_cluster: bool = False
    """Whether it is managed by default in a cluster that the program creates."""


_KNOWN = {
    EBS_CSI_DRIVER: _AddOn("existing", part_of_auto_mode=True, shared=True),
    POD_IDENTITY_AGENT: _AddOn("existing", part_of_auto_mode=True, shared=True),
    "metrics-server": _AddOn("existing", shared=True, created_with_cluster=True),
    # The platform runs both itself, with exactly the metrics that its rules read.
    KUBE_STATE_METRICS: _AddOn("off"),
    NODE_EXPORTER: _AddOn("off"),
    # The platform does not need it.
    "cert-manager": _AddOn("off", shared=True),
}


def problems(changes: Mapping[str, object], *, auto_mode: bool) -> list[str]:
    """Problems in a stack's `eksAddons`; each line starts with the name of the add-on."""
    lines: list[str] = []
    for addon, mode in changes.items():
        if addon not in _KNOWN:
            lines.append(f"{addon}: no such add-on; {closest(addon, tuple(_KNOWN))}")
        elif not (isinstance(mode, str) and (mode in get_args(Mode) or VERSION.fullmatch(mode))):
            lines.append(f"{addon}: {mode!r} is not allowed; allowed: {ALLOWED}")
        elif auto_mode and _KNOWN[addon].part_of_auto_mode and mode != "off":
            lines.append(f"{addon}: {mode!r} is not allowed; allowed: off, because it is part of Auto Mode")
    return lines


def modes(changes: Mapping[str, str], *, auto_mode: bool, create: bool) -> dict[str, Mode]:
    """Add-on -> mode, for changes without problems. Parts of Auto Mode are off: EKS runs them itself."""
    return {addon: _mode(addon, changes, auto_mode=auto_mode, create=create) for addon in _KNOWN}


def version(addon: str, changes: Mapping[str, str]) -> str:
    """The version at which the program manages an add-on: that of the stack, or the pinned one."""
    chosen = changes.get(addon, "")
    return chosen if VERSION.fullmatch(chosen) else versions.EKS_ADDONS[addon]


def shared(addon: str) -> bool:
    """Whether others in the cluster use the add-on, so that it stays installed when the program gives it up."""
    return _KNOWN[addon].shared


def _mode(addon: str, changes: Mapping[str, str], *, auto_mode: bool, create: bool) -> Mode:
    properties = _KNOWN[addon]
    if auto_mode and properties.part_of_auto_mode:
        return "off"
    default = "managed" if create and properties.created_with_cluster else properties.default
    chosen = changes.get(addon, default)
    return "managed" if VERSION.fullmatch(chosen) else cast(Mode, chosen)
