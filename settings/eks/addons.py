"""EKS add-ons: which there are, and who installs each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from alerting.problems import closest

Mode = Literal["managed", "existing", "off"]
"""The program installs it; someone else did; it is not there."""

EBS_CSI_DRIVER = "aws-ebs-csi-driver"
POD_IDENTITY_AGENT = "eks-pod-identity-agent"
KUBE_STATE_METRICS = "kube-state-metrics"
NODE_EXPORTER = "prometheus-node-exporter"


@dataclass(frozen=True)
class _AddOn:
    default: Mode
    part_of_auto_mode: bool = False
    preserve: bool = False
    """Its software stays when the program gives it up, because others stand on it: volumes, credentials, CRDs."""


_KNOWN = {
    EBS_CSI_DRIVER: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    POD_IDENTITY_AGENT: _AddOn("managed", part_of_auto_mode=True, preserve=True),
    "metrics-server": _AddOn("managed"),
    # The platform brings both itself, with exactly the metrics that its rules read.
    KUBE_STATE_METRICS: _AddOn("off"),
    NODE_EXPORTER: _AddOn("off"),
    # Nothing of the platform needs it.
    "cert-manager": _AddOn("off", preserve=True),
}


def problems(changes: Mapping[str, object], *, auto_mode: bool) -> list[str]:
    """What is wrong with a stack's `eksAddons`; lines start with the path in `changes`."""
    found: list[str] = []
    for addon, mode in changes.items():
        if addon not in _KNOWN:
            found.append(f"{addon}: no such add-on; {closest(addon, tuple(_KNOWN))}")
        elif mode not in get_args(Mode):
            found.append(f"{addon}: {mode!r} is not allowed; allowed: {', '.join(get_args(Mode))}")
        elif auto_mode and _KNOWN[addon].part_of_auto_mode and mode != "off":
            found.append(f"{addon}: {mode!r} is not allowed; allowed: off, because it is part of Auto Mode")
    return found


def modes(changes: Mapping[str, Mode], *, auto_mode: bool) -> dict[str, Mode]:
    """Add-on -> who brings it, for changes without problems. Off what is part of Auto Mode: EKS runs it, unseen."""
    return {
        addon: "off" if auto_mode and facts.part_of_auto_mode else changes.get(addon, facts.default)
        for addon, facts in _KNOWN.items()
    }


def preserved(addon: str) -> bool:
    """Whether the add-on's software stays in the cluster when the program gives the add-on up."""
    return _KNOWN[addon].preserve
