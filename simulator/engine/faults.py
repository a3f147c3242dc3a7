"""Faults that can be switched on and off.

A fault is a set of signals laid over a workload, or a behaviour that a role asks for before each thing it does. It ends
by itself after its time, so a drill that was killed cannot leave one on. Faults live in memory: a restart of the pod
ends them too.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.engine.signals import Signal, relabelled
from simulator.engine.workload import Workload

USUAL = 1800.0
"""Seconds after which a fault ends by itself when nobody says."""
LONGEST = 7200.0
"""The most seconds that can be asked for: the alert on missing metrics waits for an hour."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much of a fault can be asked for."""

    unit: str
    default: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong when one switch is on."""

    alert: str = ""
    """Alert that it makes fire; empty when there is none."""
    switch: str = ""
    """Name of the switch where it is not the alert's; the alert's name works all the same."""
    text: str
    """What happens, for the person who reads the list."""
    signals: tuple[Signal, ...] = ()
    after: tuple[Signal, ...] = ()
    """What happens once when it ends, so that its alert resolves sooner."""
    hides: tuple[str, ...] = ()
    """Metrics that are not exposed while it is on."""
    amount: Amount | None = None
    """None when there is nothing to choose."""
    instance_label: str | None = None
    """Label that tells several instances of this fault apart; None when there can be only one."""
    instances: tuple[str, ...] = ()
    """The only instances there can be; empty when any name will do."""
    rotation: tuple[str, tuple[str, ...], float] | None = None
    """Label, its values and the seconds that each value is used for before the next one's turn."""

    @property
    def name(self) -> str:
        """What the switch is called."""
        return self.switch or self.alert

    def resolved(self, instance: str | None, now: float) -> tuple[Signal, ...]:
        """The signals of one instance switched on at `now` (seconds since the epoch)."""
        signals = self.signals
        if self.rotation:
            label, values, seconds = self.rotation
            turn = values[int(now // seconds) % len(values)]
            signals = tuple(relabelled(signal, label, turn) for signal in signals)
        if instance is not None and self.instance_label:
            signals = tuple(relabelled(signal, self.instance_label, instance) for signal in signals)
        return signals


@dataclass(frozen=True, kw_only=True)
class Active:
    """One fault that is on. Times are seconds since the epoch."""

    instance: str | None
    since: float
    until: float
    amount: float | None = None
    """In the fault's own unit."""


class UnknownFaultError(LookupError):
    """There is no such switch; the text names those that exist."""


class NotSupportedError(ValueError):
    """This fault has no such instance or amount; the text says what is allowed."""


class Switchboard:
    """The fault switches of one pod."""

    def __init__(
        self, workload: Workload | None, faults: Iterable[Fault], *, clock: Callable[[], float] = time.time
    ) -> None:
        """All faults start switched off. `workload` takes their signals; without one there must be none.

        `clock` gives seconds since the epoch.
        """
        self._workload = workload
        self._faults = {fault.name: fault for fault in faults}
        self._by_alert = {fault.alert: fault for fault in self._faults.values() if fault.alert}
        self._clock = clock
        self._active: dict[tuple[str, str | None], Active] = {}

    def faults(self) -> list[tuple[Fault, list[Active]]]:
        """Every fault with its instances that are on."""
        self.expire()
        return [(fault, self._on(name)) for name, fault in self._faults.items()]

    def active(self, name: str) -> list[Active]:
        """The instances of one fault that are on at this moment. Raises UnknownFaultError."""
        self.expire()
        return self._on(self.fault(name).name)

    def amount(self, name: str) -> float:
        """How much of a fault is on, over all instances; 0.0 when it is off. Raises UnknownFaultError."""
        return sum(active.amount or 0.0 for active in self.active(name))

    def switch_on(
        self, name: str, *, instance: str | None = None, amount: float | None = None, seconds: float = USUAL
    ) -> Active:
        """Switch a fault on for at most `seconds`; one that is on already only gets its new end and amount.

        Raises UnknownFaultError, or NotSupportedError for an `instance` or an `amount` that the fault does not have.
        """
        fault = self.fault(name)
        _check_instance(fault, instance)
        chosen = _checked_amount(fault, amount)
        self.expire()
        now = self._clock()
        key = (fault.name, instance)
        before = self._active.get(key)
        since, until = before.since if before else now, now + min(seconds, LONGEST)
        self._active[key] = Active(instance=instance, since=since, until=until, amount=chosen)
        if self._workload:
            self._workload.add(_layer(*key), fault.resolved(instance, now), hides=fault.hides)
        return self._active[key]

    def switch_off(self, name: str, *, instance: str | None = None) -> tuple[bool, float]:
        """Switch a fault off; says whether it was on, and when it went off. Raises UnknownFaultError."""
        fault = self.fault(name)
        self.expire()
        return self._end((fault.name, instance)), self._clock()

    def expire(self) -> None:
        """End what has run its time; to be called before anything is read."""
        now = self._clock()
        for key in [key for key, active in self._active.items() if active.until <= now]:
            self._end(key)

    def fault(self, name: str) -> Fault:
        """The fault behind a switch, by its own name or its alert's. Raises UnknownFaultError."""
        fault = self._faults.get(name) or self._by_alert.get(name)
        if fault is None:
            raise UnknownFaultError(f"no fault {name!r}; known: {', '.join(self._faults)}")
        return fault

    def _on(self, name: str) -> list[Active]:
        return [active for (one, _), active in self._active.items() if one == name]

    def _end(self, key: tuple[str, str | None]) -> bool:
        if self._active.pop(key, None) is None:
            return False
        if self._workload:
            self._workload.remove(_layer(*key), self._faults[key[0]].after)
        return True


def _check_instance(fault: Fault, instance: str | None) -> None:
    if instance is None:
        return
    if fault.instance_label is None:
        raise NotSupportedError(f"{fault.name} has no instances; leave `instance` out")
    if fault.instances and instance not in fault.instances:
        allowed = ", ".join(fault.instances)
        raise NotSupportedError(f"`instance` of {fault.name} is {instance!r}; allowed: {allowed}")


def _checked_amount(fault: Fault, amount: float | None) -> float | None:
    if fault.amount is None:
        if amount is not None:
            raise NotSupportedError(f"{fault.name} has no amount; leave `amount` out")
        return None
    if amount is None:
        return fault.amount.default
    if not fault.amount.least <= amount <= fault.amount.most:  # NaN is outside, too
        limits = f"{fault.amount.least:g} to {fault.amount.most:g} {fault.amount.unit}"
        raise NotSupportedError(f"`amount` of {fault.name} is {amount:g}; allowed: {limits}")
    return amount


def _layer(name: str, instance: str | None) -> str:
    return f"{name}/{instance or ''}"
