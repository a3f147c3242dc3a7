"""`attack`: runs the attacks in namespaces of their own, beside an innocent pod, and says what did not hold."""

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ops.attack.attacks import INNOCENT_LINES, INNOCENT_TRACES, Check, Plan, plan, trace_id
from ops.attack.cluster import AttackCluster
from ops.clients.kube import service_urls
from ops.clients.signals import Api, Prometheus, Receiver
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from settings.apps import AGENT, JAEGER, LOKI, OTLP_HTTP, agent_namespace
from settings.versions import SIMULATOR_IMAGE

STARTED = 180.0
"""Seconds for the pods to start and to say what they reached."""
ARRIVED = 120.0
"""Seconds for the innocent pod's lines and traces to arrive."""
_PAUSE = 2.0
Result = tuple[str, str]
"""What must hold, and why it does not; empty if it does."""


def attack(
    environment: Annotated[str, typer.Option(help="Stack, as in Pulumi.<stack>.yaml.")] = LOCAL,
    seconds: Annotated[int, typer.Option(help="How long series are exposed before they are judged.", min=30)] = 120,
    during: Annotated[str, typer.Option(help="Command that runs meanwhile and must succeed.")] = "",
) -> None:
    """Attack a running stack from pods without rights. The exit code is 1 if an attack has an effect."""
    stack = load(environment)
    if not stack.has_simulator:
        raise OpsError(f"stack {environment} runs no simulator, whose image the attacks use; allowed: one that does")
    console = Console(width=140)
    results = [*run(stack, seconds, during, console.print)]
    table = Table("holds", "what", "why not", box=None, pad_edge=False)
    for what, why in results:
        table.add_row("no" if why else "yes", what, why)
    console.print(table)
    if any(why for _, why in results):
        raise typer.Exit(1)


def run(stack: Environment, seconds: float, during: str, report: Callable[[str], None]) -> Iterator[Result]:
    """Runs all attacks of a plan and yields what was found. The namespaces are removed at the end."""
    begun = int(time.time())
    planned = plan(begun, stack.namespace)
    cluster = AttackCluster(stack.cluster(), str(stack.values.get("simulatorImage") or SIMULATOR_IMAGE))
    agent = f"http://{AGENT}.{agent_namespace(stack.namespace)}.svc:{OTLP_HTTP}"
    services = {**stack.services(), "loki": stack.service(LOKI), "jaeger": stack.service(JAEGER)}
    with service_urls(stack.cluster(), **services) as urls, cluster.running(planned, agent):
        found = _results(cluster, planned)
        report(f"{len(found)} pods attack from {planned.attacker}")
        if during:
            report(f"meanwhile: {during}")
            code = subprocess.run(shlex.split(during), check=False).returncode
            yield f"meanwhile: {during}", f"exit code {code}" if code else ""
        time.sleep(max(0.0, begun + seconds - time.time()))
        yield from _reached(planned, found)
        prometheus = Prometheus(urls["prometheus"])
        for check in planned.checks:
            yield check.says, judged(check, prometheus.query(check.query))
        yield from _stored(planned, begun, Api("Loki", urls["loki"]), Api("Jaeger", urls["jaeger"]))
        told = [one for one in Receiver(urls["receiver"]).deliveries(begun) if planned.attacker in str(one.payload)]
        foreign = [one.channel for one in told if not one.channel.startswith(("platform", "oncall"))]
        yield "F7, F10, F22: no other team gets a message about the attacker", ", ".join(sorted({*foreign}))


def judged(check: Check, result: list[dict[str, Any]]) -> str:
    """Why the result of a check's query is not as it must be; empty if it is."""
    value = float(result[0]["value"][1]) if result else 0.0
    return "" if check.least <= value <= check.most else f"{value:g}; allowed: {check.least:g} to {check.most:g}"


def _results(cluster: AttackCluster, planned: Plan) -> dict[str, Any]:
    """What each pod's program said, by pod."""
    waiting = {pod.name: namespace for namespace, pods in planned.pods.items() for pod in pods}
    found: dict[str, Any] = {}
    deadline = time.monotonic() + STARTED
    while waiting:
        for name, namespace in list(waiting.items()):
            if said := cluster.result(namespace, name):
                found[name] = said
                del waiting[name]
        if waiting and time.monotonic() > deadline:
            raise OpsError(f"not started after {STARTED:.0f} s: {', '.join(waiting)}")
        time.sleep(_PAUSE if waiting else 0)
    return found


def _reached(planned: Plan, found: dict[str, Any]) -> Iterator[Result]:
    for pods in planned.pods.values():
        for pod in pods:
            reached = [*found[pod.name]["reached"], *found[pod.name]["neighbours"]]
            if pod.task.get("connect"):
                yield (
                    f"{pod.findings}: pod {pod.name} reaches none of {len(pod.task['connect'])} ports",
                    ", ".join(reached),
                )
            refused = [code for code in found[pod.name]["sent"] if code != 200]
            if pod.name == "innocent":
                yield "innocent: the agent takes its traces", f"answers {refused}" if refused else ""


def _stored(planned: Plan, begun: int, loki: Api, jaeger: Api) -> Iterator[Result]:
    streams = loki.get("/loki/api/v1/series", **{"match[]": f'{{namespace="{planned.attacker}"}}', "start": begun})[
        "data"
    ]
    names = sorted({one.get("service", "") for one in streams})
    yield "F8: services that nobody wrote down have no streams", ", ".join(names) if len(streams) > 8 else ""
    forged = _count(loki, f'{{namespace="{planned.attacker}"}} | pod="forged"')
    yield "F9: a line says of its pod what Kubernetes says", f"{forged} lines are forged" if forged else ""
    lines = _until(lambda: _count(loki, f'{{namespace="{planned.innocent}"}} |= "innocent"'), INNOCENT_LINES)
    yield "innocent: no line is lost", "" if lines == INNOCENT_LINES else f"{lines} of {INNOCENT_LINES}"
    ids = [trace_id(begun, number) for number in range(INNOCENT_TRACES)]
    traces = _until(lambda: sum(_has(jaeger, one) for one in ids), INNOCENT_TRACES)
    yield "innocent: no trace is lost", "" if traces == INNOCENT_TRACES else f"{traces} of {INNOCENT_TRACES}"


def _count(loki: Api, selector: str) -> int:
    result = loki.get("/loki/api/v1/query", query=f"sum(count_over_time({selector} [1h]))")["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def _has(jaeger: Api, trace: str) -> bool:
    try:
        return bool(jaeger.get(f"/api/traces/{trace}")["data"])
    except OpsError:
        return False


def _until(count: Callable[[], int], wanted: int) -> int:
    """The count, once it is as wanted, or after ARRIVED seconds."""
    deadline = time.monotonic() + ARRIVED
    while (found := count()) != wanted and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return found
