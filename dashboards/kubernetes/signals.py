"""What the dashboards of Kubernetes share: their identity, and the use of processors, memory and network."""

from dashboards.builder import units
from dashboards.builder.dashboard import About
from dashboards.builder.layout import Line, Row, line, row
from dashboards.builder.look import Look
from dashboards.builder.panels import lines, log_lines
from dashboards.builder.queries import logs, prom
from dashboards.builder.tables import Column

CORES = Look(unit=units.COUNT)
BYTES = Look(unit=units.BYTES)
WINDOW = "5m"
"""Window of rates. Kubelets measure every 10 to 15 s, and API servers are scraped at most every 30 s, so the windows
that Grafana derives from a short scrape interval would often hold a single sample."""
_DASHBOARDS = {"Cluster": "cluster", "Namespace": "namespace", "Workload": "workload", "Node": "node"}


def about(*, shows: str, purpose: str, runbooks: list[str], logs: str) -> About:
    """Identity of the dashboard `Kubernetes - <shows>`, with links to the others."""
    return About(
        uid=f"kubernetes-{_DASHBOARDS[shows]}",
        title=f"Kubernetes - {shows}",
        system="kubernetes",
        purpose=purpose,
        runbooks=runbooks,
        logs=logs,
        links={title.lower(): f"/d/kubernetes-{name}" for title, name in _DASHBOARDS.items() if title != shows},
    )


def cpu(matchers: str, by: str, workload: str = "") -> str:
    """PromQL: cores in use. `workload` limits it to pods of these workloads, see of_workload."""
    used = f"rate(container_cpu_usage_seconds_total{{{matchers}}}[{WINDOW}])"
    return f"sum by ({by}) ({of_workload(used, workload)})"


def memory(matchers: str, by: str, workload: str = "") -> str:
    """PromQL: bytes in use that the kernel cannot free."""
    return f"sum by ({by}) ({of_workload(f'container_memory_working_set_bytes{{{matchers}}}', workload)})"


def network(direction: str, matchers: str, by: str, workload: str = "") -> str:
    """PromQL: bytes per second; `direction` is receive or transmit."""
    moved = f"rate(container_network_{direction}_bytes_total{{{matchers}}}[{WINDOW}])"
    return f"sum by ({by}) ({of_workload(moved, workload)})"


def requested(resource: str, matchers: str, by: str, workload: str = "", *, limit: bool = False) -> str:
    """PromQL: what containers ask for, or may use at most with `limit`; `resource` is cpu or memory."""
    kind = "limits" if limit else "requests"
    asked = f'kube_pod_container_resource_{kind}{{resource="{resource}", {matchers}}}'
    return f"sum by ({by}) ({of_workload(asked, workload)})"


def use_columns(resource: str, matchers: str, by: str) -> list[Column]:
    """Columns of a table: what is used and what is asked for; `resource` is cpu or memory."""
    title, unit, used = {"cpu": ("Cores", units.COUNT, cpu), "memory": ("Memory", units.BYTES, memory)}[resource]
    return [
        Column(title=f"{title} used", expression=used(matchers, by), unit=unit),
        Column(title=f"{title} requested", expression=requested(resource, matchers, by), unit=unit),
    ]


def of_workload(expression: str, workload: str) -> str:
    """Adds the label `workload` to series of pods, and keeps those whose workload matches; "" keeps them unchanged."""
    if not workload:
        return expression
    owners = f'max by (namespace, pod, workload) (pod:workload:info{{workload=~"{workload}"}})'
    return f"{expression} * on (namespace, pod) group_left (workload) {owners}"


def use(matchers: str, by: str, legend: str, workload: str = "") -> Line:
    """A line of processors, memory and network."""
    directions = {"receive": "received", "transmit": "sent"}
    return line(
        lines(
            "Processors",
            "Cores in use. Above its request, a container gets only what others leave; at its limit it is throttled.",
            [prom(cpu(matchers, by, workload), legend)],
            CORES,
        ),
        lines(
            "Memory",
            "Memory that the kernel cannot free. A container is ended when this reaches its limit.",
            [prom(memory(matchers, by, workload), legend)],
            BYTES,
        ),
        lines(
            "Network",
            "Bytes per second. Pods on the node's own network show the traffic of the node.",
            [prom(network(what, matchers, by, workload), f"{legend} {text}") for what, text in directions.items()],
            Look(unit=units.BYTES_PER_SECOND),
        ),
    )


def events(description: str, labels: str = "", which: str = "") -> Row:
    """A row of Kubernetes' events; `labels` are further matchers, `which` filters by what is beside the line."""
    selector = ", ".join(part for part in ('app="kubernetes-events"', labels) if part)
    query = f"{{{selector}}}{f' | {which}' if which else ''}"
    return row("Events", line(log_lines("What happened", description, logs(query)), height=10))
