"""The supported EKS add-ons, and who installs each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from alerting.problems import closest

Mode = Literal["managed", "existing", "off"]
"""managed: the program installs the add-on. existing: someone else has installed it. off: it is absent."""

EBS_CSI_DRIVER = "aws-ebs-csi-driver"
POD_IDENTITY_AGENT = "eks-pod-identity-agent"
KUBE_STATE_METRICS = "kube-state-metrics"
NODE_EXPORTER = "prometheus-node-exporter"


@dataclass(frozen=True)
class _AddOn:
    default: Mode
    part_of_auto_mode: bool = False
    preserve: bool = False
    """Whether its software stays in the cluster when the program gives up the add-on, because volumes, credentials or
    CRDs depend on it."""


_KNOWN = {
    EBS_CSI_DRIVER: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    POD_IDENTITY_AGENT: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    "metrics-server": _AddOn("managed"),
    # The platform runs both itself, with exactly the metrics that its rules read.
    KUBE_STATE_METRICS: _AddOn("off"),
    NODE_EXPORTER: _AddOn("off"),
    # The platform does not need it.
    "cert-manager": _AddOn("off", preserve=True),
}


def problems(changes: Mapping[str, object], *, auto_mode: bool) -> list[str]:
    """Problems in a stack's `eksAddons`; each line starts with the name of the add-on."""
    lines: list[str] = []
    for addon, mode in changes.items():
        if addon not in _KNOWN:
            lines.append(f"{addon}: no such add-on; {closest(addon, tuple(_KNOWN))}")
        elif mode not in get_args(Mode):
            lines.append(f"{addon}: {mode!r} is not allowed; allowed: {', '.join(get_args(Mode))}")
        elif auto_mode and _KNOWN[addon].part_of_auto_mode and mode != "off":
            lines.append(f"{addon}: {mode!r} is not allowed; allowed: off, because it is part of Auto Mode")
    return lines


def modes(changes: Mapping[str, Mode], *, auto_mode: bool) -> dict[str, Mode]:
    """Add-on -> mode, for changes without problems. Parts of Auto Mode are off: EKS runs them itself."""
    return {
        addon: "off" if auto_mode and properties.part_of_auto_mode else changes.get(addon, properties.default)
        for addon, properties in _KNOWN.items()
    }


def preserved(addon: str) -> bool:
    """Whether the add-on's software stays in the cluster when the program gives up the add-on."""
    return _KNOWN[addon].preserve
