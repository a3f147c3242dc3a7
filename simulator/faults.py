"""Faults that can be switched on and off: each one is a set of signals laid over a healthy workload.

A fault ends by itself after its time, so a drill that was killed cannot leave one on. Faults live in memory: a restart
of the pod ends them too.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator.workload import Signal, Workload, relabelled

LONGEST = 1800.0
"""Seconds after which a fault ends by itself, and the most that can be asked for."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong when the switch of one alert is on."""

    alert: str
    text: str
    """What happens, for the person who reads the list."""
    signals: tuple[Signal, ...]
    instance_label: str | None = None
    """Label that tells several instances of this fault apart; None when there can be only one."""
    rotation: tuple[str, tuple[str, ...], float] | None = None
    """Label, its values and the seconds that each value is used for before the next one's turn."""

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


class UnknownFaultError(LookupError):
    """There is no switch for this alert; the text names those that exist."""


class InstanceNotSupportedError(ValueError):
    """This fault exists only once; the text says so."""


class Switchboard:
    """The fault switches of one workload."""

    def __init__(self, workload: Workload, faults: Iterable[Fault], *, clock: Callable[[], float] = time.time) -> None:
        """All faults start switched off. `clock` gives seconds since the epoch."""
        self._workload = workload
        self._faults = {fault.alert: fault for fault in faults}
        self._clock = clock
        self._active: dict[tuple[str, str | None], Active] = {}

    def faults(self) -> list[tuple[Fault, list[Active]]]:
        """Every fault with its instances that are on."""
        self.expire()
        return [(fault, self._on(alert)) for alert, fault in self._faults.items()]

    def switch_on(self, alert: str, *, instance: str | None = None, seconds: float = LONGEST) -> Active:
        """Switch a fault on for at most `seconds`; one that is on already only gets its new end.

        Raises UnknownFaultError, or InstanceNotSupportedError for an `instance` of a fault that exists once.
        """
        fault = self._fault(alert)
        if instance is not None and fault.instance_label is None:
            raise InstanceNotSupportedError(f"{alert} has no instances; leave `instance` out")
        self.expire()
        now = self._clock()
        key = (alert, instance)
        before = self._active.get(key)
        until = now + min(seconds, LONGEST)
        self._active[key] = Active(instance=instance, since=before.since if before else now, until=until)
        self._workload.add(_layer(alert, instance), fault.resolved(instance, now))
        return self._active[key]

    def switch_off(self, alert: str, *, instance: str | None = None) -> tuple[bool, float]:
        """Switch a fault off; says whether it was on, and when it went off. Raises UnknownFaultError."""
        self._fault(alert)
        self.expire()
        return self._end((alert, instance)), self._clock()

    def expire(self) -> None:
        """End what has run its time; to be called before anything is read."""
        now = self._clock()
        for key in [key for key, active in self._active.items() if active.until <= now]:
            self._end(key)

    def _fault(self, alert: str) -> Fault:
        try:
            return self._faults[alert]
        except KeyError:
            raise UnknownFaultError(f"no fault for alert {alert!r}; known: {', '.join(self._faults)}") from None

    def _on(self, alert: str) -> list[Active]:
        return [active for (name, _), active in self._active.items() if name == alert]

    def _end(self, key: tuple[str, str | None]) -> bool:
        if self._active.pop(key, None) is None:
            return False
        self._workload.remove(_layer(*key))
        return True


def _layer(alert: str, instance: str | None) -> str:
    return f"{alert}/{instance or ''}"
