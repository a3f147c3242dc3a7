"""`attack`: runs the attacks in namespaces of their own, beside an innocent pod, and says what did not hold."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from ops.attack import sample
from ops.attack.attacks import LINES, Check, Plan, plan, trace_id
from ops.attack.cluster import AttackCluster
from ops.clients import log_lines
from ops.clients.kube import service_urls
from ops.clients.signals import Api, Prometheus, Receiver
from ops.drills.fire_alerts import INTERRUPTED
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from ops.terminal import Console
from settings.apps import AGENT, JAEGER, LOKI, OTLP_HTTP, agent_namespace
from settings.versions import SIMULATOR_IMAGE

STARTED = 180.0
"""Seconds for the pods to start and to do their first round."""
ARRIVED = 120.0
"""Seconds for the innocent pod's lines and traces, and the attackers' series, to arrive."""
GONE = 180.0
"""Seconds for the namespaces to be removed."""
_SHORTEST_WINDOW = 30
# The only team that learns of an attacker is the one whose platform cannot scrape his pods, and nobody is woken.
_TOLD = "platform-slack"
_PAUSE = 2.0
_MESSAGE = re.compile(r"innocent \d+\.\d+")
_NAMED = 5
"""Lost lines that a result names."""
T = TypeVar("T")
Result = tuple[str, str]
"""What must hold, and why it does not; empty if it does."""
Rounds = Mapping[str, Sequence[Mapping[str, Any]]]
"""Pod -> what its program found in each round."""


def attack(
    environment: Annotated[str, typer.Option(help="Stack, as in Pulumi.<stack>.yaml.")] = LOCAL,
    seconds: Annotated[int, typer.Option(help="How long all pods attack at least.", min=20)] = 120,
    drill: Annotated[bool, typer.Option(help="Fire an alert of every system meanwhile.")] = True,
) -> None:
    """Attack a running stack from pods without rights. The exit code is 1 if an attack has an effect."""
    stack = load(environment)
    if not stack.has_simulator:
        raise OpsError(f"stack {environment} runs no simulator, whose image the attacks use; allowed: one that does")
    console = Console(width=140)
    fire = (lambda: sample.fire(stack, console)) if drill else None
    try:
        results = [*run(stack, seconds, console.print, fire)]
    except KeyboardInterrupt:
        console.print("Interrupted: the attackers' namespaces are being removed.")
        raise typer.Exit(INTERRUPTED) from None
    table = Table("holds", "what", "why not", box=None, pad_edge=False)
    for what, why in results:
        table.add_row("no" if why else "yes", what, why)
    console.print(table)
    if any(why for _, why in results):
        raise typer.Exit(1)


def run(
    stack: Environment, seconds: float, report: Callable[[str], None], drill: Callable[[], Result] | None = None
) -> Iterator[Result]:
    """Runs all attacks of a plan, and the drill meanwhile, and yields what was found.

    The pods attack for at least `seconds` after all of them have begun. Their namespaces are removed at the end.
    """
    planned = plan(int(time.time()), stack.namespace)
    cluster = AttackCluster(stack.cluster(), str(stack.values.get("simulatorImage") or SIMULATOR_IMAGE))
    agent = f"http://{AGENT}.{agent_namespace(stack.namespace)}.svc:{OTLP_HTTP}"
    services = {**stack.services(), "loki": stack.service(LOKI), "jaeger": stack.service(JAEGER)}
    with service_urls(stack.cluster(), **services) as urls:
        with cluster.running(planned, agent):
            _wait_for(cluster, planned)
            since = time.time()
            report(f"{sum(map(len, planned.pods.values()))} pods attack, or are beside, in {', '.join(planned.pods)}")
            if drill:
                yield drill()
            time.sleep(max(0.0, since + seconds - time.time()))
            prometheus = Prometheus(urls["prometheus"])
            for check in planned.checks:
                yield check.says, _checked(check, prometheus, since)
            rounds = _rounds(cluster, planned)
            yield from _reached(planned, rounds)
            yield from _stored(planned, rounds["innocent"], Api("Loki", urls["loki"]), Api("Jaeger", urls["jaeger"]))
            told = Receiver(urls["receiver"]).deliveries(planned.begun)
            others = {one.channel for one in told if planned.attacker in str(one.payload)} - {_TOLD}
            yield "F7, F10, F22: no other team gets a message about the attacker", ", ".join(sorted(others))
        left = _until(lambda: cluster.left(planned), lambda names: not names, GONE)
        yield "all namespaces of the attack are removed", ", ".join(left)


def _checked(check: Check, prometheus: Prometheus, since: float) -> str:
    """Why a check fails; empty if it holds. Waits for what must arrive first."""

    def asked() -> str:
        window = max(_SHORTEST_WINDOW, int(time.time() - since))
        return judged(check, prometheus.query(check.query.replace("WINDOW", f"{window}s")))

    return _until(asked, lambda why: not why, ARRIVED) if check.least else asked()


def judged(check: Check, result: list[dict[str, Any]]) -> str:
    """Why the result of a check's query is not as it must be; empty if it is."""
    value = float(result[0]["value"][1]) if result else 0.0
    return "" if check.least <= value <= check.most else f"{value:g}; allowed: {check.least:g} to {check.most:g}"


def _rounds(cluster: AttackCluster, planned: Plan) -> Rounds:
    return {pod.name: cluster.rounds(namespace, pod.name) for namespace, pods in planned.pods.items() for pod in pods}


def _wait_for(cluster: AttackCluster, planned: Plan) -> None:
    """Returns when each pod has done a round."""
    rounds = _until(lambda: _rounds(cluster, planned), lambda found: all(found.values()), STARTED)
    if late := [name for name, found in rounds.items() if not found]:
        raise OpsError(f"no round was done within {STARTED:.0f} s by {', '.join(late)}")


def _reached(planned: Plan, rounds: Rounds) -> Iterator[Result]:
    for pod in (pod for pods in planned.pods.values() for pod in pods if pod.task.get("connect")):
        reached = {one for found in rounds[pod.name] for one in (*found["reached"], *found["neighbours"])}
        says = f"{pod.findings}: pod {pod.name} reaches none of {len(pod.task['connect'])} ports"
        yield says, ", ".join(sorted(reached))


def _stored(planned: Plan, innocent: Sequence[Mapping[str, Any]], loki: Api, jaeger: Api) -> Iterator[Result]:
    own = f'{{namespace="{planned.attacker}"}}'
    arrived = _until(lambda: _count(loki, f'{own} |= "attack"'), lambda count: count > 0, ARRIVED)
    yield "the attacks run: the attacker's lines arrive", "" if arrived else "none did"
    streams = loki.get("/loki/api/v1/series", **{"match[]": own, "start": planned.begun})["data"]
    names = sorted({one.get("service", "") for one in streams})
    yield "F8: services that nobody wrote down have no streams", ", ".join(names) if len(streams) > 8 else ""
    forged = _count(loki, f'{own} | pod="forged"')
    yield "F9: a line says of its pod what Kubernetes says", f"{forged} lines are forged" if forged else ""
    refused = [code for found in innocent for code in found["sent"] if code != 200]
    yield "innocent: the agent takes its traces", f"answers {refused}" if refused else ""
    # The pod writes on meanwhile. Agents and gateways may send a line twice, but lose none.
    rounds = len(innocent)
    written = {f"innocent {number + 1}.{line}" for number in range(rounds) for line in range(LINES)}
    lost = _until(lambda: written - _messages(loki, planned), lambda missing: not missing, ARRIVED)
    yield f"innocent: none of {len(written)} lines is lost", ", ".join(sorted(lost)[:_NAMED])
    ids = [trace_id(planned.begun, number + 1) for number in range(rounds)]
    traces = _until(lambda: sum(_has(jaeger, one) for one in ids), lambda count: count == rounds, ARRIVED)
    yield f"innocent: none of {rounds} traces is lost", "" if traces == rounds else f"{traces} arrived"


def _messages(loki: Api, planned: Plan) -> set[str]:
    """What Loki has of the innocent pod's lines."""
    selector = f'{{namespace="{planned.innocent}"}} |= "innocent"'
    lines = log_lines.stored(loki, selector, start=planned.begun * 10**9, end=time.time_ns())
    return {match[0] for line in lines if (match := _MESSAGE.search(line.text))}


def _count(loki: Api, selector: str) -> int:
    """Number of lines of the last hour."""
    query = f"sum(count_over_time({selector} [1h]))"
    result = loki.get("/loki/api/v1/query", query=query)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


def _has(jaeger: Api, trace: str) -> bool:
    try:
        return bool(jaeger.get(f"/api/traces/{trace}")["data"])
    except OpsError:
        return False


def _until(ask: Callable[[], T], wanted: Callable[[T], bool], seconds: float) -> T:
    """The answer, once it is as wanted, or after these seconds."""
    deadline = time.monotonic() + seconds
    while not wanted(found := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return found
