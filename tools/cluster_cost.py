"""`python -m tools.cluster_cost`: what the metrics and rules of Kubernetes itself cost a Prometheus, as ratios.

Two real servers run side by side for the same time. Both scrape what the local stack has without Kubernetes, and
evaluate its rules; the second one also has the jobs of components/metrics/cluster_jobs.py and the rules of the system
`kubernetes`. The pages are made up, in the sizes that the local stack's had on 28 November 2026. The figures are CPU
time and memory of each server, so they hardly depend on what else runs. Exit code 1 if a scrape failed.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from alerting.files import ROOT
from alerting.loader import write_yaml
from components.metrics import cluster_jobs
from local.ports import free_port
from tools.http_server import Handler, serving
from tools.programs import Server, eventually

RULES = ROOT / "rules/rendered/local/prometheus"
OWN_RULES = "*kubernetes*.yaml"
BASE = 11_000
"""Series of all other jobs."""
STATE = (500, 190)
"""Series of kube-state-metrics without and for the rules and dashboards of Kubernetes."""
SAMPLES = {"kube-apiserver": 31_000, "cadvisor": 4_100, "kubelet": 2_300, "coredns": 230}
"""Job -> samples on its page."""
KEPT = {"kube-apiserver": 780, "cadvisor": 108, "kubelet": 47, "coredns": 20}
"""Job -> samples that its relabeling keeps."""
_LABELS = {
    "kube-apiserver": 'verb="GET",',
    "cadvisor": 'namespace="n",pod="p",container="c",',
}
_JOBS = {
    "kube-apiserver": (*cluster_jobs.API_SERVER, cluster_jobs.SLOW_REQUESTS),
    "cadvisor": cluster_jobs.CONTAINERS,
    "kubelet": cluster_jobs.KUBELET,
    "coredns": cluster_jobs.DNS,
}
_STEP = "5s"
FIGURES = ("series", "memory in MiB", "CPU in percent of a core", "rules in ms per second")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster_cost", description=__doc__)
    parser.add_argument("--warm-up", type=float, default=90, help="seconds from the first scrapes; default: 90")
    parser.add_argument("--seconds", type=float, default=180, help="seconds of measuring; default: 180")
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="cluster-cost-") as folder, ExitStack() as running:
        pages = running.enter_context(serving(_handler()))
        servers = {
            name: running.enter_context(_prometheus(Path(folder) / name, pages, extended=extended))
            for name, extended in (("before", False), ("after", True))
        }
        for name, server in servers.items():
            _wait_for_jobs(server, 3 + len(SAMPLES) if name == "after" else 2)
        time.sleep(chosen.warm_up)
        begun = {name: _used(server) for name, server in servers.items()}
        time.sleep(chosen.seconds)
        found = {name: _figures(server, begun[name], chosen.seconds) for name, server in servers.items()}
        failed = [series for server in servers.values() for series in _ask(server, "up == 0 or up offset 30s == 0")]
    print(f"{'':26}{'before':>10}{'after':>10}{'ratio':>8}")
    for index, figure in enumerate(FIGURES):
        before, after = found["before"][index], found["after"][index]
        print(f"{figure:26}{before:10,.1f}{after:10,.1f}{after / before:8.2f}")
    return int(bool(failed))


def _handler() -> type[Handler]:
    pages = {"/base": _page("base", BASE), "/state": _page("state", STATE[0]), "/more": _page("more", STATE[1])}
    pages |= {f"/{job}": "".join(exposed(job)) for job in SAMPLES}

    class Pages(Handler):
        """Answers each page with values that grow, as counters do."""

        def respond(self) -> None:
            body = pages[self.path].replace("@", f"{time.time():.0f}").encode()
            self.answer(200, body, "text/plain; version=0.0.4")

    return Pages


def _page(name: str, series: int) -> str:
    return "".join(f'{name}_{number % 200}_total{{number="{number}"}} @\n' for number in range(series))


def exposed(job: str) -> Iterator[str]:
    """The page of a job: what is kept first, and then what is dropped."""
    labels, metrics = _LABELS.get(job, ""), _JOBS[job]
    for number in range(KEPT[job]):
        metric = metrics[number % len(metrics)]
        bound = 'le="1",' if metric.endswith("_bucket") else ""
        yield f'{metric}{{{labels}{bound}number="{number}"}} @\n'
    for number in range(SAMPLES[job] - KEPT[job]):
        name = f"{job.replace('-', '_')}_dropped_{number % 300}"
        yield f'{name}{{verb="LIST",resource="of-usual-length",le="{number}"}} @\n'


def _prometheus(folder: Path, pages: str, *, extended: bool) -> Server:
    paths = ["/base", "/state", *(["/more"] if extended else [])]
    jobs = [{"job_name": path[1:], "metrics_path": path} for path in paths]
    if extended:
        jobs += [_on_loopback(job) for job in cluster_jobs.jobs(_STEP)]
    own, target = set(RULES.glob(OWN_RULES)), pages.removeprefix("http://")
    document: dict[str, Any] = {
        "global": {"scrape_interval": _STEP, "evaluation_interval": _STEP},
        "rule_files": [str(file) for file in sorted(RULES.glob("*.yaml")) if extended or file not in own],
        "scrape_configs": [{**job, "static_configs": [{"targets": [target]}]} for job in jobs],
    }
    folder.mkdir()
    config, address = folder / "prometheus.yml", f"127.0.0.1:{free_port()}"
    config.write_text(write_yaml(document))
    flags = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    return Server("prometheus", flags, folder, f"http://{address}/-/ready")


def _on_loopback(job: Mapping[str, Any]) -> dict[str, Any]:
    """A job with its interval and relabeling, which reads its page here."""
    kept = ("scrape_interval", "scrape_timeout", "metric_relabel_configs")
    return {name: job[name] for name in kept if name in job} | {
        "job_name": job["job_name"],
        "metrics_path": f"/{job['job_name']}",
    }


def _ask(server: Server, query: str) -> list[dict[str, Any]]:
    url = server.health.replace("/-/ready", "/api/v1/query")
    return httpx.get(url, params={"query": query}, timeout=60).raise_for_status().json()["data"]["result"]


def _wait_for_jobs(server: Server, jobs: int) -> None:
    """Wait until each job was scraped once; the longest interval is 30 s."""
    eventually(lambda: len(_ask(server, "up")) == jobs, what=f"{jobs} jobs are not scraped")


def _used(server: Server) -> tuple[float, float]:
    """CPU seconds of the server, and the seconds in which it evaluated rules, so far."""
    assert server.process
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used, _own(server, "rule_evaluation_duration_seconds_sum")


def _figures(server: Server, begun: tuple[float, float], seconds: float) -> tuple[float, ...]:
    """Values of FIGURES."""
    used, evaluated = (now - before for now, before in zip(_used(server), begun, strict=True))
    assert server.process
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return _own(server, "tsdb_head_series"), memory, 100 * used / seconds, 1000 * evaluated / seconds


def _own(server: Server, metric: str) -> float:
    """A metric of the server's own."""
    page = httpx.get(server.health.replace("/-/ready", "/metrics"), timeout=60).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(f"prometheus_{metric} "))


if __name__ == "__main__":
    sys.exit(main())
