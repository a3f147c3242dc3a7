"""Faults that can be switched on and off.

A fault is a set of signals on top of a workload, or a switch that a program checks before each action. It ends by
itself after some time, so a killed drill cannot leave it on. Faults are kept in memory, so a restart of the pod ends
them as well.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.engine.signals import Signal, relabelled
from simulator.engine.workload import Workload

USUAL = 1800.0
"""Default time in seconds after which a fault ends by itself."""
LONGEST = 7200.0
"""Maximum time of a fault in seconds; enough for AlertsOnMissingMetrics, which waits for an hour."""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Adjustable strength of a fault."""

    unit: str
    default: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The effects of one switch."""

    alert: str = ""
    """Alert that the fault makes fire; empty if there is none."""
    switch: str = ""
    """Name of the switch if it differs from the alert's name, which also works."""
    text: str
    """Description of the effect, for people."""
    signals: tuple[Signal, ...] = ()
    after: tuple[Signal, ...] = ()
    """Signals that happen once when the fault ends, so that its alert resolves sooner."""
    hides: tuple[str, ...] = ()
    """Metrics that are not exposed while the fault is on."""
    amount: Amount | None = None
    """None if the strength is fixed."""
    instance_label: str | None = None
    """Label that distinguishes several instances of this fault; None if only one is possible."""
    instances: tuple[str, ...] = ()
    """The possible instances; empty if any name is allowed."""
    rotation: tuple[str, tuple[str, ...], float] | None = None
    """Label, its values, and the time in seconds after which the next value is used."""

    @property
    def name(self) -> str:
        """Name of the switch."""
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
    """An instance of a fault that is on. Times are seconds since the epoch."""

    instance: str | None
    since: float
    until: float
    amount: float | None = None
    """In the unit of the fault's Amount."""


class UnknownFaultError(LookupError):
    """There is no such switch; the message lists the existing ones."""


class NotSupportedError(ValueError):
    """The fault has no such instance or amount; the message lists the allowed values."""


class Switchboard:
    """The fault switches of one pod."""

    def __init__(
        self, workload: Workload | None, faults: Iterable[Fault], *, clock: Callable[[], float] = time.time
    ) -> None:
        """All faults start switched off. `workload` receives their signals; without one, faults must not have any.

        `clock` returns seconds since the epoch.
        """
        self._workload = workload
        self._faults = {fault.name: fault for fault in faults}
        self._by_alert = {fault.alert: fault for fault in self._faults.values() if fault.alert}
        self._clock = clock
        self._active: dict[tuple[str, str | None], Active] = {}

    def faults(self) -> list[tuple[Fault, list[Active]]]:
        """Every fault with its active instances."""
        self.expire()
        return [(fault, self._on(name)) for name, fault in self._faults.items()]

    def active(self, name: str) -> list[Active]:
        """The active instances of one fault. Raises UnknownFaultError."""
        self.expire()
        return self._on(self.fault(name).name)

    def amount(self, name: str) -> float:
        """Sum of a fault's amounts over its active instances; 0.0 if it is off. Raises UnknownFaultError."""
        return sum(active.amount or 0.0 for active in self.active(name))

    def switch_on(
        self, name: str, *, instance: str | None = None, amount: float | None = None, seconds: float = USUAL
    ) -> Active:
        """Switch a fault on for at most `seconds`; a fault that is already on only gets a new end and amount.

        Raises UnknownFaultError, or NotSupportedError if the fault does not support the `instance` or `amount`.
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
        """Switch a fault off. Returns whether it was on, and the present time. Raises UnknownFaultError."""
        fault = self.fault(name)
        self.expire()
        return self._end((fault.name, instance)), self._clock()

    def expire(self) -> None:
        """End faults whose time is over; must be called before anything is read."""
        now = self._clock()
        for key in [key for key, active in self._active.items() if active.until <= now]:
            self._end(key)

    def fault(self, name: str) -> Fault:
        """The fault with this switch or alert name. Raises UnknownFaultError."""
        fault = self._faults.get(name) or self._by_alert.get(name)
        if fault is None:
            raise UnknownFaultError(f"no fault {name!r}; known: {', '.join(self._faults)}")
        return fault

    def _on(self, name: str) -> list[Active]:
        return [active for (fault, _), active in self._active.items() if fault == name]

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
    if not fault.amount.least <= amount <= fault.amount.most:  # also rejects NaN
        limits = f"{fault.amount.least:g} to {fault.amount.most:g} {fault.amount.unit}"
        raise NotSupportedError(f"`amount` of {fault.name} is {amount:g}; allowed: {limits}")
    return amount


def _layer(name: str, instance: str | None) -> str:
    return f"{name}/{instance or ''}"
