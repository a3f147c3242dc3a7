"""`kill-drill`: kills replicas of Prometheus and Alertmanager around firing alerts and counts the notifications."""

import json
import random
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ops.clients.kube import service_urls
from ops.clients.pods import KubernetesPods, Pods
from ops.clients.signals import Alertmanager, Delivery, Prometheus, Receiver, Simulator
from ops.drills.deployed import Content, content
from ops.drills.faults import PROGRAMS
from ops.drills.fire_alerts import INTERRUPTED, terminal
from ops.drills.plan import AlertPlan, from_live
from ops.environment import LOCAL, load
from ops.errors import OpsError
from settings.apps import ALERTMANAGER, PROMETHEUS

KILLED = (ALERTMANAGER.name, PROMETHEUS.name)
"""The apps whose replicas are killed: those on the way of an alert on a metric."""
ALERT = "JobQueueDepthHigh"
"""Its fault can be switched on for any number of queues, and each queue causes a separate notification."""
MOMENTS = ("before notification", "while firing", "while resolving")
BACK_TIMEOUT = 300.0
"""Seconds for a killed replica to serve again; Prometheus replays its write-ahead log first."""
PEER_DELAYS = 60.0
"""Seconds by which a notification may be delayed: each Alertmanager waits 15 s for every replica ordered before it."""
SETTLE = 35.0
"""Seconds to wait for duplicates at the end: the third of three Alertmanagers sends 30 s after the first."""
TICK = 0.5
EXPLANATION = (
    "Alertmanager guarantees delivery at least once: its replicas share a log of what they sent. A replica that dies "
    "after sending but before sharing, or one that starts before it has the log, causes a second notification. "
    "A duplicate is therefore allowed, a missing notification is not. "
    "A Prometheus that restarts just when an alert ends may send it again, so that it fires and resolves twice."
)


@dataclass(kw_only=True)
class Kill:
    """One kill, and the alert instance that was active during it."""

    instance: str
    pod: str
    moment: str
    back_after: float | None = None
    """Seconds until the replica served again; None if it was not killed or did not come back."""
    fault_on: float | None = None
    fault_off: float | None = None


@dataclass(kw_only=True)
class Count:
    """Number of notifications of one instance, by channel."""

    firing: dict[str, int] = field(default_factory=dict[str, int])
    resolved: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def duplicates(self) -> int:
        """Number of notifications beyond the first, summed over both states and all channels."""
        return sum(max(times - 1, 0) for state in (self.firing, self.resolved) for times in state.values())


def count(instance: str, deliveries: list[Delivery], files: Content) -> Count:
    """Counts the deliveries about one instance."""
    result = Count()
    for delivery in deliveries:
        if _is_about(delivery, instance):
            state = result.firing if delivery.status == "firing" else result.resolved
            channel = files.channel_of(delivery)
            state[channel] = state.get(channel, 0) + 1
    return result


def lost(plan: AlertPlan, counted: Count, files: Content) -> list[str]:
    """Descriptions of the expected notifications that are missing."""
    return [f"firing in {channel}" for channel in plan.channels if not counted.firing.get(channel)] + [
        f"resolved in {channel}"
        for channel in plan.channels
        if files.resolves(channel) and not counted.resolved.get(channel)
    ]


def _is_about(delivery: Delivery, instance: str) -> bool:
    if delivery.kind in ("slack", "card"):
        # A message for people has no labels; its text contains the queue.
        return re.search(rf"\b{re.escape(instance)}\b", json.dumps(delivery.payload)) is not None
    return any(alert["labels"].get("queue") == instance for alert in delivery.alerts)


class KillDrill:
    """Kills one replica at a time, each with its own alert instance."""

    def __init__(
        self, pods: Pods, simulator: Simulator, receiver: Receiver, plan: AlertPlan, files: Content, *, seed: int
    ) -> None:
        """Starts nothing; see `run`. `seed` makes the choice of replicas and moments repeatable."""
        self.kills: list[Kill] = []
        self.settle = SETTLE
        self._pods = pods
        self._simulator = simulator
        self._receiver = receiver
        self._plan = plan
        self._files = files
        self._order: list[str] = []
        self._random = random.Random(seed)  # noqa: S311 -- not used for security
        self._begun = time.time()

    def run(self, kills: int, report: Callable[[str], None]) -> None:
        """Kill `kills` replicas, then wait for the last notifications. Switches all faults off, also when it raises."""
        names = taking_turns(self._pods.names())
        self._begun = time.time()
        try:
            for number in range(1, kills + 1):
                instance = f"kill-{self._begun:.0f}-{number:03d}"
                # The moments are random, but each occurs equally often.
                kill = Kill(instance=instance, pod=names[(number - 1) % len(names)], moment=self._moment(number))
                self.kills.append(kill)
                self._one(kill)
                report(f"[{number}/{kills}] {kill.pod} killed {kill.moment}, back after {kill.back_after:.0f} s")
            report("waiting for the last notifications")
            self._wait(lambda: not any(self.missing().values()), self._patience())
            time.sleep(self.settle)
        finally:
            for kill in self.kills:
                if kill.fault_on is not None and kill.fault_off is None:
                    kill.fault_off = self._simulator.switch_off(ALERT, instance=kill.instance)

    def missing(self) -> dict[str, list[str]]:
        """Maps each instance to its missing notifications."""
        return {name: lost(self._plan, counted, self._files) for name, counted in self.counts().items()}

    def counts(self) -> dict[str, Count]:
        """Maps each instance to the count of its notifications so far."""
        deliveries = self._receiver.deliveries(self._begun)
        return {kill.instance: count(kill.instance, deliveries, self._files) for kill in self.kills}

    def _one(self, kill: Kill) -> None:
        waits = self._plan.waits
        kill.fault_on = self._simulator.switch_on(ALERT, instance=kill.instance)
        if kill.moment == "before notification":
            time.sleep(self._random.uniform(0, waits.allowed))
        else:
            self._wait_fired(kill)
        if kill.moment == "while resolving":
            kill.fault_off = self._simulator.switch_off(ALERT, instance=kill.instance)
            time.sleep(self._random.uniform(0, waits.scrape + waits.evaluation + waits.group_interval))
        killed = time.monotonic()
        self._pods.kill(kill.pod)
        self._pods.wait_back(kill.pod, BACK_TIMEOUT)
        kill.back_after = time.monotonic() - killed
        if kill.fault_off is None:
            self._wait_fired(kill)
            kill.fault_off = self._simulator.switch_off(ALERT, instance=kill.instance)

    def _wait_fired(self, kill: Kill) -> None:
        """Wait until every channel got the firing notification. After a timeout, `missing` reports the rest."""

        def notified() -> bool:
            firing = self.counts()[kill.instance].firing
            return all(channel in firing for channel in self._plan.channels)

        self._wait(notified, self._patience())

    def _patience(self) -> float:
        return self._plan.waits.limit + self._plan.waits.group_interval + PEER_DELAYS

    def _moment(self, number: int) -> str:
        if (number - 1) % len(MOMENTS) == 0:
            self._order = self._random.sample(MOMENTS, len(MOMENTS))
        return self._order[(number - 1) % len(MOMENTS)]

    @staticmethod
    def _wait(condition: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            time.sleep(TICK)


def kill_drill(
    *,
    kills: Annotated[int, typer.Option(min=1, max=500, help="How many replicas to kill, one after the other.")] = 20,
    environment: Annotated[str, typer.Option(help="Stack to drill, as in Pulumi.<stack>.yaml.")] = LOCAL,
    seed: Annotated[int, typer.Option(help="Seed of the random moments; the same seed repeats them.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")] = None,
) -> None:
    """Kill replicas of Prometheus and Alertmanager while alerts fire; no notification may be lost.

    Exit code: 0 nothing lost, 1 something lost, 2 bad usage.
    """
    console = terminal()
    stack = load(environment)
    if not stack.has_simulator:
        raise OpsError(
            f"stack {environment} runs no simulator (observability:simulator), so no alert can be made to fire"
        )
    cluster, services, files = stack.cluster(), stack.services(), content(stack)
    readers = {name: services[name] for name in ("prometheus", "alertmanager")}
    with service_urls(cluster, **readers) as urls:
        (plan,) = from_live(files, Prometheus(urls["prometheus"]), Alertmanager(urls["alertmanager"]), [ALERT])
    actors = {"simulator": PROGRAMS["job-queue"], "receiver": services["receiver"]}
    with service_urls(cluster, **actors) as urls:
        pods = KubernetesPods(cluster, stack.namespace, KILLED)
        drill = KillDrill(pods, Simulator(urls["simulator"]), Receiver(urls["receiver"]), plan, files, seed=seed)
        raise typer.Exit(perform(drill, kills, console, json_file))


def taking_turns(pods: Collection[str]) -> list[str]:
    """Pods of StatefulSets in the order of kills: one of each app, then the next of each, so that few kills hit all."""
    return sorted(pods, key=lambda pod: (int(pod.rpartition("-")[2]), pod))


def perform(drill: KillDrill, kills: int, console: Console, json_file: Path | None = None) -> int:
    """Run the drill and print its result. Returns the exit code."""
    interrupted = False
    try:
        drill.run(kills, lambda line: console.print(f"{time.strftime('%H:%M:%S')} {line}"))
    except KeyboardInterrupt:
        interrupted = True
    counts, missing = drill.counts(), drill.missing()
    console.print(_table(drill.kills, counts, missing))
    console.print(EXPLANATION, style="dim")
    losses = sum(map(len, missing.values()))
    duplicates = sum(counted.duplicates for counted in counts.values())
    sent = sum(sum(one.firing.values()) + sum(one.resolved.values()) for one in counts.values())
    console.print(f"{len(drill.kills)} kills, {sent} notifications, {losses} lost, {duplicates} duplicates.")
    if json_file:
        document = {"kills": _json(drill.kills, counts, missing), "lost": losses, "duplicates": duplicates}
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        console.print("Interrupted: every fault is off again; the last instances may lack their resolved message.")
        return INTERRUPTED
    return 1 if losses else 0


def _table(kills: list[Kill], counts: dict[str, Count], missing: dict[str, list[str]]) -> Table:
    table = Table(title="Kills")
    for column in ("#", "replica", "killed", "back after", "firing", "resolved", "duplicates", "lost"):
        table.add_column(column)
    for number, kill in enumerate(kills, start=1):
        counted = counts[kill.instance]
        table.add_row(
            str(number),
            kill.pod,
            kill.moment,
            "-" if kill.back_after is None else f"{kill.back_after:.0f} s",
            _times(counted.firing),
            _times(counted.resolved),
            str(counted.duplicates or ""),
            ", ".join(missing[kill.instance]),
        )
    return table


def _times(state: dict[str, int]) -> str:
    return ", ".join(f"{channel} {times}" for channel, times in sorted(state.items())) or "-"


def _json(kills: list[Kill], counts: dict[str, Count], missing: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {
            **vars(kill),
            "firing": counts[kill.instance].firing,
            "resolved": counts[kill.instance].resolved,
            "duplicates": counts[kill.instance].duplicates,
            "lost": missing[kill.instance],
        }
        for kill in kills
    ]
