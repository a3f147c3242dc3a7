"""`kill-drill`: kills pods between an alert's cause and its notification, and counts the notifications."""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ops.clients.kube import service_urls
from ops.clients.pods import KubernetesPods, Pods
from ops.clients.signals import Alertmanager, Prometheus, Receiver, Simulator
from ops.drills.deployed import Content, content
from ops.drills.faults import PROGRAMS
from ops.drills.fire_alerts import INTERRUPTED, terminal
from ops.drills.kill_report import Count, Kill, count, document, lost, table
from ops.drills.log_rules import LogRules
from ops.drills.plan import AlertPlan, from_live
from ops.drills.wait_times import ERROR_LOG_BURST, until_empty
from ops.environment import LOCAL, load
from ops.errors import OpsError
from settings.apps import ALERTMANAGER, GATEWAY, LOKI, PROMETHEUS
from simulator.systems.speccursor_metrics import SERVICES

ALERT = "JobQueueDepthHigh"
"""Its fault can be switched on for any number of queues, and each queue causes a separate notification."""
LOG_ALERT = ERROR_LOG_BURST
"""Its fault can be switched on for each of the simulated services."""
KILLED = {ALERTMANAGER.name: ALERT, PROMETHEUS.name: ALERT, LOKI.name: LOG_ALERT, GATEWAY: LOG_ALERT}
"""Apps whose replicas are killed, in this order -> the alert on whose way they are: from a metric or from log lines."""
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


@dataclass(frozen=True, kw_only=True)
class Way:
    """An alert that can be made to fire in several instances."""

    plan: AlertPlan
    simulator: Simulator
    label: str
    """Label that tells the instances apart."""
    instances: tuple[str, ...] = ()
    """The possible instances; empty if any name is allowed."""

    @property
    def patience(self) -> float:
        """Seconds to wait for a notification."""
        return self.plan.waits.limit + self.plan.waits.group_interval + PEER_DELAYS

    @property
    def end(self) -> float:
        """Seconds to wait for the resolved notification: lines stay in their window, and a gauge in none."""
        return self.patience + (until_empty(self.plan.window) if self.plan.engine == "loki" else 0.0)


class KillDrill:
    """Kills one replica at a time, each with its own alert instance."""

    def __init__(self, pods: Pods, receiver: Receiver, ways: Mapping[str, Way], files: Content, *, seed: int) -> None:
        """Starts nothing; see `run`. `ways`: app -> the alert that is active when a replica of this app is killed.

        `seed` makes the choice of moments repeatable.
        """
        self.kills: list[Kill] = []
        self.settle = SETTLE
        self._pods = pods
        self._receiver = receiver
        self._ways = ways
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
                pod = names[(number - 1) % len(names)]
                way = self._way(pod)
                instance = self._free_instance(way, number)
                # The moments are random, but each occurs equally often.
                kill = Kill(
                    alert=way.plan.alert,
                    label=way.label,
                    instance=instance,
                    pod=pod,
                    moment=self._moment(number),
                    since=time.time(),
                )
                self.kills.append(kill)
                self._one(kill, way)
                report(f"[{number}/{kills}] {kill.pod} killed {kill.moment}, back after {kill.back_after:.0f} s")
            report("waiting for the last notifications")
            self._wait(lambda: not any(self.missing()), max(way.end for way in self._ways.values()))
            time.sleep(self.settle)
        finally:
            for kill in self.kills:
                if kill.fault_on is not None and kill.fault_off is None:
                    self._end(kill, self._way(kill.pod))

    def missing(self) -> list[list[str]]:
        """The missing notifications of each kill."""
        return [
            lost(self._way(kill.pod).plan, counted, self._files)
            for kill, counted in zip(self.kills, self.counts(), strict=True)
        ]

    def counts(self) -> list[Count]:
        """The notifications of each kill so far."""
        deliveries = self._receiver.deliveries(self._begun)
        return [count(kill, deliveries) for kill in self.kills]

    def _way(self, pod: str) -> Way:
        return self._ways[pod.rpartition("-")[0]]

    def _free_instance(self, way: Way, number: int) -> str:
        """An instance of which nothing is expected any more. After the wait, `missing` reports what did not come."""
        if not way.instances:
            return f"kill-{self._begun:.0f}-{number:03d}"
        own = [kill for kill in self.kills if kill.alert == way.plan.alert]
        instance = way.instances[len(own) % len(way.instances)]
        before = next((kill for kill in reversed(own) if kill.instance == instance), None)
        if before is not None:
            position = self.kills.index(before)
            self._wait(lambda: not self.missing()[position], way.end)
            before.until = time.time()
        return instance

    def _one(self, kill: Kill, way: Way) -> None:
        waits = way.plan.waits
        kill.fault_on = way.simulator.switch_on(kill.alert, instance=kill.instance)
        if kill.moment == "before notification":
            time.sleep(self._random.uniform(0, waits.allowed))
        else:
            self._wait_fired(kill, way)
        if kill.moment == "while resolving":
            self._end(kill, way)
            time.sleep(self._random.uniform(0, waits.scrape + waits.evaluation + waits.group_interval))
        killed = time.monotonic()
        self._pods.kill(kill.pod)
        self._pods.wait_back(kill.pod, BACK_TIMEOUT)
        kill.back_after = time.monotonic() - killed
        if kill.fault_off is None:
            self._wait_fired(kill, way)
            self._end(kill, way)

    def _end(self, kill: Kill, way: Way) -> None:
        kill.fault_off = way.simulator.switch_off(kill.alert, instance=kill.instance)

    def _wait_fired(self, kill: Kill, way: Way) -> None:
        """Wait until every channel got the firing notification. After a timeout, `missing` reports the rest."""

        def notified() -> bool:
            firing = count(kill, self._receiver.deliveries(self._begun)).firing
            return all(channel in firing for channel in way.plan.channels)

        self._wait(notified, way.patience)

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
    """Kill replicas of Prometheus, Alertmanager, Loki and the gateways while alerts fire; no notification may be lost.

    Exit code: 0 nothing lost, 1 something lost, 2 bad usage.
    """
    console = terminal()
    stack = load(environment)
    if not stack.has_simulator:
        raise OpsError(
            f"stack {environment} runs no simulator (observability:simulator), so no alert can be made to fire"
        )
    cluster, services, files = stack.cluster(), stack.services(), content(stack)
    readers = {name: services[name] for name in ("prometheus", "alertmanager")} | {"loki": stack.service(LOKI)}
    with service_urls(cluster, **readers) as urls:
        sources = Prometheus(urls["prometheus"]), Alertmanager(urls["alertmanager"])
        metric, line = from_live(files, *sources, [ALERT, LOG_ALERT], log_rules=LogRules(urls["loki"]))
    actors = {"queues": PROGRAMS["job-queue"], "lines": PROGRAMS["speccursor"], "receiver": services["receiver"]}
    with service_urls(cluster, **actors) as urls:
        ways = {
            ALERT: Way(plan=metric, simulator=Simulator(urls["queues"]), label="queue"),
            LOG_ALERT: Way(plan=line, simulator=Simulator(urls["lines"]), label="service", instances=SERVICES),
        }
        pods = KubernetesPods(cluster, stack.namespace, tuple(KILLED))
        by_app = {app: ways[alert] for app, alert in KILLED.items()}
        drill = KillDrill(pods, Receiver(urls["receiver"]), by_app, files, seed=seed)
        raise typer.Exit(perform(drill, kills, console, json_file))


def taking_turns(pods: Collection[str]) -> list[str]:
    """Pods of StatefulSets in the order of kills: one of each app as in KILLED, then the next of each."""
    apps = list(KILLED)

    def turn(pod: str) -> tuple[int, int]:
        app, _, ordinal = pod.rpartition("-")
        return int(ordinal), apps.index(app)

    return sorted(pods, key=turn)


def perform(drill: KillDrill, kills: int, console: Console, json_file: Path | None = None) -> int:
    """Run the drill and print its result. Returns the exit code."""
    interrupted = False
    try:
        drill.run(kills, lambda line: console.print(f"{time.strftime('%H:%M:%S')} {line}"))
    except KeyboardInterrupt:
        interrupted = True
    counts, missing = drill.counts(), drill.missing()
    console.print(table(drill.kills, counts, missing))
    console.print(EXPLANATION, style="dim")
    losses = sum(map(len, missing))
    duplicates = sum(counted.duplicates for counted in counts)
    sent = sum(sum(one.firing.values()) + sum(one.resolved.values()) for one in counts)
    console.print(f"{len(drill.kills)} kills, {sent} notifications, {losses} lost, {duplicates} duplicates.")
    if json_file:
        result = {"kills": document(drill.kills, counts, missing), "lost": losses, "duplicates": duplicates}
        json_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        console.print("Interrupted: every fault is off again; the last instances may lack their resolved message.")
        return INTERRUPTED
    return 1 if losses else 0
