"""What the start page shows, asked of the running stack at each visit."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ops.clients.signals import Alertmanager, Receiver, Simulator
from ops.errors import OpsError

RECENT = 3600.0
"""Seconds for which a delivery is shown."""
SHOWN = 20
"""Deliveries that the page shows."""
MEANING = {
    "prometheus": "rules and metrics",
    "alertmanager": "current notifications, and silences",
    "loki": "API of the logs; it has no page",
    "jaeger": "traces",
    "grafana": "dashboards",
    "receiver": "every notification that was delivered",
}
"""Endpoint -> what it shows, for people. The others are simulated systems."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """An endpoint of the stack."""

    name: str
    url: str

    @property
    def text(self) -> str:
        """What it shows."""
        return MEANING.get(self.name, "a simulated system and its fault switches")


@dataclass(frozen=True, kw_only=True)
class State:
    """The stack at one moment."""

    stack: str
    links: Sequence[Link]
    alerts: Sequence[Mapping[str, Any]]
    """Alerts that Alertmanager holds, the longest firing first."""
    deliveries: Sequence[Mapping[str, Any]]
    """The last notifications, newest first."""
    faults: Mapping[str, Sequence[Mapping[str, Any]]]
    """System -> its fault switches."""
    problems: Sequence[str]
    """What could not be asked, a sentence each."""
    at: str


class Stack:
    """A stack whose endpoints are served on this machine."""

    def __init__(self, name: str, urls: Mapping[str, str], simulators: Mapping[str, str]) -> None:
        """`urls` maps every endpoint to its URL, `simulators` each system to that of its fault switches."""
        self._name = name
        self._urls = urls
        self._simulators = {system: Simulator(url).without_waiting() for system, url in simulators.items()}

    def state(self) -> State:
        """Asks all services at once. One that does not answer is a problem on the page, not an error."""
        problems: list[str] = []

        def asked(question: Callable[[], list[Any]]) -> list[Any]:
            try:
                return question()
            except OpsError as error:
                problems.append(str(error))
                return []

        questions: dict[str, Callable[[], list[Any]]] = {"alerts": self._alerts, "deliveries": self._deliveries}
        questions |= {f"faults of {system}": one.faults for system, one in self._simulators.items()}
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = dict(zip(questions, pool.map(asked, questions.values()), strict=True))
        return State(
            stack=self._name,
            links=[Link(name=name, url=url) for name, url in sorted(self._urls.items())],
            alerts=answers["alerts"],
            deliveries=answers["deliveries"],
            faults={system: answers[f"faults of {system}"] for system in self._simulators},
            problems=sorted(problems),
            at=_clock(time.time()),
        )

    def switch(self, system: str, fault: str, *, on: bool) -> None:
        """Switch a fault on or off. Raises OpsError for an unknown one, and if the simulator does not answer."""
        if system not in self._simulators:
            raise OpsError(f"unknown system {system!r}; there are: {', '.join(self._simulators)}")
        simulator = self._simulators[system]
        known = [str(one["fault"]) for one in simulator.faults()]
        if fault not in known:
            raise OpsError(f"{system} has no fault {fault!r}; there are: {', '.join(known)}")
        if on:
            simulator.switch_on(fault)
        else:
            simulator.switch_off(fault)

    def _alerts(self) -> list[Mapping[str, Any]]:
        found = Alertmanager(self._urls["alertmanager"]).without_waiting().alerts()
        return [
            {"name": one["labels"]["alertname"], "labels": one["labels"], "since": one["startsAt"][11:19]}
            for one in sorted(found, key=lambda one: one["startsAt"])
        ]

    def _deliveries(self) -> list[Mapping[str, Any]]:
        if "receiver" not in self._urls:
            return []
        found = Receiver(self._urls["receiver"]).without_waiting().deliveries(time.time() - RECENT)
        return [
            {
                "at": _clock(one.received_at),
                "channel": one.receiver,
                "status": one.status,
                "alerts": ", ".join(dict.fromkeys(str(alert["alertname"]) for alert in one.alerts)),
            }
            for one in reversed(found[-SHOWN:])
        ]


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))
