"""An alert of every system, fired while the attacks run."""

from ops.clients.kube import service_urls
from ops.drills import faults
from ops.drills.deployed import ALWAYS_FIRES, Content, content
from ops.drills.fire_alerts import INTERRUPTED, addresses, connected, drill
from ops.drills.lanes import MISSING_METRICS
from ops.drills.plan import from_files
from ops.drills.wait_times import OWN_HISTORY, RISES
from ops.environment import Environment
from ops.terminal import Console

_LEFT_OUT = {ALWAYS_FIRES, *faults.REAL, *RISES, *OWN_HISTORY, MISSING_METRICS}
"""Alerts whose faults disturb others or begin slowly, and those that a drill shortly before keeps from firing."""
_LONGEST_WINDOW = 120.0
"""Alerts with a longer window are delivered, and not waited for until they resolve."""


def one_of_each(stack: Environment, files: Content) -> dict[str, str]:
    """Maps each system to the quickest of its alerts that a drill causes without disturbing the platform."""
    names = [
        name
        for name in files.rules
        if files.enabled(name) and name not in _LEFT_OUT
        if not faults.not_caused(name, files.system(name))
    ]
    plans = sorted(from_files(files, stack, names), key=lambda one: (one.waits.allowed + one.window, one.alert))
    return {one.system: one.alert for one in reversed(plans)}


def fire(stack: Environment, console: Console) -> tuple[str, str]:
    """What must hold, and why it does not; empty if it does. Raises KeyboardInterrupt, with all faults switched off."""
    files = content(stack)
    names = sorted(one_of_each(stack, files).values())
    with service_urls(stack.cluster(), **addresses(stack, files, names)) as urls:
        services, _ = connected(stack, urls, real=False)
        code = drill(console, stack, services, names, longest_window=_LONGEST_WINDOW)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    says = f"an alert of every system is delivered meanwhile: {', '.join(names)}"
    return says, "see the table above" if code else ""
